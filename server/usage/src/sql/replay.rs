//! The query that calls are replayed from, page by page.

use chrono::{DateTime, Utc};
use ralex_kernel::{CallId, Money, OrgId, Price};
use sqlx::PgConnection;

use super::calls::After;
use crate::ask::Only;

/// What is known of a call that ended.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub id: CallId,
    pub started_at: DateTime<Utc>,
    pub duration_ms: Option<i32>,
    pub model: String,
    pub team: Option<String>,
    pub streamed: bool,
    pub held: Money,
    pub cost: Money,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cache_read_tokens: i64,
    pub cache_write_tokens: i64,
    pub input_price: Price,
    pub output_price: Price,
    pub cache_read_price: Price,
    pub cache_write_price: Price,
}

/// Calls that were let through and ended, in the order in which they began.
pub(crate) async fn page(
    conn: &mut PgConnection,
    org: OrgId,
    only: &Only,
    after: After,
    to: DateTime<Utc>,
    at_most: i64,
) -> Result<Vec<Recorded>, sqlx::Error> {
    sqlx::query_as!(
        Recorded,
        r#"select c.id as "id: CallId", c.started_at, c.duration_ms, c.model,
               coalesce(t.slug, c.team_id::text) as team, c.streamed,
               c.held as "held: Money", c.cost as "cost: Money", c.input_tokens, c.output_tokens,
               c.cache_read_tokens, c.cache_write_tokens, c.input_price as "input_price: Price",
               c.output_price as "output_price: Price",
               c.cache_read_price as "cache_read_price: Price",
               c.cache_write_price as "cache_write_price: Price"
           from call c
           left join team t on t.org_id = c.org_id and t.id = c.team_id
           where c.org_id = $1 and c.started_at >= $2 and c.started_at < $4
             and ($3::uuid is null or (c.started_at, c.id) > ($2, $3))
             and c.state not in ('open', 'refused') and c.purpose is distinct from 'count'
             and (c.project_id = any ($7)
               or (c.team_id = any ($7) or $6 and (c.team_id is null or c.team_id <> all ($14)))
                 and (c.project_id is null or c.project_id <> all ($14)))
             and ($8::uuid is null or c.team_id = $8)
             and ($9::uuid is null or c.project_id = $9)
             and ($10::uuid is null or c.user_id = $10)
             and ($11::uuid[] is null or c.token_id = any($11))
             and ($12::text is null or c.provider = $12)
             and ($13::text is null or c.model = $13)
           order by c.started_at, c.id
           limit $5"#,
        org as _,
        after.at,
        after.id as _,
        to,
        at_most,
        only.within.org,
        &only.within.open,
        only.team,
        only.project,
        only.user,
        only.tokens.as_deref(),
        only.provider,
        only.model,
        &only.within.closed,
    )
    .fetch_all(conn)
    .await
}
