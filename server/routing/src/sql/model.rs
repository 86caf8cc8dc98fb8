//! Models, alone and with their provider.

use chrono::{DateTime, Utc};
use ralex_api::catalog::Model;
use ralex_kernel::{ModelId, OrgId, Price, ProviderId, Slug};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Result, count, stored};
use crate::model::Terms;

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
