//! Folding: what has ended is added to the sums of its hour and its day.
//!
//! Every process looks; the row lock on the cursor lets one at a time work. The sums and the cursor
//! move in one transaction, so a reader's statement sees both as they were or both as they are, and
//! a process that dies in the middle has done nothing.
//!
//! Sums are made anew a day at a time, the newest first, under the same lock: what the calls of
//! transactions below the cursor come to is the same whenever one looks. How far that got is kept
//! beside the cursor, so any process goes on with it, and neither calls nor questions wait for it.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ralex_kernel::{Money, OrgId};
use ralex_store::{Db, Error, Sweeper, System, horizon};
use tracing::warn;

use crate::sql::fold::{self as sql, Cursor};

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

/// Adds everything that has surely ended, and returns how many sums that changed. Sums that are to
/// be made anew are.
pub async fn fold(db: &Db) -> Result<u64, Error> {
    let mut changed = 0;
    loop {
        let mut tx = db.system(SWEEPER.why).await?;
        if sql::is_idle(&mut tx).await? {
            return Ok(changed);
        }
        let Some(cursor) = sql::take_cursor(&mut tx).await? else { return Ok(changed) };
        if cursor.xid > horizon(&mut tx).await?.next {
            tx.rollback().await?;
            warn!("this database was restored, so usage is summed up anew");
            sum_up_anew(db).await?;
            continue;
        }
        sql::wait_as_long_as_it_takes(&mut tx).await?;
        let step = step(tx, cursor).await?;
        changed += step.changed;
        if !step.more {
            return Ok(changed);
        }
    }
}

/// Makes all sums anew from the calls, and returns how many were wrong. Calls go on, and answers stay
/// exact; other processes help, and go on with it where this one ends early.
pub async fn rebuild(db: &Db) -> Result<u64, Error> {
    sum_up_anew(db).await?;
    let mut wrong = 0;
    loop {
        let mut tx = db.system("make the sums of a day of usage anew").await?;
        sql::wait_as_long_as_it_takes(&mut tx).await?;
        let cursor = sql::wait_for_cursor(&mut tx).await?;
        let step = step(tx, cursor).await?;
        wrong += step.wrong;
        if !step.more {
            return Ok(wrong);
        }
    }
}

/// What one transaction did, which holds the cursor for no longer than a day of calls takes.
struct Step {
    changed: u64,
    wrong: u64,
    /// Whether there are days left to be made anew.
    more: bool,
}

/// Adds what has ended, and makes the newest day anew of those that are to be.
async fn step(mut tx: System, cursor: Cursor) -> Result<Step, Error> {
    let settled = horizon(&mut tx).await?.settled.max(cursor.xid);
    let mut step =
        Step { changed: sql::add(&mut tx, cursor.xid, settled).await?, wrong: 0, more: false };
    if cursor.xid < settled {
        sql::move_cursor(&mut tx, settled).await?;
    }
    if cursor.anew {
        let day = sql::next_day(&mut tx).await?;
        if let Some(day) = day {
            step.wrong = sql::remake(&mut tx, day, settled).await?;
        }
        step.more = day.is_some();
    }
    tx.commit().await?;
    Ok(step)
}

/// Has all sums made anew. In a restored database transactions count anew too, so whatever names one
/// that has not been yet is of the database that this one was restored from, and has ended.
async fn sum_up_anew(db: &Db) -> Result<(), Error> {
    let mut below = i64::MAX;
    loop {
        let mut tx = db.system("forget the transactions of another database").await?;
        sql::wait_as_long_as_it_takes(&mut tx).await?;
        let lowest = sql::forget_transactions(&mut tx, below).await?;
        tx.commit().await?;
        let Some(lowest) = lowest else { break };
        below = lowest;
    }
    let mut tx = db.system("have all sums of usage made anew").await?;
    sql::wait_as_long_as_it_takes(&mut tx).await?;
    let cursor = sql::wait_for_cursor(&mut tx).await?;
    let horizon = horizon(&mut tx).await?;
    if cursor.xid > horizon.next {
        sql::forget_corrections(&mut tx).await?;
        sql::move_cursor(&mut tx, horizon.settled).await?;
    }
    sql::want_anew(&mut tx).await?;
    tx.commit().await?;
    Ok(())
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
