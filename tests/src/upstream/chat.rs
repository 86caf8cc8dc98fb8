//! Chat completions, as OpenAI writes them, with `DeepSeek`'s
//! field for what was thought.

use bytes::Bytes;
use serde_json::{Value, json};

use super::dialect::{Frames, halves, pieces};
use super::question::{Question, Reply};
use super::script::{Script, ToolCall, Usage};

const CREATED: u64 = 1_700_000_000;

pub(super) fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt(),
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total(),
        "prompt_tokens_details": { "cached_tokens": usage.cache_read_tokens, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0 },
    })
}

pub(super) fn error(status: u16, message: &str) -> Value {
    let kind = match status {
        401 => "authentication_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    json!({ "error": { "message": message, "type": kind, "param": null, "code": null } })
}

pub(super) fn whole(id: u64, question: &Question, reply: &Reply) -> Value {
    let silent = reply.text.is_empty() && !reply.calls.is_empty();
    let content = if silent { Value::Null } else { json!(reply.text) };
    let mut message =
        json!({ "role": "assistant", "content": content, "refusal": null, "annotations": [] });
    if !reply.reasoning.is_empty() {
        message["reasoning_content"] = json!(reply.reasoning);
    }
    if !reply.calls.is_empty() {
        let calls = reply.calls.iter().enumerate();
        let calls = calls.map(|(at, call)| tool_call(id, at, call, &call.arguments.to_string()));
        message["tool_calls"] = calls.collect();
    }
    let mut answer = json!({
        "id": format!("chatcmpl-{id}"),
        "object": "chat.completion",
        "created": CREATED,
        "model": question.model,
        "choices": [{ "index": 0, "message": message, "logprobs": null,
            "finish_reason": reply.finish_reason }],
        "service_tier": "default",
        "system_fingerprint": null,
    });
    if let Some(counts) = reply.usage {
        answer["usage"] = usage(counts);
    }
    answer
}

/// The identity of one of an answer's calls.
pub(super) fn call_id(prefix: &str, id: u64, at: usize, call: &ToolCall) -> String {
    let own = || if at == 0 { format!("{prefix}_{id}") } else { format!("{prefix}_{id}_{at}") };
    call.id.clone().unwrap_or_else(own)
}

fn tool_call(id: u64, at: usize, call: &ToolCall, arguments: &str) -> Value {
    json!({
        "id": call_id("call", id, at, call),
        "type": "function",
        "function": { "name": call.name, "arguments": arguments },
    })
}

pub(super) fn frames(id: u64, question: &Question, script: &Script, reply: &Reply) -> Frames {
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": format!("chatcmpl-{id}"),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": question.model,
            "service_tier": "default",
            "system_fingerprint": null,
            "choices": choices,
        });
        if question.wants_usage {
            chunk["usage"] = usage;
        }
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let delta = |delta: Value, finish: Option<&str>| {
        let choice =
            json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
        chunk(json!([choice]), Value::Null)
    };
    let first = delta(json!({ "role": "assistant", "content": "", "refusal": null }), None);
    let mut parts = Vec::new();
    if !reply.reasoning.is_empty() {
        parts.push(delta(json!({ "reasoning_content": reply.reasoning }), None));
    }
    let texts = pieces(script, reply);
    parts.extend(texts.iter().map(|piece| delta(json!({ "content": piece }), None)));
    for (at, call) in reply.calls.iter().enumerate() {
        let mut start = tool_call(id, at, call, "");
        start["index"] = json!(at);
        parts.push(delta(json!({ "tool_calls": [start] }), None));
        for part in halves(&call.arguments.to_string()) {
            let part = json!({ "index": at, "function": { "arguments": part } });
            parts.push(delta(json!({ "tool_calls": [part] }), None));
        }
    }
    let mut last = vec![delta(json!({}), Some(&reply.finish_reason))];
    if let (Some(counts), true) = (reply.usage, question.wants_usage) {
        last.push(chunk(json!([]), usage(counts)));
    }
    if !script.no_end {
        last.push(Bytes::from_static(b"data: [DONE]\n\n"));
    }
    Frames { first: vec![first], pieces: parts, last }
}
