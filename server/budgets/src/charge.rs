//! What a call counts against: one budget, in the period that the call falls in.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, Money, OrgId, Period};

/// A budget that applies to a call, with the period that `now` falls in.
///
/// `limit` and `hard` are for display: whoever holds reads both from the locked row, so a change
/// that this copy has not seen counts all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    pub budget: BudgetId,
    /// As it stands in the contract: `org`, `team:<slug>`, `project:<slug>`, `token:<id>`
    /// or `user:<id>`.
    pub scope: Arc<str>,
    pub period: Period,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub limit: Money,
    pub hard: bool,
    /// Below this part of what is left, in percent, dear models are left out.
    pub degrade_at: Option<u8>,
}

/// A budget's period that a call holds something of, as its row remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeldPeriod {
    pub budget: BudgetId,
    pub starts_at: DateTime<Utc>,
}

/// One row of `budget_period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeriodKey {
    pub org: OrgId,
    pub budget: BudgetId,
    pub starts_at: DateTime<Utc>,
}

impl Charge {
    pub fn held_period(&self) -> HeldPeriod {
        HeldPeriod { budget: self.budget, starts_at: self.starts_at }
    }

    pub(crate) fn key(&self, org: OrgId) -> PeriodKey {
        self.held_period().key(org)
    }
}

impl HeldPeriod {
    pub(crate) fn key(self, org: OrgId) -> PeriodKey {
        PeriodKey { org, budget: self.budget, starts_at: self.starts_at }
    }
}
