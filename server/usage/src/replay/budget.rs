//! A budget that is tried on calls that were made: holds and settlements as the ledger would make
//! them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ralex_api::budgets::NewBudget;
use ralex_api::replay::ReplayedPeriod;
use ralex_kernel::period::days_before;
use ralex_kernel::{Money, Period, Problem, YearStart};

use super::{Fate, ended_at};
use crate::sql::replay::Recorded;

const MOST_PERIODS: usize = 400;
/// Tokens of output that a stream is held for at first, where all of it does not fit.
const SLICE: u64 = 512;

pub(super) struct Trial {
    period: Period,
    zone: Tz,
    year: YearStart,
    days: Option<u16>,
    limit: Money,
    hard: bool,
    carries: bool,
    carries_at_most: Option<Money>,
    periods: BTreeMap<DateTime<Utc>, Counts>,
    /// Calls under way, those that end first on top.
    open: BinaryHeap<Reverse<Open>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Open {
    ends_at: DateTime<Utc>,
    /// The period that it counts in.
    period: DateTime<Utc>,
    held: Money,
    cost: Money,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    limit: Money,
    spent: Money,
    held: Money,
    calls: u64,
    refused: u64,
    cut: u64,
}

impl Trial {
    pub fn of(budget: &NewBudget) -> Result<Self, Problem> {
        let zone = budget.time_zone.as_deref().unwrap_or("UTC");
        let rule = "is not an IANA time zone such as `Europe/Berlin` or `UTC`";
        let zone = zone.parse().map_err(|_| Problem::field("time_zone", rule))?;
        if !budget.limit.is_positive() {
            return Err(Problem::field("limit", "must be more than 0"));
        }
        match (budget.period, budget.days) {
            (Period::Rolling, Some(1..=366)) => {}
            (Period::Rolling, _) => {
                return Err(Problem::field("days", "must be from 1 to 366 for a rolling budget"));
            }
            (Period::Run, _) => {
                let rule = "cannot be tried on past calls: those that named no run have none";
                return Err(Problem::field("period", rule));
            }
            (_, Some(_)) => return Err(Problem::field("days", "is for rolling budgets")),
            (_, None) => {}
        }
        Ok(Self {
            period: budget.period,
            zone,
            year: budget.year_start.unwrap_or_default(),
            days: budget.days,
            limit: budget.limit,
            hard: budget.hard,
            carries: budget.carry_over && budget.period.carries(),
            carries_at_most: budget.carry_over_at_most,
            periods: BTreeMap::new(),
            open: BinaryHeap::new(),
        })
    }

    /// Ends the calls that had ended by then.
    fn settle_until(&mut self, now: DateTime<Utc>) {
        while let Some(Reverse(Open { ends_at, period, held, cost })) = self.open.peek().copied() {
            if ends_at > now {
                return;
            }
            self.open.pop();
            if let Some(counts) = self.periods.get_mut(&period) {
                counts.held = counts.held - held;
                counts.spent += cost;
            }
        }
    }

    /// The period that a call falls in, begun with what the one before it left.
    fn begin(&mut self, at: DateTime<Utc>) -> DateTime<Utc> {
        let starts_at = self.period.bounds(self.zone, self.year, at).starts_at;
        if !self.periods.contains_key(&starts_at) {
            let last = self.periods.last_key_value().map(|(_, counts)| *counts);
            let left =
                last.map_or(Money::ZERO, |it| (it.limit - it.spent - it.held).max(Money::ZERO));
            let carried = if self.carries { left } else { Money::ZERO };
            let carried = self.carries_at_most.map_or(carried, |most| carried.min(most));
            let limit = self.limit + carried;
            self.periods.insert(starts_at, Counts { limit, ..Counts::default() });
        }
        starts_at
    }

    /// What is left in the period, or in the days of the window.
    fn left(&self, starts_at: DateTime<Utc>, at: DateTime<Utc>) -> Money {
        let since = match self.days {
            Some(days) => days_before(self.zone, at, days.saturating_sub(1)),
            None => starts_at,
        };
        let limit = self.periods.get(&starts_at).map_or(self.limit, |counts| counts.limit);
        let gone = self.periods.range(since..=starts_at).map(|(_, it)| it.spent + it.held);
        limit - gone.sum::<Money>()
    }

    fn fate(&self, call: &Recorded, left: Money) -> (Fate, Money) {
        let passed = (Fate::Passed { cost: call.cost }, call.held);
        if !self.hard || call.held <= left {
            return passed;
        }
        let input = call.input_price.cost(call.input_tokens.unsigned_abs());
        let slice = input + call.output_price.cost(SLICE);
        if !call.streamed || slice > left || slice >= call.held {
            return (Fate::Refused, Money::ZERO);
        }
        // It is held for as it comes, so it ends early only where its own cost does not fit.
        if call.cost <= left {
            (Fate::Passed { cost: call.cost }, call.cost)
        } else {
            (Fate::Cut { cost: left }, left)
        }
    }
}

impl super::Trial for Trial {
    fn take(&mut self, call: &Recorded) -> Fate {
        let at = call.started_at;
        self.settle_until(at);
        let starts_at = self.begin(at);
        let (fate, held) = self.fate(call, self.left(starts_at, at));
        let Some(counts) = self.periods.get_mut(&starts_at) else { return fate };
        counts.calls += 1;
        match fate {
            Fate::Refused => counts.refused += 1,
            Fate::Passed { cost } | Fate::Cut { cost } => {
                counts.cut += u64::from(matches!(fate, Fate::Cut { .. }));
                counts.held += held;
                let ends_at = ended_at(call);
                self.open.push(Reverse(Open { ends_at, period: starts_at, held, cost }));
            }
        }
        fate
    }

    fn periods(mut self: Box<Self>) -> Vec<ReplayedPeriod> {
        self.settle_until(DateTime::<Utc>::MAX_UTC);
        let newest = self.periods.len().saturating_sub(MOST_PERIODS);
        let periods = self.periods.into_iter().skip(newest).map(|(starts_at, counts)| {
            let Counts { limit, spent, calls, refused, cut, .. } = counts;
            ReplayedPeriod { starts_at, calls, refused, cut, spent, limit }
        });
        periods.collect()
    }
}
