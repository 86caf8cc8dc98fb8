//! Queries on what periods have beyond their limits for a while. An increase is locked before its
//! period.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ralex_api::budgets::Increase;
use ralex_kernel::{BudgetId, Money, OrgId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::charge::PeriodKey;

/// An increase that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub org: OrgId,
    pub budget: BudgetId,
    pub starts_at: DateTime<Utc>,
    pub amount: Money,
}

/// Writes down a new one.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    key: PeriodKey,
    (amount, until, reason): (Money, DateTime<Utc>, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into budget_increase (org_id, id, budget_id, starts_at, amount, until, reason)
         values ($1, $2, $3, $4, $5, $6, $7)",
        key.org as _,
        Uuid::now_v7(),
        key.budget as _,
        key.starts_at,
        amount as _,
        until,
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends that of a period, if it has one.
pub(crate) async fn end(
    conn: &mut PgConnection,
    key: PeriodKey,
) -> Result<Option<Ended>, sqlx::Error> {
    sqlx::query_as!(
        Ended,
        r#"update budget_increase set ended_at = now()
           where org_id = $1 and budget_id = $2 and starts_at = $3 and ended_at is null
           returning org_id as "org: OrgId", budget_id as "budget: BudgetId", starts_at,
               amount as "amount: Money""#,
        key.org as _,
        key.budget as _,
        key.starts_at,
    )
    .fetch_optional(conn)
    .await
}

/// Lets a period have no more than its limit from now on.
pub(crate) async fn stop(conn: &mut PgConnection, key: PeriodKey) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update budget_period set increase_until = now()
         where org_id = $1 and budget_id = $2 and starts_at = $3
           and increase > 0 and increase_until > now()",
        key.org as _,
        key.budget as _,
        key.starts_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends those whose time has come. What another node is ending just now is left to it.
pub(crate) async fn end_due(
    conn: &mut PgConnection,
    at_most: i64,
) -> Result<Vec<Ended>, sqlx::Error> {
    sqlx::query_as!(
        Ended,
        r#"with due as (
               select org_id, id from budget_increase
               where ended_at is null and until <= now()
               order by org_id, id
               limit $1
               for update skip locked)
           update budget_increase i set ended_at = now()
           from due where i.org_id = due.org_id and i.id = due.id
           returning i.org_id as "org: OrgId", i.budget_id as "budget: BudgetId", i.starts_at,
               i.amount as "amount: Money""#,
        at_most,
    )
    .fetch_all(conn)
    .await
}

/// Takes from periods what is left of an increase that has ended: all that is not spent, held or
/// leased. Returns those of them that nodes still have something in hand of.
pub(crate) async fn wind_down(
    conn: &mut PgConnection,
    only: Option<PeriodKey>,
) -> Result<Vec<PeriodKey>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"with due as (
               select org_id, budget_id, starts_at, leased, spend_limit - increase as plain,
                   greatest(spend_limit - increase,
                       case when hard then spent + held + leased else 0 end) as least
               from budget_period
               where increase > 0 and increase_until <= now()
                 and (not hard or spent + held + leased < spend_limit or leased > 0)
                 and ($1::uuid is null or (org_id = $1 and budget_id = $2 and starts_at = $3))
               order by org_id, budget_id, starts_at
               for no key update)
           update budget_period p
           set spend_limit = due.least, increase = due.least - due.plain
           from due
           where p.org_id = due.org_id and p.budget_id = due.budget_id
             and p.starts_at = due.starts_at
           returning p.org_id as "org: OrgId", p.budget_id as "budget: BudgetId", p.starts_at,
               due.leased > 0 as "leased!""#,
        only.map(|key| key.org.uuid()),
        only.map(|key| key.budget.uuid()),
        only.map(|key| key.starts_at),
    )
    .fetch_all(conn)
    .await?;
    let leased = rows.into_iter().filter(|row| row.leased);
    Ok(leased
        .map(|row| PeriodKey { org: row.org, budget: row.budget, starts_at: row.starts_at })
        .collect())
}

/// Those that are in force in these periods.
pub(crate) async fn in_force(
    conn: &mut PgConnection,
    org: OrgId,
    budgets: &[Uuid],
    starts: &[DateTime<Utc>],
) -> Result<HashMap<BudgetId, Increase>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select i.budget_id as "budget: BudgetId", i.amount as "amount: Money", i.until, i.reason
           from unnest($2::uuid[], $3::timestamptz[]) as k (budget_id, starts_at)
           join budget_increase i on i.org_id = $1 and i.budget_id = k.budget_id
               and i.starts_at = k.starts_at and i.ended_at is null and i.until > now()"#,
        org as _,
        budgets,
        starts,
    )
    .fetch_all(conn)
    .await?;
    let increases = rows.into_iter().map(|row| {
        (row.budget, Increase { amount: row.amount, until: row.until, reason: row.reason })
    });
    Ok(increases.collect())
}
