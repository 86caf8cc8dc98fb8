//! Queries on periods whose limits depend on those before them.

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, Money, OrgId};
use sqlx::PgConnection;

use crate::charge::PeriodKey;

/// A period before another one, locked.
#[derive(Debug)]
pub(crate) struct Before {
    pub ends_at: DateTime<Utc>,
    pub allowance: Money,
    pub spent: Money,
    pub overrun: Money,
    pub held: Money,
    pub leased: Money,
}

impl Before {
    /// All that it may come to cost.
    pub fn gone(&self) -> Money {
        let parts = [self.overrun, self.held, self.leased];
        parts.into_iter().fold(self.spent, Money::saturating_add)
    }

    /// What it leaves; less than nothing where more was billed than there was.
    pub fn left(&self) -> Money {
        self.allowance.saturating_sub(self.gone())
    }
}

/// How a period begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    /// Its limit, without an increase.
    pub allowance: Money,
    pub carried: Money,
    /// What this was worked out from.
    pub before_it: Option<Money>,
    pub alerted: u32,
}

/// Whether a later period has begun.
pub(crate) async fn is_over(conn: &mut PgConnection, key: PeriodKey) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from budget_period
               where org_id = $1 and budget_id = $2 and starts_at > $3) as "over!""#,
        key.org as _,
        key.budget as _,
        key.starts_at,
    )
    .fetch_one(conn)
    .await
}

/// Locks the other days of a window, or the last period before this one, in their order.
pub(crate) async fn lock_before(
    conn: &mut PgConnection,
    key: PeriodKey,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<Before>, sqlx::Error> {
    sqlx::query_as!(
        Before,
        r#"select ends_at, coalesce(allowance, spend_limit - increase) as "allowance!: Money",
               spent as "spent: Money", overrun as "overrun: Money", held as "held: Money",
               leased as "leased: Money"
           from budget_period
           where org_id = $1 and budget_id = $2 and starts_at < $3
             and starts_at >= coalesce($4, (
                 select max(starts_at) from budget_period
                 where org_id = $1 and budget_id = $2 and starts_at < $3))
           order by starts_at
           for no key update"#,
        key.org as _,
        key.budget as _,
        key.starts_at,
        since,
    )
    .fetch_all(conn)
    .await
}

/// Locks the period itself, if it has a row.
pub(crate) async fn lock_period(
    conn: &mut PgConnection,
    key: PeriodKey,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select from budget_period where org_id = $1 and budget_id = $2 and starts_at = $3
         for no key update",
        key.org as _,
        key.budget as _,
        key.starts_at,
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

/// Lets the periods before one give nothing away any more.
pub(crate) async fn close(
    conn: &mut PgConnection,
    key: PeriodKey,
    since: Option<DateTime<Utc>>,
    hard: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update budget_period
         set spend_limit = case when $5 then spent + held + leased else spend_limit end,
             hard = $5, increase = 0, increase_until = null
         where org_id = $1 and budget_id = $2 and starts_at < $3
           and starts_at >= coalesce($4, (
               select max(starts_at) from budget_period
               where org_id = $1 and budget_id = $2 and starts_at < $3))
           and (hard <> $5 or increase > 0 or ($5 and spend_limit <> spent + held + leased))",
        key.org as _,
        key.budget as _,
        key.starts_at,
        since,
        hard,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes the row of a period, or gives it the limit that it has now. What is gone of it already
/// stays within, and an increase comes on top.
pub(crate) async fn begin(
    conn: &mut PgConnection,
    key: PeriodKey,
    ends_at: DateTime<Utc>,
    begun: Begun,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into budget_period as p (org_id, budget_id, starts_at, ends_at, spend_limit, hard,
             alerted, allowance, carried, before_it)
         select b.org_id, b.id, $3, $4, $5, b.hard, $6, $5, $7, $8
         from budget b where b.org_id = $1 and b.id = $2
         on conflict (org_id, budget_id, starts_at) do update
         set spend_limit = greatest(excluded.spend_limit + p.increase,
                 case when p.hard then p.spent + p.held + p.leased else 0 end),
             allowance = excluded.allowance, carried = excluded.carried,
             before_it = excluded.before_it",
        key.org as _,
        key.budget as _,
        key.starts_at,
        ends_at,
        begun.allowance as _,
        i32::try_from(begun.alerted).unwrap_or(i32::MAX),
        begun.carried as _,
        begun.before_it as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A budget whose current period was worked out from what is so no more.
#[derive(Debug)]
pub(crate) struct Due {
    pub org: OrgId,
    pub budget: BudgetId,
    pub now: DateTime<Utc>,
}

pub(crate) async fn due(conn: &mut PgConnection, at_most: i64) -> Result<Vec<Due>, sqlx::Error> {
    sqlx::query_as!(
        Due,
        r#"select b.org_id as "org: OrgId", b.id as "budget: BudgetId", now() as "now!"
           from budget b
           join budget_period p on p.org_id = b.org_id and p.budget_id = b.id
               and p.starts_at <= now() and p.ends_at > now()
           left join lateral (
               select coalesce(q.allowance, q.spend_limit - q.increase)::numeric - q.spent
                   - q.overrun - q.held - q.leased as amount
               from budget_period q
               where b.carry_over and q.org_id = b.org_id and q.budget_id = b.id
                 and q.starts_at < p.starts_at
               order by q.starts_at desc
               limit 1) as left_over on true
           left join lateral (
               select coalesce(sum(q.spent::numeric + q.overrun + q.held + q.leased), 0) as amount
               from budget_period q
               where b.days is not null and q.org_id = b.org_id and q.budget_id = b.id
                 and q.starts_at < p.starts_at
                 -- A day has 23 to 25 hours, or a few more or less: noon lies well between.
                 and q.starts_at > p.starts_at - make_interval(hours => b.days * 24 - 12)
               ) as taken on true
           where (b.days is not null or b.carry_over)
             and p.before_it::numeric is distinct from
                 case when b.days is not null then taken.amount else left_over.amount end
           order by b.org_id, b.id
           limit $1"#,
        at_most,
    )
    .fetch_all(conn)
    .await
}
