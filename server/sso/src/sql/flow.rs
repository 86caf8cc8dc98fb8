//! Queries on who is away at a provider.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, SessionId, SsoProviderId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

pub struct New<'a> {
    pub provider: SsoProviderId,
    pub state: &'a [u8],
    pub browser: &'a [u8],
    pub network: &'a str,
    pub linking: Option<(UserId, SessionId)>,
    /// Since when they must have proven who they are, if they are to do so anew.
    pub proof_since: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
}

pub async fn insert(conn: &mut PgConnection, org: OrgId, new: &New<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into sso_flow (org_id, id, provider_id, state_digest, browser_digest, network,
             user_id, session_id, expires_at, proof_since)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        org as _,
        Uuid::now_v7(),
        new.provider as _,
        new.state,
        new.browser,
        new.network,
        new.linking.map(|(user, _)| user) as Option<UserId>,
        new.linking.map(|(_, session)| session) as Option<SessionId>,
        new.expires_at,
        new.proof_since,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// How many are away from one network.
pub async fn count(
    conn: &mut PgConnection,
    network: &str,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from sso_flow where network = $1 and expires_at > $2"#,
        network,
        now,
    )
    .fetch_one(conn)
    .await
}

/// Forgets those who did not come back.
pub async fn sweep(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from sso_flow where (org_id, id) in (
             select org_id, id from sso_flow where expires_at <= $1
             order by expires_at limit 100 for update skip locked)",
        now
    )
    .execute(conn)
    .await
    .map(drop)
}

pub struct Taken {
    pub browser: Vec<u8>,
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    pub expires_at: DateTime<Utc>,
    pub proof_since: Option<DateTime<Utc>>,
}

/// Takes one that came back, so that it never can again.
pub async fn take(
    conn: &mut PgConnection,
    org: OrgId,
    provider: SsoProviderId,
    state: &[u8],
) -> Result<Option<Taken>, sqlx::Error> {
    sqlx::query_as!(
        Taken,
        r#"delete from sso_flow where org_id = $1 and provider_id = $2 and state_digest = $3
           returning browser_digest as browser, user_id as "user: UserId",
                     session_id as "session: SessionId", expires_at, proof_since"#,
        org as _,
        provider as _,
        state,
    )
    .fetch_optional(conn)
    .await
}
