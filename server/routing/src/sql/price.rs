//! The prices that a model has and had.

use chrono::{DateTime, Utc};
use ralex_api::catalog::{ModelPrice, PriceTier, Prices};
use ralex_kernel::{ModelId, Money, OrgId, Price};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::model::{small, unit};
use super::{Result, count};

/// Keeps the price that a model has now as its newest version.
pub(crate) async fn keep_price(
    conn: &mut PgConnection,
    org: OrgId,
    model: ModelId,
    set_by: Option<Uuid>,
) -> Result<()> {
    sqlx::query!(
        "insert into model_price (org_id, model_id, version, input_price, output_price,
             cache_read_price, cache_write_price, cache_write_1h_price, audio_input_price,
             audio_output_price, unit, unit_price, batch_percent, price_tiers, set_by)
         select org_id, id, price_version, input_price, output_price, cache_read_price,
             cache_write_price, cache_write_1h_price, audio_input_price, audio_output_price, unit,
             unit_price, batch_percent, price_tiers, $3
         from model where org_id = $1 and id = $2",
        org as _,
        model as _,
        set_by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct PriceRow {
    version: i32,
    input_price: Price,
    output_price: Price,
    cache_read_price: Price,
    cache_write_price: Price,
    cache_write_1h_price: Price,
    audio_input_price: Price,
    audio_output_price: Price,
    unit: String,
    unit_price: Money,
    batch_percent: i16,
    price_tiers: Json<Vec<PriceTier>>,
    valid_from: DateTime<Utc>,
    set_by: String,
    current: bool,
}

/// The versions of a model's price, the newest first, from below `before` on.
pub(crate) async fn prices(
    conn: &mut PgConnection,
    org: OrgId,
    model: ModelId,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<ModelPrice>> {
    let rows = sqlx::query_as!(
        PriceRow,
        r#"select v.version, v.input_price as "input_price: Price",
                  v.output_price as "output_price: Price",
                  v.cache_read_price as "cache_read_price: Price",
                  v.cache_write_price as "cache_write_price: Price",
                  v.cache_write_1h_price as "cache_write_1h_price: Price",
                  v.audio_input_price as "audio_input_price: Price",
                  v.audio_output_price as "audio_output_price: Price",
                  v.unit, v.unit_price as "unit_price: Money", v.batch_percent,
                  v.price_tiers as "price_tiers: Json<Vec<PriceTier>>", v.valid_from,
                  case when v.set_by is null then 'Ralex'
                       else coalesce(u.email, t.name, v.set_by::text) end as "set_by!",
                  v.version = m.price_version as "current!"
           from model_price v
           join model m on m.org_id = v.org_id and m.id = v.model_id
           left join app_user u on u.id = v.set_by
           left join token t on t.org_id = v.org_id and t.id = v.set_by
           where v.org_id = $1 and v.model_id = $2 and ($3::integer is null or v.version < $3)
           order by v.version desc limit $4"#,
        org as _,
        model as _,
        before,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(PriceRow::price).collect())
}

impl PriceRow {
    fn price(self) -> ModelPrice {
        ModelPrice {
            version: count(self.version),
            prices: Prices {
                input_price: self.input_price,
                output_price: self.output_price,
                cache_read_price: self.cache_read_price,
                cache_write_price: self.cache_write_price,
                cache_write_1h_price: self.cache_write_1h_price,
                audio_input_price: self.audio_input_price,
                audio_output_price: self.audio_output_price,
                unit: unit(&self.unit),
                unit_price: self.unit_price,
                batch_percent: small(self.batch_percent),
                price_tiers: self.price_tiers.0,
            },
            valid_from: self.valid_from,
            set_by: self.set_by,
            current: self.current,
        }
    }
}
