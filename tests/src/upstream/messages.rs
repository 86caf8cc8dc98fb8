//! Messages, as Anthropic writes them.

use serde_json::{Value, json};

use super::question::{Question, Reply};
use super::script::{Script, Usage};

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

fn stop_reason(reply: &Reply) -> &str {
    match reply.finish_reason.as_str() {
        "stop" => "end_turn",
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "refusal",
        other => other,
    }
}

fn tool_use(id: u64, script: &Script, input: bool) -> Option<Value> {
    let call = script.tool_call.as_ref()?;
    Some(json!({
        "type": "tool_use",
        "id": call.id.clone().unwrap_or_else(|| format!("toolu_{id}")),
        "name": call.name,
        "input": if input { call.arguments.clone() } else { json!({}) },
    }))
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

pub(super) fn whole(id: u64, question: &Question, script: &Script, reply: &Reply) -> Value {
    let text = (!reply.text.is_empty()).then(|| json!({ "type": "text", "text": reply.text }));
    let content: Vec<Value> = text.into_iter().chain(tool_use(id, script, true)).collect();
    let mut message = envelope(id, question);
    message["content"] = json!(content);
    message["stop_reason"] = json!(stop_reason(reply));
    if let Some(counts) = reply.usage {
        message["usage"] = usage(counts);
    }
    message
}

fn event(kind: &str, mut data: Value) -> String {
    data["type"] = json!(kind);
    format!("event: {kind}\ndata: {data}\n\n")
}

/// The events before the pieces of the text, the pieces, and the events after them.
pub(super) fn events(
    id: u64,
    question: &Question,
    script: &Script,
    reply: &Reply,
) -> (Vec<String>, Vec<String>, Vec<String>) {
    let mut message = envelope(id, question);
    if let Some(counts) = reply.usage {
        message["usage"] = usage(Usage { output_tokens: 1, ..counts });
    }
    let mut first = vec![event("message_start", json!({ "message": message }))];
    let (mut pieces, mut index) = (Vec::new(), 0);
    let start = |index: u64, block: Value| {
        event("content_block_start", json!({ "index": index, "content_block": block }))
    };
    let delta = |index: u64, delta: Value| {
        event("content_block_delta", json!({ "index": index, "delta": delta }))
    };
    let stop = |index: u64| event("content_block_stop", json!({ "index": index }));
    let mut last = Vec::new();
    if !reply.text.is_empty() || script.tool_call.is_none() {
        first.push(start(index, json!({ "type": "text", "text": "" })));
        first.push(event("ping", json!({})));
        let texts = super::respond::pieces(script, reply);
        pieces.extend(
            texts.iter().map(|text| delta(index, json!({ "type": "text_delta", "text": text }))),
        );
        last.push(stop(index));
        index += 1;
    }
    if let (Some(block), Some(call)) = (tool_use(id, script, false), &script.tool_call) {
        pieces.append(&mut last);
        pieces.push(start(index, block));
        for part in super::respond::halves(&call.arguments.to_string()) {
            pieces.push(delta(index, json!({ "type": "input_json_delta", "partial_json": part })));
        }
        last.push(stop(index));
    }
    let mut end = json!({ "delta": { "stop_reason": stop_reason(reply), "stop_sequence": null } });
    if let Some(counts) = reply.usage {
        end["usage"] = json!({ "output_tokens": counts.output_tokens });
    }
    last.push(event("message_delta", end));
    if !script.no_end {
        last.push(event("message_stop", json!({})));
    }
    (first, pieces, last)
}
