//! A whole answer in the other dialect, complete enough for the vendors' SDKs.
//!
//! What a model thought on its way is no part of an answer that the other dialect can hold: chat
//! has no field for it, and a message's thinking must be signed by its vendor. It is left out, and
//! stays in the usage.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::reason;
use crate::dialect::Dialect;
use crate::error::UpstreamError;
use crate::json::{Object, object as fields, objects, text};
use crate::usage::Usage;

/// `answer` is in the dialect `upstream`; the result is in the other.
pub(crate) fn response(
    upstream: Dialect,
    answer: &Object,
    usage: Usage,
) -> Result<Object, UpstreamError> {
    match upstream {
        Dialect::OpenaiChat => to_message(answer, usage),
        Dialect::AnthropicMessages => Ok(to_chat(answer, usage)),
    }
}

/// An id of the caller's dialect that still names the upstream's answer.
pub(super) fn id(prefix: &str, upstream: Option<&str>) -> String {
    let upstream = upstream.unwrap_or("none");
    let bare = upstream.split_once(['-', '_']).map_or(upstream, |(_, bare)| bare);
    format!("{prefix}{bare}")
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn to_chat(answer: &Object, usage: Usage) -> Object {
    let (mut said, mut calls) = (String::new(), Vec::new());
    for block in objects(answer.get("content")) {
        match text(block, "type") {
            Some("text") => said.push_str(text(block, "text").unwrap_or_default()),
            Some("tool_use") => calls.push(json!({
                "id": block.get("id"),
                "type": "function",
                "function": {
                    "name": block.get("name"),
                    "arguments": block.get("input").unwrap_or(&json!({})).to_string(),
                },
            })),
            Some(_) | None => {}
        }
    }
    let content = if said.is_empty() && !calls.is_empty() { Value::Null } else { json!(said) };
    let mut message =
        fields([("role", json!("assistant")), ("content", content), ("refusal", Value::Null)]);
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    fields([
        ("id", json!(id("chatcmpl-", text(answer, "id")))),
        ("object", json!("chat.completion")),
        ("created", json!(now())),
        ("model", answer.get("model").cloned().unwrap_or_else(|| json!(""))),
        (
            "choices",
            json!([{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": reason::to_chat(text(answer, "stop_reason")),
            }]),
        ),
        ("usage", usage.to_chat()),
    ])
}

fn to_message(answer: &Object, usage: Usage) -> Result<Object, UpstreamError> {
    let choice = objects(answer.get("choices")).next();
    let message = choice.and_then(|choice| choice.get("message")?.as_object());
    let (Some(choice), Some(message)) = (choice, message) else {
        return Err(UpstreamError::Malformed("it has no answer in it"));
    };
    let mut content = Vec::new();
    for key in ["content", "refusal"] {
        let said = text(message, key).filter(|said| !said.is_empty());
        content.extend(said.map(|said| json!({ "type": "text", "text": said })));
    }
    for call in objects(message.get("tool_calls")) {
        content.push(tool_use(call)?);
    }
    let stop_reason = match text(choice, "finish_reason") {
        // Some servers say "stop" with calls too, and a client would not run them.
        Some("stop") if content.iter().any(|block| block["type"] == "tool_use") => "tool_use",
        reason => reason::to_message(reason),
    };
    Ok(fields([
        ("id", json!(id("msg_", text(answer, "id")))),
        ("type", json!("message")),
        ("role", json!("assistant")),
        ("model", answer.get("model").cloned().unwrap_or_else(|| json!(""))),
        ("content", Value::Array(content)),
        ("stop_reason", json!(stop_reason)),
        ("stop_sequence", Value::Null),
        ("usage", usage.to_message()),
    ]))
}

fn tool_use(call: &Object) -> Result<Value, UpstreamError> {
    let function = call.get("function").and_then(Value::as_object);
    let function = function.ok_or(UpstreamError::Malformed("a tool call has no function"))?;
    let arguments = text(function, "arguments").unwrap_or_default();
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    let input: Object = serde_json::from_str(arguments)
        .map_err(|_| UpstreamError::Malformed("a tool call's arguments are not a JSON object"))?;
    Ok(json!({
        "type": "tool_use",
        "id": call.get("id"),
        "name": function.get("name"),
        "input": input,
    }))
}
