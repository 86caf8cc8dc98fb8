//! Deleting kept answers that nobody can get any more.

use std::time::Duration;

use ralex_store::{Db, Error, Sweeper, System};

use super::sql;

const SWEEPER: Sweeper = Sweeper {
    name: "cache",
    why: "delete kept answers whose time is over",
    pace: Duration::from_mins(1),
    at_once: 1_000,
};

/// Deletes steadily, until `shutdown`.
pub async fn run_cache_sweeper(db: Db, shutdown: impl Future<Output = ()>) {
    SWEEPER.run(shutdown, || sweep(&db)).await;
}

/// Deletes what is over, and returns how many there were.
pub(crate) async fn sweep(db: &Db) -> Result<u64, Error> {
    SWEEPER.all(db, delete_some).await
}

async fn delete_some(mut tx: System) -> Result<u64, Error> {
    let deleted = sql::sweep(&mut tx, SWEEPER.at_once).await?;
    tx.commit().await?;
    Ok(deleted)
}
