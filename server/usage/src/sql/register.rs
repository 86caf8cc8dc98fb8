//! Sums by all that tells the use of one model for one thing from another.

use ralex_kernel::Money;
use ralex_store::Tenant;
use uuid::Uuid;

use crate::range::Range;

/// What was used, by whom and for what.
#[derive(Clone, Debug)]
pub struct Used {
    pub team: Option<Uuid>,
    pub team_slug: Option<String>,
    pub project_slug: Option<String>,
    pub user_email: Option<String>,
    pub token: Option<Uuid>,
    pub token_name: Option<String>,
    pub model: String,
    pub provider: String,
    /// Empty where it was not told apart.
    pub task_type: String,
    pub calls: i64,
    pub failed: i64,
    pub refused: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cost: Money,
}

/// The same parts as in [`super::sums::sums`], so every call that ended is in exactly once.
#[expect(clippy::too_many_lines, reason = "one statement")]
pub(crate) async fn used(
    tx: &mut Tenant,
    range: &Range,
    team: Option<Uuid>,
) -> Result<Vec<Used>, sqlx::Error> {
    let org = tx.org();
    sqlx::query_as!(
        Used,
        r#"with lines as (
               select model, provider, task_type, team_id, project_id, user_id, token_id, calls, failed,
                   refused, input_tokens, output_tokens, cost
               from usage_sum
               where org_id = $1 and slice = 'all_day' and tag = '' and starts_at >= $4 and starts_at < $5
               union all
               select model, provider, task_type, team_id, project_id, user_id, token_id, calls, failed,
                   refused, input_tokens, output_tokens, cost
               from usage_sum
               where org_id = $1 and slice = 'all_hour' and tag = ''
                 and (starts_at >= $3 and starts_at < $4 or starts_at >= $5 and starts_at < $6)
               union all
               select model, provider, task_type, team_id, project_id, user_id, token_id, calls, failed,
                   refused, input_tokens, output_tokens, cost
               from usage_line
               where org_id = $1 and tag = '' and settled_xid >= (select xid from usage_cursor)
                 and started_at >= $3 and started_at < $6
               union all
               select model, provider, task_type, team_id, project_id, user_id, token_id, calls, failed,
                   refused, input_tokens, output_tokens, cost
               from usage_of_calls
               where org_id = $1 and tag = ''
                 and (started_at >= $2 and started_at < $3 or started_at >= $6 and started_at < $7)),
           summed as (
               select model, provider, task_type, team_id, project_id, user_id, token_id,
                   sum(calls) as calls, sum(failed) as failed, sum(refused) as refused,
                   sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
                   sum(cost) as cost
               from lines
               where $8::uuid is null or team_id = $8
               group by 1, 2, 3, 4, 5, 6, 7
               having sum(calls) <> 0 or sum(refused) <> 0 or sum(cost) <> 0)
           select t.id as "team?", t.slug as "team_slug?", p.slug as "project_slug?",
               u.email as "user_email?",
               nullif(s.token_id, '00000000-0000-0000-0000-000000000000') as token,
               k.name as "token_name?", s.model as "model!", s.provider as "provider!",
               s.task_type as "task_type!",
               least(s.calls, 9223372036854775807)::bigint as "calls!",
               least(s.failed, 9223372036854775807)::bigint as "failed!",
               least(s.refused, 9223372036854775807)::bigint as "refused!",
               least(s.input_tokens, 9223372036854775807)::bigint as "input_tokens!",
               least(s.output_tokens, 9223372036854775807)::bigint as "output_tokens!",
               least(s.cost, 9223372036854775807)::bigint as "cost!: Money"
           from summed s
           left join team t on t.org_id = $1 and t.id = s.team_id
           left join project p on p.org_id = $1 and p.id = s.project_id
           left join app_user u on u.id = s.user_id
           left join token k on k.org_id = $1 and k.id = s.token_id
           order by s.team_id, s.project_id, s.user_id, s.token_id, s.model collate "C",
               s.provider collate "C", s.task_type collate "C""#,
        org as _,
        range.from,
        range.first,
        range.first_day,
        range.last_day,
        range.last,
        range.to,
        team,
    )
    .fetch_all(&mut **tx)
    .await
}
