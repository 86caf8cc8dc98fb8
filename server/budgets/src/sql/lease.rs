//! Queries on `budget_lease` and `budget_adjustment`.

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, Money, NodeId, OrgId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::charge::PeriodKey;
use crate::ledger::{Leased, Ledger};

/// Writes back the leases of a node, whose periods are locked.
///
/// A lease is written only where it still is what it was: one that was taken away meanwhile, from a
/// node that had been silent for long, fails the batch.
pub(crate) async fn write(
    conn: &mut PgConnection,
    node: NodeId,
    ledger: &Ledger,
) -> Result<(), sqlx::Error> {
    let leases: Vec<Leased> = ledger.changed_leases().collect();
    if leases.is_empty() {
        return Ok(());
    }
    let written = sqlx::query_scalar!(
        r#"with k as (
               select * from unnest($2::uuid[], $3::uuid[], $4::timestamptz[], $5::bigint[],
                   $6::bigint[]) as k (org_id, budget_id, starts_at, was, amount)),
           ended as (
               delete from budget_lease l using k
               where l.org_id = k.org_id and l.budget_id = k.budget_id
                 and l.starts_at = k.starts_at and l.node_id = $1 and l.amount = k.was
                 and k.amount = 0
               returning 1),
           changed as (
               update budget_lease l set amount = k.amount, updated_at = now() from k
               where l.org_id = k.org_id and l.budget_id = k.budget_id
                 and l.starts_at = k.starts_at and l.node_id = $1 and l.amount = k.was
                 and k.amount > 0
               returning 1),
           begun as (
               insert into budget_lease (org_id, budget_id, starts_at, node_id, amount)
               select org_id, budget_id, starts_at, $1, amount from k where was = 0
               returning 1)
           select (select count(*) from ended) + (select count(*) from changed)
               + (select count(*) from begun) as "written!""#,
        node as _,
        &leases.iter().map(|it| it.key.org.uuid()).collect::<Vec<_>>(),
        &leases.iter().map(|it| it.key.budget.uuid()).collect::<Vec<_>>(),
        &leases.iter().map(|it| it.key.starts_at).collect::<Vec<_>>(),
        &leases.iter().map(|it| it.was.as_nanos()).collect::<Vec<_>>(),
        &leases.iter().map(|it| it.is.as_nanos()).collect::<Vec<_>>(),
    )
    .fetch_one(conn)
    .await?;
    let all = usize::try_from(written).is_ok_and(|written| written == leases.len());
    all.then_some(()).ok_or(sqlx::Error::RowNotFound)
}

/// The periods that a node has something in hand of.
pub(crate) async fn of_node(
    conn: &mut PgConnection,
    node: NodeId,
    at_most: i64,
) -> Result<Vec<PeriodKey>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select org_id as "org: OrgId", budget_id as "budget: BudgetId", starts_at
           from budget_lease where node_id = $1
           order by org_id, budget_id, starts_at
           limit $2"#,
        node as _,
        at_most,
    )
    .fetch_all(conn)
    .await?;
    let key = |org, budget, starts_at| PeriodKey { org, budget, starts_at };
    Ok(rows.into_iter().map(|row| key(row.org, row.budget, row.starts_at)).collect())
}

/// Whether nodes could say for so long, without a break, that they live.
pub(crate) async fn could_be_heard(
    conn: &mut PgConnection,
    seconds: f64,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select since <= now() - make_interval(secs => $1) as "long!" from pulse"#,
        seconds,
    )
    .fetch_one(conn)
    .await
}

/// Nodes that have something in hand and have gone silent.
pub(crate) async fn silent_nodes(
    conn: &mut PgConnection,
    silent_seconds: f64,
) -> Result<Vec<NodeId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select distinct l.node_id as "node: NodeId"
           from budget_lease l
           where not exists (
               select from node n
               where n.id = l.node_id and n.seen_at > now() - make_interval(secs => $1))"#,
        silent_seconds,
    )
    .fetch_all(conn)
    .await
}

/// What was in the hands of a node that went silent, counted as spent.
#[derive(Debug)]
pub(crate) struct Lost {
    pub key: PeriodKey,
    pub amount: Money,
}

pub(crate) async fn insert_lost(
    conn: &mut PgConnection,
    node: NodeId,
    lost: &[Lost],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into budget_adjustment (org_id, id, budget_id, starts_at, amount, reason, node_id)
         select k.org_id, k.id, k.budget_id, k.starts_at, k.amount, 'lease_lost', $1
         from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::bigint[])
             as k (org_id, id, budget_id, starts_at, amount)",
        node as _,
        &lost.iter().map(|it| it.key.org.uuid()).collect::<Vec<_>>(),
        &lost.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>(),
        &lost.iter().map(|it| it.key.budget.uuid()).collect::<Vec<_>>(),
        &lost.iter().map(|it| it.key.starts_at).collect::<Vec<DateTime<Utc>>>(),
        &lost.iter().map(|it| it.amount.as_nanos()).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Asks all nodes to give back what they have in hand of some periods.
pub(crate) async fn recall(conn: &mut PgConnection, keys: &[PeriodKey]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select pg_notify($1, key) from unnest($2::text[]) as k (key)",
        crate::recall::CHANNEL,
        &keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Which of these periods are in the hands of nodes that have said lately that they live.
pub(crate) async fn in_living_hands(
    conn: &mut PgConnection,
    keys: &[PeriodKey],
    silent_seconds: f64,
) -> Result<Vec<PeriodKey>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select k.org_id as "org!: OrgId", k.budget_id as "budget!: BudgetId",
               k.starts_at as "starts_at!"
           from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as k (org_id, budget_id, starts_at)
           where exists (
               select from budget_lease l
               join node n on n.id = l.node_id
               where l.org_id = k.org_id and l.budget_id = k.budget_id
                 and l.starts_at = k.starts_at
                 and n.seen_at > now() - make_interval(secs => $4))"#,
        &keys.iter().map(|key| key.org.uuid()).collect::<Vec<_>>(),
        &keys.iter().map(|key| key.budget.uuid()).collect::<Vec<_>>(),
        &keys.iter().map(|key| key.starts_at).collect::<Vec<_>>(),
        silent_seconds,
    )
    .fetch_all(conn)
    .await?;
    let key = |org, budget, starts_at| PeriodKey { org, budget, starts_at };
    Ok(rows.into_iter().map(|row| key(row.org, row.budget, row.starts_at)).collect())
}
