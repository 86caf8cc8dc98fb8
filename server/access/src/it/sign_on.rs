//! Which way in counts where, and roles that follow from groups.

use ralex_api::access::RoleName;
use ralex_kernel::{
    Caller, Code, Credential, Problem, ScopePath, SignOn, SsoProviderId, TokenId, UserId,
};

use super::setup::{Setup, person};
use crate::{Permission, Synced};

async fn provider(setup: &Setup) -> SsoProviderId {
    let id = SsoProviderId::generate();
    let mut tx = setup.database.db().system("a test").await.unwrap();
    sqlx::query!(
        "insert into sso_provider (org_id, id, slug, name, issuer, client_id, sealed_secret, scopes,
             email_claim, verified_claim, name_claim, groups_claim, domains, enabled,
             create_members, session_minutes)
         values ($1, $2, $2::uuid::text, 'Corp', 'https://idp.example', 'c', '', '{}', 'e', 'v',
             'n', 'g', '{}', true, false, 60)",
        setup.org as _,
        id as _,
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    id
}

async fn sync(
    setup: &Setup,
    (provider, user): (SsoProviderId, UserId),
    roles: &[&str],
) -> Result<Synced, Problem> {
    let wanted: Vec<_> =
        roles.iter().map(|role| (RoleName((*role).to_owned()), ScopePath::Org)).collect();
    let mut tx = setup.database.db().system("a test").await.unwrap();
    let synced = setup.access.sync_roles(&mut tx, setup.org, (provider, user), &wanted).await?;
    setup.access.commit(tx, setup.org).await?;
    Ok(synced)
}

async fn roles(setup: &Setup, user: UserId) -> Vec<String> {
    let scope = crate::Access::internal(setup.org);
    let mut roles: Vec<String> =
        setup.access.roles_of(&scope, user).await.unwrap().into_iter().map(|it| it.0.0).collect();
    roles.sort();
    roles
}

#[tokio::test]
async fn a_provider_gives_and_takes_its_own_rows_and_nothing_that_the_rules_forbid() {
    let setup = Setup::new().await;
    let (one, other) = (provider(&setup).await, provider(&setup).await);
    let user = setup.member_as("viewer", ScopePath::Org).await;
    let synced = sync(&setup, (one, user), &["viewer", "developer"]).await.unwrap();
    assert_eq!((synced.added, synced.removed), (2, 0));
    sync(&setup, (other, user), &["viewer"]).await.unwrap();
    assert_eq!(roles(&setup, user).await, ["developer", "viewer", "viewer", "viewer"]);
    let version = setup.access.version(setup.org);
    let again = sync(&setup, (one, user), &["developer", "viewer"]).await.unwrap();
    assert_eq!(again, Synced::default());
    assert_eq!(setup.access.version(setup.org), version + 1, "only the test's own commit");
    let synced = sync(&setup, (one, user), &[]).await.unwrap();
    assert_eq!((synced.added, synced.removed), (0, 2));
    assert_eq!(roles(&setup, user).await, ["viewer", "viewer"]);
    // Nobody becomes an owner so, whatever stands in the mapping, nor one who checks and does.
    let wishes = ["owner", "service", "gone", "auditor", "developer"];
    let synced = sync(&setup, (one, user), &wishes).await.unwrap();
    assert!(synced.skipped.contains(&"owner".to_owned()), "{synced:?}");
    let now = roles(&setup, user).await;
    assert!(
        !now.iter().any(|role| ["owner", "service", "gone"].contains(&role.as_str())),
        "{now:?}"
    );
    let both = now.contains(&"auditor".to_owned()) && now.contains(&"developer".to_owned());
    assert!(!both, "{now:?}");
}

#[tokio::test]
async fn only_the_right_way_in_counts() {
    let setup = Setup::new().await;
    let ours = provider(&setup).await;
    let user = setup.member_as("viewer", ScopePath::Org).await;
    let by = |who: UserId, sign_on: Option<SignOn>| Caller { sign_on, ..person(who) };
    let may = async |caller: &Caller| {
        let asked = setup.access.allow(caller, setup.org, Permission::TeamRead, ScopePath::Org);
        asked.await.map(drop).map_err(|problem| problem.code)
    };
    let here = Some(SignOn { org: setup.org, provider: ours });
    let elsewhere = Some(SignOn { org: setup.add_org("other").await, provider: ours });
    assert_eq!(may(&by(user, None)).await, Ok(()));
    assert_eq!(may(&by(user, here)).await, Ok(()));
    assert_eq!(may(&by(user, elsewhere)).await, Err(Code::SignOnRequired));
    // Who is nobody here is not told how one comes in.
    assert_eq!(may(&by(UserId::generate(), elsewhere)).await, Err(Code::NotFound));

    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    sqlx::query!(
        "insert into sso_enforcement (org_id, provider_id, break_glass, created_by)
         values ($1, $2, $3, 'system')",
        setup.org as _,
        ours as _,
        setup.owner as _,
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    setup.access.commit(tx, setup.org).await.unwrap();
    assert_eq!(may(&by(user, None)).await, Err(Code::SignOnRequired));
    assert_eq!(may(&by(user, here)).await, Ok(()));
    let another = Some(SignOn { org: setup.org, provider: SsoProviderId::generate() });
    assert_eq!(may(&by(user, another)).await, Err(Code::SignOnRequired));
    assert_eq!(may(&by(setup.owner, None)).await, Ok(()));
    let token = Credential::PersonalToken(TokenId::generate());
    let by_token = Caller { credential: token, ..person(setup.owner) };
    assert_eq!(may(&by_token).await, Err(Code::SignOnRequired));
    let (held, places) = setup.access.permissions(&by(user, None), setup.org).await.unwrap();
    assert!(held.is_empty() && places.is_empty());
    let belongs = setup.access.belongs(&by(user, None), setup.org).await;
    assert_eq!(belongs.unwrap_err().code, Code::SignOnRequired);
    let reach = setup.access.reach(&by(user, None), setup.org, Permission::TeamRead).await;
    assert_eq!(reach.unwrap_err().code, Code::SignOnRequired);
    // The one who was named keeps the role.
    let scope = crate::Access::internal(setup.org);
    let bound = setup.access.bindings_of(&scope, &[setup.owner]).await.unwrap();
    let second = setup.member_as("owner", ScopePath::Org).await;
    assert_ne!(second, setup.owner);
    let own = bound.iter().find(|it| it.user == setup.owner).unwrap();
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    let taken = setup.access.unbind(&mut tx, &scope, own.id).await;
    assert_eq!(taken.unwrap_err().code, Code::Conflict);
}
