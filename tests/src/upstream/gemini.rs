//! `generateContent` and its companions, as Google writes them.

use bytes::Bytes;
use serde_json::{Value, json};

use super::dialect::{Frames, pieces};
use super::question::{Question, Reply};
use super::script::{Script, Usage};

/// What Google marks thinking with; it wants it back with the call that followed.
const SIGNATURE: &str = "c2NyaXB0ZWQtdGhvdWdodA==";

/// Thoughts are not among the candidates' tokens.
fn usage(usage: Usage) -> Value {
    let mut told = json!({
        "promptTokenCount": usage.prompt(),
        "candidatesTokenCount": usage.output_tokens.saturating_sub(usage.reasoning_tokens),
        "totalTokenCount": usage.total(),
        "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": usage.prompt() }],
    });
    if usage.reasoning_tokens > 0 {
        told["thoughtsTokenCount"] = json!(usage.reasoning_tokens);
    }
    if usage.cache_read_tokens > 0 {
        told["cachedContentTokenCount"] = json!(usage.cache_read_tokens);
    }
    told
}

pub(super) fn error(status: u16, message: &str) -> Value {
    let word = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    };
    json!({ "error": { "code": status, "message": message, "status": word } })
}

fn finish_reason(reply: &Reply) -> &str {
    match reply.finish_reason.as_str() {
        "stop" | "tool_calls" => "STOP",
        "length" => "MAX_TOKENS",
        "content_filter" => "SAFETY",
        other => other,
    }
}

fn calls(id: u64, reply: &Reply) -> Vec<Value> {
    let calls = reply.calls.iter().enumerate().map(|(at, call)| {
        let mut part = json!({ "functionCall": { "name": call.name, "args": call.arguments } });
        if let Some(id) = &call.id {
            part["functionCall"]["id"] = json!(id);
        } else {
            part["functionCall"]["id"] = json!(format!("fc-{id}-{at}"));
        }
        // Only the first of parallel calls carries it.
        if at == 0 && !reply.reasoning.is_empty() {
            part["thoughtSignature"] = json!(SIGNATURE);
        }
        part
    });
    calls.collect()
}

fn answer(id: u64, question: &Question, parts: Value, finish: Option<&str>) -> Value {
    let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": 0 });
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    json!({ "candidates": [candidate], "modelVersion": question.model,
        "responseId": format!("gemini-{id}") })
}

pub(super) fn whole(id: u64, question: &Question, reply: &Reply) -> Value {
    let mut parts = Vec::new();
    if !reply.reasoning.is_empty() {
        parts.push(json!({ "text": reply.reasoning, "thought": true }));
    }
    if !reply.text.is_empty() || reply.calls.is_empty() {
        parts.push(json!({ "text": reply.text }));
    }
    parts.extend(calls(id, reply));
    let mut whole = answer(id, question, json!(parts), Some(finish_reason(reply)));
    if let Some(counts) = reply.usage {
        whole["usageMetadata"] = usage(counts);
    }
    whole
}

/// Server-sent events, as `alt=sse` asks for; calls of tools are never cut in parts.
pub(super) fn frames(id: u64, question: &Question, script: &Script, reply: &Reply) -> Frames {
    let chunk = |parts: Value, last: bool| {
        let finish = last.then(|| finish_reason(reply));
        let mut chunk = answer(id, question, parts, finish);
        if let Some(counts) = reply.usage {
            // Before the end only the prompt is counted.
            let so_far = Usage { output_tokens: 0, reasoning_tokens: 0, ..counts };
            chunk["usageMetadata"] = usage(if last { counts } else { so_far });
        }
        Bytes::from(format!("data: {chunk}\r\n\r\n"))
    };
    let mut frames = Frames::default();
    if !reply.reasoning.is_empty() {
        let thought = json!([{ "text": reply.reasoning, "thought": true }]);
        frames.pieces.push(chunk(thought, false));
    }
    for text in pieces(script, reply) {
        frames.pieces.push(chunk(json!([{ "text": text }]), false));
    }
    for call in calls(id, reply) {
        frames.pieces.push(chunk(json!([call]), false));
    }
    if !script.no_end {
        frames.last.push(chunk(json!([{ "text": "" }]), true));
    }
    frames
}

/// Without `alt=sse` a stream is one JSON array that grows.
pub(super) fn as_array(frames: Frames) -> Frames {
    let bare = |frame: &Bytes| {
        let text = String::from_utf8_lossy(frame);
        text.trim_start_matches("data: ").trim_end().to_owned()
    };
    let all = frames.first.iter().chain(&frames.pieces).chain(&frames.last);
    let mut pieces: Vec<Bytes> = all
        .enumerate()
        .map(|(at, frame)| format!("{}{}", if at == 0 { "[" } else { ",\r\n" }, bare(frame)).into())
        .collect();
    pieces.push(Bytes::from_static(b"]"));
    Frames { pieces, ..Frames::default() }
}
