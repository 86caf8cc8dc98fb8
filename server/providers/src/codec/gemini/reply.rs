//! A whole answer of Google's.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::proof;
use crate::codec::now;
use crate::error::UpstreamError;
use crate::ir::{Content, Finish, Part, Reply, Source, ToolCall};
use crate::json::{Object, given, object as fields, objects, text};
use crate::usage::Usage;

/// What begins the id of a call that Google gave none; it is never sent back.
const MADE_UP: &str = "gemini_";

pub(super) fn is_made_up(id: &str) -> bool {
    id.starts_with(MADE_UP)
}

/// Gives ids to the calls of one answer.
#[derive(Debug)]
pub(super) struct Ids {
    answer: String,
    calls: usize,
}

impl Ids {
    /// Other dialects allow few characters in an id, and OpenAI only forty of them.
    pub fn of(answer: Option<&str>) -> Self {
        static ANSWERS: AtomicU64 = AtomicU64::new(0);
        let known = answer.unwrap_or_default().chars();
        let known: String = known
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .take(28)
            .collect();
        let answer = if known.is_empty() {
            format!("{:x}_{:x}", now(), ANSWERS.fetch_add(1, Ordering::Relaxed))
        } else {
            known
        };
        Self { answer, calls: 0 }
    }

    pub fn next(&mut self, given: Option<&str>) -> String {
        let number = self.calls;
        self.calls += 1;
        match given.filter(|id| !id.is_empty()) {
            Some(id) => id.to_owned(),
            None => format!("{MADE_UP}{}_{number}", self.answer),
        }
    }
}

/// The parts of an answer, or of a piece of one.
pub(super) fn said(candidate: &Object) -> impl Iterator<Item = &Object> {
    objects(candidate.get("content").and_then(|content| content.get("parts")))
}

pub(super) fn is_thought(part: &Object) -> bool {
    part.get("thought") == Some(&Value::Bool(true))
}

pub(super) fn decode(answer: &Object) -> Result<Reply, UpstreamError> {
    let id = text(answer, "responseId").map(str::to_owned);
    let mut reply = Reply {
        model: text(answer, "modelVersion").unwrap_or_default().to_owned(),
        parts: Vec::new(),
        finish: Finish::Stop,
        id,
    };
    let Some(candidate) = objects(answer.get("candidates")).next() else {
        let end = blocked(answer).ok_or(UpstreamError::Malformed("it has no answer in it"))?;
        reply.parts.extend(end.refusal.map(refused));
        reply.finish = end.finish;
        return Ok(reply);
    };
    let mut ids = Ids::of(reply.id.as_deref());
    for part in said(candidate) {
        reply.parts.extend(decode_part(part, &mut ids));
    }
    let end = finish(text(candidate, "finishReason"), text(candidate, "finishMessage"));
    reply.parts.extend(end.refusal.map(refused));
    reply.finish = match end.finish {
        Finish::Stop if reply.calls_tools() => Finish::ToolCalls,
        finish => finish,
    };
    Ok(reply)
}

fn refused(why: String) -> Part {
    Part::new("", Content::Refusal(why))
}

fn decode_part(part: &Object, ids: &mut Ids) -> Option<Part> {
    if let Some(said) = text(part, "text") {
        return if is_thought(part) {
            // The proof is Google's, and worth nothing to those who speak another dialect.
            Some(Content::Thinking { text: said.to_owned(), signature: None })
                .filter(|_| !said.is_empty())
                .map(|thought| Part::new("", thought))
        } else {
            Part::text("", said)
        };
    }
    let content = if let Some(call) = given(part, "functionCall").and_then(Value::as_object) {
        Content::ToolCall(ToolCall {
            id: ids.next(text(call, "id")),
            name: text(call, "name").unwrap_or_default().to_owned(),
            arguments: arguments(call),
            signature: text(part, "thoughtSignature").map(str::to_owned),
        })
    } else {
        let blob = given(part, "inlineData")?.as_object()?;
        let media_type = text(blob, "mimeType")?.to_owned();
        let source = Source::Base64 { data: text(blob, "data")?.to_owned(), media_type };
        Content::Image(source)
    };
    Some(Part::new("", content))
}

