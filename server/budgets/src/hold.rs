//! Holds: the worst case of a call, reserved on every budget that it counts against, or on none.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, CallId, Code, Money, OrgId, Period, Problem};

use crate::charge::{Charge, HeldPeriod, Only, PeriodKey};

/// What one call may cost at most, and the budgets that it counts against.
#[derive(Clone, Debug)]
pub struct Hold {
    pub org: OrgId,
    pub call: CallId,
    pub amount: Money,
    pub charges: Vec<Charge>,
    pub claim: Claim,
    /// It is no refusal where it does not fit: less is asked for then.
    pub quiet: bool,
}

impl Hold {
    pub const fn new(org: OrgId, call: CallId, amount: Money, charges: Vec<Charge>) -> Self {
        Self { org, call, amount, charges, claim: Claim::Firm, quiet: false }
    }

    /// The periods that it counts in.
    pub fn periods(&self) -> impl Iterator<Item = PeriodKey> + '_ {
        self.charges.iter().map(|charge| charge.key(self.org))
    }
}

/// What becomes of a hold that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Claim {
    /// It is refused.
    #[default]
    Firm,
    /// It is not refused yet where it would fit if nodes gave back what they have in hand.
    Patient,
    /// It was taken out of this node's leases and the call is on its way: it is refused no more.
    Promised,
}

/// More to hold for a call that is under way, because it is tried again.
#[derive(Clone, Debug)]
pub struct Extension {
    pub org: OrgId,
    pub call: CallId,
    /// On every budget of the call but those of `apart`.
    pub amount: Money,
    /// Every budget of one model or provider that the call may count on, with what it needs beyond
    /// what it holds there: nothing where the next try goes elsewhere.
    pub apart: Vec<Apart>,
    /// What becomes of it where it does not fit. Nothing was promised of it.
    pub claim: Claim,
}

/// More to hold on one budget.
#[derive(Clone, Debug)]
pub struct Apart {
    pub charge: Charge,
    pub amount: Money,
}

/// How an extension ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extended {
    /// Held beside what was; `held` is the sum.
    Held { held: Money },
    /// A budget has not enough left, or the call has ended; what was held stays as it is.
    Refused { short: Option<BudgetId> },
    /// It would fit if nodes gave back what they have in hand of these periods.
    Later(Vec<PeriodKey>),
}

/// How a hold ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldOutcome {
    /// Held on these; the call's row must remember them.
    Held { periods: Vec<HeldPeriod> },
    /// Promised out of a lease that is not there any more, and does not fit beside it: nothing is
    /// held, and what the call costs will be counted beyond the limit.
    Beyond { periods: Vec<HeldPeriod> },
    /// One budget has not enough left; nothing is held anywhere.
    Refused(Refusal),
    /// It would fit if nodes gave back what they have in hand of these periods.
    Later(Vec<PeriodKey>),
}

/// Why a call does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub budget: BudgetId,
    pub scope: Arc<str>,
    /// The model or provider that nothing is left for, while another may do.
    pub only: Option<Only>,
    pub period: Period,
    pub limit: Money,
    pub spent: Money,
    pub held: Money,
    pub needed: Money,
    pub ends_at: DateTime<Utc>,
}

impl Charge {
    /// That it has not enough left, in words.
    pub fn is_short(&self) -> String {
        format!("the {} budget of {} has not enough left", name_of(self.period), self.scope)
    }
}

impl Refusal {
    /// The refusal as its caller reads it.
    pub fn problem(&self) -> Problem {
        let Self { scope, limit, spent, held, needed, .. } = self;
        let name = name_of(self.period);
        let under_way = if held.is_positive() {
            format!(" and ${held} is held for calls under way")
        } else {
            String::new()
        };
        let next = match self.period {
            Period::Rolling => {
                let ends_at = self.ends_at.format("%Y-%m-%d %H:%M UTC");
                format!(
                    "Ask for a shorter answer, wait until {ends_at}, when the oldest day no longer \
                     counts, or have the limit raised."
                )
            }
            Period::Total => "Raise the limit to go on.".to_owned(),
            Period::Run => {
                "Ask for a shorter answer, end this run, or have the limit raised.".to_owned()
            }
            Period::Hour
            | Period::Day
            | Period::Week
            | Period::Month
            | Period::Quarter
            | Period::Year => {
                let ends_at = self.ends_at.format("%Y-%m-%d %H:%M UTC");
                format!("Ask for a shorter answer, wait until {ends_at}, or have the limit raised.")
            }
        };
        let detail = format!(
            "The {name} budget of {scope} has not enough left: this call may cost up to ${needed}, \
             and of ${limit}, ${spent} is spent{under_way}. {next}"
        );
        Problem::new(Code::BudgetExhausted, detail)
    }
}

pub(crate) const fn name_of(period: Period) -> &'static str {
    match period {
        Period::Hour => "hourly",
        Period::Day => "daily",
        Period::Week => "weekly",
        Period::Month => "monthly",
        Period::Quarter => "quarterly",
        Period::Year => "yearly",
        Period::Total => "total",
        Period::Rolling => "rolling",
        Period::Run => "per-run",
    }
}
