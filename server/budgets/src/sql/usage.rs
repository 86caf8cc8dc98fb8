//! Queries that sum up and list calls, within one organisation or a part of it.

use chrono::{DateTime, Utc};
use ralex_kernel::{CallId, Money, OrgId, Price, ScopePath};
use sqlx::PgConnection;

/// Sums over calls that went out and ended, by one key.
#[derive(Debug)]
pub(crate) struct Sums {
    pub key: String,
    pub name: Option<String>,
    pub calls: i64,
    pub failed: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cost: Money,
    pub saved: Money,
}

/// `by` is `model`, `team`, `token` or `day`. Sums are numeric, so they cannot overflow before
/// they are cut to what an amount can be.
pub(crate) async fn grouped(
    conn: &mut PgConnection,
    org: OrgId,
    within: ScopePath,
    by: &str,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Sums>, sqlx::Error> {
    sqlx::query_as!(
        Sums,
        r#"with sums as (
               select case $4 when 'model' then c.model when 'team' then c.team_id::text
                       when 'token' then c.token_id::text
                       else to_char(c.started_at at time zone 'UTC', 'YYYY-MM-DD') end as key,
                   count(*) as calls, count(*) filter (where c.state <> 'success') as failed,
                   sum(c.input_tokens + c.cache_read_tokens + c.cache_write_tokens)
                       as input_tokens,
                   sum(c.output_tokens) as output_tokens, sum(c.cost) as cost,
                   sum(c.cost_saved) as saved, (array_agg(c.user_id))[1] as user_id
               from call c
               where c.org_id = $1 and c.started_at >= $5 and c.started_at < $6
                 and c.state not in ('open', 'refused') and c.purpose is distinct from 'count'
                 and ($2::uuid is null or c.team_id = $2)
                 and ($3::uuid is null or c.project_id = $3)
               group by 1)
           select case $4 when 'team' then coalesce(t.slug, s.key, '-')
                   else coalesce(s.key, '-') end as "key!",
               case $4 when 'team' then t.name when 'token' then coalesce(k.name, u.name) end
                   as name,
               s.calls as "calls!", s.failed as "failed!",
               least(s.input_tokens, 9223372036854775807)::bigint as "input_tokens!",
               least(s.output_tokens, 9223372036854775807)::bigint as "output_tokens!",
               least(s.cost, 9223372036854775807)::bigint as "cost!: Money",
               least(s.saved, 9223372036854775807)::bigint as "saved!: Money"
           from sums s
           left join team t on $4 = 'team' and t.org_id = $1 and t.id::text = s.key
           left join token k on $4 = 'token' and k.org_id = $1 and k.id::text = s.key
           left join app_user u on $4 = 'token' and s.key is not null and k.id is null
               and u.id = s.user_id
           order by case when $4 = 'day' then s.key end, s.cost desc, s.key"#,
        org as _,
        within.team() as _,
        within.project() as _,
        by,
        from,
        to,
    )
    .fetch_all(conn)
    .await
}

/// One call, with names for its ids.
#[derive(Debug)]
pub(crate) struct Listed {
    pub id: CallId,
    pub started_at: DateTime<Utc>,
    pub state: String,
    pub model: String,
    pub provider: String,
    pub team: Option<String>,
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
}

/// Which calls to list, the newest first: one, or those before one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    pub within: ScopePath,
    pub only: Option<CallId>,
    pub before: Option<CallId>,
    pub model: Option<&'a str>,
    pub state: Option<&'a str>,
    /// A team's slug.
    pub team: Option<&'a str>,
    pub at_most: i64,
}

