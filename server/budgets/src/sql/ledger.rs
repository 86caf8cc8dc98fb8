//! Queries on `budget_period`: rows are made, locked in one order, and written back.

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, Money, NodeId, OrgId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::charge::PeriodKey;
use crate::ledger::{Ledger, Row};

/// A period that may have no row yet.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub key: PeriodKey,
    pub ends_at: DateTime<Utc>,
}

/// Makes the rows of periods that begin now.
///
/// The budget is locked against a change of its limit, because a row made with the old limit
/// beside an uncommitted change would keep it. Must come before any period is locked: another
/// transaction may be making the same row while it waits for a period of ours.
pub(crate) async fn insert_missing(
    conn: &mut PgConnection,
    wanted: &[Wanted],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with missing as (
             select b.org_id, b.id, k.starts_at, k.ends_at,
                 -- What depends on others gives nothing away until that is worked out.
                 case when b.days is null and not b.carry_over then b.spend_limit else 0 end,
                 b.hard, b.spend_limit as allowance
             from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
                 as k (org_id, budget_id, starts_at, ends_at)
             join budget b on b.org_id = k.org_id and b.id = k.budget_id
             where not exists (
                 select from budget_period p
                 where p.org_id = k.org_id and p.budget_id = k.budget_id
                   and p.starts_at = k.starts_at)
             order by b.org_id, b.id, k.starts_at
             for share of b)
         insert into budget_period (org_id, budget_id, starts_at, ends_at, spend_limit, hard,
             allowance)
         select * from missing
         on conflict do nothing",
        &wanted.iter().map(|period| period.key.org.uuid()).collect::<Vec<_>>(),
        &wanted.iter().map(|period| period.key.budget.uuid()).collect::<Vec<_>>(),
        &wanted.iter().map(|period| period.key.starts_at).collect::<Vec<_>>(),
        &wanted.iter().map(|period| period.ends_at).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks rows in the order of their keys, so that nodes wait for each other and never in a circle.
/// `node`: whose leases are read with them.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    node: Option<NodeId>,
    keys: impl IntoIterator<Item = PeriodKey>,
) -> Result<Ledger, sqlx::Error> {
    let (mut orgs, mut budgets, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        orgs.push(key.org.uuid());
        budgets.push(key.budget.uuid());
        starts.push(key.starts_at);
    }
    let rows = sqlx::query!(
        r#"select p.org_id as "org: OrgId", p.budget_id as "budget: BudgetId", p.starts_at,
               p.spend_limit as "fence: Money",
               p.spend_limit - case when p.increase_until <= now() then p.increase else 0 end
                   as "limit!: Money", p.hard, p.spent as "spent: Money",
               p.held as "held: Money", p.overrun as "overrun: Money", p.refused, p.alerted,
               p.leased as "leased: Money", coalesce(l.amount, 0) as "lease!: Money",
               case when b.days is null then 0
                    else greatest(b.spend_limit - p.spend_limit + p.increase, 0)
                    end as "beyond!: Money"
           from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as k (org_id, budget_id, starts_at)
           join budget_period p on p.org_id = k.org_id and p.budget_id = k.budget_id
               and p.starts_at = k.starts_at
           join budget b on b.org_id = k.org_id and b.id = k.budget_id
           left join budget_lease l on l.org_id = k.org_id and l.budget_id = k.budget_id
               and l.starts_at = k.starts_at and l.node_id = $4
           order by p.org_id, p.budget_id, p.starts_at
           for no key update of p"#,
        &orgs,
        &budgets,
        &starts,
        node as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(Ledger::new(rows.into_iter().map(|row| {
        let key = PeriodKey { org: row.org, budget: row.budget, starts_at: row.starts_at };
        let locked = Row {
            limit: row.limit,
            fence: row.fence,
            hard: row.hard,
            spent: row.spent,
            held: row.held,
            leased: row.leased,
            lease: row.lease,
            overrun: row.overrun,
            beyond: row.beyond,
            refused: row.refused,
            alerted: u32::try_from(row.alerted).unwrap_or(0),
        };
        (key, locked)
    })))
}

/// Writes back what a batch changed. The table's own check is the last fence: were the ledger
/// wrong, this statement would fail and nothing of the batch would have happened.
pub(crate) async fn write(conn: &mut PgConnection, ledger: &Ledger) -> Result<(), sqlx::Error> {
    let (keys, rows): (Vec<&PeriodKey>, Vec<&Row>) = ledger.changed().unzip();
    if keys.is_empty() {
        return Ok(());
    }
    let column = |value: fn(&Row) -> i64| rows.iter().map(|row| value(row)).collect::<Vec<_>>();
    sqlx::query!(
        "update budget_period p
         set spent = k.spent, held = k.held, overrun = k.overrun, refused = k.refused,
             alerted = k.alerted, leased = k.leased
         from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[], $5::bigint[],
             $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
             as k (org_id, budget_id, starts_at, spent, held, overrun, refused, alerted, leased)
         where p.org_id = k.org_id and p.budget_id = k.budget_id and p.starts_at = k.starts_at",
        &keys.iter().map(|key| key.org.uuid()).collect::<Vec<Uuid>>(),
        &keys.iter().map(|key| key.budget.uuid()).collect::<Vec<Uuid>>(),
        &keys.iter().map(|key| key.starts_at).collect::<Vec<_>>(),
        &column(|row| row.spent.as_nanos()),
        &column(|row| row.held.as_nanos()),
        &column(|row| row.overrun.as_nanos()),
        &column(|row| row.refused),
        &column(|row| i64::from(row.alerted)),
        &column(|row| row.leased.as_nanos()),
    )
    .execute(conn)
    .await?;
    Ok(())
}
