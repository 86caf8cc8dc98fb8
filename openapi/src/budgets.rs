//! Budgets: what may be spent in one period.

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, Money, Period};

crate::answer! {
    /// A budget and its current period.
    pub struct Budget {
        pub id: BudgetId,
        /// `org`, `team:<slug>`, `project:<slug>` or `token:<id>`.
        pub scope: String,
        /// The scope in words (`Platform team`).
        pub scope_name: String,
        pub period: Period,
        /// IANA time zone whose midnights bound the periods.
        pub time_zone: String,
        pub limit: Money,
        /// True refuses a call that may not fit; false only tells.
        pub hard: bool,
        /// Settled in this period.
        pub spent: Money,
        /// Worst cases of calls that are under way.
        pub held: Money,
        /// Part of `spent` beyond the worst case that was held, as reported by a provider.
        pub overrun: Money,
        /// What nodes keep in hand, to send calls while their records are on their way. It goes
        /// back when it is not used or when somebody is short of it.
        #[serde(default)]
        pub leased: Money,
        /// Part of `spent` that no call accounts for: what nodes had in hand when they went silent.
        #[serde(default)]
        pub adjusted: Money,
        pub period_starts_at: DateTime<Utc>,
        /// Absent on a budget for the total.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub period_ends_at: Option<DateTime<Utc>>,
        /// Calls refused in this period.
        pub refused: u64,
        pub created_at: DateTime<Utc>,
    }
}

crate::request! {
    pub struct NewBudget {
        /// `org`, `team:<slug>`, `project:<slug>` or `token:<id>`.
        pub scope: String,
        pub period: Period,
        /// More than nothing.
        pub limit: Money,
        pub hard: bool,
        /// IANA time zone; `UTC` when absent.
        #[serde(default)]
        pub time_zone: Option<String>,
    }

    /// A change; absent fields stay.
    pub struct UpdateBudget {
        #[serde(default)]
        pub limit: Option<Money>,
        #[serde(default)]
        pub hard: Option<bool>,
    }
}
