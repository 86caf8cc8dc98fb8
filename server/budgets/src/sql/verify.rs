//! The query that compares budgets with the calls that name them, and with all else that counts.

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, Money, OrgId};
use sqlx::PgConnection;

/// A period as it counts, and as its calls add up.
#[derive(Debug)]
pub(crate) struct Period {
    pub org: OrgId,
    pub budget: BudgetId,
    pub starts_at: DateTime<Utc>,
    pub limit: Money,
    pub hard: bool,
    pub spent: Money,
    pub held: Money,
    pub overrun: Money,
    pub leased: Money,
    pub in_hand: Money,
    pub cost_of_calls: Money,
    pub held_by_calls: Money,
}

pub(crate) async fn periods(
    conn: &mut PgConnection,
    org: Option<OrgId>,
) -> Result<Vec<Period>, sqlx::Error> {
    sqlx::query_as!(
        Period,
        r#"with of_calls as (
               select c.org_id, k.budget_id, k.starts_at,
                   sum(coalesce(k.cost, c.cost))
                       filter (where c.state not in ('open', 'refused')) as cost,
                   sum(coalesce(k.held, c.held)) filter (where c.state = 'open') as held
               from call c
               -- What a call has for each budget, where that is not the same on all.
               cross join lateral unnest(c.budget_ids, c.budget_starts, c.budget_held,
                   c.budget_costs) as k (budget_id, starts_at, held, cost)
               where $1::uuid is null or c.org_id = $1
               group by c.org_id, k.budget_id, k.starts_at),
           -- What those cost whose records are gone counts as well.
           with_pruned as (
               select org_id, budget_id, starts_at, sum(cost) as cost, sum(held) as held
               from (select * from of_calls
                     union all
                     select org_id, budget_id, starts_at, cost, 0 from budget_pruned
                     where $1::uuid is null or org_id = $1) as parts
               group by org_id, budget_id, starts_at),
           known as (
               select p.org_id, p.budget_id, p.starts_at, p.spend_limit, p.hard, p.spent, p.held,
                   p.overrun, p.leased,
                   (select coalesce(sum(l.amount), 0)::bigint from budget_lease l
                    where l.org_id = p.org_id and l.budget_id = p.budget_id
                      and l.starts_at = p.starts_at) as in_hand,
                   (select coalesce(sum(a.amount), 0) from budget_adjustment a
                    where a.org_id = p.org_id and a.budget_id = p.budget_id
                      and a.starts_at = p.starts_at) as adjusted
               from budget_period p
               where $1::uuid is null or p.org_id = $1)
           select b.org_id as "org!: OrgId", b.id as "budget!: BudgetId",
               coalesce(p.starts_at, c.starts_at) as "starts_at!",
               coalesce(p.spend_limit, b.spend_limit) as "limit!: Money",
               coalesce(p.hard, b.hard) as "hard!",
               coalesce(p.spent, 0) as "spent!: Money", coalesce(p.held, 0) as "held!: Money",
               coalesce(p.overrun, 0) as "overrun!: Money",
               coalesce(p.leased, 0) as "leased!: Money",
               coalesce(p.in_hand, 0) as "in_hand!: Money",
               least(coalesce(c.cost, 0) + coalesce(p.adjusted, 0),
                   9223372036854775807)::bigint as "cost_of_calls!: Money",
               least(coalesce(c.held, 0), 9223372036854775807)::bigint as "held_by_calls!: Money"
           from known p
           full join with_pruned c on c.org_id = p.org_id and c.budget_id = p.budget_id
               and c.starts_at = p.starts_at
           -- Calls also name budgets that were deleted since; nothing counts those any more.
           join budget b on b.org_id = coalesce(p.org_id, c.org_id)
               and b.id = coalesce(p.budget_id, c.budget_id)
           order by b.org_id, b.id, coalesce(p.starts_at, c.starts_at)"#,
        org as _,
    )
    .fetch_all(conn)
    .await
}

/// The periods that are not over and do not add up, as far as holds and leases tell. Their calls
/// are not summed up, so what is spent is taken for what they cost.
pub(crate) async fn current_off(conn: &mut PgConnection) -> Result<Vec<Period>, sqlx::Error> {
    sqlx::query_as!(
        Period,
        r#"with of_calls as (
               select c.org_id, k.budget_id, k.starts_at, sum(coalesce(k.held, c.held)) as held
               from call c
               cross join lateral unnest(c.budget_ids, c.budget_starts, c.budget_held)
                   as k (budget_id, starts_at, held)
               where c.state = 'open'
               group by c.org_id, k.budget_id, k.starts_at),
           of_nodes as (
               select l.org_id, l.budget_id, l.starts_at, sum(l.amount) as amount
               from budget_lease l
               group by l.org_id, l.budget_id, l.starts_at)
           select p.org_id as "org: OrgId", p.budget_id as "budget: BudgetId", p.starts_at,
               p.spend_limit as "limit: Money", p.hard, p.spent as "spent: Money",
               p.held as "held: Money", p.overrun as "overrun: Money", p.leased as "leased: Money",
               least(coalesce(n.amount, 0), 9223372036854775807)::bigint as "in_hand!: Money",
               least(p.spent::numeric + p.overrun, 9223372036854775807)::bigint
                   as "cost_of_calls!: Money",
               least(coalesce(c.held, 0), 9223372036854775807)::bigint as "held_by_calls!: Money"
           from budget_period p
           left join of_calls c on c.org_id = p.org_id and c.budget_id = p.budget_id
               and c.starts_at = p.starts_at
           left join of_nodes n on n.org_id = p.org_id and n.budget_id = p.budget_id
               and n.starts_at = p.starts_at
           where p.ends_at > now()
             and (p.hard and p.spent::numeric + p.held + p.leased > p.spend_limit
                  or p.leased <> coalesce(n.amount, 0) or p.held <> coalesce(c.held, 0))
           order by p.org_id, p.budget_id, p.starts_at
           limit 1000"#
    )
    .fetch_all(conn)
    .await
}
