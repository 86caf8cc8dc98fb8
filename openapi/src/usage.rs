//! Usage and calls: what was called, by whom, and what it cost.

use chrono::{DateTime, Utc};
use ralex_kernel::{CallId, Money, Price};
use serde::{Deserialize, Serialize};

use crate::guardrails::Noted;
use crate::routing::Explanation;

crate::words! {
    /// By what usage is summed up.
    #[derive(Default)]
    pub enum GroupBy {
        #[default]
        Model = "model",
        Provider = "provider",
        Team = "team",
        Project = "project",
        /// People, over all of their tokens and sessions; a program's token is nobody's.
        User = "user",
        /// Service accounts, over all of their tokens.
        ServiceAccount = "service_account",
        Token = "token",
        /// What the router took a request for; empty where nothing was to be chosen.
        TaskType = "task_type",
        /// Words of the caller's own, from `X-Ralex-Tags`. A call with two tags is in two rows, so
        /// rows may add up to more than the total.
        Tag = "tag",
        /// Days of `time_zone`.
        Day = "day",
        /// Full hours of UTC.
        Hour = "hour",
    }

    /// How long the parts of a series are.
    pub enum Bucket {
        Hour = "hour",
        /// Days of `time_zone`.
        Day = "day",
    }

    /// As what usage is answered, and calls are exported.
    #[derive(Default)]
    pub enum UsageFormat {
        /// One JSON object; of calls, one a line.
        #[default]
        Json = "json",
        /// A table, with nothing that a spreadsheet would run, whose first line names the columns.
        Csv = "csv",
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct UsageQuery {
    #[serde(default)]
    pub group_by: GroupBy,
    /// Calls started at this time or later; 30 days ago, at the full hour, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Calls started before this time; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
    /// Only so many rows, those that cost most, from 1 to 1,000; `rest` sums up the others. Rows of
    /// days and hours are never left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<u32>,
    /// Also how each row's cost came about over time. At most 50 rows then, 10 when `top` is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Bucket>,
    /// Whose midnights days are told apart by, such as `Europe/Berlin`; UTC when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
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
    /// As a table there may be up to 100,000 rows, without rest and total.
    #[serde(default)]
    pub format: UsageFormat,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct CallExportQuery {
    #[serde(default)]
    pub format: UsageFormat,
    /// Calls started at this time or later; 30 days ago, at the full hour, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Calls started before this time; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
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
pub struct CallsQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only calls of this model, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CallState>,
    /// Only calls of this team, by its slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Only calls with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only calls of this run, by the name that its callers give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// How a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum CallState {
    /// Under way: held, recorded, not yet settled.
    Open,
    Success,
    /// The provider failed, or its answer could not be used.
    Error,
    /// The caller hung up; what was produced until then is paid.
    Canceled,
    /// Its server died before it could settle; counted at its worst case.
    Lost,
    /// A budget had not enough left; nothing was sent.
    Refused,
}

impl CallState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Success => "success",
            Self::Error => "error",
            Self::Canceled => "canceled",
            Self::Lost => "lost",
            Self::Refused => "refused",
        }
    }
}

impl UsageSums {
    /// Adds others to these.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.refused += other.refused;
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cache_read_tokens = self.cache_read_tokens.saturating_add(other.cache_read_tokens);
        self.cache_write_tokens = self.cache_write_tokens.saturating_add(other.cache_write_tokens);
        self.reasoning_tokens = self.reasoning_tokens.saturating_add(other.reasoning_tokens);
        self.cost = self.cost.saturating_add(other.cost);
        self.saved = self.saved.saturating_add(other.saved);
        self.duration_ms = self.duration_ms.saturating_add(other.duration_ms);
    }
}

