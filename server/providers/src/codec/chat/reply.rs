//! A whole chat completion.

use serde_json::{Value, json};

use crate::codec::{identifier, now};
use crate::error::UpstreamError;
use crate::ir::{Content, Finish, Part, Reply, ToolCall};
use crate::json::{Object, object as fields, objects, text};
use crate::usage::Usage;

pub(super) fn decode(answer: &Object) -> Result<Reply, UpstreamError> {
    let choice = objects(answer.get("choices")).next();
    let message = choice.and_then(|choice| choice.get("message")?.as_object());
    let (Some(choice), Some(message)) = (choice, message) else {
        return Err(UpstreamError::Malformed("it has no answer in it"));
    };
    let mut parts = Vec::new();
    let thought = ["reasoning_content", "reasoning"].into_iter().find_map(|key| text(message, key));
    if let Some(thought) = thought.filter(|it| !it.is_empty()) {
        let thinking = Content::Thinking { text: thought.to_owned(), signature: None };
        parts.push(Part::new("", thinking));
    }
    parts.extend(said(message));
    let refusal = text(message, "refusal").filter(|it| !it.is_empty());
    parts.extend(refusal.map(|it| Part::new("", Content::Refusal(it.to_owned()))));
    for call in objects(message.get("tool_calls")) {
        parts.push(Part::new("", Content::ToolCall(tool_call(call)?)));
    }
    let mut reply = Reply {
        id: text(answer, "id").map(str::to_owned),
        model: text(answer, "model").unwrap_or_default().to_owned(),
        parts,
        finish: finish(text(choice, "finish_reason")),
    };
    // Some servers say "stop" with calls too, and a client would not run them.
    if reply.finish == Finish::Stop && reply.calls_tools() {
        reply.finish = Finish::ToolCalls;
    }
    Ok(reply)
}

/// A text; some servers (Mistral's with thoughts) give parts.
fn said(message: &Object) -> Vec<Part> {
    match message.get("content") {
        Some(Value::String(said)) => Part::text("", said).into_iter().collect(),
        Some(parts) => objects(Some(parts))
            .filter_map(|part| match text(part, "type") {
                Some("thinking") => {
                    let texts = objects(part.get("thinking")).filter_map(|it| text(it, "text"));
                    let text = texts.collect::<String>();
                    Some(Part::new("", Content::Thinking { text, signature: None }))
                }
                _ => Part::text("", text(part, "text")?),
            })
            .collect(),
        None => Vec::new(),
    }
}

fn tool_call(call: &Object) -> Result<ToolCall, UpstreamError> {
    let function = call.get("function").and_then(Value::as_object);
    let function = function.ok_or(UpstreamError::Malformed("a tool call has no function"))?;
    let arguments = match function.get("arguments") {
        Some(Value::String(arguments)) if !arguments.trim().is_empty() => {
            serde_json::from_str(arguments).map_err(|_| {
                UpstreamError::Malformed("a tool call's arguments are not a JSON object")
            })?
        }
        // Some servers forget to make a text of it.
        Some(Value::Object(arguments)) => arguments.clone(),
        _ => Object::new(),
    };
    Ok(ToolCall {
        id: text(call, "id").unwrap_or_default().to_owned(),
        name: text(function, "name").unwrap_or_default().to_owned(),
        arguments,
        signature: proof(call).map(str::to_owned),
    })
}

/// The proof of the thought behind a call, where Google's own chat endpoint has it.
pub(super) fn proof(call: &Object) -> Option<&str> {
    call.get("extra_content")?.pointer("/google/thought_signature")?.as_str()
}

/// The field that holds such a proof.
pub(super) fn proven(signature: Option<&str>) -> Option<(String, Value)> {
    let google = json!({ "google": { "thought_signature": signature? } });
    Some(("extra_content".to_owned(), google))
}

pub(super) fn finish(reason: Option<&str>) -> Finish {
    match reason {
        Some("length" | "max_tokens" | "model_length") => Finish::Length,
        Some("tool_calls" | "function_call") => Finish::ToolCalls,
        Some("content_filter") => Finish::Refused,
        Some(_) | None => Finish::Stop,
    }
}

pub(super) const fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Refused => "content_filter",
    }
}

pub(super) fn encode(reply: &Reply, usage: Usage) -> Object {
    let (mut said, mut refusal, mut thought, mut calls) =
        (String::new(), String::new(), String::new(), Vec::new());
    for part in &reply.parts {
        match &part.content {
            Content::Text(text) => said.push_str(text),
            Content::Refusal(text) => refusal.push_str(text),
            Content::Thinking { text, .. } => thought.push_str(text),
            Content::ToolCall(call) => {
                let function = json!({
                    "name": call.name,
                    "arguments": Value::Object(call.arguments.clone()).to_string(),
                });
                let mut said = fields([
                    ("id", json!(call.id)),
                    ("type", json!("function")),
                    ("function", function),
                ]);
                said.extend(proven(call.signature.as_deref()));
                calls.push(Value::Object(said));
            }
            // No model of today answers with these, and chat has no field for them.
            Content::Image(_)
            | Content::Document { .. }
            | Content::Audio(_)
            | Content::ToolResult { .. }
            | Content::Sealed(_) => {}
        }
    }
    let nothing = said.is_empty() && (!calls.is_empty() || !refusal.is_empty());
    let content = if nothing { Value::Null } else { json!(said) };
    let refusal = if refusal.is_empty() { Value::Null } else { json!(refusal) };
    let mut message =
        fields([("role", json!("assistant")), ("content", content), ("refusal", refusal)]);
    if !thought.is_empty() {
        message.insert("reasoning_content".to_owned(), json!(thought));
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    fields([
        ("id", json!(identifier("chatcmpl-", reply.id.as_deref()))),
        ("object", json!("chat.completion")),
        ("created", json!(now())),
        ("model", json!(reply.model)),
        (
            "choices",
            json!([{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": finish_reason(&reply.finish),
            }]),
        ),
        ("usage", usage.to_chat()),
    ])
}
