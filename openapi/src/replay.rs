//! Replay: what a budget, a rate limit or other prices would have done to calls that were made.

use chrono::{DateTime, Utc};
use ralex_kernel::{Money, Price};

use crate::budgets::NewBudget;
use crate::rate_limits::NewRateLimit;

crate::request! {
    /// Exactly one of `budget`, `rate_limit` and `price` is tried on the calls that began between
    /// `from` and `to`.
    pub struct NewReplay {
        /// 30 days before `to` when absent.
        #[serde(default)]
        pub from: Option<DateTime<Utc>>,
        /// Now when absent.
        #[serde(default)]
        pub to: Option<DateTime<Utc>>,
        /// A budget as one would create it.
        #[serde(default)]
        pub budget: Option<NewBudget>,
        /// A rate limit as one would create it.
        #[serde(default)]
        pub rate_limit: Option<NewRateLimit>,
        #[serde(default)]
        pub price: Option<ReplayPrice>,
    }

    /// Other prices for tokens of a model; what is absent stays as it was at each call.
    pub struct ReplayPrice {
        pub model: String,
        #[serde(default)]
        pub input_price: Option<Price>,
        #[serde(default)]
        pub output_price: Option<Price>,
        #[serde(default)]
        pub cache_read_price: Option<Price>,
        #[serde(default)]
        pub cache_write_price: Option<Price>,
    }
}

crate::answer! {
    /// What would have become of the calls.
    pub struct Replay {
        pub from: DateTime<Utc>,
        pub to: DateTime<Utc>,
        /// Calls that it concerns; refused ones of that time are none of them.
        pub calls: u64,
        /// Let through whole.
        pub passed: u64,
        pub refused: u64,
        /// Streams that would have begun and ended early.
        pub cut: u64,
        /// What all of them have cost.
        pub cost: Money,
        /// What they would have cost.
        pub cost_then: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub first_refused_at: Option<DateTime<Utc>>,
        /// Of a budget: period by period, oldest first, at most the newest 400.
        pub periods: Vec<ReplayedPeriod>,
        /// Whose calls would have been refused or cut, or would have cost otherwise; those it changes
        /// most first, at most 20.
        pub most: Vec<ReplayedShare>,
    }

    /// A period of a budget as it would have been.
    pub struct ReplayedPeriod {
        pub starts_at: DateTime<Utc>,
        pub calls: u64,
        pub refused: u64,
        pub cut: u64,
        pub spent: Money,
        pub limit: Money,
    }

    /// One team's calls of one model.
    pub struct ReplayedShare {
        /// Absent for calls of the organisation as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub team: Option<String>,
        pub model: String,
        pub calls: u64,
        pub refused: u64,
        pub cut: u64,
        pub cost: Money,
        pub cost_then: Money,
    }
}
