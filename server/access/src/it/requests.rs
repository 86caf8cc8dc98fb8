//! Asking for roles for a while: who may decide, for how long it holds, and how it ends.

use chrono::TimeDelta;
use futures_util::future::join_all;
use ralex_api::access::{NewGroup, NewRole, RoleName, UpdateRole};
use ralex_api::access_requests::{
    AccessEnding, AccessRequest, AccessRequestState, AccessRequestsOnly, AccessRequestsQuery,
    NewAccessRequest, SetAccessRequestSettings,
};
use ralex_kernel::{
    AccessRequestId, Caller, Code, Permissions, Problem, ScopePath, Subject, UserId,
};

use super::setup::{Setup, person};
use crate::{Access, Bearer, Permission, Wanted};

const ORG: ScopePath = ScopePath::Org;

type Done = Result<AccessRequest, Problem>;

impl Setup {
    async fn ask(&self, who: UserId, role: &str, at: ScopePath, minutes: Option<u32>) -> Done {
        let caller = person(who);
        let scope =
            self.access.allow_somewhere(&caller, self.org, Permission::AccessRequest).await?;
        let new = NewAccessRequest {
            role: RoleName(role.to_owned()),
            scope: None,
            minutes,
            reason: "to mend it".to_owned(),
        };
        self.access.request_access(&scope, new, at).await
    }

    async fn approve(&self, who: UserId, id: AccessRequestId) -> Done {
        let caller = person(who);
        let at = self.access.place_of_request(&caller, self.org, id).await?;
        let scope = self.access.allow(&caller, self.org, Permission::AccessDecide, at).await?;
        self.access.approve_access(&scope, id, "as agreed").await
    }

    async fn deny(&self, who: UserId, id: AccessRequestId) -> Done {
        let caller = person(who);
        let scope = self.access.allow(&caller, self.org, Permission::AccessDecide, ORG).await?;
        self.access.deny_access(&scope, id, "not today").await
    }

    async fn events(&self, action: &str) -> i64 {
        let mut tx = self.database.db().system("a test").await.unwrap();
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from audit_event where org_id = $1 and action = $2"#,
            self.org as _,
            action,
        )
        .fetch_one(&mut *tx)
        .await
        .unwrap()
    }

    async fn seen(&self, who: UserId, id: AccessRequestId) -> AccessRequest {
        self.access.access_request(&person(who), self.org, id).await.unwrap()
    }

    async fn need(&self, approvals: u32, longest_minutes: u32) {
        let set = SetAccessRequestSettings {
            approvals,
            default_minutes: longest_minutes.min(240),
            longest_minutes,
            pending_minutes: 60,
        };
        let scope = Access::internal(self.org);
        self.access.set_request_settings(&scope, set).await.unwrap();
    }
}

fn code(done: Done) -> Code {
    done.unwrap_err().code
}

#[tokio::test]
async fn access_holds_to_the_last_millisecond_and_not_at_its_end_on_every_node() {
    let setup = Setup::new().await;
    let at = ScopePath::Team { team: setup.team("one").await };
    let ann = setup.member_as("viewer", ORG).await;
    let asked = setup.ask(ann, "developer", at, Some(30)).await.unwrap();
    assert_eq!(asked.state, AccessRequestState::Pending);
    let given = setup.approve(setup.owner, asked.id).await.unwrap();
    let end = setup.now() + TimeDelta::minutes(30);
    assert_eq!((given.state, given.expires_at), (AccessRequestState::Active, Some(end)));
    let other = setup.other_node().await;
    let may = async |node: &Access| {
        let judged = node.judge(Subject::User(ann), setup.org, Permission::LlmInvoke, at).await;
        judged.unwrap().is_allowed()
    };
    setup.pass(TimeDelta::minutes(30) - TimeDelta::milliseconds(1));
    assert!(may(&setup.access).await && may(&other).await);
    setup.pass(TimeDelta::milliseconds(1));
    assert!(!may(&setup.access).await && !may(&other).await);
    let over = setup.seen(ann, asked.id).await;
    assert_eq!((over.state, over.ending), (AccessRequestState::Ended, Some(AccessEnding::Expired)));
    // Nobody has swept yet, and it can be asked for and given again.
    let again = setup.ask(ann, "developer", at, None).await.unwrap();
    setup.approve(setup.owner, again.id).await.unwrap();
    assert!(may(&setup.access).await);
}

