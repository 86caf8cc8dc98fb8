//! Google's generateContent, of AI Studio and of Vertex.
//!
//! The model and whether the answer is streamed stand in the address. Google reads every field in
//! two spellings, and so does this: see [`fields`].

mod array;
mod config;
mod contents;
pub(crate) mod count;
pub(super) mod fields;
mod model;
mod parts;
mod proof;
mod reply;
mod request;
mod schema;
mod splice;
mod stream;
#[cfg(test)]
mod tests;
mod tools;

use bytes::Bytes;
use ralex_kernel::Problem;
use serde_json::{Value, json};

use super::{Asked, Codec, Decode, Encode};
use crate::error::UpstreamError;
use crate::inbound::Inbound;
use crate::ir::{Reply, Request};
use crate::json::Object;
use crate::prepare::{Splice, Target};
use crate::relay::Relay;
use crate::usage::{Meter, Usage};

pub use array::JsonArray;
pub(crate) use fields::spells;

/// The codec.
pub(crate) struct Gemini;

impl Codec for Gemini {
    fn read(&self, body: &Object) -> Result<Asked, Problem> {
        request::read(body)
    }

    fn splice(
        &self,
        inbound: &Inbound,
        target: &Target,
        max_output: u64,
        splice: &mut Splice,
    ) -> Result<(), Problem> {
        splice::splice(inbound, target, max_output, splice)
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
        request::encode(request, target, max_output)
    }

    fn decode_reply(&self, answer: &Object) -> Result<Reply, UpstreamError> {
        reply::decode(answer)
    }

    fn encode_reply(&self, reply: &Reply, usage: Usage, _: &Inbound) -> Object {
        reply::encode(reply, usage)
    }

    fn usage(&self, answer: &Object) -> Option<Usage> {
        Usage::of_whole_gemini(answer)
    }

    fn decoder(&self, meter: Meter) -> Box<dyn Decode> {
        Box::new(stream::Decoder::new(meter))
    }

    fn encoder(&self, meter: Meter, _: &Inbound) -> Box<dyn Encode> {
        Box::new(stream::Encoder::new(meter))
    }

    fn pass(&self, meter: Meter, _: &Inbound) -> Box<dyn Relay> {
        Box::new(stream::Pass::new(meter))
    }

    /// Google's own readers take every line for data, and fail at a comment.
    fn heartbeat(&self) -> &'static [u8] {
        b""
    }

    fn error_body(&self, problem: &Problem) -> Value {
        json!({ "error": {
            "code": problem.status,
            "message": problem.detail,
            "status": status_name(problem.status),
            "details": details(problem),
        } })
    }

    fn error_event(&self, problem: &Problem) -> Bytes {
        format!("data: {}\n\n", self.error_body(problem)).into()
    }
}

/// Google's names of errors.
const fn status_name(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        402 | 412 | 451 => "FAILED_PRECONDITION",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        400..=498 => "INVALID_ARGUMENT",
        501 => "UNIMPLEMENTED",
        502 | 503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}

/// What Google's clients read programs' names of errors, faulty fields and times to wait from.
fn details(problem: &Problem) -> Vec<Value> {
    let kind = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
    let mut details = vec![json!({
        "@type": kind("ErrorInfo"),
        "reason": problem.code.as_str().to_ascii_uppercase(),
        "domain": "ralex",
    })];
    if !problem.errors.is_empty() {
        let violations = problem.errors.iter();
        let violations: Vec<Value> = violations
            .map(|error| json!({ "field": error.path, "description": error.message }))
            .collect();
        details.push(json!({ "@type": kind("BadRequest"), "fieldViolations": violations }));
    }
    if let Some(seconds) = problem.retry_after {
        let delay = format!("{seconds}s");
        details.push(json!({ "@type": kind("RetryInfo"), "retryDelay": delay }));
    }
    if let Some(id) = &problem.request_id {
        details.push(json!({ "@type": kind("RequestInfo"), "requestId": id }));
    }
    details
}
