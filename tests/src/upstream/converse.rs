//! Converse, as Amazon Bedrock writes it, streamed in Amazon's binary events.

use bytes::Bytes;
use serde_json::{Value, json};

use super::chat::call_id;
use super::dialect::{Frames, halves, pieces};
use super::eventstream::{self, Kind};
use super::messages::{SIGNATURE, stop_reason};
use super::question::Reply;
use super::script::{Script, Usage};

fn usage(usage: Usage) -> Value {
    json!({
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total(),
        "cacheReadInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    })
}

pub(super) fn error(message: &str) -> Value {
    json!({ "message": message })
}

pub(super) fn error_type(status: u16) -> &'static str {
    match status {
        400 => "ValidationException",
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        _ => "InternalServerException",
    }
}

/// Bedrock's own word for a filtered answer; the rest is as Anthropic's.
fn reason(reply: &Reply) -> &str {
    match reply.finish_reason.as_str() {
        "content_filter" => "content_filtered",
        other => stop_reason(other),
    }
}

pub(super) fn whole(id: u64, reply: &Reply) -> Value {
    let mut content = Vec::new();
    if !reply.reasoning.is_empty() {
        let thought = json!({ "text": reply.reasoning, "signature": SIGNATURE });
        content.push(json!({ "reasoningContent": { "reasoningText": thought } }));
    }
    if !reply.text.is_empty() || reply.calls.is_empty() {
        content.push(json!({ "text": reply.text }));
    }
    for (at, call) in reply.calls.iter().enumerate() {
        let id = call_id("tooluse", id, at, call);
        let (name, input) = (&call.name, &call.arguments);
        content.push(json!({ "toolUse": { "toolUseId": id, "name": name, "input": input } }));
    }
    let mut whole = json!({
        "output": { "message": { "role": "assistant", "content": content } },
        "stopReason": reason(reply),
        "metrics": { "latencyMs": 1 },
    });
    if let Some(counts) = reply.usage {
        whole["usage"] = usage(counts);
    }
    whole
}

fn event(kind: &str, data: Value) -> Bytes {
    let mut data = data;
    // Bedrock hides the length of its pieces.
    data["p"] = json!("abcdefgh");
    eventstream::frame(&Kind::Event(kind), &data.to_string())
}

/// An error in the middle of a stream.
pub(super) fn exception(status: u16, body: &Value) -> Bytes {
    let kind = match status {
        400 => "validationException",
        429 => "throttlingException",
        503 | 529 => "serviceUnavailableException",
        424 => "modelStreamErrorException",
        _ => "internalServerException",
    };
    eventstream::frame(&Kind::Exception(kind), &body.to_string())
}

/// One block of the content: what it begins with, if anything, and its parts.
fn blocks(id: u64, script: &Script, reply: &Reply) -> Vec<(Option<Value>, Vec<Value>)> {
    let mut blocks = Vec::new();
    if !reply.reasoning.is_empty() {
        let part = |part: Value| json!({ "reasoningContent": part });
        let thought = part(json!({ "text": reply.reasoning }));
        blocks.push((None, vec![thought, part(json!({ "signature": SIGNATURE }))]));
    }
    if !reply.text.is_empty() || reply.calls.is_empty() {
        let texts = pieces(script, reply);
        blocks.push((None, texts.iter().map(|text| json!({ "text": text })).collect()));
    }
    for (at, call) in reply.calls.iter().enumerate() {
        let id = call_id("tooluse", id, at, call);
        let start = json!({ "toolUse": { "toolUseId": id, "name": call.name } });
        let arguments = call.arguments.to_string();
        let part = |part: &str| json!({ "toolUse": { "input": part } });
        blocks.push((Some(start), halves(&arguments).into_iter().map(part).collect()));
    }
    blocks
}

pub(super) fn frames(id: u64, script: &Script, reply: &Reply) -> Frames {
    let first = vec![event("messageStart", json!({ "role": "assistant" }))];
    let (mut pieces, mut last) = (Vec::new(), Vec::new());
    for (index, (start, deltas)) in blocks(id, script, reply).into_iter().enumerate() {
        pieces.append(&mut last);
        let within = |key: &str, value: Value| json!({ "contentBlockIndex": index, key: value });
        pieces.extend(start.map(|start| event("contentBlockStart", within("start", start))));
        let deltas = deltas.into_iter();
        pieces.extend(deltas.map(|part| event("contentBlockDelta", within("delta", part))));
        last.push(event("contentBlockStop", json!({ "contentBlockIndex": index })));
    }
    last.push(event("messageStop", json!({ "stopReason": reason(reply) })));
    if let Some(counts) = reply.usage
        && !script.no_end
    {
        let metadata = json!({ "usage": usage(counts), "metrics": { "latencyMs": 1 } });
        last.push(event("metadata", metadata));
    }
    Frames { first, pieces, last }
}