#[tokio::test]
async fn the_end_is_recorded_once_however_often_it_is_swept() {
    let setup = Setup::new().await;
    let ann = setup.member_as("viewer", ORG).await;
    let held = setup.ask(ann, "developer", ORG, Some(1)).await.unwrap().id;
    setup.approve(setup.owner, held).await.unwrap();
    let waits = setup.ask(ann, "billing", ORG, None).await.unwrap().id;
    assert_eq!(setup.access.sweep_requests().await.unwrap(), 0);
    setup.pass(TimeDelta::hours(1));
    let late = code(setup.approve(setup.owner, waits).await);
    assert_eq!(late, Code::Conflict);
    for _ in 0..50 {
        let other = setup.other_node().await;
        let (one, two) = tokio::join!(setup.access.sweep_requests(), other.sweep_requests());
        one.unwrap();
        two.unwrap();
    }
    assert_eq!(setup.events("access_request.ended").await, 1);
    assert_eq!(setup.events("access_request.expired").await, 1);
    setup.access.refresh(setup.org).await.unwrap();
    let rows = setup.access.snapshot(setup.org).await.unwrap();
    assert!(rows.rows().bindings.iter().all(|it| it.request.is_none()));
    assert_eq!(setup.seen(ann, held).await.ending, Some(AccessEnding::Expired));
    assert_eq!(setup.seen(ann, waits).await.state, AccessRequestState::Expired);
}

#[tokio::test]
async fn of_twenty_who_decide_at_once_one_does() {
    let setup = Setup::new().await;
    let ann = setup.member_as("viewer", ORG).await;
    let mut deciders = Vec::new();
    for _ in 0..20 {
        deciders.push(setup.member_as("admin", ORG).await);
    }
    let id = setup.ask(ann, "developer", ORG, None).await.unwrap().id;
    let decisions = deciders.iter().enumerate().map(|(place, who)| {
        let setup = &setup;
        async move {
            if place % 2 == 0 { setup.approve(*who, id).await } else { setup.deny(*who, id).await }
        }
    });
    let done = join_all(decisions).await;
    let won: Vec<_> = done.iter().flatten().map(|it| it.state).collect();
    assert_eq!(won.len(), 1, "{done:?}");
    let lost = done.iter().filter_map(|it| it.as_ref().err());
    assert!(lost.map(|it| it.code).all(|code| code == Code::Conflict));
    let events = [
        setup.events("access_request.approved").await,
        setup.events("access_request.denied").await,
    ];
    assert_eq!(events.iter().sum::<i64>(), 1);
    assert_eq!(setup.seen(ann, id).await.state, won[0]);
    assert_eq!(setup.events("role.bound").await, 22 + events[0]);
}

#[tokio::test]
async fn nobody_decides_about_their_own_request_nor_beyond_their_own_rights() {
    let setup = Setup::new().await;
    let team = setup.team("one").await;
    let at = ScopePath::Team { team };
    let lead = setup.member_as("team_admin", at).await;
    let admin = setup.member_as("admin", ORG).await;
    let id = setup.ask(admin, "developer", at, None).await.unwrap().id;
    assert_eq!(code(setup.approve(admin, id).await), Code::Forbidden);
    assert_eq!(code(setup.deny(admin, id).await), Code::Forbidden);
    assert!(!setup.seen(admin, id).await.may_approve);
    assert!(setup.seen(lead, id).await.may_approve);
    let above = setup.ask(admin, "billing", at, None).await.unwrap().id;
    assert_eq!(code(setup.approve(lead, above).await), Code::GrantExceedsOwn);
    let seen = setup.seen(lead, above).await;
    assert!(!seen.may_approve && seen.may_deny);
    let wide = setup.ask(admin, "team_admin", ORG, None).await.unwrap().id;
    assert_eq!(code(setup.approve(lead, wide).await), Code::Forbidden, "only in their team");
    let viewer = setup.member_as("viewer", ORG).await;
    assert_eq!(code(setup.approve(viewer, id).await), Code::Forbidden);
    setup.approve(lead, id).await.unwrap();
    let twice = code(setup.approve(lead, id).await);
    assert_eq!(twice, Code::Conflict);
}