crate::answer! {
    /// What was called and what it cost, from one time to another. Calls that only counted tokens
    /// are no part of it.
    pub struct Usage {
        pub from: DateTime<Utc>,
        pub to: DateTime<Utc>,
        pub rows: Vec<UsageRow>,
        /// Those that `top` left out, so that rows and rest add up to the total exactly.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub rest: Option<UsageRest>,
        pub total: UsageSums,
        /// When the parts of each row's series begin.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub series: Vec<DateTime<Utc>>,
    }

    pub struct UsageRow {
        /// A model's or a provider's name, the slug of a team or project, a person's or token's id,
        /// a task type, a tag, a day (`2026-03-01`) or an hour (`2026-03-01T14:00:00Z`).
        pub key: String,
        /// The same in words where there are any.
        pub name: String,
        #[cfg_attr(feature = "console", serde(rename = "*sums"))]
        #[cfg_attr(not(feature = "console"), serde(flatten))]
        pub sums: UsageSums,
        /// What each part of the time cost, as many as the answer's `series` has.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub series: Vec<Money>,
    }

    pub struct UsageRest {
        /// How many rows were left out.
        pub rows: u64,
        #[cfg_attr(feature = "console", serde(rename = "*sums"))]
        #[cfg_attr(not(feature = "console"), serde(flatten))]
        pub sums: UsageSums,
    }

    #[derive(Default, Eq)]
    pub struct UsageSums {
        /// Calls that went out and ended.
        pub calls: u64,
        /// Of these, calls that did not succeed.
        pub failed: u64,
        /// Calls that a budget refused; nothing was sent.
        pub refused: u64,
        /// With what was read from and written to the provider's cache.
        pub input_tokens: u64,
        pub output_tokens: u64,
        pub cache_read_tokens: u64,
        pub cache_write_tokens: u64,
        /// The part of the output that models kept to themselves.
        pub reasoning_tokens: u64,
        pub cost: Money,
        /// What kept answers would have cost.
        pub saved: Money,
        /// Of all calls together, from the request to the end of the answer.
        pub duration_ms: u64,
    }

    /// One call of an export.
    pub struct ExportedCall {
        pub id: CallId,
        pub started_at: DateTime<Utc>,
        pub settled_at: Option<DateTime<Utc>>,
        pub state: String,
        pub model: String,
        pub provider: String,
        pub upstream_model: String,
        pub asked_model: Option<String>,
        pub route: Option<String>,
        /// By its slug, or by its id where it was deleted; likewise the project.
        pub team: Option<String>,
        pub project: Option<String>,
        /// By their id.
        pub user: Option<String>,
        /// By its slug.
        pub service_account: Option<String>,
        /// By its id.
        pub token: Option<String>,
        pub tags: Vec<String>,
        /// The run that it is part of, as its caller names it.
        pub run: Option<String>,
        pub task_type: Option<String>,
        pub purpose: Option<String>,
        pub dialect: String,
        pub streamed: bool,
        pub attempts: i32,
        pub cached: Option<String>,
        /// With what was read from and written to the provider's cache.
        pub input_tokens: i64,
        pub output_tokens: i64,
        pub cache_read_tokens: i64,
        pub cache_write_tokens: i64,
        pub reasoning_tokens: i64,
        pub estimated: bool,
        pub cost: Money,
        pub saved: Money,
        pub first_byte_ms: Option<i32>,
        pub duration_ms: Option<i32>,
        pub problem: Option<String>,
    }

    /// One model call.
    pub struct Call {
        pub id: CallId,
        pub started_at: DateTime<Utc>,
        pub state: CallState,
        /// The model that answered, or that the call was opened for.
        pub model: String,
        pub provider: String,
        /// What the caller wrote as `model`: a model, an alias, a route, or `auto`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub asked_model: Option<String>,
        /// The route that chose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub route: Option<String>,
        /// How many times a provider was asked.
        #[serde(default)]
        pub attempts: u32,
        /// `exact` where a kept answer was given again, `semantic` where it was given to a question
        /// that means the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cached: Option<String>,
        /// What it was made for, where that is not its caller's own question: `cache` for the vector
        /// of a question, `guardrails` for a judge's word, `batch` for the lines of a file, `count`
        /// where tokens were counted for nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub purpose: Option<String>,
        /// What its caller named in `X-Ralex-Tags`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<String>,
        /// The run that it is part of, as its caller names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub run: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub team: Option<String>,
        /// What the program is called whose token it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub service_account: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub token: Option<String>,
        pub streamed: bool,
        /// `openai_chat` or `anthropic_messages`: the caller's wire format.
        pub dialect: String,
        pub input_tokens: u64,
        pub output_tokens: u64,
        /// True where the provider sent no usage and Ralex counted.
        pub estimated: bool,
        /// The worst case that was held.
        pub held: Money,
        pub cost: Money,
        /// Milliseconds from the request to the first byte of the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub first_byte_ms: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub duration_ms: Option<u32>,
        /// The code of the problem where there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub problem: Option<String>,
    }
    /// One model call with its whole story.
    pub struct CallDetail {
        #[cfg_attr(feature = "console", serde(rename = "*call"))]
        #[cfg_attr(not(feature = "console"), serde(flatten))]
        pub call: Call,
        pub upstream_model: String,
        pub prices: CallPrices,
        pub cache_read_tokens: u64,
        pub cache_write_tokens: u64,
        /// The part of the output that the model kept to itself.
        pub reasoning_tokens: u64,
        /// The name of the key that the answer was got with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub key: Option<String>,
        /// What the request was taken for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub task_type: Option<String>,
        /// From 1 to 10.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub difficulty: Option<u8>,
        /// Why this model, where there was a choice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub choice: Option<Explanation>,
        /// Every try, in order; none of calls that were not sent.
        pub tries: Vec<CallTry>,
        /// Rules that acted, and how often.
        pub guardrails: Vec<Noted>,
        /// What a kept answer would have cost.
        pub cost_saved: Money,
        /// The call whose answer was given again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cached_from: Option<CallId>,
        /// How alike the two questions are, from 0 to 1; absent where they are the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub similarity: Option<f32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub priority: Option<String>,
        /// How long it waited for its turn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub queued_ms: Option<u32>,
    }

    /// Dollars a million tokens, when the call was made.
    pub struct CallPrices {
        pub input: Price,
        pub output: Price,
        pub cache_read: Price,
        pub cache_write: Price,
        /// Which version of the model's price they are of. Absent where no model was chosen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub version: Option<u32>,
    }

    /// One try of a call at one model with one key.
    pub struct CallTry {
        pub n: u32,
        pub model: String,
        pub provider: String,
        pub upstream_model: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub key: Option<String>,
        /// Why it was made: `choice`, `retry`, `key`, `fallback` or `hedge`.
        pub cause: String,
        /// `success`, `canceled`, or the code of what went wrong; `budget_exhausted` where it was
        /// passed over without being asked.
        pub outcome: String,
        /// The provider's status, where it gave one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub status: Option<u16>,
        pub input_tokens: u64,
        pub output_tokens: u64,
        pub cost: Money,
        pub started_at: DateTime<Utc>,
        pub duration_ms: u32,
        /// Why it was not asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub note: Option<String>,
    }
}
