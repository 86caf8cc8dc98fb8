//! What a call counts against: one budget, in the period that the call falls in.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, ModelId, Money, OrgId, Period, ProviderId};

/// A budget that applies to a call, with the period that `now` falls in.
///
/// `limit` and `hard` are for display: whoever holds reads both from the locked row, so a change
/// that this copy has not seen counts all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    pub budget: BudgetId,
    /// As it stands in the contract: `org`, `team:<slug>`, `project:<slug>`, `token:<id>`
    /// or `user:<id>`; with the model or provider in words, where only its calls count.
    pub scope: Arc<str>,
    pub only: Option<Only>,
    pub period: Period,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// From when on what was spent counts: of a rolling budget, the first instant of its window.
    pub since: DateTime<Utc>,
    /// Its limit depends on the periods before it.
    pub follows: bool,
    pub limit: Money,
    pub hard: bool,
    /// Below this part of what is left, in percent, dear models are left out.
    pub degrade_at: Option<u8>,
}

/// The model or the provider whose calls alone a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    Model(ModelId),
    Provider(ProviderId),
}

impl Only {
    /// A scope in words, with the part whose calls alone count there.
    pub(crate) fn with(only: Option<Self>, scope: &str, name: Option<&str>) -> String {
        let name = name.unwrap_or_default();
        match only {
            None => scope.to_owned(),
            Some(Self::Model(_)) => format!("{scope} for the model {name}"),
            Some(Self::Provider(_)) => format!("{scope} for the provider {name}"),
        }
    }

    /// Its name as that of a model, or as that of a provider.
    pub(crate) fn named(
        only: Option<Self>,
        name: Option<String>,
    ) -> (Option<String>, Option<String>) {
        match only {
            Some(Self::Model(_)) => (name, None),
            Some(Self::Provider(_)) => (None, name),
            None => (None, None),
        }
    }

    /// Whether this model of this provider is meant.
    pub(crate) fn is(self, model: ModelId, provider: ProviderId) -> bool {
        match self {
            Self::Model(only) => only == model,
            Self::Provider(only) => only == provider,
        }
    }

    pub(crate) const fn model(self) -> Option<ModelId> {
        match self {
            Self::Model(model) => Some(model),
            Self::Provider(_) => None,
        }
    }

    pub(crate) const fn provider(self) -> Option<ProviderId> {
        match self {
            Self::Provider(provider) => Some(provider),
            Self::Model(_) => None,
        }
    }
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
    /// Whether a try at this model of this provider counts.
    pub fn counts(&self, model: ModelId, provider: ProviderId) -> bool {
        self.only.is_none_or(|only| only.is(model, provider))
    }

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
