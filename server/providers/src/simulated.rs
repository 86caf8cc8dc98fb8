//! The built-in provider: answers at once, without a key or a network, and says that it is not real.
//!
//! The answer repeats what the last user message said, so that a person sees their words arrive.
//! The same question gets the same words. A message that contains `call tool`, in a request that
//! has tools, gets a call of the first one, with arguments made from its schema. Usage is exact by
//! o200k's count, and never more than the maximum that was asked for.

mod arguments;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::answer::{self, Answer};
use crate::error::UpstreamError;
use crate::inbound::Inbound;
use crate::json::{Object, objects, text};
use crate::prepare::Prepared;
use crate::tokens;
use crate::usage::Usage;

/// The words that ask for a tool call.
const CALL_TOOL: &str = "call tool";

/// No more of a message than this is repeated.
const LONGEST_ECHO: usize = 400;

/// Longer than any delay between two words.
const IDLE: Duration = Duration::from_mins(1);

/// What is answered, before a dialect gives it a shape.
pub(crate) struct Said {
    /// The same for the same request.
    pub id: String,
    pub model: String,
    pub content: Content,
    pub answers: u64,
    pub usage: Usage,
}

pub(crate) enum Content {
    Text { text: String, whole: bool },
    Call { name: String, arguments: String },
}

/// Answers a request in the caller's dialect.
pub(crate) fn answer(prepared: &Prepared) -> Result<Answer, UpstreamError> {
    let said = said(prepared);
    let dialect = prepared.inbound.dialect();
    if !prepared.inbound.streamed() {
        let body = wire::whole(dialect, &said).to_string();
        return answer::whole(prepared, body.into());
    }
    let events = wire::events(dialect, &said);
    let arriving = stream::iter(events.into_iter().enumerate()).then(|(index, event)| async move {
        tokio::time::sleep(pause(index)).await;
        Ok(Bytes::from(event))
    });
    Ok(Answer::Stream(answer::streamed(prepared, arriving.boxed(), IDLE)))
}

/// Five to fifteen milliseconds, as uneven as a real model and yet always the same.
fn pause(index: usize) -> Duration {
    let uneven = index.wrapping_mul(7) % 11;
    Duration::from_millis(5 + u64::try_from(uneven).unwrap_or(0))
}

fn said(prepared: &Prepared) -> Said {
    let inbound = &prepared.inbound;
    let question = last_user_text(inbound.body());
    let content = call(inbound.body(), &question, prepared.max_output)
        .unwrap_or_else(|| text_of(&question, prepared.max_output));
    let output = match &content {
        Content::Text { text, .. } => tokens::count(text),
        Content::Call { name, arguments } => tokens::count(name) + tokens::count(arguments),
    };
    Said {
        id: format!("sim{:016x}", fingerprint(inbound)),
        model: prepared.target.upstream_model.clone(),
        content,
        answers: inbound.answers(),
        usage: Usage {
            input_tokens: inbound.counted_tokens(),
            output_tokens: output.saturating_mul(inbound.answers()),
            ..Usage::default()
        },
    }
}

fn text_of(question: &str, max_output: u64) -> Content {
    let echo: String = question.chars().take(LONGEST_ECHO).collect();
    let more = if echo.len() < question.len() { "…" } else { "" };
    let text = format!(
        "This is a simulated answer, no model was asked. You said: “{echo}{more}” Add a provider \
         and its key to get real answers."
    );
    match tokens::first(&text, max_output) {
        Some(part) => Content::Text { text: part, whole: false },
        None => Content::Text { text, whole: true },
    }
}

/// A call of the first tool, where that is asked for and fits.
fn call(body: &Object, question: &str, max_output: u64) -> Option<Content> {
    let forbidden = match body.get("tool_choice") {
        Some(Value::String(choice)) => choice == "none",
        Some(Value::Object(choice)) => text(choice, "type") == Some("none"),
        _ => false,
    };
    if forbidden || !question.to_lowercase().contains(CALL_TOOL) {
        return None;
    }
    let tool = objects(body.get("tools")).next()?;
    // Chat wraps the tool in `function`, messages do not.
    let tool = tool.get("function").and_then(Value::as_object).unwrap_or(tool);
    let name = text(tool, "name")?.to_owned();
    let schema = tool.get("parameters").or_else(|| tool.get("input_schema"));
    let arguments = arguments::of_schema(schema).to_string();
    let fits = tokens::count(&name) + tokens::count(&arguments) <= max_output;
    fits.then_some(Content::Call { name, arguments })
}

/// The text of the last message, if a user said it; after a tool's result nothing is called again.
fn last_user_text(body: &Object) -> String {
    let last = |role: &str| {
        objects(body.get("messages"))
            .filter(|message| text(message, "role") == Some(role))
            .filter_map(|message| message.get("content"))
            .last()
    };
    match last("user") {
        Some(Value::String(text)) => text.clone(),
        Some(parts) => {
            objects(Some(parts)).filter_map(|part| text(part, "text")).collect::<Vec<_>>().join(" ")
        }
        None => String::new(),
    }
}

/// FNV-1a of the request.
fn fingerprint(inbound: &Inbound) -> u64 {
    inbound.raw().iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
