//! A whole answer.

use serde_json::{Value, json};

use super::block::decode_thought;
use crate::error::UpstreamError;
use crate::ir::{Content, Finish, Part, Reply, ToolCall};
use crate::json::{Object, object as fields, objects, text};
use crate::usage::Usage;

pub(super) fn decode(answer: &Object) -> Result<Reply, UpstreamError> {
    let content = answer.get("output").and_then(|it| it.get("message")?.get("content"));
    if !content.is_some_and(Value::is_array) {
        return Err(UpstreamError::Malformed("it has no answer in it"));
    }
    let mut parts = Vec::new();
    for block in objects(content) {
        let within = |key: &str| block.get(key).and_then(Value::as_object);
        if let Some(said) = text(block, "text") {
            parts.extend(Part::text("", said));
        } else if let Some(call) = within("toolUse") {
            // A tool that the provider ran itself is no call for the caller to answer.
            if text(call, "type") == Some("server_tool_use") {
                continue;
            }
            let said = |key: &str| text(call, key).unwrap_or_default().to_owned();
            let arguments = call.get("input").and_then(Value::as_object).cloned();
            let call = ToolCall {
                id: said("toolUseId"),
                name: said("name"),
                arguments: arguments.unwrap_or_default(),
                signature: None,
            };
            parts.push(Part::new("", Content::ToolCall(call)));
        } else if let Some(thought) = within("reasoningContent") {
            parts.extend(decode_thought(thought).map(|content| Part::new("", content)));
        } else if let Some(cited) = within("citationsContent") {
            let said = objects(cited.get("content")).filter_map(|it| text(it, "text"));
            parts.extend(Part::text("", &said.collect::<String>()));
        }
    }
    // Neither an id nor the model's name stand in the answer.
    let finish = finish(text(answer, "stopReason"));
    Ok(Reply { id: None, model: String::new(), parts, finish })
}

pub(super) fn finish(reason: Option<&str>) -> Finish {
    match reason {
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("tool_use") => Finish::ToolCalls,
        Some("stop_sequence") => Finish::StopSequence(None),
        Some("guardrail_intervened" | "content_filtered") => Finish::Refused,
        // `end_turn`, and outputs that the model spoilt, whose text says so.
        Some(_) | None => Finish::Stop,
    }
}

pub(super) fn stop_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Refused => "content_filtered",
    }
}

pub(super) fn encode(reply: &Reply, usage: Usage) -> Object {
    let content: Vec<Value> = reply.parts.iter().filter_map(block).collect();
    let message = json!({ "role": "assistant", "content": content });
    fields([
        ("output", json!({ "message": message })),
        ("stopReason", json!(stop_reason(&reply.finish))),
        ("usage", usage.to_converse()),
    ])
}

fn block(part: &Part) -> Option<Value> {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => Some(json!({ "text": text })),
        Content::ToolCall(call) => Some(json!({ "toolUse": {
            "toolUseId": call.id, "name": call.name, "input": call.arguments,
        } })),
        Content::Thinking { text, signature } => {
            let mut said = fields([("text", json!(text))]);
            said.extend(signature.as_ref().map(|it| ("signature".to_owned(), json!(it))));
            Some(json!({ "reasoningContent": { "reasoningText": said } }))
        }
        Content::Sealed(data) => Some(json!({ "reasoningContent": { "redactedContent": data } })),
        // No model of today answers with these.
        Content::Image(_)
        | Content::Document { .. }
        | Content::Audio(_)
        | Content::ToolResult { .. } => None,
    }
}
