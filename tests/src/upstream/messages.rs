//! Messages, as Anthropic writes them.

use bytes::Bytes;
use serde_json::{Value, json};

use super::chat::call_id;
use super::dialect::{Frames, halves, pieces};
use super::question::{Question, Reply};
use super::script::{Script, Usage};

/// What Anthropic signs its thinking with; it wants it back unchanged.
pub(super) const SIGNATURE: &str = "c2NyaXB0ZWQtc2lnbmF0dXJl";

fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "service_tier": "standard",
    })
}

pub(super) fn error(status: u16, message: &str) -> Value {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    let error = json!({ "type": kind, "message": message });
    json!({ "type": "error", "error": error, "request_id": "req_scripted" })
}

/// Anthropic's and Bedrock's word for why the answer ended.
pub(super) fn stop_reason(finish_reason: &str) -> &str {
    match finish_reason {
        "stop" => "end_turn",
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "refusal",
        other => other,
    }
}

fn envelope(id: u64, question: &Question) -> Value {
    json!({
        "id": format!("msg_{id}"),
        "type": "message",
        "role": "assistant",
        "model": question.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
    })
}

fn container(id: u64, question: &Question) -> Option<Value> {
    let id = question.container(id, "container")?;
    Some(json!({ "id": id, "expires_at": "2030-01-01T00:00:00Z" }))
}

pub(super) fn whole(id: u64, question: &Question, reply: &Reply) -> Value {
    let mut content = Vec::new();
    if !reply.reasoning.is_empty() {
        let thinking = &reply.reasoning;
        content.push(json!({ "type": "thinking", "thinking": thinking, "signature": SIGNATURE }));
    }
    if !reply.text.is_empty() {
        content.push(json!({ "type": "text", "text": reply.text }));
    }
    for (at, call) in reply.calls.iter().enumerate() {
        let id = call_id("toolu", id, at, call);
        let (name, input) = (&call.name, &call.arguments);
        content.push(json!({ "type": "tool_use", "id": id, "name": name, "input": input }));
    }
    let mut message = envelope(id, question);
    message["content"] = json!(content);
    message["stop_reason"] = json!(stop_reason(&reply.finish_reason));
    if let Some(counts) = reply.usage {
        message["usage"] = usage(counts);
    }
    if let Some(container) = container(id, question) {
        message["container"] = container;
    }
    message
}

fn event(kind: &str, data: Value) -> Bytes {
    let mut data = data;
    data["type"] = json!(kind);
    format!("event: {kind}\ndata: {data}\n\n").into()
}

fn delta(index: usize, delta: Value) -> Bytes {
    event("content_block_delta", json!({ "index": index, "delta": delta }))
}

/// One block of the content: its start, its parts, its end.
struct Block {
    start: Value,
    deltas: Vec<Value>,
}

fn blocks(id: u64, script: &Script, reply: &Reply) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !reply.reasoning.is_empty() {
        let thought = json!({ "type": "thinking_delta", "thinking": reply.reasoning });
        blocks.push(Block {
            start: json!({ "type": "thinking", "thinking": "", "signature": "" }),
            deltas: vec![thought, json!({ "type": "signature_delta", "signature": SIGNATURE })],
        });
    }
    if !reply.text.is_empty() || reply.calls.is_empty() {
        let texts = pieces(script, reply);
        let texts = texts.iter().map(|text| json!({ "type": "text_delta", "text": text }));
        let deltas = texts.collect();
        blocks.push(Block { start: json!({ "type": "text", "text": "" }), deltas });
    }
    for (at, call) in reply.calls.iter().enumerate() {
        let id = call_id("toolu", id, at, call);
        let arguments = call.arguments.to_string();
        let part = |part: &str| json!({ "type": "input_json_delta", "partial_json": part });
        blocks.push(Block {
            start: json!({ "type": "tool_use", "id": id, "name": call.name, "input": {} }),
            deltas: halves(&arguments).into_iter().map(part).collect(),
        });
    }
    blocks
}

pub(super) fn frames(id: u64, question: &Question, script: &Script, reply: &Reply) -> Frames {
    let mut message = envelope(id, question);
    if let Some(counts) = reply.usage {
        message["usage"] = usage(Usage { output_tokens: 1, ..counts });
    }
    let mut first = vec![event("message_start", json!({ "message": message }))];
    let (mut pieces, mut last) = (Vec::new(), Vec::new());
    for (index, block) in blocks(id, script, reply).into_iter().enumerate() {
        // An end that another block follows is no end of the answer.
        pieces.append(&mut last);
        let start = json!({ "index": index, "content_block": block.start });
        let begun = if index == 0 { &mut first } else { &mut pieces };
        begun.push(event("content_block_start", start));
        if index == 0 {
            first.push(event("ping", json!({})));
        }
        pieces.extend(block.deltas.into_iter().map(|part| delta(index, part)));
        last.push(event("content_block_stop", json!({ "index": index })));
    }
    let stop = stop_reason(&reply.finish_reason);
    let mut end = json!({ "delta": { "stop_reason": stop, "stop_sequence": null } });
    if let Some(counts) = reply.usage {
        end["usage"] = json!({ "output_tokens": counts.output_tokens });
    }
    if let Some(container) = container(id, question) {
        end["delta"]["container"] = container;
    }
    last.push(event("message_delta", end));
    if !script.no_end {
        last.push(event("message_stop", json!({})));
    }
    Frames { first, pieces, last }
}
