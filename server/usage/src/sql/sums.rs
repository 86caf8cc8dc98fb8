//! The query that all of usage is answered by.

use chrono::{DateTime, Utc};
use ralex_api::usage::UsageSums;
use ralex_kernel::Money;
use ralex_store::Tenant;

use crate::ask::Ask;

/// What stands for no team, project, person or token.
const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// Sums under one key and, where a series is asked for, of one part of the time.
#[derive(Debug)]
pub(crate) struct Sums {
    /// Empty where there is none of what is told apart; of days, which of those asked for.
    pub key: String,
    pub part: Option<DateTime<Utc>>,
    pub calls: i64,
    pub failed: i64,
    pub refused: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cache_read_tokens: i64,
    pub cache_write_tokens: i64,
    pub reasoning_tokens: i64,
    pub cost: Money,
    pub saved: Money,
    pub duration_ms: i64,
}

impl Sums {
    pub fn api(&self) -> UsageSums {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        UsageSums {
            calls: count(self.calls),
            failed: count(self.failed),
            refused: count(self.refused),
            input_tokens: count(self.input_tokens),
            output_tokens: count(self.output_tokens),
            cache_read_tokens: count(self.cache_read_tokens),
            cache_write_tokens: count(self.cache_write_tokens),
            reasoning_tokens: count(self.reasoning_tokens),
            cost: self.cost,
            saved: self.saved,
            duration_ms: count(self.duration_ms),
        }
    }
}

