//! Waiting for decisions: who may wait, when they are told, and how many wait for whom.

use std::time::{Duration, Instant};

use ralex_access::Permission;
use ralex_api::approvals::{Approval, ApprovalState};
use ralex_approvals::Verdict;
use ralex_kernel::{ApprovalId, CallId, Caller, Code, Problem};

use crate::world::{World, pending};

const LONG: Duration = Duration::from_secs(40);

async fn wait(world: &World, by: &Caller, id: ApprovalId, patience: Duration) -> Approval {
    world.approvals.wait(by, world.org, id, patience).await.unwrap()
}

async fn decide(world: &World, by: &Caller, id: ApprovalId, verdict: Verdict) {
    let at = world.approvals.place(by, world.org, id).await.unwrap();
    let scope = world.access.allow(by, world.org, Permission::ApprovalDecide, at).await.unwrap();
    world.approvals.decide(&scope, id, verdict, "looked at").await.unwrap();
}

/// Somebody waits, until something happens.
async fn while_waiting<T>(
    world: &World,
    by: &Caller,
    id: ApprovalId,
    what: impl Future<Output = T>,
) -> (Approval, Duration) {
    let began = Instant::now();
    let (seen, ()) = tokio::join!(wait(world, by, id, LONG), async {
        // Long enough that the one who waits has looked.
        tokio::time::sleep(Duration::from_millis(100)).await;
        what.await;
    });
    (seen, began.elapsed())
}

#[tokio::test]
async fn who_waits_is_told_of_a_decision_that_another_server_takes() {
    let world = World::new().await;
    let (asker, boss) = (world.member("developer").await, world.member("security").await);
    let id = pending(world.ask(&asker, "the content").await);
    let approvals = world.approvals.clone();
    let run = tokio::spawn(async move { approvals.run(std::future::pending()).await });
    // The feed is there when it has told of another one.
    let first = pending(world.ask(&asker, "the first").await);
    decide(&world, &boss, first, Verdict::Deny).await;
    let other = world.another_server();
    let deciding = async {
        let at = other.place(&boss, world.org, id).await.unwrap();
        let may = Permission::ApprovalDecide;
        let scope = world.access.allow(&boss, world.org, may, at).await.unwrap();
        other.decide(&scope, id, Verdict::Approve, "looked at").await.unwrap();
    };
    let (seen, took) = Box::pin(while_waiting(&world, &asker, id, deciding)).await;
    assert_eq!(
        (seen.state, seen.decided_by.is_some(), seen.reason.as_deref()),
        (ApprovalState::Approved, true, Some("looked at"))
    );
    assert!(took < Duration::from_secs(4), "before it would have looked by itself: {took:?}");
    run.abort();
}

#[tokio::test]
async fn who_waits_longer_than_they_wanted_is_told_that_it_waits_still() {
    let world = World::new().await;
    let asker = world.member("developer").await;
    let id = pending(world.ask(&asker, "the content").await);
    let began = Instant::now();
    let seen = wait(&world, &asker, id, Duration::from_millis(300)).await;
    assert_eq!(seen.state, ApprovalState::Pending);
    assert!((300..3_000).contains(&began.elapsed().as_millis()));
    assert_eq!(wait(&world, &asker, id, Duration::ZERO).await.state, ApprovalState::Pending);
    let refused = world.approvals.wait(&asker, world.org, id, Duration::from_secs(51)).await;
    assert_eq!(refused.unwrap_err().code, Code::InvalidRequest);
}

#[tokio::test]
async fn a_server_that_ends_lets_go_of_who_waits() {
    let world = World::new().await;
    let asker = world.member("developer").await;
    let id = pending(world.ask(&asker, "the content").await);
    let ending = async { world.approvals.end_waits() };
    let (seen, took) = while_waiting(&world, &asker, id, ending).await;
    assert_eq!(seen.state, ApprovalState::Pending);
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn who_loses_the_right_while_they_wait_is_not_told() {
    let world = World::new().await;
    let (asker, boss) = (world.member("developer").await, world.member("security").await);
    let other = world.member("developer").await;
    let id = pending(world.ask(&asker, "the content").await);
    let seen = async { world.approvals.wait(&other, world.org, id, LONG).await };
    let (seen, ()) = tokio::join!(seen, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.take_rights(&other).await;
        decide(&world, &boss, id, Verdict::Approve).await;
        world.approvals.end_waits();
    });
    assert!(
        matches!(seen, Err(Problem { code: Code::Forbidden | Code::NotFound, .. })),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_token_sees_what_it_asked_for_itself_and_nothing_else() {
    let world = World::new().await;
    let (maker, asker) = (world.member("owner").await, world.member("developer").await);
    let (token, other) = (world.token(&maker).await, world.token(&maker).await);
    let asked = world.ask_at(&token, "by token", world.at_team(), CallId::generate()).await;
    let id = pending(asked.unwrap());
    let seen = wait(&world, &token, id, Duration::ZERO).await;
    assert!(!seen.may_decide && seen.excerpts.is_empty(), "{seen:?}");
    let theirs = pending(world.ask(&asker, "by a person").await);
    for (who, id) in [(&other, id), (&token, theirs)] {
        let refused = world.approvals.wait(who, world.org, id, Duration::ZERO).await;
        assert_eq!(refused.unwrap_err().code, Code::Forbidden);
    }
}

#[tokio::test]
async fn one_is_told_how_many_wait_that_one_may_decide_about() {
    let world = World::new().await;
    let (asker, boss) = (world.member("developer").await, world.member("security").await);
    let lead = world.member_at("team_admin", world.at_team()).await;
    assert_eq!(world.waiting(&boss).await, 0);
    let first = pending(world.ask(&asker, "one").await);
    pending(world.ask(&boss, "their own").await);
    let token = world.token(&boss).await;
    let at_team = world.ask_at(&token, "by token", world.at_team(), CallId::generate()).await;
    pending(at_team.unwrap());
    assert_eq!(world.waiting(&boss).await, 1, "neither one's own nor a token's of one's making");
    assert_eq!(world.waiting(&lead).await, 1, "in the team");
    let admin = world.member("admin").await;
    assert_eq!(world.waiting(&admin).await, 3);
    world.let_expire(first).await;
    assert_eq!(world.waiting(&admin).await, 2, "before any sweep");
    decide(&world, &admin, pending(world.ask(&boss, "their own").await), Verdict::Deny).await;
    assert_eq!(world.waiting(&admin).await, 1);
}
