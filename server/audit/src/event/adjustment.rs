//! What is recorded of what counts on a budget beside its calls.

use chrono::NaiveDate;
use ralex_kernel::{AdjustmentId, BudgetId, Money, OrgId};
use serde::Serialize;

/// Something that changed what a budget counts as spent, and is no call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum AdjustmentEvent {
    /// An entry was taken back, by one of its own.
    #[serde(rename = "budget.adjustment_reversed")]
    Reversed {
        budget: BudgetId,
        adjustment: AdjustmentId,
        reverses: AdjustmentId,
        amount: Money,
        note: String,
    },
    /// What a provider's export tells of a day is not what the calls of that day cost.
    #[serde(rename = "budget.reconciled")]
    Reconciled {
        budget: BudgetId,
        adjustment: AdjustmentId,
        provider: String,
        day: NaiveDate,
        amount: Money,
        /// What the export tells of the day, and what the calls of the day cost.
        exported: Money,
        recorded: Money,
    },
    /// An export was compared with the calls and what it tells was applied to budgets.
    #[serde(rename = "usage.reconciled")]
    Applied {
        org: OrgId,
        provider: String,
        format: &'static str,
        /// SHA-256 of the export, in hexadecimal.
        digest: String,
        days: u32,
        entries: u32,
    },
}

impl AdjustmentEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Reversed { budget, .. } | Self::Reconciled { budget, .. } => {
                format!("budget:{budget}")
            }
            Self::Applied { org, .. } => format!("org:{org}"),
        }
    }
}
