//! Queries on whether a provider is the only way in.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, SsoProviderId, UserId};
use sqlx::PgConnection;

pub struct Row {
    pub id: SsoProviderId,
    pub provider: String,
    pub break_glass: UserId,
    pub email: String,
    pub since: DateTime<Utc>,
}

pub async fn find(conn: &mut PgConnection, org: OrgId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select p.id as "id: SsoProviderId", p.slug as provider,
                  e.break_glass as "break_glass: UserId", u.email, e.created_at as since
           from sso_enforcement e
           join sso_provider p on p.org_id = e.org_id and p.id = e.provider_id
           join app_user u on u.id = e.break_glass
           where e.org_id = $1"#,
        org as _,
    )
    .fetch_optional(conn)
    .await
}

pub async fn set(
    conn: &mut PgConnection,
    org: OrgId,
    (provider, break_glass): (SsoProviderId, UserId),
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into sso_enforcement (org_id, provider_id, break_glass, created_by)
         values ($1, $2, $3, $4)
         on conflict (org_id) do update set provider_id = $2, break_glass = $3, created_by = $4,
             created_at = now()",
        org as _,
        provider as _,
        break_glass as _,
        by,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn clear(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Option<SsoProviderId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"delete from sso_enforcement where org_id = $1
           returning provider_id as "provider: SsoProviderId""#,
        org as _
    )
    .fetch_optional(conn)
    .await
}