/// One plan for all questions would read the whole table for those that need a little of it, and sums
/// of many keys by the hour would go to the disk.
pub(crate) async fn plan(tx: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select set_config('plan_cache_mode', 'force_custom_plan', true) as planning,
                set_config('work_mem', '32MB', true) as room"
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

/// About where the cursor is, to tell the planner. A statement that needs to know reads it itself;
/// this is never beyond that, as the cursor moves forward only.
pub(crate) async fn cursor(tx: &mut Tenant) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(r#"select xid::text as "xid!" from usage_cursor"#)
        .fetch_one(&mut **tx)
        .await
}

/// Whole days and hours from their sums and, from the cursor on, from what ended since; both ends of
/// the range, and hours in which a day begins, from the calls themselves. All in one statement, so of one moment.
///
/// By tags, the row without a key is of all calls. Sums are numeric, so they cannot overflow before
/// they are cut to what an amount can be.
#[expect(clippy::too_many_lines, reason = "one statement")]
pub(crate) async fn sums(tx: &mut Tenant, ask: &Ask) -> Result<Vec<Sums>, sqlx::Error> {
    plan(tx).await?;
    let about = cursor(tx).await?;
    let only = &ask.only;
    let range = ask.whole();
    let (by_day, by_hour) = ask.slices();
    sqlx::query_as!(
        Sums,
        r#"with lines as (
               select starts_at as at, tag, model, provider, task_type, team_id, project_id, user_id, token_id, calls,
                   failed, refused, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
                   reasoning_tokens, duration_ms, cost, saved
               from usage_sum
               where org_id = $1 and slice = $20 and starts_at >= $22 and starts_at < $23
               union all
               select starts_at as at, tag, model, provider, task_type, team_id, project_id, user_id, token_id, calls,
                   failed, refused, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
                   reasoning_tokens, duration_ms, cost, saved
               from usage_sum
               where org_id = $1 and slice = $21 and starts_at >= $5 and starts_at < $22
                 and starts_at <> all ($25)
               union all
               select starts_at as at, tag, model, provider, task_type, team_id, project_id, user_id, token_id, calls,
                   failed, refused, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
                   reasoning_tokens, duration_ms, cost, saved
               from usage_sum
               where org_id = $1 and slice = $21 and starts_at >= $23 and starts_at < $6
                 and starts_at <> all ($25)
               union all
               select started_at as at, tag, model, provider, task_type, team_id, project_id, user_id, token_id, calls,
                   failed, refused, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
                   reasoning_tokens, duration_ms, cost, saved
               from usage_line
               where org_id = $1 and settled_xid >= (select xid from usage_cursor)
                 and settled_xid >= $8::text::xid8 and started_at >= $5 and started_at < $6
                 and hour <> all ($25)
               union all
               select started_at as at, tag, model, provider, task_type, team_id, project_id, user_id, token_id, calls,
                   failed, refused, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
                   reasoning_tokens, duration_ms, cost, saved
               from usage_of_calls
               where org_id = $1 and started_at >= $4 and started_at < $5
               union all
               select started_at as at, tag, model, provider, task_type, team_id, project_id, user_id, token_id, calls,
                   failed, refused, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
                   reasoning_tokens, duration_ms, cost, saved
               from usage_of_calls
               where org_id = $1 and started_at >= $6 and started_at < $7
               union all
               select c.started_at as at, tag, model, provider, task_type, team_id, project_id, user_id, token_id, calls,
                   failed, refused, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
                   reasoning_tokens, duration_ms, cost, saved
               from unnest($25::timestamptz[]) as s (hour)
               join usage_of_calls c on c.org_id = $1 and c.started_at >= s.hour
                 and c.started_at < s.hour + interval '1 hour'),
           keyed as (
               select l.*, coalesce(case $2
                       when 'model' then l.model
                       when 'provider' then l.provider
                       when 'task_type' then l.task_type
                       when 'tag' then l.tag
                       when 'team' then nullif(l.team_id::text, $9)
                       when 'project' then nullif(l.project_id::text, $9)
                       when 'user' then nullif(l.user_id::text, $9)
                       when 'token' then nullif(l.token_id::text, $9)
                       when 'service_account' then (select k.account_id::text from token k
                           where k.org_id = $1 and k.id = l.token_id)
                       when 'day' then width_bucket(l.at, $24::timestamptz[])::text
                       else to_char(l.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:00:00"Z"')
                   end, '') as key
               from lines l)
           select l.key as "key!",
               ($3::timestamptz[])[nullif(width_bucket(l.at, $3::timestamptz[]), 0)] as part,
               least(sum(l.calls), 9223372036854775807)::bigint as "calls!",
               least(sum(l.failed), 9223372036854775807)::bigint as "failed!",
               least(sum(l.refused), 9223372036854775807)::bigint as "refused!",
               least(sum(l.input_tokens), 9223372036854775807)::bigint as "input_tokens!",
               least(sum(l.output_tokens), 9223372036854775807)::bigint as "output_tokens!",
               least(sum(l.cache_read_tokens), 9223372036854775807)::bigint as "cache_read_tokens!",
               least(sum(l.cache_write_tokens), 9223372036854775807)::bigint
                   as "cache_write_tokens!",
               least(sum(l.reasoning_tokens), 9223372036854775807)::bigint as "reasoning_tokens!",
               least(sum(l.cost), 9223372036854775807)::bigint as "cost!: Money",
               least(sum(l.saved), 9223372036854775807)::bigint as "saved!: Money",
               least(sum(l.duration_ms), 9223372036854775807)::bigint as "duration_ms!"
           from keyed l
           where case when $2 = 'tag' and $10::text is null then true
                   else l.tag = coalesce($10, '') end
             and (l.project_id = any ($12)
               or (l.team_id = any ($12) or $11 and (l.team_id is null or l.team_id <> all ($26)))
                 and (l.project_id is null or l.project_id <> all ($26)))
             and ($13::uuid is null or l.team_id = $13)
             and ($14::uuid is null or l.project_id = $14)
             and ($15::uuid is null or l.user_id = $15)
             and ($16::uuid[] is null or l.token_id = any($16))
             and ($17::text is null or l.provider = $17)
             and ($18::text is null or l.model = $18)
             and ($19::text is null or l.task_type = $19)
           group by 1, 2
           -- A call that was lost and corrected later leaves nothing where it does not belong.
           having sum(l.calls) <> 0 or sum(l.refused) <> 0 or sum(l.cost) <> 0
           order by 1, 2"#,
        ask.org as _,
        ask.by.as_str(),
        &ask.parts,
        range.from,
        range.first,
        range.last,
        range.to,
        about,
        NIL,
        only.tag,
        only.within.org,
        &only.within.open,
        only.team,
        only.project,
        only.user,
        only.tokens.as_deref(),
        only.provider,
        only.model,
        only.task_type,
        by_day,
        by_hour,
        range.first_day,
        range.last_day,
        &ask.days,
        &ask.split(),
        &only.within.closed,
    )
    .fetch_all(&mut **tx)
    .await
}
