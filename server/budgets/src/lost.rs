//! What becomes of the leases of nodes that are no more.
//!
//! A node that ends gives its leases back. One that goes silent may have sent calls that it could
//! not record, so what it had in hand is counted as spent, by an adjustment of its own.

use std::time::Duration;

use ralex_audit::{Author, Entry, Event};
use ralex_kernel::{Money, NodeId};
use ralex_store::Db;
use sqlx::PgConnection;
use tracing::warn;

use crate::batch::crossed;
use crate::charge::PeriodKey;
use crate::lease::Give;
use crate::ledger::Ledger;
use crate::sql;
use crate::sql::lease::Lost;

/// Periods that are changed in one transaction.
const AT_ONCE: i64 = 200;

/// Gives back all that a node has in hand. It must not have promised any of it.
pub async fn give_back(db: &Db, node: NodeId) -> Result<(), ralex_store::Error> {
    loop {
        let mut tx = db.system("give back the leases of a node that ends").await?;
        let keys = sql::lease::of_node(&mut tx, node, AT_ONCE).await?;
        if keys.is_empty() {
            return tx.rollback().await.map_err(Into::into);
        }
        let mut ledger = lock(&mut tx, node, &keys).await?;
        for key in keys {
            ledger.give(key, Give { amount: Money::MAX, keep: Money::ZERO });
        }
        sql::ledger::write(&mut tx, &ledger).await?;
        sql::lease::write(&mut tx, node, &ledger).await?;
        tx.commit().await?;
    }
}

/// Counts as spent what nodes had in hand that were silent for so long, and returns how many periods
/// that were. Nodes that could not be heard for a part of that time are not silent.
pub(crate) async fn sweep(db: &Db, silent: Duration) -> Result<u64, ralex_store::Error> {
    let seconds = silent.as_secs_f64();
    let mut tx = db.system("look for leases of silent nodes").await?;
    let nodes = if sql::lease::could_be_heard(&mut tx, seconds).await? {
        sql::lease::silent_nodes(&mut tx, seconds).await?
    } else {
        Vec::new()
    };
    tx.rollback().await?;
    let mut lost = 0;
    for node in nodes {
        loop {
            let mut tx = db.system("count what a silent node had in hand").await?;
            let some = sweep_some(&mut tx, node).await?;
            tx.commit().await?;
            lost += some;
            if some < AT_ONCE.unsigned_abs() {
                break;
            }
        }
    }
    if lost > 0 {
        metrics::counter!("ralex_leases_lost_total").increment(lost);
        warn!(leases = lost, "what silent nodes had in hand of {lost} budgets counts as spent");
    }
    Ok(lost)
}

/// Reads once more what a node has in hand when the periods are locked: while this waited for
/// them, the node may have changed it.
async fn lock(
    conn: &mut PgConnection,
    node: NodeId,
    keys: &[PeriodKey],
) -> Result<Ledger, sqlx::Error> {
    sql::ledger::lock(conn, None, keys.iter().copied()).await?;
    sql::ledger::lock(conn, Some(node), keys.iter().copied()).await
}

async fn sweep_some(conn: &mut PgConnection, node: NodeId) -> Result<u64, sqlx::Error> {
    let keys = sql::lease::of_node(conn, node, AT_ONCE).await?;
    let mut ledger = lock(conn, node, &keys).await?;
    let (mut lost, mut entries) = (Vec::new(), Vec::new());
    for key in keys {
        let (amount, effect) = ledger.lose(key);
        // Another sweeper was here first.
        if !amount.is_positive() {
            continue;
        }
        let event = Event::BudgetLeaseLost { budget: key.budget, node, amount };
        entries.push(Entry::new(Author::system(key.org), event));
        entries.extend(crossed(key.org, &effect.crossings));
        lost.push(Lost { key, amount });
    }
    sql::ledger::write(conn, &ledger).await?;
    sql::lease::write(conn, node, &ledger).await?;
    sql::lease::insert_lost(conn, node, &lost).await?;
    ralex_audit::record_all(conn, entries).await?;
    Ok(lost.len() as u64)
}
