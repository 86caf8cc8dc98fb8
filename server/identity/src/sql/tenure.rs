//! Which sessions and tokens live, asked of many at once by what is kept open by them.

use chrono::{DateTime, Utc};
use ralex_kernel::{SessionId, TokenId};
use sqlx::PgConnection;

/// Not asked is when one was last used: what is open by it uses it.
pub async fn live_sessions(
    conn: &mut PgConnection,
    ids: &[SessionId],
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select s.id as "id: SessionId"
           from session s join app_user u on u.id = s.user_id
           where s.id = any ($1) and s.revoked_at is null and s.expires_at > $2
             and u.disabled_at is null
             and sign_on_lives(s.sso_org_id, s.sso_provider_id, s.user_id)"#,
        ids as _,
        now,
    )
    .fetch_all(conn)
    .await
}

pub async fn live_personal(
    conn: &mut PgConnection,
    ids: &[TokenId],
    now: DateTime<Utc>,
) -> Result<Vec<TokenId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select t.id as "id: TokenId"
           from personal_token t join app_user u on u.id = t.user_id
           where t.id = any ($1) and t.revoked_at is null
             and (t.expires_at is null or t.expires_at > $2) and u.disabled_at is null
             and sign_on_lives(t.sso_org_id, t.sso_provider_id, t.user_id)"#,
        ids as _,
        now,
    )
    .fetch_all(conn)
    .await
}

pub async fn live_teams(
    conn: &mut PgConnection,
    ids: &[TokenId],
    now: DateTime<Utc>,
) -> Result<Vec<TokenId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select t.id as "id: TokenId" from token t
           where t.id = any ($1) and t.revoked_at is null
             and (t.expires_at is null or t.expires_at > $2)
             and still_rests(t.org_id, t.rests_on, $2)
             and not exists (
                 select from service_account a
                 where a.org_id = t.org_id and a.id = t.account_id and a.disabled_at is not null)"#,
        ids as _,
        now,
    )
    .fetch_all(conn)
    .await
}