#[tokio::test]
async fn a_group_joined_a_moment_ago_and_access_for_a_while_give_no_say() {
    let setup = Setup::new().await;
    let internal = Access::internal(setup.org);
    let new = NewGroup { slug: "leads".parse().unwrap(), name: "Leads".parse().unwrap() };
    let group = setup.access.create_group(&internal, new).await.unwrap().id;
    let role = RoleName("admin".to_owned());
    let wanted = Wanted { bearer: Bearer::Group(group), ..Wanted::role(setup.owner, role, ORG) };
    setup.access.create_binding(&internal, wanted).await.unwrap();
    let (ann, lead) = (setup.member_as("viewer", ORG).await, setup.member().await);
    setup.access.add_to_group(&internal, group, lead).await.unwrap();
    let id = setup.ask(ann, "developer", ORG, None).await.unwrap().id;
    setup.joined(lead, TimeDelta::hours(24) - TimeDelta::milliseconds(1)).await;
    assert_eq!(code(setup.approve(lead, id).await), Code::Forbidden);
    assert_eq!(code(setup.deny(lead, id).await), Code::Forbidden);
    let seen = setup.seen(lead, id).await;
    assert!(!seen.may_approve && !seen.may_deny);
    // Neither does it count what one holds by a request oneself.
    let temporary = setup.member_as("viewer", ORG).await;
    let own = setup.ask(temporary, "admin", ORG, None).await.unwrap().id;
    setup.approve(setup.owner, own).await.unwrap();
    assert_eq!(code(setup.approve(temporary, id).await), Code::Forbidden);
    setup.joined(lead, TimeDelta::hours(24)).await;
    setup.approve(lead, id).await.unwrap();
}

#[tokio::test]
async fn an_approval_counts_only_while_who_gave_it_still_may() {
    let setup = Setup::new().await;
    setup.need(2, 60).await;
    let ann = setup.member_as("viewer", ORG).await;
    let (one, two) = (setup.member_as("admin", ORG).await, setup.member_as("admin", ORG).await);
    let id = setup.ask(ann, "developer", ORG, None).await.unwrap().id;
    assert_eq!(setup.approve(one, id).await.unwrap().state, AccessRequestState::Pending);
    assert_eq!(code(setup.approve(one, id).await), Code::Conflict, "not twice");
    setup.suspend(one).await;
    let second = setup.approve(two, id).await.unwrap();
    assert_eq!((second.state, second.approvals.len()), (AccessRequestState::Pending, 2));
    let third = setup.approve(setup.owner, id).await.unwrap();
    assert_eq!(third.state, AccessRequestState::Active);
}

#[tokio::test]
async fn no_access_is_longer_than_asked_for_or_than_allowed() {
    let setup = Setup::new().await;
    let ann = setup.member_as("viewer", ORG).await;
    let asked = async |role, minutes| setup.ask(ann, role, ORG, minutes).await;
    assert_eq!(asked("developer", None).await.unwrap().minutes, 240);
    assert_eq!(asked("billing", Some(u32::MAX)).await.unwrap().minutes, 14 * 24 * 60);
    assert_eq!(asked("admin", Some(1)).await.unwrap().minutes, 1);
    assert_eq!(code(asked("team_admin", Some(0)).await), Code::InvalidRequest);
    setup.need(1, 90).await;
    assert_eq!(asked("team_admin", Some(400 * 24 * 60)).await.unwrap().minutes, 90);
    // What waits is cut as well, when it is given.
    let which = AccessRequestsQuery { only: Some(AccessRequestsOnly::Mine), ..Default::default() };
    let page = setup.access.access_requests(&person(ann), setup.org, &which).await.unwrap();
    let billing = page.items.iter().find(|it| it.role.as_str() == "billing").unwrap();
    let given = setup.approve(setup.owner, billing.id).await.unwrap();
    assert_eq!(given.expires_at, Some(setup.now() + TimeDelta::minutes(90)));
}

