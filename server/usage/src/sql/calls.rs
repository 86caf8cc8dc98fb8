//! The query that calls are exported by, page by page.

use chrono::{DateTime, Utc};
use ralex_api::usage::ExportedCall;
use ralex_kernel::{CallId, Money, OrgId};
use sqlx::PgConnection;

use crate::ask::Only;

/// Where a page begins: after a call, or at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct After {
    pub at: DateTime<Utc>,
    pub id: Option<CallId>,
}

/// Calls that ended, in the order in which they began.
pub(crate) async fn page(
    conn: &mut PgConnection,
    org: OrgId,
    only: &Only,
    after: After,
    to: DateTime<Utc>,
    at_most: i64,
) -> Result<Vec<ExportedCall>, sqlx::Error> {
    sqlx::query_as!(
        ExportedCall,
        r#"select c.id as "id: CallId", c.started_at, c.settled_at, c.state, c.model, c.provider,
               c.upstream_model, c.asked_model, c.route,
               coalesce(t.slug, c.team_id::text) as team,
               coalesce(p.slug, c.project_id::text) as project, c.user_id::text as "user",
               a.slug as "service_account?", c.token_id::text as token, c.tags, c.run, c.task_type, c.purpose, c.dialect, c.streamed,
               c.attempts, c.cached,
               c.input_tokens + c.cache_read_tokens + c.cache_write_tokens as "input_tokens!",
               c.output_tokens, c.cache_read_tokens, c.cache_write_tokens, c.reasoning_tokens,
               c.estimated, c.cost as "cost: Money", c.cost_saved as "saved: Money",
               c.first_byte_ms, c.duration_ms, c.problem
           from call c
           left join team t on t.org_id = c.org_id and t.id = c.team_id
           left join project p on p.org_id = c.org_id and p.id = c.project_id
           left join token k on k.org_id = c.org_id and k.id = c.token_id
           left join service_account a on a.org_id = k.org_id and a.id = k.account_id
           where c.org_id = $1 and c.started_at >= $2 and c.started_at < $4
             and ($3::uuid is null or (c.started_at, c.id) > ($2, $3))
             and c.state <> 'open' and c.purpose is distinct from 'count'
             and (c.project_id = any ($7)
               or (c.team_id = any ($7) or $6 and (c.team_id is null or c.team_id <> all ($16)))
                 and (c.project_id is null or c.project_id <> all ($16)))
             and ($8::uuid is null or c.team_id = $8)
             and ($9::uuid is null or c.project_id = $9)
             and ($10::uuid is null or c.user_id = $10)
             and ($11::uuid[] is null or c.token_id = any($11))
             and ($12::text is null or c.provider = $12)
             and ($13::text is null or c.model = $13)
             and ($14::text is null or coalesce(c.task_type, '') = $14)
             and ($15::text is null or $15 = any(c.tags))
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
        only.task_type,
        only.tag,
        &only.within.closed,
    )
    .fetch_all(conn)
    .await
}
