//! Calls: the row of every model call, written when it is decided.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use ralex_kernel::{
    CallId, Code, ModelId, Money, NodeId, OrgId, Price, ProviderId, ScopePath, TokenId, UserId,
};
use sqlx::PgConnection;

use crate::charge::HeldPeriod;
use crate::sql;

/// A call as it is decided. Names and prices are copies: a later change of the model changes
/// nothing about what this call cost.
#[derive(Clone, Debug)]
pub struct OpenCall {
    pub org: OrgId,
    pub id: CallId,
    pub node: NodeId,
    pub user: Option<UserId>,
    pub token: Option<TokenId>,
    pub at: ScopePath,
    /// As the caller wrote it: a model, a route, or `auto`.
    pub asked: String,
    pub model: String,
    pub model_id: Option<ModelId>,
    pub provider_id: Option<ProviderId>,
    pub provider: String,
    pub upstream_model: String,
    /// `openai_chat` or `anthropic_messages`.
    pub dialect: &'static str,
    /// What the provider is asked to do: `generate`, `embeddings`, …
    pub operation: &'static str,
    pub streamed: bool,
    pub prices: Prices,
    pub decision: Decision,
    pub started_at: DateTime<Utc>,
    /// Words of the caller's own, to sum usage up by.
    pub tags: Vec<String>,
    /// The run that it is part of, as its caller names it.
    pub run: Option<String>,
    pub why: Why,
}

/// Why a call goes to the model that it goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    pub route: Option<String>,
    pub task_type: Option<String>,
    pub difficulty: Option<u8>,
    /// The explanation, as JSON.
    pub choice: Option<String>,
    pub priority: Option<&'static str>,
    /// How long the call waited for its turn.
    pub queued_ms: Option<u32>,
    /// Rules that found something in the request, as JSON: ids and counts.
    pub guardrails: Option<String>,
    /// What it is made for, where that is not its caller's own question: `cache`, `guardrails`,
    /// `batch`, `count`.
    pub purpose: Option<&'static str>,
}

/// What a million tokens cost when the call was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    pub input: Price,
    pub output: Price,
    pub cache_read: Price,
    pub cache_write: Price,
    /// Which version of the model's price they are of, from one on; nothing where no model was
    /// chosen.
    pub version: Option<u32>,
}

impl Prices {
    /// The version as the database counts.
    pub(crate) fn version(&self) -> Option<i32> {
        self.version.and_then(|version| i32::try_from(version).ok())
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes out; `held` is held on these.
    Open { held: Money, periods: Vec<HeldPeriod> },
    /// It does not, and its row is closed from the start.
    Refused { problem: Code },
}

/// Which of these calls have a row.
pub async fn recorded(
    conn: &mut PgConnection,
    calls: &[(OrgId, CallId)],
) -> Result<HashSet<(OrgId, CallId)>, sqlx::Error> {
    if calls.is_empty() {
        return Ok(HashSet::new());
    }
    sql::call::recorded(conn, calls).await
}

/// Writes the rows of decided calls, in the transaction that holds for them.
pub async fn open_calls(conn: &mut PgConnection, calls: &[OpenCall]) -> Result<(), sqlx::Error> {
    if calls.is_empty() {
        return Ok(());
    }
    sql::call::insert(conn, calls).await
}
