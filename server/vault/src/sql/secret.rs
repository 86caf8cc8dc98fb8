//! Secrets and their versions.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ralex_api::vault::{SecretInfo, SecretState};
use ralex_kernel::{Name, OrgId, ProviderId, SecretId, Slug};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Result, stored, version};
use crate::limits::Limits;
use crate::origin::origin_of;

/// As much of a provider as a key is bound to; providers themselves are `routing`'s.
pub(crate) struct Provider {
    pub id: ProviderId,
    pub slug: String,
    pub base_url: Option<String>,
}

/// Finds a provider by id or slug and holds its address and its set of keys still.
pub(crate) async fn lock_provider(
    conn: &mut PgConnection,
    org: OrgId,
    id_or_slug: &str,
) -> Result<Option<Provider>> {
    sqlx::query_as!(
        Provider,
        r#"select id as "id: ProviderId", slug, base_url from provider
           where org_id = $1 and (id = $2 or slug = $3) for no key update"#,
        org as _,
        id_or_slug.parse::<Uuid>().ok(),
        id_or_slug,
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn lock_provider_of(
    conn: &mut PgConnection,
    org: OrgId,
    secret: SecretId,
) -> Result<Option<Provider>> {
    sqlx::query_as!(
        Provider,
        r#"select id as "id: ProviderId", slug, base_url from provider
           where org_id = $1
             and id = (select provider_id from secret where org_id = $1 and id = $2)
           for no key update"#,
        org as _,
        secret as _,
    )
    .fetch_optional(conn)
    .await
}

/// Inserts a secret; `home` is the provider that it opens and the only origin it may be sent to.
pub(crate) async fn insert_secret(
    conn: &mut PgConnection,
    org: OrgId,
    id: SecretId,
    name: &Name,
    home: (ProviderId, &str),
    limits: Limits,
) -> Result<()> {
    sqlx::query!(
        "insert into secret (org_id, id, name, provider_id, origin, weight, requests_per_minute,
             tokens_per_minute)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        org as _,
        id as _,
        name as _,
        home.0 as _,
        home.1,
        i16::from(limits.weight),
        limits.requests_per_minute.map(stored).transpose()?,
        limits.tokens_per_minute.map(stored).transpose()?,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn limit_secret(
    conn: &mut PgConnection,
    org: OrgId,
    id: SecretId,
    limits: Limits,
) -> Result<()> {
    sqlx::query!(
        "update secret set weight = $3, requests_per_minute = $4, tokens_per_minute = $5
         where org_id = $1 and id = $2",
        org as _,
        id as _,
        i16::from(limits.weight),
        limits.requests_per_minute.map(stored).transpose()?,
        limits.tokens_per_minute.map(stored).transpose()?,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One version, encrypted.
pub(crate) struct NewVersion {
    pub org: OrgId,
    pub secret: SecretId,
    pub version: u32,
    pub org_key: u32,
    pub blob: Vec<u8>,
}

pub(crate) async fn insert_version(
    conn: &mut PgConnection,
    new: &NewVersion,
    fingerprint: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into secret_version
             (org_id, secret_id, version, state, org_key_version, blob, fingerprint)
         values ($1, $2, $3, 'active', $4, $5, $6)",
        new.org as _,
        new.secret as _,
        stored(new.version)?,
        stored(new.org_key)?,
        new.blob,
        fingerprint,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A secret that is about to change.
pub(crate) struct Current {
    pub name: Name,
    pub version: u32,
    pub origin: String,
    pub fingerprint: String,
    pub limits: Limits,
}

pub(crate) async fn lock_secret(
    conn: &mut PgConnection,
    org: OrgId,
    id: SecretId,
) -> Result<Option<Current>> {
    let row = sqlx::query!(
        r#"select s.name as "name: Name", s.origin, s.weight, s.requests_per_minute,
                  s.tokens_per_minute, v.version, v.fingerprint
           from secret s
           join secret_version v on v.org_id = s.org_id and v.secret_id = s.id and v.state = 'active'
           where s.org_id = $1 and s.id = $2
           for update of s"#,
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Current {
        name: row.name,
        version: version(row.version),
        origin: row.origin,
        fingerprint: row.fingerprint,
        limits: Limits::stored(row.weight, row.requests_per_minute, row.tokens_per_minute),
    }))
}

/// The name of another key of the provider with the same value.
pub(crate) async fn same_value(
    conn: &mut PgConnection,
    org: OrgId,
    provider: ProviderId,
    except: SecretId,
    fingerprint: &str,
) -> Result<Option<String>> {
    sqlx::query_scalar!(
        "select s.name from secret s
         join secret_version v on v.org_id = s.org_id and v.secret_id = s.id and v.state = 'active'
         where s.org_id = $1 and s.provider_id = $2 and s.id <> $3 and v.fingerprint = $4
         limit 1",
        org as _,
        provider as _,
        except as _,
        fingerprint,
    )
    .fetch_optional(conn)
    .await
}

/// True when `expected` was the active version, and is no more.
pub(crate) async fn supersede(
    conn: &mut PgConnection,
    org: OrgId,
    secret: SecretId,
    expected: u32,
) -> Result<bool> {
    let done = sqlx::query!(
        "update secret_version set state = 'superseded'
         where org_id = $1 and secret_id = $2 and version = $3 and state = 'active'",
        org as _,
        secret as _,
        stored(expected)?,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn attach(
    conn: &mut PgConnection,
    org: OrgId,
    secret: SecretId,
    origin: &str,
) -> Result<()> {
    sqlx::query!(
        "update secret set origin = $3 where org_id = $1 and id = $2",
        org as _,
        secret as _,
        origin,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete_versions(
    conn: &mut PgConnection,
    org: OrgId,
    secret: SecretId,
) -> Result<u32> {
    let done = sqlx::query!(
        "delete from secret_version where org_id = $1 and secret_id = $2",
        org as _,
        secret as _,
    )
    .execute(conn)
    .await?;
    Ok(u32::try_from(done.rows_affected()).unwrap_or(u32::MAX))
}

pub(crate) async fn delete_secret(conn: &mut PgConnection, org: OrgId, id: SecretId) -> Result<()> {
    sqlx::query!("delete from secret where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await?;
    Ok(())
}

/// An active version as calls use it.
pub(crate) struct Usable {
    pub id: SecretId,
    pub provider: ProviderId,
    pub origin: Arc<str>,
    pub version: u32,
    pub org_key: u32,
    pub blob: Vec<u8>,
    pub limits: Limits,
}

pub(crate) async fn usable(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Usable>> {
    let rows = sqlx::query!(
        r#"select s.id as "id: SecretId", s.provider_id as "provider: ProviderId", s.origin,
                  v.version, v.org_key_version, v.blob, s.weight, s.requests_per_minute,
                  s.tokens_per_minute
           from secret s
           join secret_version v on v.org_id = s.org_id and v.secret_id = s.id and v.state = 'active'
           where s.org_id = $1
           order by v.created_at desc, s.id desc"#,
        org as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Usable {
            id: row.id,
            provider: row.provider,
            origin: row.origin.into(),
            version: version(row.version),
            org_key: version(row.org_key_version),
            blob: row.blob,
            limits: Limits::stored(row.weight, row.requests_per_minute, row.tokens_per_minute),
        })
        .collect())
}

/// What may be known of a secret, as it is stored.
pub(crate) struct InfoRow {
    id: SecretId,
    name: Name,
    provider: ProviderId,
    provider_slug: Slug,
    base_url: Option<String>,
    version: i32,
    origin: String,
    fingerprint: String,
    weight: i16,
    requests_per_minute: Option<i32>,
    tokens_per_minute: Option<i32>,
    created_at: DateTime<Utc>,
    rotated_at: DateTime<Utc>,
}

impl InfoRow {
    pub fn info(self) -> SecretInfo {
        let now = self.base_url.as_deref().and_then(origin_of);
        let attached = now.as_deref() == Some(self.origin.as_str());
        let limits = Limits::stored(self.weight, self.requests_per_minute, self.tokens_per_minute);
        SecretInfo {
            id: self.id,
            name: self.name,
            provider: self.provider,
            provider_slug: self.provider_slug,
            state: if attached { SecretState::Active } else { SecretState::Detached },
            version: version(self.version),
            origin: self.origin,
            fingerprint: self.fingerprint,
            weight: limits.weight,
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            created_at: self.created_at,
            rotated_at: self.rotated_at,
        }
    }
}

/// Where a key may be sent, and its provider as it is now.
pub(crate) struct Home {
    origin: String,
    base_url: Option<String>,
    enabled: bool,
}

impl Home {
    pub fn is_usable(&self) -> bool {
        let now = self.base_url.as_deref().and_then(origin_of);
        self.enabled && now.as_deref() == Some(self.origin.as_str())
    }
}

pub(crate) async fn home(
    conn: &mut PgConnection,
    org: OrgId,
    id: SecretId,
) -> Result<Option<Home>> {
    sqlx::query_as!(
        Home,
        "select s.origin, p.base_url, p.enabled
         from secret s join provider p on p.org_id = s.org_id and p.id = s.provider_id
         where s.org_id = $1 and s.id = $2",
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    after: Option<SecretId>,
    limit: i64,
) -> Result<Vec<InfoRow>> {
    sqlx::query_as!(
        InfoRow,
        r#"select s.id as "id: SecretId", s.name as "name: Name",
                  s.provider_id as "provider: ProviderId", p.slug as "provider_slug: Slug",
                  p.base_url, v.version, s.origin, v.fingerprint, s.weight, s.requests_per_minute,
                  s.tokens_per_minute, s.created_at,
                  v.created_at as rotated_at
           from secret s
           join secret_version v on v.org_id = s.org_id and v.secret_id = s.id and v.state = 'active'
           join provider p on p.org_id = s.org_id and p.id = s.provider_id
           where s.org_id = $1 and ($2::uuid is null or s.id > $2)
           order by s.id limit $3"#,
        org as _,
        after as Option<SecretId>,
        limit,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn find(
    conn: &mut PgConnection,
    org: OrgId,
    id: SecretId,
) -> Result<Option<InfoRow>> {
    sqlx::query_as!(
        InfoRow,
        r#"select s.id as "id: SecretId", s.name as "name: Name",
                  s.provider_id as "provider: ProviderId", p.slug as "provider_slug: Slug",
                  p.base_url, v.version, s.origin, v.fingerprint, s.weight, s.requests_per_minute,
                  s.tokens_per_minute, s.created_at,
                  v.created_at as rotated_at
           from secret s
           join secret_version v on v.org_id = s.org_id and v.secret_id = s.id and v.state = 'active'
           join provider p on p.org_id = s.org_id and p.id = s.provider_id
           where s.org_id = $1 and s.id = $2"#,
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await
}
