//! Usage: what was called, by whom, and what it cost, summed up fast and exactly.
//!
//! A call that has ended is counted in the sums of its hour and its day once its transaction is surely
//! over, by whichever process looks first; until then it is read from the calls themselves, in the
//! same statement. What always holds: every call that ended is in an answer exactly once, at what
//! is known of it now, and so is a lost call whose real cost came late. Days that a question covers
//! whole are read by the day, the rest by the hour, and hours that it cuts from the calls. Uses `access` and `store`; used by the HTTP layer.

mod anomalies;
mod ask;
mod export;
mod fold;
mod forecast;
mod naming;
mod numbers;
mod outlook;
mod range;
mod register;
mod replay;
mod report;
mod sql;
mod table;
#[cfg(test)]
mod tests;

use std::future::Future;

use ralex_kernel::Clock;
use ralex_store::Db;

pub use export::{CallExport, Parts};
pub use fold::{Difference, fold, rebuild, verify};
pub use numbers::Numbers;
pub use register::Used;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Usage {
    db: Db,
    clock: Clock,
}

impl Usage {
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Sums up what has ended, every few seconds, until `shutdown`.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        fold::run(&self.db, shutdown).await;
    }
}
