//! The first page: how things stand.

use chrono::{DateTime, Utc};
use ralex_kernel::Money;

crate::answer! {
    pub struct Overview {
        /// Sums since midnight UTC.
        pub today: Totals,
        /// Sums of the last 30 days.
        pub last_30_days: Totals,
        /// One row an hour, oldest first, of the last 24 hours; hours without calls included.
        pub hours: Vec<HourTotals>,
        pub open_calls: u64,
        pub health: Vec<HealthItem>,
    }

    pub struct Totals {
        pub calls: u64,
        pub failed: u64,
        pub refused: u64,
        pub cost: Money,
    }

    pub struct HourTotals {
        pub starts_at: DateTime<Utc>,
        pub calls: u64,
        pub cost: Money,
    }

    /// One part of the system and how it does.
    pub struct HealthItem {
        /// `database`, `audit`, `policy`, `vault`, or `provider:<slug>`.
        pub name: String,
        pub ok: bool,
        /// One sentence: what is so, and what to do where it is not well.
        pub detail: String,
    }
}
