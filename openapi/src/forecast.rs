//! Forecasts of spend, and hours that are not like the others.

use chrono::{DateTime, Utc};
use ralex_kernel::Money;
use serde::{Deserialize, Serialize};

use crate::usage::GroupBy;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct BudgetForecastQuery {
    /// What if the limit were this? What was carried over and given for a while comes on top, as it
    /// does of the limit that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Money>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct ForecastQuery {
    /// From when spend is added up; the beginning of this month, in UTC, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Until when, at most 400 days ahead; the end of this month, in UTC, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// When would this be spent?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Money>,
    /// Only calls of this team, by slug or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Only calls of this project, by slug or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Only calls of this person, by e-mail address or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only calls of this service account, by slug or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Only calls by this token, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct AnomalyQuery {
    /// Among which hours are looked at one by one: those of each model, provider, team, project,
    /// person, token, task type or tag.
    #[serde(default)]
    pub group_by: GroupBy,
    /// Of how many days, until now; 7 when absent, at most 31.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(minimum = 1, maximum = 31))]
    pub days: Option<u32>,
}

crate::answer! {
    /// What is spent, and what is likely to be by the end. The likely is drawn from the weeks before:
    /// each day to come is taken to be like one of the same weekday lately, many times over.
    pub struct Forecast {
        pub from: DateTime<Utc>,
        /// Until when spend is known.
        pub now: DateTime<Utc>,
        pub until: DateTime<Utc>,
        pub spent: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limit: Option<Money>,
        /// How many hours of history there are to go by, of at most eight weeks.
        pub history_hours: u64,
        /// Absent where there is less than a day of history, or where the end has come.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expected: Option<Expected>,
        /// The last seven days against the seven before, in percent; absent where those cost nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub trend_percent: Option<f64>,
        /// How spend came about, from `from` to `now`.
        pub past: Vec<SpentBy>,
        /// How it may go on.
        pub ahead: Vec<Band>,
    }

    pub struct Expected {
        /// Four times in five it ends between `low` and `high`, and half of the time below `middle`.
        pub low: Money,
        pub middle: Money,
        pub high: Money,
        /// How likely the limit is passed before the end, from 0 to 1; absent without a limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub passes_limit: Option<f64>,
        /// When the limit is passed, in the middle of those cases.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub passes_limit_at: Option<DateTime<Utc>>,
    }

    /// What was spent by a moment.
    pub struct SpentBy {
        pub at: DateTime<Utc>,
        pub spent: Money,
    }

    /// What may be spent by a moment.
    pub struct Band {
        pub at: DateTime<Utc>,
        pub low: Money,
        pub middle: Money,
        pub high: Money,
    }

    /// Hours that cost far more than their likes.
    pub struct Anomalies {
        pub from: DateTime<Utc>,
        pub to: DateTime<Utc>,
        /// The newest first.
        pub items: Vec<Anomaly>,
    }

    pub struct Anomaly {
        /// The hour.
        pub at: DateTime<Utc>,
        /// As in usage.
        pub key: String,
        pub name: String,
        pub cost: Money,
        pub calls: u64,
        /// What such an hour usually costs: the median of the same hours of weekdays, or of weekends.
        pub usual: Money,
        /// What it would have had to stay below.
        pub threshold: Money,
    }
}
