//! Usage and calls: what was called, by whom, and what it cost.

use chrono::{DateTime, Utc};
use ralex_kernel::{CallId, Money, Price};
use serde::{Deserialize, Serialize};

use crate::guardrails::Noted;
use crate::routing::Explanation;

/// By what usage is summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum GroupBy {
    #[default]
    Model,
    Team,
    Token,
    /// Days of UTC.
    Day,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct UsageQuery {
    #[serde(default)]
    pub group_by: GroupBy,
    /// Calls started at this time or later; 30 days ago when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Calls started before this time; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
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

crate::answer! {
    /// Sums over calls that settled, but for those that only counted tokens.
    pub struct UsageRow {
        /// A model's name, a team's slug, a token's id, or a day (`2026-03-01`).
        pub key: String,
        /// The same in words where there are any.
        pub name: String,
        pub calls: u64,
        /// Of these, calls that did not succeed.
        pub failed: u64,
        pub input_tokens: u64,
        pub output_tokens: u64,
        pub cost: Money,
        /// What kept answers would have cost.
        pub saved: Money,
    }

    pub struct Usage {
        pub from: DateTime<Utc>,
        pub to: DateTime<Utc>,
        pub rows: Vec<UsageRow>,
        pub total: UsageTotal,
    }

    pub struct UsageTotal {
        pub calls: u64,
        pub failed: u64,
        pub input_tokens: u64,
        pub output_tokens: u64,
        pub cost: Money,
        pub saved: Money,
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub team: Option<String>,
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
        #[serde(flatten)]
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
        /// `success`, `canceled`, or the code of what went wrong.
        pub outcome: String,
        /// The provider's status, where it gave one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub status: Option<u16>,
        pub input_tokens: u64,
        pub output_tokens: u64,
        pub cost: Money,
        pub started_at: DateTime<Utc>,
        pub duration_ms: u32,
    }
}
