//! What a refused caller learns, and what the log keeps of it.

use std::time::Duration;

use ralex_kernel::{Code, OrgId, ScopePath};
use sqlx::Connection;

use super::setup::{Setup, person};
use crate::Permission;

async fn recorded(setup: &Setup) -> i64 {
    let mut owner = setup.database.owner().await;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from audit_event where org_id = $1 and action = 'access.denied'"#,
        setup.org as _,
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();
    owner.close().await.unwrap();
    count
}

#[tokio::test]
async fn a_stranger_cannot_tell_an_organisation_from_none() {
    let setup = Setup::new().await;
    let stranger = person(setup.member().await);
    let ask = async |org| {
        let answer = setup.access.allow(&stranger, org, Permission::OrgRead, ScopePath::Org).await;
        answer.unwrap_err()
    };
    let (real, unreal) = (ask(setup.org).await, ask(OrgId::generate()).await);
    assert_eq!(real.code, Code::NotFound);
    assert_eq!(real, unreal);
}

#[tokio::test]
async fn a_member_is_told_what_is_missing_and_where() {
    let setup = Setup::new().await;
    let viewer = person(setup.member_as("viewer", ScopePath::Org).await);
    let at = ScopePath::Team { team: setup.team("one").await };
    let refused = setup.access.allow(&viewer, setup.org, Permission::TeamDelete, at).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, Code::Forbidden);
    assert!(refused.detail.contains("team.delete") && refused.detail.contains("in team "));
}

#[tokio::test]
async fn a_flood_of_denials_is_recorded_once_a_minute() {
    let setup = Setup::new().await;
    let viewer = person(setup.member_as("viewer", ScopePath::Org).await);
    let ask = async || {
        let at = ScopePath::Org;
        let refused = setup.access.allow(&viewer, setup.org, Permission::BudgetSet, at).await;
        assert_eq!(refused.unwrap_err().code, Code::Forbidden);
    };
    for _ in 0..20 {
        ask().await;
    }
    assert_eq!(recorded(&setup).await, 1);
    setup.run_for(Duration::from_mins(1));
    setup.access.node.poll().await.unwrap();
    ask().await;
    assert_eq!(recorded(&setup).await, 2);
}

#[tokio::test]
async fn a_denial_that_cannot_be_recorded_is_still_a_denial() {
    let setup = Setup::new().await;
    let viewer = person(setup.member_as("viewer", ScopePath::Org).await);
    let mut owner = setup.database.owner().await;
    sqlx::query!("revoke insert on audit_event from ralex_app").execute(&mut owner).await.unwrap();
    owner.close().await.unwrap();
    let at = ScopePath::Org;
    let refused = setup.access.allow(&viewer, setup.org, Permission::BudgetSet, at).await;
    assert_eq!(refused.unwrap_err().code, Code::Forbidden);
}
