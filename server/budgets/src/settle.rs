//! Settlements: what a call really cost takes the place of what was held for it, once.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, CallId, Code, ModelId, Money, OrgId, ProviderId, SecretId};

use crate::call::Prices;
use crate::charge::HeldPeriod;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Success,
    Error,
    Canceled,
}

impl Ending {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Canceled => "canceled",
        }
    }
}

/// What was counted, as prices know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    /// Part of the output that the model kept to itself.
    pub reasoning: u64,
    /// The provider sent no usage and Ralex counted.
    pub estimated: bool,
}

/// The end of a call.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub org: OrgId,
    pub call: CallId,
    pub ending: Ending,
    pub tokens: Tokens,
    pub cost: Money,
    /// Part of the cost that counts on budgets of one model or provider; all of it counts on others.
    pub apart: Vec<(HeldPeriod, Money)>,
    pub problem: Option<Code>,
    pub first_byte_ms: Option<u32>,
    pub duration_ms: u32,
    pub told: Told,
}

impl Settlement {
    /// What counts on one of its budgets.
    pub(crate) fn cost_on(&self, period: HeldPeriod) -> Money {
        let apart = self.apart.iter().find(|(on, _)| *on == period);
        apart.map_or(self.cost, |(_, cost)| *cost)
    }
}

/// What else is known of a call when it has ended.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Who answered, where it is not the one that the call was opened for.
    pub answered: Option<Arc<Answerer>>,
    /// The key that the answer was got with.
    pub secret: Option<SecretId>,
    /// The ids in the answer of what the provider keeps.
    pub kept: Vec<String>,
    /// How many tries there were.
    pub tries: u32,
    /// Each of them, where there was more than the one that succeeded.
    pub attempts: Vec<Attempt>,
    /// Rules that found something, as JSON: ids and counts.
    pub guardrails: Option<String>,
    /// The answer that was given again.
    pub cached: Option<Cached>,
}

/// An answer that was kept and given again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cached {
    /// `exact` or `semantic`.
    pub kind: &'static str,
    /// What it would have cost.
    pub saved: Money,
    /// The call that it was the answer of.
    pub from: CallId,
    /// How alike the two questions are, from 0 to 1; nothing where they are the same.
    pub similarity: Option<f32>,
}

/// A model of a provider, under its names and at its prices of the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answerer {
    pub model: String,
    pub model_id: ModelId,
    pub provider_id: ProviderId,
    pub provider: String,
    pub upstream_model: String,
    pub prices: Prices,
}

/// One try of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From one on.
    pub n: u32,
    pub model: String,
    pub provider: String,
    pub upstream_model: String,
    pub secret: Option<SecretId>,
    /// `choice`, `retry`, `key`, `fallback` or `hedge`.
    pub cause: &'static str,
    /// `success`, `canceled`, or the code of what went wrong.
    pub outcome: &'static str,
    /// The provider's status, where it gave one.
    pub status: Option<u16>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cost: Money,
    pub started_at: DateTime<Utc>,
    pub duration_ms: u32,
    /// Why it was not asked at all: a budget has not enough left for it.
    pub note: Option<String>,
}

/// What a settlement did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleOutcome {
    pub org: OrgId,
    pub call: CallId,
    pub counted: Counted,
    /// Budgets on which the cost went beyond what was held and left; recorded as events already.
    pub overruns: Vec<Overrun>,
    /// Thresholds that this cost took a budget across; recorded as events already.
    pub crossings: Vec<Crossing>,
}

/// Whether, and in place of what, a cost was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// In place of the hold.
    Settled,
    /// In place of the worst case that a lost call had been counted at.
    Corrected,
    /// Nothing was: this call had been settled, or refused, before.
    Already,
    /// Nothing was: there is no such call.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun {
    pub budget: BudgetId,
    pub amount: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    pub budget: BudgetId,
    pub percent: u32,
    pub spent: Money,
    pub limit: Money,
}
