//! Approvals against a real database: who decides, what binds, and who is first.

use ralex_access::Permission;
use ralex_api::approvals::{ApprovalState, ApprovalsQuery, SetApprovalSettings};
use ralex_approvals::{Answer, Verdict, sweep};
use ralex_kernel::{ApprovalId, CallId, Caller, Code, ScopePath};

use crate::world::{World, pending, person};

fn settings(once: bool) -> SetApprovalSettings {
    SetApprovalSettings {
        pending_minutes: 60,
        approved_minutes: 60,
        denied_minutes: 60,
        once,
        excerpts: true,
    }
}

async fn decide(world: &World, by: &Caller, id: ApprovalId, verdict: Verdict) -> Result<(), Code> {
    let at = world.approvals.place(by, world.org, id).await.map_err(|problem| problem.code)?;
    let scope = world.access.allow(by, world.org, Permission::ApprovalDecide, at).await;
    let scope = scope.map_err(|problem| problem.code)?;
    let decided = world.approvals.decide(&scope, id, verdict, " looked at ").await;
    decided.map(drop).map_err(|problem| problem.code)
}

#[tokio::test]
async fn what_a_person_approved_passes_once_and_then_has_to_be_asked_again() {
    let world = World::new().await;
    let (asker, boss) = (world.member("developer").await, world.member("security").await);
    let id = pending(world.ask(&asker, "the content").await);
    assert_eq!(pending(world.ask(&asker, "the content").await), id, "it waits once");
    decide(&world, &boss, id, Verdict::Approve).await.unwrap();
    assert_eq!(world.ask(&asker, "the content").await, Answer::Approved(id));
    let again = pending(world.ask(&asker, "the content").await);
    assert_ne!(again, id);
    let used = world.find(&boss, id).await;
    assert_eq!(
        (used.state, used.uses, used.reason.as_deref()),
        (ApprovalState::Used, 1, Some("looked at"))
    );
    let recorded = world.actions().await;
    let told = ["approval.asked", "approval.approved", "approval.used", "approval.asked"];
    assert_eq!(recorded, told);
}

#[tokio::test]
async fn an_approval_for_a_while_passes_as_often_as_it_is_used_in_its_time() {
    let world = World::new().await;
    world.approvals.set_settings(&world.scope(), settings(false)).await.unwrap();
    let (asker, boss) = (world.member("developer").await, world.member("admin").await);
    let id = pending(world.ask(&asker, "the content").await);
    decide(&world, &boss, id, Verdict::Approve).await.unwrap();
    for _ in 0..3 {
        assert_eq!(world.ask(&asker, "the content").await, Answer::Approved(id));
    }
    world.let_expire(id).await;
    assert_eq!(world.find(&boss, id).await.state, ApprovalState::Used);
    assert_ne!(pending(world.ask(&asker, "the content").await), id);
    assert_eq!(sweep(&world.database.db()).await.unwrap(), 0, "who asked has ended it");
}

#[tokio::test]
async fn another_content_asker_or_place_is_another_question() {
    let world = World::new().await;
    let (asker, other) = (world.member("developer").await, world.member("developer").await);
    let boss = world.member("security").await;
    let id = pending(world.ask(&asker, "the content").await);
    decide(&world, &boss, id, Verdict::Approve).await.unwrap();
    let elsewhere = world.ask_at(&asker, "the content", world.at_team(), CallId::generate()).await;
    for answer in [
        world.ask(&asker, "the content!").await,
        world.ask(&other, "the content").await,
        elsewhere.unwrap(),
    ] {
        assert_ne!(pending(answer), id);
    }
    assert_eq!(world.ask(&asker, "the content").await, Answer::Approved(id));
}

#[tokio::test]
async fn a_denied_content_is_refused_with_the_reason_until_the_denial_is_over() {
    let world = World::new().await;
    let (asker, boss) = (world.member("developer").await, world.member("security").await);
    let id = pending(world.ask(&asker, "the content").await);
    decide(&world, &boss, id, Verdict::Deny).await.unwrap();
    let Answer::Denied { id: denied, reason, .. } = world.ask(&asker, "the content").await else {
        panic!("it was denied");
    };
    assert_eq!((denied, reason.as_str()), (id, "looked at"));
    world.let_expire(id).await;
    assert_ne!(pending(world.ask(&asker, "the content").await), id);
    assert_eq!(world.find(&boss, id).await.state, ApprovalState::Denied, "as it was decided");
}

