//! The queries of providers and models.

use chrono::{DateTime, Utc};
use ralex_api::catalog::{Model, ProviderKind};
use ralex_kernel::{ModelId, OrgId, Price, ProviderId, Slug};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::Terms;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// The kind that a stored name means.
pub(crate) fn kind(name: &str) -> Option<ProviderKind> {
    [
        ProviderKind::Openai,
        ProviderKind::Anthropic,
        ProviderKind::OpenaiCompatible,
        ProviderKind::Simulated,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == name)
}

/// The schema keeps token counts positive.
pub(crate) const fn count(stored: i32) -> u32 {
    stored.unsigned_abs()
}

pub(crate) fn amount(rows: i64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

/// `Terms::check` keeps counts within the schema's integers.
fn stored(count: u32) -> Result<i32> {
    i32::try_from(count).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// A provider's own row.
pub(crate) struct ProviderRow {
    pub id: ProviderId,
    pub slug: Slug,
    pub kind: String,
    pub base_url: Option<String>,
    pub enabled: bool,
    pub created_at: DateTime<Utc>,
}

/// A provider with what hangs on it. Keys are the vault's; here they are only counted.
pub(crate) struct ProviderDetail {
    pub base: ProviderRow,
    pub models: i64,
    pub keys: i64,
    pub key_origins: Vec<String>,
}

pub(crate) async fn insert_provider(
    conn: &mut PgConnection,
    org: OrgId,
    id: ProviderId,
    slug: &Slug,
    kind: ProviderKind,
    base_url: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "insert into provider (org_id, id, slug, kind, base_url) values ($1, $2, $3, $4, $5)",
        org as _,
        id as _,
        slug as _,
        kind.as_str(),
        base_url,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn lookup_provider(
    conn: &mut PgConnection,
    org: OrgId,
    id_or_slug: &str,
) -> Result<Option<ProviderRow>> {
    sqlx::query_as!(
        ProviderRow,
        r#"select id as "id: ProviderId", slug as "slug: Slug", kind, base_url, enabled, created_at
           from provider where org_id = $1 and (id = $2 or slug = $3)"#,
        org as _,
        id_or_slug.parse::<Uuid>().ok(),
        id_or_slug,
    )
    .fetch_optional(conn)
    .await
}

/// The same, held against every change, and against new models and keys.
pub(crate) async fn lock_provider(
    conn: &mut PgConnection,
    org: OrgId,
    id_or_slug: &str,
) -> Result<Option<ProviderRow>> {
    sqlx::query_as!(
        ProviderRow,
        r#"select id as "id: ProviderId", slug as "slug: Slug", kind, base_url, enabled, created_at
           from provider where org_id = $1 and (id = $2 or slug = $3) for update"#,
        org as _,
        id_or_slug.parse::<Uuid>().ok(),
        id_or_slug,
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn find_provider(
    conn: &mut PgConnection,
    org: OrgId,
    id: ProviderId,
) -> Result<Option<ProviderDetail>> {
    Ok(details(conn, org, Some(id), None, 1).await?.into_iter().next())
}

pub(crate) async fn list_providers(
    conn: &mut PgConnection,
    org: OrgId,
    after: Option<ProviderId>,
    limit: i64,
) -> Result<Vec<ProviderDetail>> {
    details(conn, org, None, after, limit).await
}

async fn details(
    conn: &mut PgConnection,
    org: OrgId,
    only: Option<ProviderId>,
    after: Option<ProviderId>,
    limit: i64,
) -> Result<Vec<ProviderDetail>> {
    let rows = sqlx::query!(
        r#"select p.id as "id: ProviderId", p.slug as "slug: Slug", p.kind, p.base_url, p.enabled,
                  p.created_at,
                  (select count(*) from model m
                   where m.org_id = p.org_id and m.provider_id = p.id) as "models!",
                  (select count(*) from secret s
                   where s.org_id = p.org_id and s.provider_id = p.id) as "keys!",
                  array(select distinct s.origin from secret s
                        where s.org_id = p.org_id and s.provider_id = p.id) as "key_origins!"
           from provider p
           where p.org_id = $1 and ($2::uuid is null or p.id = $2)
             and ($3::uuid is null or p.id > $3)
           order by p.id limit $4"#,
        org as _,
        only as Option<ProviderId>,
        after as Option<ProviderId>,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let detail = rows.into_iter().map(|row| ProviderDetail {
        base: ProviderRow {
            id: row.id,
            slug: row.slug,
            kind: row.kind,
            base_url: row.base_url,
            enabled: row.enabled,
            created_at: row.created_at,
        },
        models: row.models,
        keys: row.keys,
        key_origins: row.key_origins,
    });
    Ok(detail.collect())
}

/// How many keys were entered for an origin.
pub(crate) async fn keys_for(
    conn: &mut PgConnection,
    org: OrgId,
    provider: ProviderId,
    origin: &str,
) -> Result<u32> {
    let keys = sqlx::query_scalar!(
        r#"select count(*) as "keys!" from secret
           where org_id = $1 and provider_id = $2 and origin = $3"#,
        org as _,
        provider as _,
        origin,
    )
    .fetch_one(conn)
    .await?;
    Ok(amount(keys))
}

pub(crate) async fn update_provider(
    conn: &mut PgConnection,
    org: OrgId,
    id: ProviderId,
    base_url: Option<&str>,
    enabled: bool,
) -> Result<()> {
    sqlx::query!(
        "update provider set base_url = $3, enabled = $4 where org_id = $1 and id = $2",
        org as _,
        id as _,
        base_url,
        enabled,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete_provider(
    conn: &mut PgConnection,
    org: OrgId,
    id: ProviderId,
) -> Result<()> {
    sqlx::query!("delete from provider where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await?;
    Ok(())
}

/// Inserts a model; `names` are the callers' and the provider's.
pub(crate) async fn insert_model(
    conn: &mut PgConnection,
    org: OrgId,
    id: ModelId,
    provider: ProviderId,
    names: (&str, &str),
    terms: &Terms,
) -> Result<()> {
    sqlx::query!(
        "insert into model (org_id, id, provider_id, name, upstream_model, input_price,
             output_price, cache_read_price, cache_write_price, context_window, max_output)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        org as _,
        id as _,
        provider as _,
        names.0,
        names.1,
        terms.input_price as _,
        terms.output_price as _,
        terms.cache_read_price as _,
        terms.cache_write_price as _,
        stored(terms.context_window)?,
        stored(terms.max_output)?,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A model with its provider's slug.
pub(crate) struct ModelRow {
    id: ModelId,
    name: String,
    provider: ProviderId,
    provider_slug: Slug,
    upstream_model: String,
    input_price: Price,
    output_price: Price,
    cache_read_price: Price,
    cache_write_price: Price,
    context_window: i32,
    max_output: i32,
    created_at: DateTime<Utc>,
}

impl ModelRow {
    pub fn model(self) -> Model {
        Model {
            id: self.id,
            name: self.name,
            provider: self.provider,
            provider_slug: self.provider_slug,
            upstream_model: self.upstream_model,
            input_price: self.input_price,
            output_price: self.output_price,
            cache_read_price: self.cache_read_price,
            cache_write_price: self.cache_write_price,
            context_window: count(self.context_window),
            max_output: count(self.max_output),
            created_at: self.created_at,
        }
    }
}

pub(crate) async fn find_model(
    conn: &mut PgConnection,
    org: OrgId,
    id_or_name: &str,
) -> Result<Option<ModelRow>> {
    sqlx::query_as!(
        ModelRow,
        r#"select m.id as "id: ModelId", m.name, m.provider_id as "provider: ProviderId",
                  p.slug as "provider_slug: Slug", m.upstream_model,
                  m.input_price as "input_price: Price", m.output_price as "output_price: Price",
                  m.cache_read_price as "cache_read_price: Price",
                  m.cache_write_price as "cache_write_price: Price",
                  m.context_window, m.max_output, m.created_at
           from model m join provider p on p.org_id = m.org_id and p.id = m.provider_id
           where m.org_id = $1 and (m.id = $2 or m.name = $3)"#,
        org as _,
        id_or_name.parse::<Uuid>().ok(),
        id_or_name,
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn list_models(
    conn: &mut PgConnection,
    org: OrgId,
    after: Option<ModelId>,
    limit: i64,
) -> Result<Vec<ModelRow>> {
    sqlx::query_as!(
        ModelRow,
        r#"select m.id as "id: ModelId", m.name, m.provider_id as "provider: ProviderId",
                  p.slug as "provider_slug: Slug", m.upstream_model,
                  m.input_price as "input_price: Price", m.output_price as "output_price: Price",
                  m.cache_read_price as "cache_read_price: Price",
                  m.cache_write_price as "cache_write_price: Price",
                  m.context_window, m.max_output, m.created_at
           from model m join provider p on p.org_id = m.org_id and p.id = m.provider_id
           where m.org_id = $1 and ($2::uuid is null or m.id > $2)
           order by m.id limit $3"#,
        org as _,
        after as Option<ModelId>,
        limit,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn lock_model(
    conn: &mut PgConnection,
    org: OrgId,
    id_or_name: &str,
) -> Result<()> {
    sqlx::query!(
        "select id from model where org_id = $1 and (id = $2 or name = $3) for update",
        org as _,
        id_or_name.parse::<Uuid>().ok(),
        id_or_name,
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

pub(crate) async fn update_model(
    conn: &mut PgConnection,
    org: OrgId,
    id: ModelId,
    terms: &Terms,
) -> Result<()> {
    sqlx::query!(
        "update model set input_price = $3, output_price = $4, cache_read_price = $5,
             cache_write_price = $6, context_window = $7, max_output = $8
         where org_id = $1 and id = $2",
        org as _,
        id as _,
        terms.input_price as _,
        terms.output_price as _,
        terms.cache_read_price as _,
        terms.cache_write_price as _,
        stored(terms.context_window)?,
        stored(terms.max_output)?,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// True when it was there.
pub(crate) async fn delete_model(conn: &mut PgConnection, org: OrgId, id: ModelId) -> Result<bool> {
    let done = sqlx::query!("delete from model where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// A model with as much of its provider as a call needs.
pub(crate) struct Callable {
    pub model: ModelId,
    pub name: String,
    pub provider: ProviderId,
    pub provider_slug: Slug,
    pub kind: String,
    pub base_url: Option<String>,
    pub enabled: bool,
    pub upstream_model: String,
    pub input_price: Price,
    pub output_price: Price,
    pub cache_read_price: Price,
    pub cache_write_price: Price,
    pub context_window: i32,
    pub max_output: i32,
    pub created_at: DateTime<Utc>,
}

pub(crate) async fn callable(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Callable>> {
    sqlx::query_as!(
        Callable,
        r#"select m.id as "model: ModelId", m.name, p.id as "provider: ProviderId",
                  p.slug as "provider_slug: Slug", p.kind, p.base_url, p.enabled, m.upstream_model,
                  m.input_price as "input_price: Price", m.output_price as "output_price: Price",
                  m.cache_read_price as "cache_read_price: Price",
                  m.cache_write_price as "cache_write_price: Price",
                  m.context_window, m.max_output, m.created_at
           from model m join provider p on p.org_id = m.org_id and p.id = m.provider_id
           where m.org_id = $1"#,
        org as _,
    )
    .fetch_all(conn)
    .await
}
