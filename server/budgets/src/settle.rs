//! Settlements: what a call really cost takes the place of what was held for it, once.

use ralex_kernel::{BudgetId, CallId, Code, Money, OrgId};

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
    pub problem: Option<Code>,
    pub first_byte_ms: Option<u32>,
    pub duration_ms: u32,
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