#[tokio::test]
async fn nobody_decides_about_their_own_or_by_a_token_or_without_the_right() {
    let world = World::new().await;
    let (boss, developer) = (world.member("owner").await, world.member("developer").await);
    let own = pending(world.ask(&boss, "mine").await);
    assert_eq!(decide(&world, &boss, own, Verdict::Approve).await, Err(Code::Forbidden));
    assert_eq!(decide(&world, &boss, own, Verdict::Deny).await, Err(Code::Forbidden));
    assert!(!world.find(&boss, own).await.may_decide);
    assert_eq!(decide(&world, &developer, own, Verdict::Approve).await, Err(Code::Forbidden));
    let token = world.token(&boss).await;
    let asked = world.ask_at(&token, "by token", world.at_team(), CallId::generate()).await;
    let asked = pending(asked.unwrap());
    let made_it = decide(&world, &boss, asked, Verdict::Approve).await;
    assert_eq!(made_it, Err(Code::Forbidden), "a token of one's own making is oneself");
    assert!(decide(&world, &token, asked, Verdict::Approve).await.is_err());
    let other = world.member("security").await;
    decide(&world, &other, asked, Verdict::Approve).await.unwrap();
}

#[tokio::test]
async fn a_team_admin_decides_in_the_team_and_sees_nothing_beyond_it() {
    let world = World::new().await;
    let asker = world.member("developer").await;
    let lead = world.member_at("team_admin", world.at_team()).await;
    let there = world.ask_at(&asker, "there", world.at_team(), CallId::generate()).await;
    let there = pending(there.unwrap());
    let beyond = pending(world.ask(&asker, "beyond").await);
    let listed = world.list(&lead, ApprovalsQuery::default()).await;
    assert_eq!(listed.iter().map(|it| it.id).collect::<Vec<_>>(), [there]);
    assert!(listed[0].may_decide && !listed[0].excerpts.is_empty());
    assert_eq!(decide(&world, &lead, beyond, Verdict::Approve).await, Err(Code::Forbidden));
    decide(&world, &lead, there, Verdict::Approve).await.unwrap();
    let seen = world.find(&asker, beyond).await;
    assert!(seen.excerpts.is_empty() && !seen.may_decide, "for those who decide");
}

#[tokio::test]
async fn of_many_who_decide_at_once_one_does() {
    let world = World::new().await;
    let asker = world.member("developer").await;
    let id = pending(world.ask(&asker, "the content").await);
    let (mut deciders, mut running) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        deciders.push(world.member("security").await);
    }
    let world = std::sync::Arc::new(world);
    for (at, decider) in deciders.into_iter().enumerate() {
        let (world, verdict) = (world.clone(), [Verdict::Approve, Verdict::Deny][at % 2]);
        running.push(tokio::spawn(async move { decide(&world, &decider, id, verdict).await }));
    }
    let mut decided = 0;
    for run in running {
        match run.await.unwrap() {
            Ok(()) => decided += 1,
            Err(code) => assert_eq!(code, Code::Conflict),
        }
    }
    assert_eq!(decided, 1);
    assert_eq!(world.actions().await.len(), 2, "one question, one decision");
}

#[tokio::test]
async fn of_many_who_use_one_approval_at_once_one_passes() {
    let world = World::new().await;
    let (asker, boss) = (world.member("developer").await, world.member("security").await);
    let id = pending(world.ask(&asker, "the content").await);
    decide(&world, &boss, id, Verdict::Approve).await.unwrap();
    let world = std::sync::Arc::new(world);
    let running: Vec<_> = (0..8)
        .map(|_| {
            let (world, asker) = (world.clone(), asker.clone());
            tokio::spawn(async move { world.ask(&asker, "the content").await })
        })
        .collect();
    let (mut passed, mut waiting) = (0, Vec::new());
    for run in running {
        match run.await.unwrap() {
            Answer::Approved(used) => {
                assert_eq!(used, id);
                passed += 1;
            }
            other => waiting.push(pending(other)),
        }
    }
    waiting.dedup();
    assert_eq!((passed, waiting.len()), (1, 1), "all others wait for one and the same");
}

#[tokio::test]
async fn what_nobody_decides_in_time_ends_once_and_can_be_asked_again() {
    let world = World::new().await;
    let (asker, boss) = (world.member("developer").await, world.member("security").await);
    let id = pending(world.ask(&asker, "the content").await);
    world.let_expire(id).await;
    assert_eq!(world.find(&boss, id).await.state, ApprovalState::Expired, "before any sweep");
    let db = world.database.db();
    let (one, two) = tokio::join!(sweep(&db), sweep(&db));
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    assert_eq!(world.actions().await, ["approval.asked", "approval.expired"]);
    assert_eq!(decide(&world, &boss, id, Verdict::Approve).await, Err(Code::Conflict));
    let next = pending(world.ask(&asker, "the content").await);
    assert_ne!(next, id);
    world.let_expire(next).await;
    let late = decide(&world, &boss, next, Verdict::Approve).await;
    assert_eq!(late, Err(Code::Conflict), "before any sweep as well");
}

