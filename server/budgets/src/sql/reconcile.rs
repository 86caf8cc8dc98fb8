//! Queries that sum up what calls cost at one provider, and what was adjusted by it.

use chrono::{DateTime, NaiveDate, Utc};
use ralex_kernel::{BudgetId, Money, OrgId};
use sqlx::PgConnection;

/// What the calls of one day at one model of the provider cost.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub day: NaiveDate,
    pub model: String,
    pub cost: Money,
    pub input_tokens: i64,
    pub output_tokens: i64,
}

/// Each try counts where it was made. What a call cost beyond its tries, as one without any rows
/// of them or one that was lost, counts where the call was to be answered: so all of it adds up to
/// what budgets count.
pub(crate) async fn recorded(
    conn: &mut PgConnection,
    org: OrgId,
    provider: &str,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Recorded>, sqlx::Error> {
    sqlx::query_as!(
        Recorded,
        r#"with calls as (
               select c.started_at, c.provider, c.upstream_model, c.cost, c.cached,
                   c.input_tokens + c.cache_read_tokens + c.cache_write_tokens as input_tokens,
                   c.output_tokens, t.cost as tried
               from call c
               left join lateral (
                   select sum(a.cost) as cost from call_attempt a
                   where a.org_id = c.org_id and a.call_id = c.id having count(*) > 0) t on true
               where c.org_id = $1 and c.started_at >= $3 and c.started_at < $4
                 and c.state not in ('open', 'refused')),
           parts as (
               select started_at, upstream_model, cost - coalesce(tried, 0) as cost,
                   case when tried is null and cached is null then input_tokens else 0 end
                       as input_tokens,
                   case when tried is null and cached is null then output_tokens else 0 end
                       as output_tokens
               from calls where provider = $2
               union all
               select c.started_at, a.upstream_model, a.cost, a.input_tokens, a.output_tokens
               from call c
               join call_attempt a on a.org_id = c.org_id and a.call_id = c.id and a.provider = $2
               where c.org_id = $1 and c.started_at >= $3 and c.started_at < $4
                 and c.state not in ('open', 'refused'))
           select (started_at at time zone 'UTC')::date as "day!", upstream_model as "model!",
               least(sum(cost), 9223372036854775807)::bigint as "cost!: Money",
               least(sum(input_tokens), 9223372036854775807)::bigint as "input_tokens!",
               least(sum(output_tokens), 9223372036854775807)::bigint as "output_tokens!"
           from parts
           group by 1, 2
           order by 1, 2"#,
        org as _,
        provider,
        from,
        to,
    )
    .fetch_all(conn)
    .await
}

/// By how much a day's exports of a provider have adjusted a budget, with what was taken back.
#[derive(Debug)]
pub(crate) struct Adjusted {
    pub budget: BudgetId,
    pub day: NaiveDate,
    pub amount: Money,
}

pub(crate) async fn adjusted(
    conn: &mut PgConnection,
    org: OrgId,
    provider: &str,
    days: &[NaiveDate],
) -> Result<Vec<Adjusted>, sqlx::Error> {
    sqlx::query_as!(
        Adjusted,
        r#"select a.budget_id as "budget: BudgetId", a.day as "day!",
               sum(a.amount + coalesce(r.amount, 0))::bigint as "amount!: Money"
           from budget_adjustment a
           left join budget_adjustment r on r.org_id = a.org_id and r.reverses = a.id
           where a.org_id = $1 and a.reason = 'reconciled' and a.provider = $2
             and a.day = any ($3)
           group by 1, 2"#,
        org as _,
        provider,
        days,
    )
    .fetch_all(conn)
    .await
}

/// What counts on budgets because nodes went silent on these days, and was not taken back.
pub(crate) async fn lost(
    conn: &mut PgConnection,
    org: OrgId,
    days: &[NaiveDate],
) -> Result<Vec<Adjusted>, sqlx::Error> {
    sqlx::query_as!(
        Adjusted,
        r#"select a.budget_id as "budget: BudgetId",
               (a.created_at at time zone 'UTC')::date as "day!",
               sum(a.amount)::bigint as "amount!: Money"
           from budget_adjustment a
           where a.org_id = $1 and a.reason = 'lease_lost'
             and (a.created_at at time zone 'UTC')::date = any ($2)
             and not exists (
                 select from budget_adjustment r where r.org_id = a.org_id and r.reverses = a.id)
           group by 1, 2"#,
        org as _,
        days,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn provider_exists(
    conn: &mut PgConnection,
    org: OrgId,
    slug: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from provider where org_id = $1 and slug = $2)
               or exists (select from call where org_id = $1 and provider = $2) as "there!""#,
        org as _,
        slug,
    )
    .fetch_one(conn)
    .await
}
