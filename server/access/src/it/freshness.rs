//! Revocation is seen everywhere, and blindness closes.

use std::time::Duration;

use ralex_kernel::{Code, ScopePath};
use sqlx::Connection;

use super::setup::{Setup, person};
use crate::{Access, Permission};

const READ: Permission = Permission::TeamRead;

async fn may(access: &Access, setup: &Setup, user: ralex_kernel::UserId) -> bool {
    access.allow(&person(user), setup.org, READ, ScopePath::Org).await.is_ok()
}

async fn revoke(setup: &Setup, user: ralex_kernel::UserId) {
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    let scope = Access::internal(setup.org);
    assert_eq!(setup.access.unbind_all(&mut tx, &scope, user).await.unwrap(), 1);
    setup.access.commit(tx, setup.org).await.unwrap();
}

#[tokio::test]
async fn who_changes_something_sees_it_at_once_and_others_with_the_next_look() {
    let setup = Setup::new().await;
    let user = setup.member_as("viewer", ScopePath::Org).await;
    let other = setup.other_node().await;
    assert!(may(&setup.access, &setup, user).await && may(&other, &setup, user).await);
    let before = setup.access.version(setup.org);
    revoke(&setup, user).await;
    assert!(setup.access.version(setup.org) > before);
    assert!(!may(&setup.access, &setup, user).await);
    // This node does not listen; its own look is what it learns from.
    other.node.poll().await.unwrap();
    let looking = tokio::time::timeout(Duration::from_secs(10), async {
        while may(&other, &setup, user).await {
            tokio::task::yield_now().await;
        }
    });
    looking.await.unwrap();
    assert_eq!(other.version(setup.org), setup.access.version(setup.org));
}

#[tokio::test]
async fn a_node_that_hears_of_a_change_does_not_wait_for_its_next_look() {
    let setup = Setup::new().await;
    let user = setup.member_as("viewer", ScopePath::Org).await;
    let other = setup.other_node().await;
    assert!(may(&other, &setup, user).await);
    revoke(&setup, user).await;
    other.node.hint(setup.org);
    let hearing = tokio::time::timeout(Duration::from_secs(10), async {
        while may(&other, &setup, user).await {
            tokio::task::yield_now().await;
        }
    });
    hearing.await.unwrap();
}

#[tokio::test]
async fn a_node_that_has_not_looked_for_more_than_five_seconds_allows_nothing() {
    let setup = Setup::new().await;
    setup.access.node.poll().await.unwrap();
    setup.run_for(Duration::from_secs(5));
    assert!(may(&setup.access, &setup, setup.owner).await);
    assert!(setup.access.status().open);
    setup.run_for(Duration::from_millis(1));
    assert!(!setup.access.status().open);
    let closed = setup.access.allow(&person(setup.owner), setup.org, READ, ScopePath::Org).await;
    let closed = closed.unwrap_err();
    assert_eq!((closed.code, closed.retry_after), (Code::Unavailable, Some(1)));
    setup.access.node.poll().await.unwrap();
    assert!(may(&setup.access, &setup, setup.owner).await);
}

#[tokio::test]
async fn a_row_that_makes_no_sense_closes_its_organisation_and_no_other() {
    let setup = Setup::new().await;
    let other = setup.add_org("other").await;
    let mut owner = setup.database.owner().await;
    sqlx::query!("alter table binding drop constraint binding_effect")
        .execute(&mut owner)
        .await
        .unwrap();
    sqlx::query!("update binding set effect = 'Deny' where org_id = $1", setup.org as _)
        .execute(&mut owner)
        .await
        .unwrap();
    sqlx::query!(
        "update policy_version set version = version + 1 where org_id = $1",
        setup.org as _
    )
    .execute(&mut owner)
    .await
    .unwrap();
    owner.close().await.unwrap();
    // The old snapshot stands until five seconds are over, whole.
    setup.access.node.poll().await.unwrap();
    assert!(setup.access.refresh(setup.org).await.is_err());
    assert!(may(&setup.access, &setup, setup.owner).await);
    setup.run_for(Duration::from_millis(5_001));
    setup.access.node.poll().await.unwrap();
    let closed = setup.access.allow(&person(setup.owner), setup.org, READ, ScopePath::Org).await;
    assert_eq!(closed.unwrap_err().code, Code::Unavailable);
    assert!(setup.access.snapshot(other).await.is_ok());
}

#[tokio::test]
async fn an_organisation_is_found_by_its_id_and_by_its_slug() {
    let setup = Setup::new().await;
    assert_eq!(setup.access.org("acme"), Some(setup.org));
    assert_eq!(setup.access.org(&setup.org.to_string()), Some(setup.org));
    assert_eq!(setup.access.org("other"), None);
    assert_eq!(setup.access.org(&ralex_kernel::OrgId::generate().to_string()), None);
    assert_eq!(setup.other_node().await.org("acme"), Some(setup.org));
}