pub(super) fn arguments(call: &Object) -> Object {
    call.get("args").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The refusal of a prompt, with Google's sentence where there is one.
pub(super) fn blocked(answer: &Object) -> Option<End> {
    let feedback = given(answer, "promptFeedback")?.as_object()?;
    text(feedback, "blockReason")?;
    let refusal = text(feedback, "blockReasonMessage").filter(|it| !it.is_empty());
    Some(End { finish: Finish::Refused, refusal: refusal.map(str::to_owned) })
}

/// The end of an answer, and what is said of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    pub finish: Finish,
    pub refusal: Option<String>,
}

pub(super) fn finish(reason: Option<&str>, message: Option<&str>) -> End {
    let message = message.filter(|it| !it.is_empty()).map(str::to_owned);
    let refused = |refusal| End { finish: Finish::Refused, refusal };
    match reason {
        None | Some("STOP" | "FINISH_REASON_UNSPECIFIED") => {
            End { finish: Finish::Stop, refusal: None }
        }
        Some("MAX_TOKENS") => End { finish: Finish::Length, refusal: None },
        // No filter, but a failure of the model, which must not look like an answer.
        Some(
            "MALFORMED_FUNCTION_CALL"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS"
            | "MISSING_THOUGHT_SIGNATURE"
            | "MALFORMED_RESPONSE",
        ) => {
            let usual = || "The model called a tool in a way that cannot be understood.".to_owned();
            refused(Some(message.unwrap_or_else(usual)))
        }
        // `SAFETY`, `RECITATION`, `BLOCKLIST`, `PROHIBITED_CONTENT`, `SPII`, `LANGUAGE` and others.
        Some(_) => refused(message),
    }
}

pub(super) const fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Refused => "SAFETY",
    }
}

pub(super) fn encode(reply: &Reply, usage: Usage) -> Object {
    let mut proven = false;
    let parts = reply.parts.iter().filter_map(|part| encode_part(part, &mut proven)).collect();
    let mut body = chunk(parts, Some(finish_reason(&reply.finish)), &reply.model);
    body.insert("usageMetadata".to_owned(), usage.to_gemini());
    if let Some(id) = &reply.id {
        body.insert("responseId".to_owned(), json!(id));
    }
    body
}

/// An answer, or a piece of one.
pub(super) fn chunk(parts: Vec<Value>, finish: Option<&str>, model: &str) -> Object {
    let content = json!({ "parts": parts, "role": "model" });
    let mut candidate = fields([("content", content), ("index", json!(0))]);
    if let Some(finish) = finish {
        candidate.insert("finishReason".to_owned(), json!(finish));
    }
    fields([("candidates", json!([candidate])), ("modelVersion", json!(model))])
}

fn encode_part(part: &Part, proven: &mut bool) -> Option<Value> {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => Some(json!({ "text": text })),
        Content::Thinking { text, signature } => Some(thought(text, signature.as_deref())),
        Content::Sealed(data) => Some(sealed(data)),
        Content::ToolCall(call) => Some(called(call, std::mem::replace(proven, true))),
        Content::Image(Source::Base64 { media_type, data }) => {
            Some(json!({ "inlineData": { "mimeType": media_type, "data": data } }))
        }
        // No model of today answers with these.
        Content::Image(Source::Url(_) | Source::File(_))
        | Content::Document { .. }
        | Content::Audio(_)
        | Content::ToolResult { .. } => None,
    }
}

pub(super) fn thought(text: &str, signature: Option<&str>) -> Value {
    let mut part = fields([("text", json!(text)), ("thought", json!(true))]);
    if let Some(signature) = signature {
        part.insert("thoughtSignature".to_owned(), json!(proof::thinking(signature)));
    }
    Value::Object(part)
}

pub(super) fn sealed(data: &str) -> Value {
    json!({ "text": "", "thought": true, "thoughtSignature": proof::sealed(data) })
}

/// Another vendor's call. The first one of an answer says so, for the case that the conversation
/// moves to a model of Google's, which would ask for its proof.
pub(super) fn called(call: &ToolCall, proven: bool) -> Value {
    let function = json!({ "id": call.id, "name": call.name, "args": call.arguments });
    let mut part = fields([("functionCall", function)]);
    let proof = call.signature.as_deref().or((!proven).then_some(proof::NOT_GOOGLES));
    if let Some(signature) = proof {
        part.insert("thoughtSignature".to_owned(), json!(signature));
    }
    Value::Object(part)
}