#[tokio::test]
async fn what_is_taken_away_by_another_way_has_ended() {
    let setup = Setup::new().await;
    let internal = Access::internal(setup.org);
    let at = ScopePath::Team { team: setup.team("one").await };
    let ann = setup.member_as("viewer", ORG).await;
    let id = setup.ask(ann, "developer", at, None).await.unwrap().id;
    setup.approve(setup.owner, id).await.unwrap();
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    setup.access.unbind_all(&mut tx, &internal, ann).await.unwrap();
    setup.access.commit(tx, setup.org).await.unwrap();
    let seen = setup.seen(setup.owner, id).await;
    assert_eq!((seen.state, seen.ending), (AccessRequestState::Ended, Some(AccessEnding::Revoked)));
    assert_eq!(setup.access.sweep_requests().await.unwrap(), 1);
    assert_eq!(setup.access.sweep_requests().await.unwrap(), 0);
    let swept = setup.seen(setup.owner, id).await;
    assert_eq!((swept.state, swept.ending), (seen.state, seen.ending));
    assert_eq!(setup.events("access_request.ended").await, 1);
}

#[tokio::test]
async fn its_holder_and_who_may_take_roles_end_it_at_once_and_nobody_else() {
    let setup = Setup::new().await;
    let (ann, bob) = (setup.member_as("viewer", ORG).await, setup.member_as("viewer", ORG).await);
    let given = async || {
        let id = setup.ask(ann, "developer", ORG, None).await.unwrap().id;
        setup.approve(setup.owner, id).await.unwrap();
        id
    };
    let end = async |who, id| setup.access.end_access(&person(who), setup.org, id).await;
    let id = given().await;
    assert_eq!(code(end(bob, id).await), Code::Forbidden);
    let ended = end(ann, id).await.unwrap();
    assert_eq!(
        (ended.state, ended.ending),
        (AccessRequestState::Ended, Some(AccessEnding::Revoked))
    );
    let held = setup.access.judge(Subject::User(ann), setup.org, Permission::LlmInvoke, ORG).await;
    assert!(!held.unwrap().is_allowed());
    assert_eq!(code(end(ann, id).await), Code::Conflict);
    end(setup.owner, given().await).await.unwrap();
    assert_eq!(setup.access.sweep_requests().await.unwrap(), 0);
    assert_eq!(setup.events("access_request.ended").await, 2);
    let waits = setup.ask(ann, "developer", ORG, None).await.unwrap().id;
    let withdraw = async |who| setup.access.withdraw_access(&person(who), setup.org, waits).await;
    assert_eq!(code(withdraw(setup.owner).await), Code::Forbidden);
    assert_eq!(withdraw(ann).await.unwrap().state, AccessRequestState::Withdrawn);
    assert_eq!(code(setup.approve(setup.owner, waits).await), Code::Conflict);
}

#[tokio::test]
async fn what_could_never_be_is_not_asked_for() {
    let setup = Setup::new().await;
    let team = ScopePath::Team { team: setup.team("one").await };
    let ann = setup.member_as("developer", ORG).await;
    let held = setup.ask(ann, "developer", team, None).await.unwrap_err();
    assert_eq!(held.code, Code::Conflict, "{held:?}");
    assert_eq!(code(setup.ask(ann, "nobody", ORG, None).await), Code::InvalidRequest);
    let nowhere = ScopePath::Team { team: ralex_kernel::TeamId::generate() };
    assert_eq!(code(setup.ask(ann, "admin", nowhere, None).await), Code::NotFound);
    assert_eq!(code(setup.ask(ann, "auditor", ORG, None).await), Code::Conflict, "duties");
    let id = setup.ask(ann, "admin", ORG, None).await.unwrap().id;
    assert_eq!(code(setup.ask(ann, "admin", ORG, None).await), Code::Conflict, "it waits");
    setup.suspend(ann).await;
    assert_eq!(code(setup.approve(setup.owner, id).await), Code::Conflict);
    assert!(!setup.seen(setup.owner, id).await.may_approve);
}