#[tokio::test]
async fn an_approval_that_its_call_did_not_need_is_good_for_another() {
    let world = World::new().await;
    let (asker, boss) = (world.member("developer").await, world.member("security").await);
    let id = pending(world.ask(&asker, "the content").await);
    decide(&world, &boss, id, Verdict::Approve).await.unwrap();
    let call = CallId::generate();
    let used = world.ask_at(&asker, "the content", ScopePath::Org, call).await.unwrap();
    assert_eq!(used, Answer::Approved(id));
    let author = ralex_audit::Author::of(&asker, world.org);
    world.approvals.give_back(&author, id, CallId::generate()).await;
    assert_eq!(world.find(&boss, id).await.state, ApprovalState::Used, "not by another call");
    world.approvals.give_back(&author, id, call).await;
    world.approvals.give_back(&author, id, call).await;
    let back = world.find(&boss, id).await;
    assert_eq!((back.state, back.uses), (ApprovalState::Approved, 0));
    assert_eq!(world.ask(&asker, "the content").await, Answer::Approved(id));
    let returned = world.actions().await;
    assert_eq!(returned.iter().filter(|it| *it == "approval.returned").count(), 1);
}

#[tokio::test]
async fn excerpts_are_kept_only_where_they_are_wanted_and_only_until_it_is_decided() {
    let world = World::new().await;
    let (asker, boss) = (world.member("developer").await, world.member("security").await);
    let kept = pending(world.ask(&asker, "kept").await);
    assert_eq!(world.find(&boss, kept).await.excerpts.len(), 1);
    decide(&world, &boss, kept, Verdict::Deny).await.unwrap();
    assert_eq!(world.excerpts_stored().await, 0);
    let waits = pending(world.ask(&asker, "waits").await);
    let quiet = SetApprovalSettings { excerpts: false, ..settings(true) };
    world.approvals.set_settings(&world.scope(), quiet).await.unwrap();
    assert_eq!(world.excerpts_stored().await, 0, "also of what waits");
    assert!(world.find(&boss, waits).await.excerpts.is_empty());
    let beyond = SetApprovalSettings { pending_minutes: 0, ..settings(true) };
    let refused = world.approvals.set_settings(&world.scope(), beyond).await.unwrap_err();
    assert_eq!(refused.errors[0].path, "pending_minutes");
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let world = World::new().await;
    let (asker, boss) = (world.member("developer").await, world.member("security").await);
    for content in ["a", "b", "c"] {
        world.ask(&asker, content).await;
    }
    let newest = world.list(&boss, ApprovalsQuery::default()).await;
    decide(&world, &boss, newest[0].id, Verdict::Deny).await.unwrap();
    let only = async |query: ApprovalsQuery| world.list(&boss, query).await.len();
    let query = ApprovalsQuery::default;
    assert_eq!(only(ApprovalsQuery { limit: Some(2), ..query() }).await, 2);
    assert_eq!(only(ApprovalsQuery { state: Some(ApprovalState::Pending), ..query() }).await, 2);
    assert_eq!(only(ApprovalsQuery { state: Some(ApprovalState::Denied), ..query() }).await, 1);
    assert_eq!(only(ApprovalsQuery { rule: Some("pii.iban".into()), ..query() }).await, 3);
    assert_eq!(only(ApprovalsQuery { rule: Some("pii.email".into()), ..query() }).await, 0);
    assert_eq!(only(ApprovalsQuery { model: Some("other".into()), ..query() }).await, 0);
    let asked = Some(newest[0].asker_id.clone());
    assert_eq!(only(ApprovalsQuery { asker: asked, ..query() }).await, 3);
    let cursor = Some(newest[1].id.to_string());
    assert_eq!(only(ApprovalsQuery { cursor, ..query() }).await, 1);
}

#[tokio::test]
async fn another_organisation_neither_sees_nor_decides() {
    let world = World::new().await;
    let asker = world.member("developer").await;
    let id = pending(world.ask(&asker, "the content").await);
    let stranger = person(ralex_kernel::UserId::generate());
    let seen = world.approvals.place(&stranger, world.org, id).await;
    assert_eq!(seen.unwrap_err().code, Code::NotFound);
    let seen = world.approvals.read(&stranger, world.org, id).await;
    assert_eq!(seen.unwrap_err().code, Code::NotFound);
    let other = world.other_org().await;
    assert!(world.approvals.read(&asker, other, id).await.is_err());
}
