//! The question itself, over real rows.

use chrono::TimeDelta;
use ralex_kernel::{Caller, Credential, RequestId, ScopePath, Subject, TokenId};

use super::setup::{Setup, person};
use crate::{Basis, Permission};

#[tokio::test]
async fn a_right_ends_at_its_last_instant_and_not_before() {
    let setup = Setup::new().await;
    let user = setup.member_as("viewer", ScopePath::Org).await;
    let end = setup.now() + TimeDelta::hours(4);
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    sqlx::query!(
        "update binding set not_before = $3, expires_at = $4 where org_id = $1 and subject_id = $2",
        setup.org as _,
        user as _,
        setup.now(),
        end,
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    setup.access.commit(tx, setup.org).await.unwrap();
    let may = async || {
        let at = ScopePath::Org;
        setup.access.allow(&person(user), setup.org, Permission::OrgRead, at).await.is_ok()
    };
    assert!(may().await);
    setup.pass(TimeDelta::milliseconds(-1));
    assert!(!may().await);
    setup.pass(TimeDelta::hours(4));
    assert!(may().await);
    setup.pass(TimeDelta::milliseconds(1));
    assert!(!may().await);
}

#[tokio::test]
async fn a_team_token_calls_models_in_its_team_and_does_nothing_else() {
    let setup = Setup::new().await;
    let (team, other) = (setup.team("one").await, setup.team("two").await);
    let project = setup.project(team, "app").await;
    let (token, scope) = (TokenId::generate(), ScopePath::Team { team });
    let caller = Caller {
        subject: Subject::Token { token, org: setup.org, scope },
        credential: Credential::TeamToken(token),
        second_factor: false,
        sign_on: None,
        by_device: false,
        narrowed: None,
        models: None,
        request: RequestId::generate(),
        address: None,
    };
    let ask = async |permission, at| setup.access.allow(&caller, setup.org, permission, at).await;
    let below = ScopePath::Project { team, project };
    assert_eq!(ask(Permission::LlmInvoke, scope).await.unwrap().by(), Basis::Service);
    assert!(ask(Permission::LlmInvoke, below).await.is_ok());
    assert!(ask(Permission::LlmInvoke, ScopePath::Org).await.is_err());
    assert!(ask(Permission::LlmInvoke, ScopePath::Team { team: other }).await.is_err());
    // A project of this team under the other's name, and the other way round.
    assert!(ask(Permission::LlmInvoke, ScopePath::Project { team: other, project }).await.is_err());
    assert!(ask(Permission::SecretRead, scope).await.is_err());
}

#[tokio::test]
async fn lists_reach_as_far_as_the_caller() {
    let setup = Setup::new().await;
    let (one, two) = (setup.team("one").await, setup.team("two").await);
    let (app, _) = (setup.project(one, "app").await, setup.project(two, "web").await);
    let viewer = person(setup.member_as("viewer", ScopePath::Team { team: one }).await);
    let reach = setup.access.reach(&viewer, setup.org, Permission::TeamRead).await.unwrap();
    assert!(!reach.everywhere());
    assert_eq!((reach.teams(), reach.projects()), (&[one][..], &[app][..]));
    let owner = person(setup.owner);
    assert!(
        setup.access.reach(&owner, setup.org, Permission::TeamRead).await.unwrap().everywhere()
    );
    assert!(setup.access.reach(&viewer, setup.org, Permission::BudgetSet).await.is_err());
    let (everywhere, extras) = setup.access.permissions(&viewer, setup.org).await.unwrap();
    assert!(everywhere.is_empty());
    assert_eq!(extras.len(), 1);
    assert_eq!(extras[0].0, ScopePath::Team { team: one });
    assert!(extras[0].1.contains(&"team.read".to_owned()));
}

#[tokio::test]
async fn a_denial_beats_every_right_below_and_above_it() {
    let setup = Setup::new().await;
    let team = ScopePath::Team { team: setup.team("one").await };
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    sqlx::query!(
        "insert into binding (org_id, id, subject_kind, subject_id, role, effect, created_by)
        values ($1, $2, 'user', $3, 'service', 'deny', 'a test')",
        setup.org as _,
        ralex_kernel::BindingId::generate() as _,
        setup.owner as _,
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    setup.access.commit(tx, setup.org).await.unwrap();
    let owner = person(setup.owner);
    assert!(setup.access.allow(&owner, setup.org, Permission::LlmInvoke, team).await.is_err());
    assert!(setup.access.allow(&owner, setup.org, Permission::TeamDelete, team).await.is_ok());
}

#[tokio::test]
async fn casbin_has_checked_the_sampled_decisions_and_agrees() {
    let setup = Setup::new().await;
    let owner = person(setup.owner);
    for permission in Permission::ALL.iter().take(10) {
        let at = ScopePath::Org;
        setup.access.allow(&owner, setup.org, *permission, at).await.unwrap();
    }
    let checked = async {
        while setup.access.rechecks().checked() < 10 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = checked => {}
        () = setup.access.run(std::future::pending()) => {}
    }
    assert_eq!(setup.access.status().disagreements, 0);
}
