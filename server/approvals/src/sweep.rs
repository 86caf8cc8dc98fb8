//! Sweeping: what nobody decided or used in time ends, once, whichever node sees it first.

use std::time::Duration;

use ralex_audit::{Author, Entry, Event, record_all};
use ralex_store::{Db, Error, Sweeper, System};

use crate::{Approvals, count, sql};

const SWEEPER: Sweeper = Sweeper {
    name: "approvals",
    why: "end approvals that are late",
    pace: Duration::from_secs(15),
    at_once: 500,
};

impl Approvals {
    /// Sweeps, at once and then steadily, and tells those who wait of decisions, until `shutdown`.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = SWEEPER.run(shutdown, || sweep_and_tell(&self.0.db)) => {}
            () = self.listen() => {}
        }
    }
}

/// Ends every late approval, and returns how many there were.
pub async fn sweep(db: &Db) -> Result<u64, Error> {
    SWEEPER.all(db, end_some).await
}

/// Every node tells how many wait, also one that had nothing to end.
async fn sweep_and_tell(db: &Db) -> Result<u64, Error> {
    let ended = sweep(db).await?;
    let mut tx = db.system("count what waits for approval").await?;
    let waiting = sql::waiting(&mut tx).await?;
    tx.rollback().await?;
    metrics::gauge!("ralex_approvals_pending")
        .set(f64::from(u32::try_from(waiting).unwrap_or(u32::MAX)));
    Ok(ended)
}

async fn end_some(mut tx: System) -> Result<u64, Error> {
    let late = sql::sweep(&mut tx, SWEEPER.at_once).await?;
    let entries = late.iter().map(|late| {
        let event = Event::Approval(late.event());
        Entry::new(Author::system(late.org), event)
    });
    record_all(&mut tx, entries.collect()).await?;
    tx.commit().await?;
    for _ in &late {
        count("expired");
    }
    Ok(late.len() as u64)
}
