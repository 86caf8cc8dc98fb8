//! Folding: what has ended is added to the sums of its hour and its day.
//!
//! Every process looks; the row lock on the cursor lets one at a time work. The sums and the cursor
//! move in one transaction, so a reader's statement sees both as they were or both as they are, and
//! a process that dies in the middle has done nothing.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ralex_kernel::{Money, OrgId};
use ralex_store::{Db, Error, Sweeper, horizon};
use tracing::warn;

use crate::sql::fold as sql;

const SWEEPER: Sweeper = Sweeper {
    name: "usage",
    why: "sum up the calls that ended",
    // A reader reads what ended since from the calls, so this is about their patience, not the truth.
    pace: Duration::from_secs(5),
    at_once: 1,
};

/// An hour or a day whose sums are not what its calls come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub org: OrgId,
    /// How finely calls are told apart, and whether it is an hour or a day (`all_day`).
    pub slice: String,
    pub starts_at: DateTime<Utc>,
    pub summed: (u64, Money),
    pub calls: (u64, Money),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { org, slice, starts_at, summed, calls } = self;
        write!(
            f,
            "organisation {org}, usage from {starts_at} ({slice}): summed up as {} calls for ${}, but \
             there are {} for ${}",
            summed.0, summed.1, calls.0, calls.1
        )
    }
}

pub(crate) async fn run(db: &Db, shutdown: impl Future<Output = ()>) {
    SWEEPER.run(shutdown, || fold(db)).await;
}

/// Adds everything that has surely ended, and returns how many sums that changed.
pub async fn fold(db: &Db) -> Result<u64, Error> {
    let mut tx = db.system(SWEEPER.why).await?;
    if sql::is_idle(&mut tx).await? {
        return Ok(0);
    }
    let Some(cursor) = sql::take_cursor(&mut tx).await? else { return Ok(0) };
    let horizon = horizon(&mut tx).await?;
    if cursor > horizon.next {
        tx.rollback().await?;
        warn!("this database was restored, so usage is summed up anew; calls wait for that");
        return rebuild(db).await;
    }
    sql::wait_as_long_as_it_takes(&mut tx).await?;
    let changed = sql::add(&mut tx, cursor, horizon.settled).await?;
    if cursor < horizon.settled {
        sql::move_cursor(&mut tx, horizon.settled).await?;
    }
    tx.commit().await?;
    Ok(changed)
}

/// Makes all sums anew from the calls, and returns how many there are. Calls wait meanwhile.
pub async fn rebuild(db: &Db) -> Result<u64, Error> {
    let mut tx = db.system("make all sums of usage anew").await?;
    sql::wait_as_long_as_it_takes(&mut tx).await?;
    sql::wait_for_cursor(&mut tx).await?;
    sql::hold_calls_back(&mut tx).await?;
    let next = horizon(&mut tx).await?.next;
    let made = sql::rebuild(&mut tx, next).await?;
    sql::move_cursor(&mut tx, next).await?;
    tx.commit().await?;
    Ok(made)
}

/// Compares the sums of one organisation, or of all, with their calls. One statement reads
/// everything, so it is exact while calls go on.
pub async fn verify(db: &Db, org: Option<OrgId>) -> Result<Vec<Difference>, Error> {
    let mut tx = db.system("compare usage with its calls").await?;
    sql::wait_as_long_as_it_takes(&mut tx).await?;
    let found = sql::differences(&mut tx, org).await?;
    tx.rollback().await?;
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let found = found.into_iter().map(|row| Difference {
        org: row.org,
        slice: row.slice,
        starts_at: row.starts_at,
        summed: (count(row.summed_calls), row.summed_cost),
        calls: (count(row.calls), row.cost),
    });
    Ok(found.collect())
}