#[tokio::test]
async fn what_is_held_for_a_while_is_not_given_on_and_takes_away_as_ever() {
    let setup = Setup::new().await;
    let (ann, zoe) = (setup.member_as("viewer", ORG).await, setup.member_as("viewer", ORG).await);
    let asked = setup.ask(ann, "admin", ORG, Some(60)).await.unwrap();
    setup.approve(setup.owner, asked.id).await.unwrap();
    let caller = person(ann);
    let scope = setup.access.allow(&caller, setup.org, Permission::RoleBind, ORG).await.unwrap();
    let wanted = || Wanted::role(zoe, RoleName("developer".to_owned()), ORG);
    let refused = setup.access.create_binding(&scope, wanted()).await.unwrap_err();
    assert!(refused.detail.contains("for a while"), "{refused:?}");
    let given = setup.access.create_binding(&Access::internal(setup.org), wanted()).await;
    let given = given.unwrap().now().unwrap();
    setup.access.delete_binding(&caller, setup.org, given.id).await.unwrap();

    // Nor is it put into a role that one holds for good.
    let owner = person(setup.owner);
    let define = setup.access.allow(&owner, setup.org, Permission::RoleDefine, ORG);
    let own = |permissions: &[&str]| NewRole {
        name: RoleName("own".to_owned()),
        title: "Own".parse().unwrap(),
        description: None,
        permissions: permissions.iter().map(ToString::to_string).collect(),
        includes: Vec::new(),
    };
    let define = define.await.unwrap();
    setup.access.create_role(&define, own(&["team.read", "budget.read"])).await.unwrap();
    let holds = Wanted::role(ann, RoleName("own".to_owned()), ORG);
    setup.access.create_binding(&Access::internal(setup.org), holds).await.unwrap();
    let more = |permissions: &[&str]| UpdateRole {
        permissions: Some(own(permissions).permissions),
        title: None,
        description: None,
        includes: None,
    };
    let mine = setup.access.allow(&caller, setup.org, Permission::RoleDefine, ORG).await.unwrap();
    let wide = more(&["team.read", "budget.read", "role.bind"]);
    let refused = setup.access.update_role(&mine, "own", (wide, None)).await.unwrap_err();
    assert!(refused.detail.contains("for a while"), "{refused:?}");
    // They narrow it as ever.
    setup.access.update_role(&mine, "own", (more(&["team.read"]), None)).await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_narrowed_to_something_else_sees_and_ends_no_request() {
    let setup = Setup::new().await;
    let ann = setup.member_as("viewer", ORG).await;
    let id = setup.ask(ann, "developer", ORG, None).await.unwrap().id;
    let query = AccessRequestsQuery::default();
    for who in [ann, setup.owner] {
        let only = |permission| Permissions::NONE.with(permission);
        let caller = Caller { narrowed: Some(only(Permission::TeamRead)), ..person(who) };
        let (access, org) = (&setup.access, setup.org);
        for refused in [
            access.access_requests(&caller, org, &query).await.map(drop),
            access.access_request(&caller, org, id).await.map(drop),
            access.withdraw_access(&caller, org, id).await.map(drop),
            access.end_access(&caller, org, id).await.map(drop),
        ] {
            assert_eq!(refused.unwrap_err().code, Code::Forbidden);
        }
        let right = if who == ann { Permission::AccessRequest } else { Permission::AccessDecide };
        let caller = Caller { narrowed: Some(only(right)), ..person(who) };
        assert_eq!(access.access_requests(&caller, org, &query).await.unwrap().items.len(), 1);
    }
}
