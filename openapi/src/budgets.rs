//! Budgets: what may be spent in one period.

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, Money, Period, YearStart};

crate::answer! {
    /// A budget and its current period; of one per run, the run with the most behind it.
    pub struct Budget {
        pub id: BudgetId,
        /// `org`, `team:<slug>`, `project:<slug>`, `service_account:<slug>`, `token:<id>` or
        /// `user:<id>`.
        pub scope: String,
        /// The scope in words (`Platform team`).
        pub scope_name: String,
        /// The slug of the team that the scope is, or is at home in; absent for the organisation,
        /// people and their tokens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub team: Option<String>,
        /// The slug of the project that it is, or is at home in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
        /// Only calls of this model count; by its id where it was deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model: Option<String>,
        /// Only calls of this provider count; by its id where it was deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub provider: Option<String>,
        pub period: Period,
        /// IANA time zone whose midnights bound the periods.
        pub time_zone: String,
        /// Of a rolling budget: how many days it looks back, today included.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub days: Option<u16>,
        /// What is left of a period goes on to the next.
        #[serde(default)]
        pub carry_over: bool,
        /// No more than this goes on; everything where it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub carry_over_at_most: Option<Money>,
        /// What went on to this period, beside the limit.
        #[serde(default)]
        pub carried: Money,
        /// The day that the year begins on, for months, quarters and years.
        #[serde(default)]
        pub year_start: YearStart,
        pub limit: Money,
        /// What this period has beyond the limit, for a while.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub increase: Option<Increase>,
        /// Below this part of what is left, in percent, routing leaves dear models out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub degrade_at: Option<u8>,
        /// True refuses a call that may not fit; false only tells.
        pub hard: bool,
        /// Settled in this period, or in the days of the window.
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
        /// Of a rolling budget, the first instant of the window.
        pub period_starts_at: DateTime<Utc>,
        /// Of a rolling budget, when its oldest day leaves the window. Absent on one for the total.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub period_ends_at: Option<DateTime<Utc>>,
        /// Of a budget per run: the run that the figures are of, by the name that its callers give
        /// it. Absent where none is under way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub run: Option<String>,
        /// Calls refused in this period, and of a budget of one model or provider also those that
        /// went elsewhere.
        pub refused: u64,
        pub created_at: DateTime<Utc>,
    }

    /// A run, and what a budget per run has counted of it.
    pub struct BudgetRun {
        /// As its callers name it.
        pub name: String,
        /// The slug of the team whose it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub team: Option<String>,
        /// The slug of the project whose it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
        /// The name of the person whose it is, where they call by a session or a token of their own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub user: Option<String>,
        /// When its first call was seen.
        pub starts_at: DateTime<Utc>,
        /// From when on the same name is another run.
        pub ends_at: DateTime<Utc>,
        pub limit: Money,
        /// Settled.
        pub spent: Money,
        /// Worst cases of calls that are under way.
        pub held: Money,
        /// What nodes keep in hand of it.
        pub leased: Money,
        /// Part of `spent` beyond the worst case that was held.
        pub overrun: Money,
        /// Calls refused for want of money in it.
        pub refused: u64,
    }

    /// What one period of a budget has beyond its limit, until it ends by itself.
    pub struct Increase {
        pub amount: Money,
        pub until: DateTime<Utc>,
        pub reason: String,
    }
}

crate::request! {
    pub struct NewBudget {
        /// `org`, `team:<slug>`, `project:<slug>`, `service_account:<slug>`, `token:<id>`, or
        /// `user:<id or e-mail>`: the person
        /// that calls are made by, with whatever token.
        pub scope: String,
        /// Only calls of this model are to count, by its name.
        #[serde(default)]
        pub model: Option<String>,
        /// Only calls of this provider are to count, by its slug.
        #[serde(default)]
        pub provider: Option<String>,
        pub period: Period,
        /// From 1 to 366 days, today included: for a rolling budget, which needs it, and for no other.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 366))]
        pub days: Option<u16>,
        /// More than nothing.
        pub limit: Money,
        pub hard: bool,
        /// What is left of a period goes on to the next. Not for totals and rolling budgets.
        #[serde(default)]
        pub carry_over: bool,
        /// No more than this goes on, from all periods before together.
        #[serde(default)]
        pub carry_over_at_most: Option<Money>,
        /// IANA time zone; `UTC` when absent.
        #[serde(default)]
        pub time_zone: Option<String>,
        /// The day that the year begins on; 1 January when absent. Of a month's budget, only its
        /// day counts. Not for hours, days, weeks and totals.
        #[serde(default)]
        pub year_start: Option<YearStart>,
        /// Below this part of what is left, from 1 to 99 percent, routing leaves dear models out;
        /// never when absent. Not for a budget of one model or provider.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 99))]
        pub degrade_at: Option<u8>,
    }

    /// A change; absent fields stay.
    pub struct UpdateBudget {
        #[serde(default)]
        pub limit: Option<Money>,
        #[serde(default)]
        pub hard: Option<bool>,
        /// From 1 to 99 percent; 0 is never.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schema(maximum = 99))]
        pub degrade_at: Option<u8>,
    }

    /// More for the current period, for a while. It takes the place of one that is in force.
    pub struct NewIncrease {
        /// More than nothing; comes on top of the limit.
        pub amount: Money,
        /// In the future. With the period it ends in any case.
        pub until: DateTime<Utc>,
        /// For the record, in up to 500 characters.
        pub reason: String,
    }
}
