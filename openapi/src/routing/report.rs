//! What routing cost, what it saved, and what it could save.

use chrono::NaiveDate;
use ralex_kernel::Money;
use serde::{Deserialize, Serialize};

use super::TaskKind;

/// Which days a report is about.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct ReportQuery {
    /// The first day, in UTC; 30 days before the last when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDate>,
    /// The last day; today when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<NaiveDate>,
}

crate::answer! {
    /// What routing cost, saved and could save.
    pub struct RoutingReport {
        pub from: NaiveDate,
        pub to: NaiveDate,
        pub calls: u64,
        pub cost: Money,
        /// The same tokens, had one model answered all calls.
        pub lines: Vec<Baseline>,
        pub by_task: Vec<TaskCost>,
        pub suggestions: Vec<Suggestion>,
    }

    /// What the same calls would have cost otherwise, at today's prices.
    pub struct Baseline {
        /// `best_single`, `mix` or `dearest`.
        pub name: String,
        pub detail: String,
        pub cost: Money,
        /// What was saved against it; negative where it would have been cheaper.
        pub saved: Money,
    }

    pub struct TaskCost {
        /// The kind of task; `unknown` for calls from before tasks were recorded.
        pub kind: String,
        pub calls: u64,
        pub succeeded: u64,
        pub escalated: u64,
        pub cost: Money,
        /// Mean difficulty, from 1 to 10.
        pub difficulty: f64,
        pub models: Vec<ModelShare>,
    }

    pub struct ModelShare {
        pub model: String,
        pub calls: u64,
        pub succeeded: u64,
        pub cost: Money,
        pub mean_ms: u64,
    }

    /// Something that would cost less.
    pub struct Suggestion {
        pub kind: TaskKind,
        pub from: String,
        pub to: String,
        /// Calls in the report that this is about.
        pub calls: u64,
        /// What the other model would have saved in the report's time.
        pub saves: Money,
        pub why: String,
    }
}
