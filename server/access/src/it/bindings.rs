//! Giving and taking roles.

use ralex_kernel::{Code, ScopePath};

use super::setup::{Setup, person};
use crate::{Access, Permission};

#[tokio::test]
async fn nobody_gives_what_they_do_not_hold() {
    let setup = Setup::new().await;
    let team = ScopePath::Team { team: setup.team("one").await };
    let admin = person(setup.member_as("team_admin", team).await);
    let someone = setup.member().await;
    let scope = setup.access.allow(&admin, setup.org, Permission::RoleBind, team).await.unwrap();
    for role in ["owner", "admin", "billing", "security", "auditor"] {
        let refused = setup.bind(&scope, someone, role, team).await.unwrap_err();
        assert_eq!(refused.code, Code::GrantExceedsOwn, "{role}");
    }
    let above = setup.bind(&scope, someone, "viewer", ScopePath::Org).await.unwrap_err();
    assert_eq!(above.code, Code::Forbidden);
    setup.bind(&scope, someone, "developer", team).await.unwrap();
    setup.bind(&scope, someone, "team_admin", team).await.unwrap();
}

#[tokio::test]
async fn an_admin_makes_developers_but_not_of_themselves() {
    let setup = Setup::new().await;
    let (admin, someone) = (setup.member_as("admin", ScopePath::Org).await, setup.member().await);
    let caller = person(admin);
    let at = ScopePath::Org;
    let scope = setup.access.allow(&caller, setup.org, Permission::RoleBind, at).await.unwrap();
    setup.bind(&scope, someone, "developer", at).await.unwrap();
    let own = setup.bind(&scope, admin, "developer", at).await.unwrap_err();
    assert_eq!(own.code, Code::GrantExceedsOwn);
    let owner = setup.bind(&scope, someone, "owner", at).await.unwrap_err();
    assert_eq!(owner.code, Code::GrantExceedsOwn);
}

#[tokio::test]
async fn a_role_that_one_could_not_give_cannot_be_taken() {
    let setup = Setup::new().await;
    let at = ScopePath::Org;
    setup.member_as("owner", at).await;
    let admin = person(setup.member_as("admin", at).await);
    let scope = setup.access.allow(&admin, setup.org, Permission::RoleBind, at).await.unwrap();
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    let refused = setup.access.unbind_all(&mut tx, &scope, setup.owner).await.unwrap_err();
    assert_eq!(refused.code, Code::GrantExceedsOwn);
}

#[tokio::test]
async fn two_owners_who_remove_each_other_at_once_leave_one() {
    let setup = Setup::new().await;
    let at = ScopePath::Org;
    let other = setup.member_as("owner", at).await;
    let remove = async |by, whom| {
        let scope = setup.access.allow(&person(by), setup.org, Permission::RoleBind, at).await?;
        let mut tx = setup.database.db().tenant(setup.org).await?;
        setup.access.unbind_all(&mut tx, &scope, whom).await?;
        setup.access.commit(tx, setup.org).await
    };
    let (one, two) = tokio::join!(remove(setup.owner, other), remove(other, setup.owner));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let scope = Access::internal(setup.org);
    let bound = setup.access.bindings_of(&scope, &[setup.owner, other]).await.unwrap();
    assert_eq!(bound.len(), 1);
}

#[tokio::test]
async fn the_last_owner_stays_even_against_the_deployment() {
    let setup = Setup::new().await;
    let scope = Access::internal(setup.org);
    let binding = setup.access.bindings_of(&scope, &[setup.owner]).await.unwrap()[0].id;
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    let refused = setup.access.unbind(&mut tx, &scope, binding).await.unwrap_err();
    assert_eq!(refused.code, Code::LastOwner);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_bound() {
    let setup = Setup::new().await;
    let scope = Access::internal(setup.org);
    let (team, other) = (setup.team("one").await, setup.team("two").await);
    let project = setup.project(team, "app").await;
    let user = setup.member().await;
    let stranger = ralex_kernel::UserId::generate();
    let at = ScopePath::Project { team: other, project };
    let code = async |user, role, at| setup.bind(&scope, user, role, at).await.unwrap_err().code;
    assert_eq!(code(user, "viewer", at).await, Code::NotFound);
    assert_eq!(code(stranger, "viewer", ScopePath::Org).await, Code::NotFound);
    for role in ["nobody", "service", "role:owner", "owner\n", "Owner", "", "*"] {
        assert_eq!(code(user, role, ScopePath::Org).await, Code::InvalidRequest, "{role:?}");
    }
    setup.bind(&scope, user, "viewer", ScopePath::Org).await.unwrap();
    assert_eq!(code(user, "viewer", ScopePath::Org).await, Code::AlreadyExists);
}
