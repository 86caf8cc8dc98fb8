//! Periods that follow others: the days of a rolling window, and periods that what is left goes on to.
//!
//! The limit of such a period is worked out when it begins, and again when those before it change.
//! What they hold and have leased counts as spent, so the limit is too low for a while rather than
//! too high. From then on they give nothing away any more: what is gone of each is its limit. So all
//! days of a window together never pass the budget's limit, whatever is settled when, and what goes
//! on to the next period cannot be spent in both.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ralex_kernel::period::Bounds;
use ralex_kernel::{Money, Problem};
use ralex_store::{Db, Error, problem};
use sqlx::PgConnection;
use tracing::warn;

use crate::Budgets;
use crate::applicable::zone;
use crate::charge::PeriodKey;
use crate::ledger::reached;
use crate::sql;
use crate::sql::budget::Stored;
use crate::sql::follow::{Before, Begun};
use crate::sql::ledger::Wanted;

const KNOWN: u64 = 100_000;
/// Longer than any of these periods is looked at without a call.
const IDLE: Duration = Duration::from_hours(1);
/// Periods without a call that are counted at most, from the last one with any.
const MOST_IDLE: u32 = 10_000;
/// Budgets that are looked at in one sweep.
const AT_ONCE: i64 = 200;

/// Periods that have begun, so that nobody has to look.
pub(crate) type Cache = moka::future::Cache<PeriodKey, ()>;

pub(crate) fn cache() -> Cache {
    moka::future::Cache::builder().max_capacity(KNOWN).time_to_idle(IDLE).build()
}

impl Budgets {
    /// Works out the limit of a period before the first call counts on it.
    pub(crate) async fn begin(&self, key: PeriodKey, now: DateTime<Utc>) -> Result<(), Problem> {
        let begun = self.begun.try_get_with(key, async {
            let mut tx = self.db.tenant(key.org).await?;
            if let Some(budget) = sql::budget::one(&mut tx, key.org, key.budget).await? {
                begin(&mut tx, &budget, now).await?;
                tx.commit().await.map_err(problem)?;
            }
            Ok::<(), Problem>(())
        });
        begun.await.map_err(|problem: Arc<Problem>| Problem::clone(&problem))
    }
}

/// Works out the limit of the period of `now`, and has those before it give nothing away any more.
pub(crate) async fn begin(
    conn: &mut PgConnection,
    budget: &Stored,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let (org, id) = (budget.org, budget.id);
    // Neither the limit nor the rows of the budget change meanwhile.
    sql::budget::lock(conn, org, id).await.map_err(problem)?;
    let Some(budget) = sql::budget::one(conn, org, id).await? else { return Ok(()) };
    let bounds = budget.bounds(now)?;
    let key = PeriodKey { org, budget: id, starts_at: bounds.starts_at };
    if sql::follow::is_over(conn, key).await.map_err(problem)? {
        // Somebody's clock is ahead: the next one has begun already, and has what is left of this.
        let wanted = Wanted { key, ends_at: bounds.ends_at };
        return sql::ledger::insert_missing(conn, &[wanted]).await.map_err(problem);
    }
    let since = budget.days.is_some().then_some(budget.since(now)?);
    let before = sql::follow::lock_before(conn, key, since).await.map_err(problem)?;
    sql::follow::lock_period(conn, key).await.map_err(problem)?;
    let begun = if since.is_some() {
        window(&budget, &before)
    } else {
        carried(&budget, before.last(), &bounds)?
    };
    sql::follow::close(conn, key, since, budget.hard).await.map_err(problem)?;
    sql::follow::begin(conn, key, bounds.ends_at, begun).await.map_err(problem)
}

/// What the other days of a window leave.
fn window(budget: &Stored, before: &[Before]) -> Begun {
    let taken = before.iter().map(Before::gone).fold(Money::ZERO, Money::saturating_add);
    let spent = before.iter().map(|day| day.spent + day.overrun);
    Begun {
        allowance: budget.limit.saturating_sub(taken).max(Money::ZERO),
        carried: Money::ZERO,
        before_it: Some(taken),
        alerted: reached(spent.fold(Money::ZERO, Money::saturating_add), budget.limit),
    }
}

/// The limit, with what the last period that had a call left, and all of those that had none.
fn carried(budget: &Stored, last: Option<&Before>, bounds: &Bounds) -> Result<Begun, Problem> {
    let left = last.map(Before::left);
    let from = last.map_or(budget.created_at, |last| last.ends_at);
    let idle = idle(budget, from, bounds.starts_at)?;
    let unused = Money::nanos(budget.limit.as_nanos().saturating_mul(idle.into()));
    let whole = left.unwrap_or_default().max(Money::ZERO).saturating_add(unused);
    let carried = budget.carry_over_at_most.map_or(whole, |most| whole.min(most));
    let allowance = budget.limit.saturating_add(carried);
    Ok(Begun { allowance, carried, before_it: left, alerted: 0 })
}

/// How many periods there were from the one that `from` falls in until one that begins `until`.
fn idle(budget: &Stored, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<u32, Problem> {
    let zone = zone(&budget.time_zone)?;
    let (mut at, mut count) = (from, 0);
    while at < until && count < MOST_IDLE {
        at = budget.period.bounds(zone, budget.year_start(), at).ends_at;
        count += 1;
    }
    Ok(count)
}

/// Works out again what depends on periods that have changed since: calls of theirs cost less than
/// they held, or leases of theirs came back.
pub(crate) async fn sweep(db: &Db) -> Result<(), Error> {
    let mut tx = db.system("look for periods that others have left more to").await?;
    let due = sql::follow::due(&mut tx, AT_ONCE).await?;
    tx.rollback().await?;
    for due in due {
        let mut tx = db.system("work out what others have left to a period").await?;
        let budget = match sql::budget::one(&mut tx, due.org, due.budget).await {
            Ok(Some(budget)) => budget,
            Ok(None) => continue,
            Err(problem) => {
                warn!("budget {} was not read: {}", due.budget, problem.detail);
                continue;
            }
        };
        match begin(&mut tx, &budget, due.now).await {
            Ok(()) => tx.commit().await?,
            Err(problem) => warn!("a limit was not worked out again: {}", problem.detail),
        }
    }
    Ok(())
}
