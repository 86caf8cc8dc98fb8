//! What is recorded of a call: before it goes out, and when it has ended.

use ralex_kernel::{ApprovalId, BudgetId, CallId, Money, Price, ScopePath, SecretId, TokenId};
use serde::Serialize;

use super::RuleApplied;

/// What is recorded before a call goes out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallOpened {
    pub call: CallId,
    pub model: String,
    pub provider: String,
    pub upstream_model: String,
    pub dialect: &'static str,
    pub streamed: bool,
    pub scope: ScopePath,
    pub token: Option<TokenId>,
    /// The binding or built-in rule that allowed it.
    pub allowed_by: String,
    pub policy_version: i64,
    pub secret: Option<SecretId>,
    pub secret_version: Option<u32>,
    pub held: Money,
    pub budgets: Vec<BudgetId>,
    pub input_price: Price,
    pub output_price: Price,
    /// SHA-256 of the request body as it came, in hexadecimal.
    pub prompt_digest: String,
    /// What a person approved, where the call had to wait for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// Rules about calls that were about this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub call_rules: Vec<RuleApplied>,
    /// Where else it may go, and with which keys, should the first not answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Candidate>,
    /// What it is made for, where that is not its caller's own question: `cache`, `guardrails`,
    /// `batch`, `count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<&'static str>,
}

/// A model and a key that a call may use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    pub model: String,
    pub provider: String,
    pub upstream_model: String,
    pub secret: Option<SecretId>,
    pub secret_version: Option<u32>,
}

/// What is recorded when a call has ended, however it ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallClosed {
    pub call: CallId,
    pub state: &'static str,
    pub problem: Option<&'static str>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    pub estimated: bool,
    pub cost: Money,
    pub duration_ms: u32,
    /// Who answered, where it is not the model that the call was opened for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
    /// Every try, where there was more than the one that succeeded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Tried>,
    /// The kind of cache that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<&'static str>,
    /// The call whose answer was given again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_from: Option<CallId>,
}

/// The model that answered in the place of another, at its prices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answered {
    pub model: String,
    pub provider: String,
    pub upstream_model: String,
    pub input_price: Price,
    pub output_price: Price,
}

/// One try of a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    pub model: String,
    pub provider: String,
    pub secret: Option<SecretId>,
    pub cause: &'static str,
    pub outcome: &'static str,
    pub status: Option<u16>,
    pub cost: Money,
}
