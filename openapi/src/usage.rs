//! Usage and calls: what was called, by whom, and what it cost.

use chrono::{DateTime, Utc};
use ralex_kernel::{CallId, Money};
use serde::{Deserialize, Serialize};

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
    /// Sums over calls that settled.
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
    }

    /// One model call.
    pub struct Call {
        pub id: CallId,
        pub started_at: DateTime<Utc>,
        pub state: CallState,
        /// The model's name as the caller wrote it.
        pub model: String,
        pub provider: String,
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
}
