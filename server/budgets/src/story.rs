//! The whole story of one call, as it is shown: why this model, every try, and what it took.

use ralex_api::usage::{Call, CallDetail, CallPrices, CallTry};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::sql::history::{Story, TryRow};

pub(crate) fn detail(call: Call, story: Story, rows: Vec<TryRow>) -> CallDetail {
    let tries = if rows.is_empty() {
        only_try(&call, &story).into_iter().collect()
    } else {
        rows.into_iter().map(one_try).collect()
    };
    CallDetail {
        upstream_model: story.upstream_model,
        prices: CallPrices {
            input: story.input_price,
            output: story.output_price,
            cache_read: story.cache_read_price,
            cache_write: story.cache_write_price,
            version: story.price_version.map(small),
        },
        cache_read_tokens: count(story.cache_read_tokens),
        cache_write_tokens: count(story.cache_write_tokens),
        reasoning_tokens: count(story.reasoning_tokens),
        key: story.key,
        task_type: story.task_type,
        difficulty: story.difficulty.and_then(|level| u8::try_from(level).ok()),
        choice: story.choice.and_then(read),
        tries,
        guardrails: story.guardrails.and_then(read).unwrap_or_default(),
        cost_saved: story.cost_saved,
        cached_from: story.cached_from,
        similarity: story.similarity,
        priority: story.priority,
        queued_ms: story.queued_ms.map(small),
        call,
    }
}

/// A call that was answered at once has no rows for it: its own row says the same.
fn only_try(call: &Call, story: &Story) -> Option<CallTry> {
    (call.attempts == 1).then(|| CallTry {
        n: 1,
        model: call.model.clone(),
        provider: call.provider.clone(),
        upstream_model: story.upstream_model.clone(),
        key: story.key.clone(),
        cause: "choice".to_owned(),
        outcome: call.state.as_str().to_owned(),
        status: None,
        input_tokens: call.input_tokens,
        output_tokens: call.output_tokens,
        cost: call.cost,
        started_at: call.started_at,
        duration_ms: call.duration_ms.unwrap_or(0),
        note: None,
    })
}

fn one_try(row: TryRow) -> CallTry {
    CallTry {
        n: small(row.n),
        model: row.model,
        provider: row.provider,
        upstream_model: row.upstream_model,
        key: row.key,
        cause: row.cause,
        outcome: row.outcome,
        status: row.status.and_then(|status| u16::try_from(status).ok()),
        input_tokens: count(row.input_tokens),
        output_tokens: count(row.output_tokens),
        cost: row.cost,
        started_at: row.started_at,
        duration_ms: small(row.duration_ms),
        note: row.note,
    }
}

/// What an older version wrote in another form is left out rather than in the way.
fn read<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn small(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
