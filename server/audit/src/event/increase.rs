//! What is recorded of what a budget has beyond its limit, for a while.

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, Money};
use serde::Serialize;

/// A period of a budget has more for a while, or no more.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum IncreaseEvent {
    #[serde(rename = "budget.increased")]
    Given {
        budget: BudgetId,
        /// Of the period that has it.
        starts_at: DateTime<Utc>,
        amount: Money,
        until: DateTime<Utc>,
        reason: String,
    },
    /// By itself when its time had come, before that by a person, or for another in its place.
    #[serde(rename = "budget.increase_ended")]
    Ended { budget: BudgetId, starts_at: DateTime<Utc>, amount: Money },
}

impl IncreaseEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Given { budget, .. } | Self::Ended { budget, .. } => format!("budget:{budget}"),
        }
    }
}