/// Ids grow with time, so the primary key gives the order.
pub(crate) async fn calls(
    conn: &mut PgConnection,
    org: OrgId,
    filter: Filter<'_>,
) -> Result<Vec<Listed>, sqlx::Error> {
    sqlx::query_as!(
        Listed,
        r#"select c.id as "id: CallId", c.started_at, c.state, c.model, c.provider,
               t.slug as "team?", coalesce(k.name, c.token_id::text) as token, c.streamed,
               c.dialect,
               c.input_tokens + c.cache_read_tokens + c.cache_write_tokens as "input_tokens!",
               c.output_tokens, c.estimated, c.held as "held: Money", c.cost as "cost: Money",
               c.first_byte_ms, c.duration_ms, c.problem, c.asked_model, c.route, c.attempts,
               c.cached, c.purpose
           from call c
           left join team t on t.org_id = c.org_id and t.id = c.team_id
           left join token k on k.org_id = c.org_id and k.id = c.token_id
           where c.org_id = $1
             and ($2::uuid is null or c.team_id = $2)
             and ($3::uuid is null or c.project_id = $3)
             and ($4::uuid is null or c.id = $4)
             and ($5::uuid is null or c.id < $5)
             and ($6::text is null or c.model = $6)
             and ($7::text is null or c.state = $7)
             and ($9::text is null or t.slug = $9)
           order by c.id desc
           limit $8"#,
        org as _,
        filter.within.team() as _,
        filter.within.project() as _,
        filter.only as _,
        filter.before as _,
        filter.model,
        filter.state,
        filter.at_most,
        filter.team,
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

/// Sums over all calls that ended.
#[derive(Debug)]
pub(crate) struct Totals {
    pub calls: i64,
    pub failed: i64,
    pub refused: i64,
    pub cost: Money,
}

pub(crate) async fn totals(
    conn: &mut PgConnection,
    org: OrgId,
    within: ScopePath,
    from: DateTime<Utc>,
) -> Result<Totals, sqlx::Error> {
    sqlx::query_as!(
        Totals,
        r#"select count(*) filter (where c.state not in ('open', 'refused')) as "calls!",
               count(*) filter (where c.state in ('error', 'canceled', 'lost')) as "failed!",
               count(*) filter (where c.state = 'refused') as "refused!",
               least(coalesce(sum(c.cost), 0), 9223372036854775807)::bigint as "cost!: Money"
           from call c
           where c.org_id = $1 and c.started_at >= $4
             and c.purpose is distinct from 'count'
             and ($2::uuid is null or c.team_id = $2)
             and ($3::uuid is null or c.project_id = $3)"#,
        org as _,
        within.team() as _,
        within.project() as _,
        from,
    )
    .fetch_one(conn)
    .await
}

/// One hour's calls.
#[derive(Debug)]
pub(crate) struct Hour {
    pub starts_at: DateTime<Utc>,
    pub calls: i64,
    pub cost: Money,
}

/// 24 hours from `first` on; those without calls are there too.
pub(crate) async fn hours(
    conn: &mut PgConnection,
    org: OrgId,
    within: ScopePath,
    first: DateTime<Utc>,
) -> Result<Vec<Hour>, sqlx::Error> {
    sqlx::query_as!(
        Hour,
        r#"with sums as (
               select floor(extract(epoch from c.started_at - $4) / 3600)::int as hour,
                   count(*) as calls, sum(c.cost) as cost
               from call c
               where c.org_id = $1 and c.started_at >= $4
                 and c.started_at < $4 + interval '24 hours'
                 and c.state not in ('open', 'refused') and c.purpose is distinct from 'count'
                 and ($2::uuid is null or c.team_id = $2)
                 and ($3::uuid is null or c.project_id = $3)
               group by 1)
           select $4 + make_interval(hours => h.hour) as "starts_at!",
               coalesce(s.calls, 0) as "calls!",
               least(coalesce(s.cost, 0), 9223372036854775807)::bigint as "cost!: Money"
           from generate_series(0, 23) as h (hour)
           left join sums s using (hour)
           order by h.hour"#,
        org as _,
        within.team() as _,
        within.project() as _,
        first,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn open(
    conn: &mut PgConnection,
    org: OrgId,
    within: ScopePath,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "open!" from call c
           where c.org_id = $1 and c.state = 'open'
             and ($2::uuid is null or c.team_id = $2)
             and ($3::uuid is null or c.project_id = $3)"#,
        org as _,
        within.team() as _,
        within.project() as _,
    )
    .fetch_one(conn)
    .await
}
