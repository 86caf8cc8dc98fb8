//! Queries on providers.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, SsoProviderId};
use sqlx::PgConnection;

/// A provider as it is stored.
#[derive(Clone)]
pub struct Stored {
    pub id: SsoProviderId,
    pub slug: String,
    pub name: String,
    pub issuer: String,
    pub client_id: String,
    pub sealed_secret: Vec<u8>,
    pub scopes: Vec<String>,
    pub email_claim: String,
    pub verified_claim: String,
    pub name_claim: String,
    pub groups_claim: String,
    pub domains: Vec<String>,
    pub enabled: bool,
    pub create_members: bool,
    pub session_minutes: i32,
    pub version: i64,
    pub tested_at: Option<DateTime<Utc>>,
    pub used_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    only: Option<&str>,
) -> Result<Vec<Stored>, sqlx::Error> {
    let id: Option<SsoProviderId> = only.and_then(|it| it.parse().ok());
    sqlx::query_as!(
        Stored,
        r#"select id as "id: SsoProviderId", slug, name, issuer, client_id, sealed_secret, scopes,
                  email_claim, verified_claim, name_claim, groups_claim, domains, enabled,
                  create_members, session_minutes, version, tested_at, used_at, created_at
           from sso_provider
           where org_id = $1 and ($2::text is null or slug = $2 or id = $3)
           order by id"#,
        org as _,
        only,
        id as _,
    )
    .fetch_all(conn)
    .await
}

/// One provider, which nobody else changes until the transaction ends.
pub async fn lock(
    conn: &mut PgConnection,
    org: OrgId,
    reference: &str,
) -> Result<Option<Stored>, sqlx::Error> {
    let id: Option<SsoProviderId> = reference.parse().ok();
    sqlx::query_as!(
        Stored,
        r#"select id as "id: SsoProviderId", slug, name, issuer, client_id, sealed_secret, scopes,
                  email_claim, verified_claim, name_claim, groups_claim, domains, enabled,
                  create_members, session_minutes, version, tested_at, used_at, created_at
           from sso_provider
           where org_id = $1 and (slug = $2 or id = $3)
           for update"#,
        org as _,
        reference,
        id as _,
    )
    .fetch_optional(conn)
    .await
}

pub async fn count(conn: &mut PgConnection, org: OrgId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from sso_provider where org_id = $1"#,
        org as _
    )
    .fetch_one(conn)
    .await
}

pub async fn insert(conn: &mut PgConnection, org: OrgId, new: &Stored) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into sso_provider (org_id, id, slug, name, issuer, client_id, sealed_secret, scopes,
             email_claim, verified_claim, name_claim, groups_claim, domains, enabled,
             create_members, session_minutes)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        org as _,
        new.id as _,
        new.slug,
        new.name,
        new.issuer,
        new.client_id,
        new.sealed_secret,
        &new.scopes,
        new.email_claim,
        new.verified_claim,
        new.name_claim,
        new.groups_claim,
        &new.domains,
        new.enabled,
        new.create_members,
        new.session_minutes,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Writes what a provider is now, as its next version. What it was known to do as it was before is
/// forgotten where it says so.
pub async fn update(
    conn: &mut PgConnection,
    org: OrgId,
    now: &Stored,
    is_untried: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sso_provider set name = $3, client_id = $4, sealed_secret = $5, scopes = $6,
             email_claim = $7, verified_claim = $8, name_claim = $9, groups_claim = $10,
             domains = $11, enabled = $12, create_members = $13, session_minutes = $14,
             version = version + 1,
             tested_at = case when $15 then null else tested_at end,
             used_at = case when $15 then null else used_at end
         where org_id = $1 and id = $2",
        org as _,
        now.id as _,
        now.name,
        now.client_id,
        now.sealed_secret,
        &now.scopes,
        now.email_claim,
        now.verified_claim,
        now.name_claim,
        now.groups_claim,
        &now.domains,
        now.enabled,
        now.create_members,
        now.session_minutes,
        is_untried,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn delete(
    conn: &mut PgConnection,
    org: OrgId,
    id: SsoProviderId,
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from sso_provider where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await
        .map(drop)
}

/// Notes that its answers made sense, unless it was changed since it was asked.
pub async fn tested(
    conn: &mut PgConnection,
    org: OrgId,
    (id, version): (SsoProviderId, i64),
    at: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sso_provider set tested_at = $4 where org_id = $1 and id = $2 and version = $3",
        org as _,
        id as _,
        version,
        at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that somebody came in; to the minute, so that logins do not wait for each other's writes.
pub async fn used(
    conn: &mut PgConnection,
    org: OrgId,
    id: SsoProviderId,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sso_provider set used_at = $3
         where org_id = $1 and id = $2
           and (used_at is null or used_at < $3::timestamptz - interval '1 minute')",
        org as _,
        id as _,
        at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// A way in, as somebody is shown it who has not come in.
pub struct Door {
    pub org: String,
    pub org_name: String,
    pub slug: String,
    pub name: String,
}

/// The ways into an organisation, or those of whoever lets addresses of a domain in.
pub async fn doors(
    conn: &mut PgConnection,
    org: Option<&str>,
    domain: Option<&str>,
) -> Result<Vec<Door>, sqlx::Error> {
    sqlx::query_as!(
        Door,
        "select o.slug as org, o.name as org_name, p.slug, p.name
         from sso_provider p join org o on o.id = p.org_id
         where p.enabled and (o.slug = $1 or p.domains @> array[$2::text])
         order by o.slug, p.slug limit 20",
        org,
        domain,
    )
    .fetch_all(conn)
    .await
}
