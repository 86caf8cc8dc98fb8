//! OpenAI's responses.
//!
//! What a caller may keep at the provider (`previous_response_id`, `item_reference`) works with a
//! provider of this dialect and is refused by name elsewhere. An
//! answer that nobody waits for (`background`) is refused always: it could not be metered. Other
//! providers keep nothing, so that `store` is refused there when it is asked for, though it is
//! this dialect's default.

mod encode;
mod events;
mod items;
mod reply;
mod request;
mod stream;
mod thought;
mod tools;

use bytes::Bytes;
use ralex_kernel::{Code, FieldError, Problem};
use serde_json::{Value, json};

use super::chat::error_type;
use super::{Asked, Codec, Decode, Encode};
use crate::error::UpstreamError;
use crate::inbound::{Inbound, flag, whole};
use crate::ir::{Reply, Request};
use crate::json::{Object, given};
use crate::prepare::{Splice, Target};
use crate::relay::Relay;
use crate::usage::{Meter, Usage};

pub(super) use thought::{called, is_openais, read_called};

/// The codec.
pub(crate) struct Responses;

impl Codec for Responses {
    fn read(&self, body: &Object) -> Result<Asked, Problem> {
        input(body)?;
        if flag(body, "background")? {
            return Err(background());
        }
        let max_output = whole(body, "max_output_tokens")?;
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
            splice.set(inbound, "max_output_tokens", &json!(max_output));
        }
        if let Some(input) = thought::without_foreign(inbound.body().get("input")) {
            splice.set(inbound, "input", &input);
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
        encode::request(request, target, max_output)
    }

    fn decode_reply(&self, answer: &Object) -> Result<Reply, UpstreamError> {
        reply::decode(answer)
    }

    fn encode_reply(&self, reply: &Reply, usage: Usage, asked: &Inbound) -> Object {
        reply::encode(reply, usage, asked)
    }

    fn usage(&self, answer: &Object) -> Option<Usage> {
        Usage::of_whole_response(answer)
    }

    fn decoder(&self, meter: Meter) -> Box<dyn Decode> {
        Box::new(stream::Decoder::new(meter))
    }

    fn encoder(&self, meter: Meter, asked: &Inbound) -> Box<dyn Encode> {
        Box::new(events::Encoder::new(meter, asked))
    }

    fn pass(&self, meter: Meter, _: &Inbound) -> Box<dyn Relay> {
        Box::new(stream::Pass::new(meter))
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

    /// Both events that OpenAI sends: SDKs raise the first one, Codex reads only the second.
    fn error_event(&self, problem: &Problem) -> Bytes {
        let mut out = Vec::new();
        let error = self.error_body(problem);
        let error = error.get("error").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut data = error.clone();
        data.insert("error".to_owned(), Value::Object(error));
        write(&mut out, "error", 0, data);
        let response = reply::failed(problem);
        let data = crate::json::object([("response", Value::Object(response))]);
        write(&mut out, "response.failed", 1, data);
        out.into()
    }
}

fn background() -> Problem {
    let mut problem = Problem::new(
        Code::Unsupported,
        "`background` is not supported: the answer would come when nobody meters it any more. \
         Leave it out and stream the answer.",
    );
    let message = "is not supported".to_owned();
    problem.errors.push(FieldError { path: "background".to_owned(), message });
    problem
}

/// A text, or items; nothing only where the provider keeps what was said before.
fn input(body: &Object) -> Result<(), Problem> {
    let kept = ["previous_response_id", "conversation", "prompt"];
    let kept = kept.into_iter().any(|key| given(body, key).is_some());
    let items = match given(body, "input") {
        Some(Value::String(_)) => return Ok(()),
        Some(Value::Array(items)) if kept || !items.is_empty() => items,
        None if kept => return Ok(()),
        None => return Err(Problem::field("input", "is required")),
        Some(_) => {
            return Err(Problem::field("input", "must be a text or an array that is not empty"));
        }
    };
    for (index, item) in items.iter().enumerate() {
        let Some(item) = item.as_object() else {
            return Err(Problem::field(format!("input[{index}]"), "must be an object"));
        };
        let named = |key: &str| item.get(key).is_some_and(Value::is_string);
        if !named("type") && !named("role") {
            let path = format!("input[{index}].type");
            return Err(Problem::field(path, "must be a text, or role must be one"));
        }
    }
    Ok(())
}

/// One event, whose type stands in its name and in its data.
fn write(out: &mut Vec<u8>, kind: &str, sequence: u64, rest: Object) {
    let mut data =
        crate::json::object([("type", json!(kind)), ("sequence_number", json!(sequence))]);
    data.extend(rest);
    // A field of the event may have the name of its type.
    data.insert("type".to_owned(), json!(kind));
    out.extend_from_slice(format!("event: {kind}\ndata: {}\n\n", Value::Object(data)).as_bytes());
}

#[cfg(test)]
mod tests;
