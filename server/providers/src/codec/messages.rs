//! Anthropic's messages.

mod encode;
mod reply;
mod request;
mod stream;

use bytes::Bytes;
use ralex_kernel::{Code, FieldError, Problem};
use serde_json::{Value, json};

use super::responses::{is_openais, read_called};
use super::{Asked, Codec, Decode, Encode};
use crate::error::UpstreamError;
use crate::inbound::{Inbound, flag, messages, whole};
use crate::ir::{Reply, Request};
use crate::json::{Object, given};
use crate::prepare::{Splice, Target};
use crate::relay::Relay;
use crate::usage::{Meter, Usage};

/// The codec.
pub(crate) struct Messages;

impl Codec for Messages {
    fn read(&self, body: &Object) -> Result<Asked, Problem> {
        messages(body)?;
        if given(body, THREAD).is_some() {
            return Err(thread());
        }
        let max_output = whole(body, "max_tokens")?;
        Ok(Asked { streamed: flag(body, "stream")?, max_output, answers: 1 })
    }

    fn splice(
        &self,
        inbound: &Inbound,
        target: &Target,
        max_output: u64,
        splice: &mut Splice,
    ) -> Result<(), Problem> {
        splice.set(inbound, "model", &json!(target.upstream_model));
        if inbound.max_output().is_none() {
            splice.set(inbound, "max_tokens", &json!(max_output));
        }
        if let Some(messages) = without_foreign(inbound.body().get("messages")) {
            splice.set(inbound, "messages", &messages);
        }
        Ok(())
    }

    fn decode_request(&self, inbound: &Inbound) -> Result<Request, Problem> {
        request::decode(inbound)
    }

    fn encode_request(
        &self,
        request: &Request,
        target: &Target,
        max_output: u64,
    ) -> Result<Object, Problem> {
        encode::encode(request, target, max_output)
    }

    fn decode_reply(&self, answer: &Object) -> Result<Reply, UpstreamError> {
        reply::decode(answer)
    }

    fn encode_reply(&self, reply: &Reply, usage: Usage, _: &Inbound) -> Object {
        reply::encode(reply, usage)
    }

    fn usage(&self, answer: &Object) -> Option<Usage> {
        Usage::of_message(answer.get("usage"))
    }

    fn decoder(&self, meter: Meter) -> Box<dyn Decode> {
        Box::new(stream::Decoder::new(meter))
    }

    fn encoder(&self, meter: Meter, asked: &Inbound) -> Box<dyn Encode> {
        Box::new(stream::Encoder::new(meter, asked.counted_tokens()))
    }

    fn pass(&self, meter: Meter, _: &Inbound) -> Box<dyn Relay> {
        Box::new(stream::Pass::new(meter))
    }

    fn heartbeat(&self) -> &'static [u8] {
        b"event: ping\ndata: {\"type\":\"ping\"}\n\n"
    }

    fn error_body(&self, problem: &Problem) -> Value {
        let mut error = json!({ "type": error_type(problem.status), "message": problem.detail });
        if problem.errors.iter().any(|field| field.path == THREAD) {
            // Anthropic's own words, after which its SDKs send whole conversations.
            let code = "thread_unsupported_request";
            error["details"] = json!({ "error_code": code, "unsupported": [THREAD] });
        }
        json!({ "type": "error", "error": error, "request_id": problem.request_id })
    }

    fn error_event(&self, problem: &Problem) -> Bytes {
        format!("event: error\ndata: {}\n\n", self.error_body(problem)).into()
    }
}

/// Where Anthropic's SDKs, tool runners first of all, ask the provider to hold the conversation.
const THREAD: &str = "thread";

/// A provider's key is shared by teams, and so would be the conversations that are held under it;
/// and neither guardrails nor holds would see more of one than its last turn.
fn thread() -> Problem {
    let mut problem = Problem::new(
        Code::Unsupported,
        "`thread` is not supported: no provider holds conversations for callers of Ralex. Send all \
         messages with each call.",
    );
    let message = "is not supported".to_owned();
    problem.errors.push(FieldError { path: THREAD.to_owned(), message });
    problem
}

/// True for a thought without Anthropic's proof, which would be refused.
fn is_foreign(block: &Value) -> bool {
    let proof = |key| block.get(key).and_then(Value::as_str).unwrap_or_default();
    match block.get("type").and_then(Value::as_str) {
        Some("thinking") => proof("signature").is_empty() || is_openais(proof("signature")),
        Some("redacted_thinking") => {
            is_openais(proof("data")) || read_called(proof("data")).is_some()
        }
        Some(_) | None => false,
    }
}

/// The messages without other vendors' thoughts, where there are any: a conversation may move from
/// one model to another.
fn without_foreign(messages: Option<&Value>) -> Option<Value> {
    let messages = messages?.as_array()?;
    let foreign = |message: &Value| {
        let blocks = message.get("content").and_then(Value::as_array);
        blocks.is_some_and(|blocks| blocks.iter().any(is_foreign))
    };
    if !messages.iter().any(foreign) {
        return None;
    }
    let kept = messages.iter().filter_map(|message| {
        let mut message = message.clone();
        let all = message.get_mut("content").and_then(Value::as_array_mut);
        let emptied = all.is_some_and(|all| {
            all.retain(|block| !is_foreign(block));
            all.is_empty()
        });
        (!emptied).then_some(message)
    });
    Some(kept.collect())
}

const fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        _ => "api_error",
    }
}
