//! Sweeping: calls that nobody will settle are closed at their worst case.
//!
//! A node that dies leaves its calls open and their money held. Any node may close them, and two
//! at once never take the same one. Should the dead turn out alive, its late settlement replaces
//! the worst case by what the call really cost.

use std::future::Future;
use std::time::{Duration, Instant};

use ralex_audit::{Author, CallClosed, Entry, Event};
use ralex_kernel::NodeId;
use ralex_store::{Db, Error, Sweeper, System};
use sqlx::PgConnection;
use tracing::warn;

use crate::batch::{Batch, events, lock_periods};
use crate::follow;
use crate::increase;
use crate::lease::Leases;
use crate::lost;
use crate::settle::{Counted, SettleOutcome};
use crate::sql;
use crate::sql::call::{Closing, Locked};

const SWEEPER: Sweeper = Sweeper {
    name: "calls",
    why: "close calls of nodes that went silent",
    // A node also says that it is alive as often as it looks for calls of those that are not.
    pace: Duration::from_secs(5),
    at_once: 200,
};
/// Six missed heartbeats.
const SILENT: Duration = Duration::from_secs(30);
/// As long as nobody could say that they live, nobody is taken for dead. Somebody does so every few
/// seconds, also while nodes die one after the other.
const BREAK: Duration = Duration::from_secs(10);
/// No call runs longer; the broker gives up well before.
const LONGEST_CALL: Duration = Duration::from_hours(1);

const LOST: &str = "lost";

/// Says that a node is alive. A node must do so before it opens its first call.
pub async fn heartbeat(conn: &mut PgConnection, node: NodeId) -> Result<(), sqlx::Error> {
    sql::call::heartbeat(conn, node, BREAK.as_secs_f64()).await
}

/// Closes every lost call, and returns how many there were.
pub async fn sweep(db: &Db) -> Result<u64, Error> {
    let lost = SWEEPER.all(db, close_some).await?;
    if lost > 0 {
        metrics::counter!("ralex_calls_lost_total").increment(lost);
        warn!(calls = lost, "{lost} calls of silent nodes were closed at their worst case");
    }
    Ok(lost)
}

/// Beats and sweeps, at once and then steadily, until `shutdown`.
pub(crate) async fn run(
    db: &Db,
    node: NodeId,
    leases: &Leases,
    shutdown: impl Future<Output = ()>,
) {
    SWEEPER.run(shutdown, || beat_and_sweep(db, node, leases)).await;
}

async fn beat_and_sweep(db: &Db, node: NodeId, leases: &Leases) -> Result<u64, Error> {
    let begun = Instant::now();
    let mut tx = db.system("say that this node is alive").await?;
    heartbeat(&mut tx, node).await?;
    tx.commit().await?;
    leases.alive(begun);
    leases.look();
    increase::sweep(db).await?;
    let lost = sweep(db).await?;
    follow::sweep(db).await?;
    Ok(lost + lost::sweep(db, SILENT).await?)
}

async fn close_some(mut tx: System) -> Result<u64, Error> {
    let closed = sweep_some(&mut tx).await?;
    tx.commit().await?;
    Ok(closed)
}

async fn sweep_some(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let (silent, longest) = (SILENT.as_secs_f64(), LONGEST_CALL.as_secs_f64());
    let calls = sql::call::lock_lost(conn, silent, longest, SWEEPER.at_once).await?;
    if calls.is_empty() {
        return Ok(0);
    }
    let mut ledger = lock_periods(conn, &Batch::default(), calls.iter()).await?;
    let outcomes: Vec<SettleOutcome> = calls
        .iter()
        .map(|call| {
            let effect = ledger.settle(call.org, &call.lost());
            SettleOutcome {
                org: call.org,
                call: call.id,
                counted: Counted::Settled,
                overruns: effect.overruns,
                crossings: effect.crossings,
            }
        })
        .collect();
    sql::ledger::write(conn, &ledger).await?;
    let closings: Vec<_> = calls.iter().map(closing).collect();
    sql::call::close(conn, &closings, &["open"]).await?;
    let apart = calls.iter().filter(|call| call.budget_held.is_some());
    let apart: Vec<_> = apart.map(|call| (call, Some(call.held_on().collect()))).collect();
    sql::part::cost(conn, &apart).await?;
    let mut entries: Vec<Entry> = calls.iter().map(closed).collect();
    entries.extend(events(&outcomes));
    ralex_audit::record_all(conn, entries).await?;
    Ok(calls.len() as u64)
}

fn closing(call: &Locked) -> Closing<'static> {
    Closing {
        org: call.org,
        id: call.id,
        state: LOST,
        problem: None,
        cost: call.held,
        input_tokens: 0,
        output_tokens: 0,
        cache_read_tokens: 0,
        cache_write_tokens: 0,
        // The cost is not what a provider told.
        estimated: true,
        first_byte_ms: None,
        duration_ms: None,
        reasoning_tokens: 0,
        tries: 0,
        told: None,
    }
}

fn closed(call: &Locked) -> Entry {
    let event = CallClosed {
        call: call.id,
        state: LOST,
        problem: None,
        input_tokens: 0,
        output_tokens: 0,
        cache_read_tokens: 0,
        cache_write_tokens: 0,
        estimated: true,
        cost: call.held,
        duration_ms: u32::try_from(call.age_ms.max(0)).unwrap_or(u32::MAX),
        answered: None,
        attempts: Vec::new(),
        cached: None,
        cached_from: None,
    };
    Entry::new(Author::system(call.org), Event::CallClosed(event))
}
