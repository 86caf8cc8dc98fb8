//! Amazon Bedrock's converse: one form for the chat models of every vendor.
//!
//! What a vendor's models have beyond it travels in `additionalModelRequestFields`; the few that
//! matter are known in `model`.

mod block;
mod model;
mod reply;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod tools;

use bytes::Bytes;
use ralex_kernel::Problem;
use serde_json::{Value, json};

use self::model::Family;
use super::{Asked, Codec, Decode, Encode};
use crate::error::UpstreamError;
use crate::event_stream;
use crate::inbound::{Inbound, messages, whole};
use crate::ir::{Reply, Request};
use crate::json::{Object, given};
use crate::prepare::{Splice, Target};
use crate::relay::Relay;
use crate::usage::{Meter, Usage};

/// The codec.
pub(crate) struct Converse;

impl Codec for Converse {
    fn read(&self, body: &Object) -> Result<Asked, Problem> {
        messages(body)?;
        let config = given(body, "inferenceConfig").and_then(Value::as_object);
        let max_output = config.map(|config| whole(config, "maxTokens")).transpose()?.flatten();
        // The address says whether it is streamed.
        Ok(Asked { streamed: false, max_output, answers: 1 })
    }

    fn splice(
        &self,
        inbound: &Inbound,
        _: &Target,
        max_output: u64,
        splice: &mut Splice,
    ) -> Result<(), Problem> {
        if inbound.max_output().is_some() {
            return Ok(());
        }
        let mut config = match given(inbound.body(), "inferenceConfig") {
            None => Object::new(),
            Some(Value::Object(config)) => config.clone(),
            Some(_) => return Err(Problem::field("inferenceConfig", "must be an object")),
        };
        config.insert("maxTokens".to_owned(), json!(max_output));
        splice.set(inbound, "inferenceConfig", &Value::Object(config));
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
        request::encode(request, target, max_output)
    }

    fn decode_reply(&self, answer: &Object) -> Result<Reply, UpstreamError> {
        reply::decode(answer)
    }

    fn encode_reply(&self, reply: &Reply, usage: Usage, _: &Inbound) -> Object {
        reply::encode(reply, usage)
    }

    fn usage(&self, answer: &Object) -> Option<Usage> {
        Usage::of_converse(answer.get("usage"))
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

    /// Frames that a client would not know are no sign of life to it.
    fn heartbeat(&self) -> &'static [u8] {
        b""
    }

    fn error_body(&self, problem: &Problem) -> Value {
        json!({ "message": problem.detail })
    }

    fn error_event(&self, problem: &Problem) -> Bytes {
        let name = format!("{}{}", event_stream::EXCEPTION, exception(problem.status));
        event_stream::write(&name, &self.error_body(problem).to_string())
    }
}

/// The failures that a stream can end with.
const fn exception(status: u16) -> &'static str {
    match status {
        429 => "throttlingException",
        400..=499 => "validationException",
        503 | 529 => "serviceUnavailableException",
        _ => "internalServerException",
    }
}
