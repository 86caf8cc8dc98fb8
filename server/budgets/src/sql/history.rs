//! Queries that list calls, within one organisation or a part of it.

use chrono::{DateTime, Utc};
use ralex_access::Places;
use ralex_kernel::{CallId, Money, OrgId, Price};
use sqlx::PgConnection;

/// One call, with names for its ids.
#[derive(Debug)]
pub(crate) struct Listed {
    pub id: CallId,
    pub started_at: DateTime<Utc>,
    pub state: String,
    pub model: String,
    pub provider: String,
    pub team: Option<String>,
    pub account: Option<String>,
    pub token: Option<String>,
    pub streamed: bool,
    pub dialect: String,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub estimated: bool,
    pub held: Money,
    pub cost: Money,
    pub first_byte_ms: Option<i32>,
    pub duration_ms: Option<i32>,
    pub problem: Option<String>,
    pub asked_model: Option<String>,
    pub route: Option<String>,
    pub attempts: i32,
    pub cached: Option<String>,
    pub purpose: Option<String>,
    pub tags: Vec<String>,
    pub run: Option<String>,
}

/// Which calls to list, the newest first: one, or those before one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    pub within: &'a Places,
    pub only: Option<CallId>,
    pub before: Option<CallId>,
    pub model: Option<&'a str>,
    pub state: Option<&'a str>,
    /// A team's slug.
    pub team: Option<&'a str>,
    pub tag: Option<&'a str>,
    pub run: Option<&'a str>,
    pub at_most: i64,
}

/// Ids grow with time, so the primary key gives the order.
pub(crate) async fn calls(
    conn: &mut PgConnection,
    org: OrgId,
    filter: Filter<'_>,
) -> Result<Vec<Listed>, sqlx::Error> {
    if filter.tag.is_some() || filter.run.is_some() || !filter.within.everywhere() {
        // One plan for all questions would look at every call for the few with a tag, a run or a place.
        sqlx::query!("select set_config('plan_cache_mode', 'force_custom_plan', true) as planning")
            .fetch_one(&mut *conn)
            .await?;
    }
    sqlx::query_as!(
        Listed,
        r#"select c.id as "id: CallId", c.started_at, c.state, c.model, c.provider,
               t.slug as "team?", a.name as "account?", coalesce(k.name, c.token_id::text) as token, c.streamed,
               c.dialect,
               c.input_tokens + c.cache_read_tokens + c.cache_write_tokens as "input_tokens!",
               c.output_tokens, c.estimated, c.held as "held: Money", c.cost as "cost: Money",
               c.first_byte_ms, c.duration_ms, c.problem, c.asked_model, c.route, c.attempts,
               c.cached, c.purpose, c.tags, c.run
           from call c
           left join team t on t.org_id = c.org_id and t.id = c.team_id
           left join token k on k.org_id = c.org_id and k.id = c.token_id
           left join service_account a on a.org_id = k.org_id and a.id = k.account_id
           where c.org_id = $1
             and (c.project_id = any ($3)
               or (c.team_id = any ($3) or $2 and (c.team_id is null or c.team_id <> all ($12)))
                 and (c.project_id is null or c.project_id <> all ($12)))
             and ($4::uuid is null or c.id = $4)
             and ($5::uuid is null or c.id < $5)
             and ($6::text is null or c.model = $6)
             and ($7::text is null or c.state = $7)
             and ($9::text is null or t.slug = $9)
             -- Twice, since only calls with tags stand in their index.
             and ($10::text is null or c.tags <> '{}')
             and ($10::text is null or c.tags @> array[$10])
             and ($11::text is null or c.run = $11)
           order by c.id desc
           limit $8"#,
        org as _,
        filter.within.org,
        &filter.within.open,
        filter.only as _,
        filter.before as _,
        filter.model,
        filter.state,
        filter.at_most,
        filter.team,
        filter.tag,
        filter.run,
        &filter.within.closed,
    )
    .fetch_all(conn)
    .await
}

/// What else is known of one call.
#[derive(Debug)]
pub(crate) struct Story {
    pub upstream_model: String,
    pub input_price: Price,
    pub output_price: Price,
    pub cache_read_price: Price,
    pub cache_write_price: Price,
    pub price_version: Option<i32>,
    pub cache_read_tokens: i64,
    pub cache_write_tokens: i64,
    pub reasoning_tokens: i64,
    pub key: Option<String>,
    pub task_type: Option<String>,
    pub difficulty: Option<i16>,
    pub choice: Option<serde_json::Value>,
    pub guardrails: Option<serde_json::Value>,
    pub cost_saved: Money,
    pub cached_from: Option<CallId>,
    pub similarity: Option<f32>,
    pub priority: Option<String>,
    pub queued_ms: Option<i32>,
}

pub(crate) async fn story(
    conn: &mut PgConnection,
    org: OrgId,
    id: CallId,
) -> Result<Story, sqlx::Error> {
    sqlx::query_as!(
        Story,
        r#"select c.upstream_model, c.input_price as "input_price: Price",
               c.output_price as "output_price: Price",
               c.cache_read_price as "cache_read_price: Price",
               c.cache_write_price as "cache_write_price: Price", c.price_version,
               c.cache_read_tokens, c.cache_write_tokens, c.reasoning_tokens,
               coalesce(s.name, c.secret_id::text) as key, c.task_type, c.difficulty, c.choice,
               c.guardrails, c.cost_saved as "cost_saved: Money", c.priority, c.queued_ms,
               c.cached_from as "cached_from: CallId", c.similarity
           from call c
           left join secret s on s.org_id = c.org_id and s.id = c.secret_id
           where c.org_id = $1 and c.id = $2"#,
        org as _,
        id as _,
    )
    .fetch_one(conn)
    .await
}

/// One try of a call, with its key's name.
#[derive(Debug)]
pub(crate) struct TryRow {
    pub n: i32,
    pub model: String,
    pub provider: String,
    pub upstream_model: String,
    pub key: Option<String>,
    pub cause: String,
    pub outcome: String,
    pub status: Option<i32>,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cost: Money,
    pub started_at: DateTime<Utc>,
    pub duration_ms: i32,
    pub note: Option<String>,
}

pub(crate) async fn tries(
    conn: &mut PgConnection,
    org: OrgId,
    id: CallId,
) -> Result<Vec<TryRow>, sqlx::Error> {
    sqlx::query_as!(
        TryRow,
        r#"select a.n, a.model, a.provider, a.upstream_model,
               coalesce(s.name, a.secret_id::text) as key, a.cause, a.outcome, a.status,
               a.input_tokens, a.output_tokens, a.cost as "cost: Money", a.started_at,
               a.duration_ms, a.note
           from call_attempt a
           left join secret s on s.org_id = a.org_id and s.id = a.secret_id
           where a.org_id = $1 and a.call_id = $2
           order by a.n"#,
        org as _,
        id as _,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn open(
    conn: &mut PgConnection,
    org: OrgId,
    within: &Places,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "open!" from call c
           where c.org_id = $1 and c.state = 'open'
             and (c.project_id = any ($3)
               or (c.team_id = any ($3) or $2 and (c.team_id is null or c.team_id <> all ($4)))
                 and (c.project_id is null or c.project_id <> all ($4)))"#,
        org as _,
        within.org,
        &within.open,
        &within.closed,
    )
    .fetch_one(conn)
    .await
}
