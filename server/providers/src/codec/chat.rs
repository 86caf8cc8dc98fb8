//! OpenAI's chat completions, the dialect that most servers speak.

mod encode;
mod reply;
mod request;
mod stream;

use bytes::Bytes;
use ralex_kernel::Problem;
use serde_json::{Value, json};

use super::{Asked, Codec, Decode, Encode};
use crate::error::UpstreamError;
use crate::inbound::{Inbound, flag, messages, whole};
use crate::ir::{Reply, Request};
use crate::json::{Object, given};
use crate::prepare::{Splice, Target};
use crate::relay::Relay;
use crate::usage::{Meter, Usage};

pub(super) use encode::effort;
pub(crate) use stream::texts;

/// The codec.
pub(crate) struct Chat;

/// More answers than this to one question is a mistake; OpenAI stops at 128 too.
const MOST_ANSWERS: u64 = 128;

impl Codec for Chat {
    fn read(&self, body: &Object) -> Result<Asked, Problem> {
        messages(body)?;
        let answers = whole(body, "n")?.unwrap_or(1);
        if !(1..=MOST_ANSWERS).contains(&answers) {
            return Err(Problem::field("n", format!("must be between 1 and {MOST_ANSWERS}")));
        }
        // Where both are given nobody knows which one a compatible server obeys: hold for the
        // larger.
        let max_output = whole(body, "max_tokens")?.max(whole(body, "max_completion_tokens")?);
        Ok(Asked { streamed: flag(body, "stream")?, max_output, answers })
    }

    fn splice(
        &self,
        inbound: &Inbound,
        target: &Target,
        max_output: u64,
        splice: &mut Splice,
    ) -> Result<(), Problem> {
        splice.set(inbound, "model", &json!(target.upstream_model));
        let quirks = &target.spec.quirks;
        if inbound.max_output().is_none() {
            splice.set(inbound, &quirks.max_output_field, &json!(max_output));
        }
        if inbound.streamed() && quirks.stream_usage && !wants_usage(inbound) {
            let mut options = match given(inbound.body(), "stream_options") {
                None => serde_json::Map::new(),
                Some(Value::Object(options)) => options.clone(),
                Some(_) => return Err(Problem::field("stream_options", "must be an object")),
            };
            options.insert("include_usage".to_owned(), Value::Bool(true));
            splice.set(inbound, "stream_options", &Value::Object(options));
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
        Usage::of_chat(answer.get("usage"))
    }

    fn decoder(&self, meter: Meter) -> Box<dyn Decode> {
        Box::new(stream::Decoder::new(meter))
    }

    fn encoder(&self, meter: Meter, asked: &Inbound) -> Box<dyn Encode> {
        Box::new(stream::Encoder::new(meter, wants_usage(asked)))
    }

    fn pass(&self, meter: Meter, asked: &Inbound) -> Box<dyn Relay> {
        Box::new(stream::Pass::new(meter, wants_usage(asked)))
    }

    fn error_body(&self, problem: &Problem) -> Value {
        let param = problem.errors.first().map(|error| error.path.as_str());
        json!({ "error": {
            "message": problem.detail,
            "type": error_type(problem.status),
            "param": param,
            "code": problem.code.as_str(),
        } })
    }

    fn error_event(&self, problem: &Problem) -> Bytes {
        format!("data: {}\n\n", self.error_body(problem)).into()
    }
}

/// True when the caller asked for a usage chunk at the end of a stream.
fn wants_usage(inbound: &Inbound) -> bool {
    let options = inbound.body().get("stream_options").and_then(Value::as_object);
    options.and_then(|options| options.get("include_usage")) == Some(&Value::Bool(true))
}

/// OpenAI's names of errors, in all of its dialects.
pub(super) const fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}
