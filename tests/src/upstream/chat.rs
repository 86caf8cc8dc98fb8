//! Chat completions, as OpenAI writes them.

use serde_json::{Value, json};

use super::question::{Question, Reply};
use super::script::{Script, ToolCall, Usage};

const CREATED: u64 = 1_700_000_000;

pub(super) fn usage(usage: Usage) -> Value {
    let prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": { "cached_tokens": usage.cache_read_tokens, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0 },
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

pub(super) fn whole(id: u64, question: &Question, script: &Script, reply: &Reply) -> Value {
    let content = if reply.text.is_empty() && script.tool_call.is_some() {
        Value::Null
    } else {
        json!(reply.text)
    };
    let mut message =
        json!({ "role": "assistant", "content": content, "refusal": null, "annotations": [] });
    if let Some(call) = &script.tool_call {
        message["tool_calls"] = json!([tool_call(id, call, &call.arguments.to_string())]);
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

fn tool_call(id: u64, call: &ToolCall, arguments: &str) -> Value {
    json!({
        "id": call.id.clone().unwrap_or_else(|| format!("call_{id}")),
        "type": "function",
        "function": { "name": call.name, "arguments": arguments },
    })
}

/// The events before the pieces of the text, the pieces, and the events after them.
pub(super) fn events(
    id: u64,
    question: &Question,
    script: &Script,
    reply: &Reply,
) -> (Vec<String>, Vec<String>, Vec<String>) {
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
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, finish: Option<&str>| {
        let choice =
            json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
        chunk(json!([choice]), Value::Null)
    };
    let first = delta(json!({ "role": "assistant", "content": "", "refusal": null }), None);
    let pieces = super::respond::pieces(script, reply);
    let mut pieces: Vec<String> =
        pieces.iter().map(|piece| delta(json!({ "content": piece }), None)).collect();
    if let Some(call) = &script.tool_call {
        let mut start = tool_call(id, call, "");
        start["index"] = json!(0);
        pieces.push(delta(json!({ "tool_calls": [start] }), None));
        for part in super::respond::halves(&call.arguments.to_string()) {
            let part = json!({ "index": 0, "function": { "arguments": part } });
            pieces.push(delta(json!({ "tool_calls": [part] }), None));
        }
    }
    let mut last = vec![delta(json!({}), Some(&reply.finish_reason))];
    if let (Some(counts), true) = (reply.usage, question.wants_usage) {
        last.push(chunk(json!([]), usage(counts)));
    }
    if !script.no_end {
        last.push("data: [DONE]\n\n".to_owned());
    }
    (vec![first], pieces, last)
}
