//! The query for what was spent hour by hour, which reads no more of the sums than that.

use chrono::{DateTime, Utc};
use ralex_api::usage::GroupBy;
use ralex_kernel::Money;
use ralex_store::Tenant;
use uuid::Uuid;

use crate::ask::Ask;

/// What one key cost in one hour.
#[derive(Debug)]
pub(crate) struct Hour {
    /// Empty where there is none of what is told apart.
    pub key: String,
    pub at: DateTime<Utc>,
    pub calls: i64,
    pub cost: Money,
}

/// Of whole hours only: of all keys, those that cost more than `least`, or all of some keys.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'a> {
    Dear { least: Money },
    Of { keys: &'a [String] },
}

impl Which<'_> {
    fn least(&self) -> Option<i64> {
        match self {
            Self::Dear { least } => Some(least.as_nanos()),
            Self::Of { .. } => None,
        }
    }

    fn words(&self) -> Option<Vec<String>> {
        match self {
            Self::Dear { .. } => None,
            Self::Of { keys } => Some(keys.to_vec()),
        }
    }

    /// The same as ids, where ids are told apart: no id is that of none.
    fn ids(&self) -> Option<Vec<Uuid>> {
        match self {
            Self::Dear { .. } => None,
            Self::Of { keys } => {
                Some(keys.iter().map(|key| key.parse().unwrap_or_default()).collect())
            }
        }
    }
}

/// From the sums of hours, and from the cursor on from what ended since: one statement, so of one
/// moment. The range begins and ends with an hour. What is told apart is compared as it is stored,
/// so that few keys are found by their index.
#[expect(clippy::too_many_lines, reason = "one statement")]
pub(crate) async fn hours(
    tx: &mut Tenant,
    ask: &Ask,
    which: Which<'_>,
) -> Result<Vec<Hour>, sqlx::Error> {
    super::sums::plan(tx).await?;
    let about = super::sums::cursor(tx).await?;
    let of_ids = matches!(
        ask.by,
        GroupBy::Team | GroupBy::Project | GroupBy::User | GroupBy::ServiceAccount | GroupBy::Token
    );
    let (ids, words) = if of_ids { (which.ids(), None) } else { (None, which.words()) };
    sqlx::query_as!(
        Hour,
        r#"with lines as (
               select starts_at as hour, tag, model, provider, task_type, team_id, project_id, user_id,
                   token_id, calls, cost
               from usage_sum
               where org_id = $1 and slice = $2 and starts_at >= $3 and starts_at < $4
               union all
               select hour, tag, model, provider, task_type, team_id, project_id, user_id,
                   token_id, calls, cost
               from usage_line
               where org_id = $1 and settled_xid >= (select xid from usage_cursor)
                 and settled_xid >= $5::text::xid8 and started_at >= $3 and started_at < $4)
           select coalesce(case $6
                   when 'model' then l.model
                   when 'provider' then l.provider
                   when 'task_type' then l.task_type
                   when 'tag' then l.tag
                   else nullif(case $6 when 'team' then l.team_id when 'project' then l.project_id
                       when 'user' then l.user_id
                       when 'service_account' then (select k.account_id from token k
                           where k.org_id = $1 and k.id = l.token_id)
                       else l.token_id end,
                       '00000000-0000-0000-0000-000000000000')::text
               end, '') as "key!",
               l.hour as "at!", least(sum(l.calls), 9223372036854775807)::bigint as "calls!",
               least(sum(l.cost), 9223372036854775807)::bigint as "cost!: Money"
           from lines l
           -- By tags, the row without one is of all calls.
           where ($6 = 'tag') = (l.tag <> '')
             and (l.project_id = any ($8)
               or (l.team_id = any ($8) or $7 and (l.team_id is null or l.team_id <> all ($12)))
                 and (l.project_id is null or l.project_id <> all ($12)))
             and ($9::uuid[] is null or $6 <> 'team' or l.team_id = any ($9))
             and ($9::uuid[] is null or $6 <> 'project' or l.project_id = any ($9))
             and ($9::uuid[] is null or $6 <> 'user' or l.user_id = any ($9))
             and ($9::uuid[] is null or $6 <> 'service_account' or coalesce(
                 (select k.account_id from token k where k.org_id = $1 and k.id = l.token_id),
                 '00000000-0000-0000-0000-000000000000') = any ($9))
             and ($9::uuid[] is null or $6 <> 'token' or l.token_id = any ($9))
             and ($10::text[] is null or $6 <> 'model' or l.model = any ($10))
             and ($10::text[] is null or $6 <> 'provider' or l.provider = any ($10))
             and ($10::text[] is null or $6 <> 'task_type' or l.task_type = any ($10))
             and ($10::text[] is null or $6 <> 'tag' or l.tag = any ($10))
           group by 1, 2
           having case when $11::bigint is null then sum(l.calls) <> 0 or sum(l.cost) <> 0
                      else sum(l.cost) > $11 end
           order by 1, 2"#,
        ask.org as _,
        ask.slices().1,
        ask.range.from,
        ask.range.to,
        about,
        ask.by.as_str(),
        ask.only.within.org,
        &ask.only.within.open,
        ids.as_deref(),
        words.as_deref(),
        which.least(),
        &ask.only.within.closed,
    )
    .fetch_all(&mut **tx)
    .await
}
