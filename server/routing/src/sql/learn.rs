//! What recorded calls came to, by day, kind of task and model.

use chrono::NaiveDate;
use ralex_kernel::OrgId;
use sqlx::PgConnection;

use super::Result;

/// One day's calls of a kind at a model, or several days' together.
pub(crate) struct DayRow {
    pub day: NaiveDate,
    pub task: String,
    pub model: String,
    pub calls: i64,
    pub succeeded: i64,
    pub escalated: i64,
    pub cost: i64,
    /// Answered requests; a batch is one call with many of them.
    pub requests: i64,
    pub batched: bool,
    /// All of the input, however it was cached.
    pub input_tokens: i64,
    pub cache_read_tokens: i64,
    pub cache_write_tokens: i64,
    pub output_tokens: i64,
    pub duration_ms: i64,
    pub difficulty: i64,
}

/// Writes the days since the last one that is there anew, whole. Failures count that a model or
/// its provider is to blame for; an answer that was thrown away for a better model's counts too.
pub(crate) async fn fold(conn: &mut PgConnection, org: OrgId) -> Result<()> {
    sqlx::query!(
        r#"with since as (
               -- A day of which calls were pruned was learnt before they went, and is not any more.
               select greatest(coalesce(max(day) - 1, '1970-01-01'),
                   (select (before at time zone 'UTC')::date + 1 from call_pruned
                    where org_id = $1)) as day
               from routing_day where org_id = $1
           ), done as (
               select (c.started_at at time zone 'UTC')::date as day,
                      coalesce(c.task_type, 'unknown') as task, c.model, b.id is not null as batched,
                      1 as calls, (c.state = 'success')::int as succeeded,
                      (c.state = 'error')::int as failed, 0 as escalated, c.cost,
                      case when b.id is null then (c.state = 'success')::int else b.completed end as requests,
                      c.input_tokens + c.cache_read_tokens + c.cache_write_tokens as input_tokens,
                      c.cache_read_tokens, c.cache_write_tokens,
                      c.output_tokens, coalesce(c.duration_ms, 0) as duration_ms,
                      coalesce(c.difficulty, 0)::int as difficulty
               from call c left join batch b on b.org_id = c.org_id and b.id = c.id
               where c.org_id = $1 and c.started_at >= (select day from since)::timestamp at time zone 'UTC'
                 and c.cached is null and c.purpose is distinct from 'count'
                 and (c.state = 'success' or (c.state = 'error' and c.problem like 'upstream%'))
               union all
               select (a.started_at at time zone 'UTC')::date, coalesce(c.task_type, 'unknown'), a.model,
                      false, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, a.duration_ms, coalesce(c.difficulty, 0)::int
               from call_attempt a join call c on c.org_id = a.org_id and c.id = a.call_id
               where a.org_id = $1 and a.started_at >= (select day from since)::timestamp at time zone 'UTC'
                 and a.outcome = 'escalated'
           )
           insert into routing_day (org_id, day, task, model, batched, calls, succeeded, failed,
               escalated, cost, requests, input_tokens, cache_read_tokens, cache_write_tokens,
               output_tokens, duration_ms, difficulty)
           select $1, day, task, model, batched, sum(calls), sum(succeeded), sum(failed), sum(escalated),
                  sum(cost), sum(requests), sum(input_tokens), sum(cache_read_tokens),
                  sum(cache_write_tokens), sum(output_tokens), sum(duration_ms), sum(difficulty)
           from done group by day, task, model, batched
           on conflict (org_id, day, task, model, batched) do update set calls = excluded.calls,
               succeeded = excluded.succeeded, failed = excluded.failed,
               escalated = excluded.escalated, cost = excluded.cost, requests = excluded.requests,
               input_tokens = excluded.input_tokens,
               cache_read_tokens = excluded.cache_read_tokens,
               cache_write_tokens = excluded.cache_write_tokens,
               output_tokens = excluded.output_tokens,
               duration_ms = excluded.duration_ms, difficulty = excluded.difficulty"#,
        org as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The days from `from` to `to`, both with them.
pub(crate) async fn days(
    conn: &mut PgConnection,
    org: OrgId,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<DayRow>> {
    sqlx::query_as!(
        DayRow,
        "select day, task, model, calls, succeeded, escalated, cost, requests, batched, input_tokens,
                cache_read_tokens, cache_write_tokens, output_tokens, duration_ms, difficulty
         from routing_day where org_id = $1 and day between $2 and $3
         order by day, task, model, batched",
        org as _,
        from,
        to,
    )
    .fetch_all(conn)
    .await
}
