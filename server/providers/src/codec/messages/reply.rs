//! A whole message.

use serde_json::{Value, json};

use crate::codec::identifier;
use crate::codec::responses::called;
use crate::error::UpstreamError;
use crate::ir::{Content, Finish, Part, Reply, ToolCall};
use crate::json::{Object, object as fields, objects, text};
use crate::usage::Usage;

pub(super) fn decode(answer: &Object) -> Result<Reply, UpstreamError> {
    if !answer.get("content").is_some_and(Value::is_array) {
        return Err(UpstreamError::Malformed("it has no answer in it"));
    }
    let mut parts = Vec::new();
    for block in objects(answer.get("content")) {
        let said = |key: &str| text(block, key).unwrap_or_default().to_owned();
        match text(block, "type") {
            Some("text") => parts.extend(Part::text("", &said("text"))),
            Some("tool_use") => {
                let call = ToolCall {
                    id: said("id"),
                    name: said("name"),
                    arguments: block
                        .get("input")
                        .and_then(Value::as_object)
                        .cloned()
                        .unwrap_or_default(),
                    signature: None,
                };
                parts.push(Part::new("", Content::ToolCall(call)));
            }
            Some("thinking") => {
                let signature = text(block, "signature").map(str::to_owned);
                let content = Content::Thinking { text: said("thinking"), signature };
                parts.push(Part::new("", content));
            }
            Some("redacted_thinking") => parts.push(Part::new("", Content::Sealed(said("data")))),
            // Steps of tools that the provider ran itself, and what may come later.
            Some(_) | None => {}
        }
    }
    Ok(Reply {
        id: text(answer, "id").map(str::to_owned),
        model: text(answer, "model").unwrap_or_default().to_owned(),
        parts,
        finish: finish(text(answer, "stop_reason"), text(answer, "stop_sequence")),
    })
}

pub(super) fn finish(reason: Option<&str>, sequence: Option<&str>) -> Finish {
    match reason {
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("tool_use") => Finish::ToolCalls,
        Some("refusal") => Finish::Refused,
        Some("stop_sequence") => Finish::StopSequence(sequence.map(str::to_owned)),
        // `end_turn`, `pause_turn`: nothing is amiss.
        Some(_) | None => Finish::Stop,
    }
}

/// The stop reason, and the sequence that stopped.
pub(super) fn stop(finish: &Finish) -> (&'static str, Value) {
    match finish {
        Finish::Stop | Finish::StopSequence(None) => ("end_turn", Value::Null),
        Finish::StopSequence(Some(sequence)) => ("stop_sequence", json!(sequence)),
        Finish::Length => ("max_tokens", Value::Null),
        Finish::ToolCalls => ("tool_use", Value::Null),
        Finish::Refused => ("refusal", Value::Null),
    }
}

pub(super) fn encode(reply: &Reply, usage: Usage) -> Object {
    let content = reply.parts.iter().flat_map(|part| [proof(part), block(part)]).flatten();
    let content: Vec<Value> = content.collect();
    let (reason, sequence) = stop(&reply.finish);
    fields([
        ("id", json!(identifier("msg_", reply.id.as_deref()))),
        ("type", json!("message")),
        ("role", json!("assistant")),
        ("model", json!(reply.model)),
        ("content", Value::Array(content)),
        ("stop_reason", json!(reason)),
        ("stop_sequence", sequence),
        ("usage", usage.to_message()),
    ])
}

/// The proof of the thought behind a call, which has no place in the call.
fn proof(part: &Part) -> Option<Value> {
    let Content::ToolCall(call) = &part.content else { return None };
    call.signature.as_deref().map(|signature| proven(&call.id, signature))
}

pub(super) fn proven(call: &str, signature: &str) -> Value {
    json!({ "type": "redacted_thinking", "data": called(call, signature) })
}

fn block(part: &Part) -> Option<Value> {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => {
            Some(json!({ "type": "text", "text": text }))
        }
        Content::ToolCall(call) => Some(json!({
            "type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments,
        })),
        // Another vendor's thought has no signature, which the SDKs' types demand as a text.
        Content::Thinking { text, signature } => {
            let signature = signature.as_deref().unwrap_or_default();
            Some(json!({ "type": "thinking", "thinking": text, "signature": signature }))
        }
        Content::Sealed(data) => Some(json!({ "type": "redacted_thinking", "data": data })),
        // No model of today answers with these.
        Content::Image(_)
        | Content::Document { .. }
        | Content::Audio(_)
        | Content::ToolResult { .. } => None,
    }
}
