//! Terms: what the periods of a budget get when its limit changes, for good or for a while.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ralex_kernel::{Code, Money, Problem};
use ralex_store::{Tenant, problem};

use crate::charge::PeriodKey;
use crate::ledger::reached;
use crate::sql;
use crate::sql::budget::{Stored, Terms};

/// What the periods of a budget that are not over are to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub limit: Money,
    pub hard: bool,
    /// Of one period; others keep theirs.
    pub increase: Option<(DateTime<Utc>, Money, DateTime<Utc>)>,
}

/// Gives the periods that are not over their new limits, unless more than that is gone already.
pub(crate) async fn change_periods(
    tx: &mut Tenant,
    (budget, change): (&Stored, Change),
    now: DateTime<Utc>,
) -> Result<Option<(PeriodKey, Problem)>, Problem> {
    let (org, id, hard) = (tx.org(), budget.id, change.hard);
    for current in sql::budget::lock_current(tx, org, id, now).await.map_err(problem)? {
        let (increase, until) = match change.increase {
            Some((starts_at, amount, until)) if starts_at == current.starts_at => {
                (amount, Some(until))
            }
            Some(_) | None => (current.increase, current.until),
        };
        // What the days before it take of a window is as good as spent.
        let before = if budget.days.is_some() { current.before_it } else { Money::ZERO };
        let whole = change.limit.saturating_add(current.carried).saturating_add(increase);
        let spent = current.spent.saturating_add(before);
        let gone = spent.saturating_add(current.held);
        let more = increase.saturating_add(current.carried);
        if hard && gone.saturating_add(current.leased) > whole {
            if gone > whole {
                return Err(below_spent(whole, more, (spent, current.held)));
            }
            let key = PeriodKey { org, budget: id, starts_at: current.starts_at };
            let taken = (spent, current.held + current.leased);
            return Ok(Some((key, below_spent(whole, more, taken))));
        }
        let limit = (whole - before).max(increase);
        // A threshold that a higher limit moved away is told of when it is reached again.
        let passed = reached(spent.saturating_add(current.overrun), whole);
        let alerted = current.alerted.min(i32::try_from(passed).unwrap_or(i32::MAX));
        let starts_at = current.starts_at;
        let allowance = limit - increase;
        let terms = Terms { starts_at, limit, hard, alerted, increase, until, allowance };
        sql::budget::update_period(tx, org, id, terms).await.map_err(problem)?;
    }
    Ok(None)
}

/// How an attempt to change a budget ended.
pub(crate) enum Changed {
    Done(ralex_access::Done<()>),
    /// Nodes have more in hand than the new limit leaves.
    InTheWay(Problem),
}

/// Waits for nodes to give back what they have in hand, a little longer each time.
#[derive(Default)]
pub(crate) struct Pause(u8);

impl Pause {
    /// False where that has taken long enough; all in all two and a half seconds.
    pub async fn again(&mut self) -> bool {
        self.0 += 1;
        tokio::time::sleep(Duration::from_millis(10) * 2_u32.pow(u32::from(self.0))).await;
        self.0 < 8
    }
}

fn below_spent(limit: Money, increase: Money, (spent, held): (Money, Money)) -> Problem {
    let with = if increase.is_positive() {
        format!(", with ${increase} on top in this period,")
    } else {
        String::new()
    };
    let detail = format!(
        "A hard limit of ${}{with} is below what is gone in this period: ${spent} is spent and \
         ${held} is held for calls under way. Set at least ${}, or make the budget soft.",
        limit - increase,
        spent + held - increase
    );
    Problem::new(Code::LimitBelowSpent, detail)
}
