//! Whether the books add up now, looked at every minute and beside all work.
//!
//! Only what is cheap is looked at, in the periods that are not over: nothing beyond a hard limit,
//! as much held as open calls hold, as much leased as nodes have in hand. That every cost was
//! counted once takes all calls to prove, which is what `ralex budgets verify` does.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ralex_store::{Db, Error, Sweeper};
use tracing::error;

use crate::sql;
use crate::verify::{Difference, differences};

const LOOKER: Sweeper = Sweeper {
    name: "books",
    why: "compare current budget periods with holds and leases",
    pace: Duration::from_mins(1),
    at_once: 1,
};
/// Periods that are named in the log at each look.
const MOST_TOLD: usize = 10;

/// What the last look found.
#[derive(Clone, Debug, Default)]
pub struct Books(Arc<AtomicU64>);

impl Books {
    /// How many current periods did not add up.
    pub fn off(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Looks once, and returns how many current periods do not add up.
    pub async fn look(&self, db: &Db) -> Result<u64, Error> {
        let mut tx = db.system(LOOKER.why).await?;
        let periods = sql::verify::current_off(&mut tx).await?;
        tx.rollback().await?;
        for difference in periods.iter().flat_map(differences).take(MOST_TOLD) {
            error!("{difference}");
        }
        let off = periods.len() as u64;
        if off > 0 {
            error!(periods = off, "{off} budget periods do not add up");
        }
        self.0.store(off, Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("ralex_budget_periods_off").set(off as f64);
        Ok(off)
    }

    /// The current periods that do not add up at this moment.
    pub async fn differences(&self, db: &Db) -> Result<Vec<Difference>, Error> {
        let mut tx = db.system(LOOKER.why).await?;
        let periods = sql::verify::current_off(&mut tx).await?;
        tx.rollback().await?;
        Ok(periods.iter().flat_map(differences).collect())
    }

    pub(crate) async fn run(&self, db: &Db, shutdown: impl Future<Output = ()>) {
        LOOKER.run(shutdown, || self.look(db)).await;
    }
}
