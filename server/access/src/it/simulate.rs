//! What a change would do is what it does.

use chrono::Utc;
use ralex_api::access::{BindingEffect, NewRole, RoleName};
use ralex_api::simulate::ProposedRole;
use ralex_kernel::{ScopePath, Subject, UserId};

use super::setup::Setup;
use crate::{Access, Permissions, Proposed, Wanted};

fn proposed(bind: Vec<Wanted>, roles: Vec<ProposedRole>) -> Proposed {
    Proposed { bind, unbind: Vec::new(), roles, days: None, limit: None }
}

async fn held(setup: &Setup, user: UserId, at: ScopePath) -> Permissions {
    let snapshot = setup.access.snapshot(setup.org).await.unwrap();
    snapshot.permissions(Subject::User(user), at, setup.now())
}

#[tokio::test]
async fn what_somebody_would_gain_and_lose_is_what_they_then_gain_and_lose() {
    let setup = Setup::new().await;
    let team = setup.team("blue").await;
    let project = setup.project(team, "web").await;
    let (there, below) = (ScopePath::Team { team }, ScopePath::Project { team, project });
    let user = setup.member_as("developer", below).await;
    let other = setup.member_as("viewer", ScopePath::Org).await;
    let scope = Access::internal(setup.org);
    let role = |role: &str, at| Wanted::role(user, RoleName(role.to_owned()), at);
    let denied = Wanted { effect: BindingEffect::Deny, ..role("developer", below) };
    let change = vec![role("billing", there), denied];
    let told = setup.access.simulate(&scope, proposed(change.clone(), vec![])).await.unwrap();
    assert_eq!((told.gaining, told.losing, told.more_changes), (1, 1, 0));
    let before = [held(&setup, user, there).await, held(&setup, user, below).await];
    for wanted in change {
        setup.access.create_binding(&scope, wanted).await.unwrap();
    }
    let after = [held(&setup, user, there).await, held(&setup, user, below).await];
    for ((before, after), name) in before.into_iter().zip(after).zip(["team:blue", "project:web"]) {
        let change = told.changes.iter().find(|it| it.scope == name).unwrap();
        assert_eq!(change.gains, after.without(before).names(), "{name}");
        assert_eq!(change.loses, before.without(after).names(), "{name}");
    }
    assert!(told.changes.iter().all(|it| it.subject != format!("user:{other}")));
}

#[tokio::test]
async fn a_role_that_would_be_another_one_is_told_of_all_who_hold_it() {
    let setup = Setup::new().await;
    let scope = Access::internal(setup.org);
    let new = NewRole {
        name: RoleName("own".to_owned()),
        title: "Own".parse().unwrap(),
        description: None,
        permissions: vec!["call.read".to_owned()],
        includes: Vec::new(),
    };
    setup.access.create_role(&scope, new).await.unwrap();
    let one = setup.member_as("own", ScopePath::Org).await;
    let two = setup.member_as("own", ScopePath::Org).await;
    let version = setup.access.snapshot(setup.org).await.unwrap().version();
    let role = |permission: &str| ProposedRole {
        name: RoleName("own".to_owned()),
        permissions: vec![permission.to_owned()],
        includes: Vec::new(),
    };
    let told = setup.access.simulate(&scope, proposed(vec![], vec![role("alert.read")])).await;
    let told = told.unwrap();
    let mut whom: Vec<_> = told.changes.iter().map(|it| it.subject.clone()).collect();
    whom.sort();
    let mut expected = [format!("user:{one}"), format!("user:{two}")];
    expected.sort();
    assert_eq!(whom, expected);
    assert_eq!(
        (told.changes[0].gains.as_slice(), told.changes[0].loses.as_slice()),
        (["alert.read".to_owned()].as_slice(), ["call.read".to_owned()].as_slice())
    );
    assert_eq!(setup.access.snapshot(setup.org).await.unwrap().version(), version);
    let odd = setup.access.simulate(&scope, proposed(vec![], vec![role("moon.read")])).await;
    assert!(odd.unwrap_err().detail.contains("is not a permission"));
    assert!(told.uses.since < Utc::now());
}
