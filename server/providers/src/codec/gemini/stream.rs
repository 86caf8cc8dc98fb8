//! Google's stream: each event is a piece of the answer in the form of a whole one.
//!
//! There is no last event: the answer has ended when a piece said why and the stream is over. A
//! call comes whole, in one piece.

use serde_json::{Value, json};

use super::reply::{
    Ids, arguments, blocked, called, chunk, finish, finish_reason, is_thought, said, sealed,
    thought,
};
use crate::codec::{Decode, Encode};
use crate::error::{Refusal, UpstreamError};
use crate::ir::{Delta, Finish, ToolCall};
use crate::json::{Object, given, objects, text};
use crate::relay::{Progress, Relay, read};
use crate::sse::Event;
use crate::tool_use::grounding;
use crate::usage::{Meter, Usage};

/// Passes pieces on as they are.
pub(super) struct Pass {
    meter: Meter,
    finished: bool,
}

impl Pass {
    pub fn new(meter: Meter) -> Self {
        Self { meter, finished: false }
    }
}

impl Relay for Pass {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        if let Some(data) = event.data.as_deref() {
            measure(&read(data)?, &self.meter, &mut self.finished)?;
        }
        out.extend_from_slice(&event.raw);
        Ok(Progress::Going)
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), UpstreamError> {
        if self.finished { Ok(()) } else { Err(UpstreamError::Cut) }
    }
}

/// Reads usage, text, end and failure of a piece.
fn measure(chunk: &Object, meter: &Meter, finished: &mut bool) -> Result<(), UpstreamError> {
    if let Some(error) = given(chunk, "error") {
        return Err(UpstreamError::Status(Refusal::in_stream(Some(error))));
    }
    *finished |= blocked(chunk).is_some();
    meter.searched(grounding(chunk));
    for candidate in objects(chunk.get("candidates")) {
        *finished |= given(candidate, "finishReason").is_some();
        for part in said(candidate) {
            meter.produced(text(part, "text").unwrap_or_default());
            if let Some(call) = given(part, "functionCall").and_then(Value::as_object) {
                meter.produced(text(call, "name").unwrap_or_default());
                meter.produced(&Value::Object(arguments(call)).to_string());
            }
        }
    }
    if let Some(usage) = Usage::of_gemini(chunk.get("usageMetadata")) {
        // Counts grow with every piece; those that come with the end are the last word.
        if *finished { meter.settle(usage) } else { meter.report(usage) }
    }
    Ok(())
}

/// Pieces as steps.
pub(super) struct Decoder {
    meter: Meter,
    /// Set by the first piece.
    ids: Option<Ids>,
    calls: bool,
    finished: bool,
    finish: Finish,
}

impl Decoder {
    pub fn new(meter: Meter) -> Self {
        Self { meter, ids: None, calls: false, finished: false, finish: Finish::Stop }
    }

    fn part(&mut self, part: &Object, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        if let Some(said) = text(part, "text") {
            let said = said.to_owned();
            if !said.is_empty() {
                deltas.push(if is_thought(part) {
                    Delta::Thinking(said)
                } else {
                    Delta::Text(said)
                });
            }
        } else if let Some(call) = given(part, "functionCall").and_then(Value::as_object) {
            let ids = self.ids.get_or_insert_with(|| Ids::of(None));
            self.calls = true;
            deltas.push(Delta::Call {
                id: ids.next(text(call, "id")),
                name: text(call, "name").unwrap_or_default().to_owned(),
                signature: text(part, "thoughtSignature").map(str::to_owned),
            });
            deltas.push(Delta::Arguments(Value::Object(arguments(call)).to_string()));
        } else if given(part, "inlineData").is_some() {
            return Err(UpstreamError::Malformed("it holds media, which this stream cannot carry"));
        }
        Ok(())
    }

    fn ended(&mut self, candidate: &Object, deltas: &mut Vec<Delta>) {
        let Some(reason) = text(candidate, "finishReason") else { return };
        let end = finish(Some(reason), text(candidate, "finishMessage"));
        deltas.extend(end.refusal.map(Delta::Refusal));
        self.finish = end.finish;
    }
}

impl Decode for Decoder {
    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        let Some(data) = event.data.as_deref() else {
            deltas.push(Delta::Ping);
            return Ok(());
        };
        let chunk = read(data)?;
        measure(&chunk, &self.meter, &mut self.finished)?;
        if self.ids.is_none() {
            let id = text(&chunk, "responseId").map(str::to_owned);
            self.ids = Some(Ids::of(id.as_deref()));
            let model = text(&chunk, "modelVersion").unwrap_or_default().to_owned();
            deltas.push(Delta::Start { id, model });
        }
        if let Some(end) = blocked(&chunk) {
            deltas.extend(end.refusal.map(Delta::Refusal));
            self.finish = end.finish;
        }
        if let Some(candidate) = objects(chunk.get("candidates")).next() {
            for part in said(candidate) {
                self.part(part, deltas)?;
            }
            self.ended(candidate, deltas);
        }
        Ok(())
    }

    fn end(&mut self, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        if !self.finished {
            return Err(UpstreamError::Cut);
        }
        deltas.push(Delta::Finish(match std::mem::take(&mut self.finish) {
            Finish::Stop if self.calls => Finish::ToolCalls,
            finish => finish,
        }));
        Ok(())
    }
}

/// Steps as pieces.
pub(super) struct Encoder {
    meter: Meter,
    id: Option<String>,
    model: String,
    /// A call and the text of its arguments, which must be whole before it is said.
    call: Option<(ToolCall, String)>,
    /// A call was said already.
    proven: bool,
    /// A call's arguments were no object.
    broken: bool,
}

impl Encoder {
    pub fn new(meter: Meter) -> Self {
        Self { meter, id: None, model: String::new(), call: None, proven: false, broken: false }
    }

    fn write(&self, mut chunk: Object, out: &mut Vec<u8>) {
        if let Some(id) = &self.id {
            chunk.insert("responseId".to_owned(), json!(id));
        }
        out.extend_from_slice(format!("data: {}\n\n", Value::Object(chunk)).as_bytes());
    }

    fn say(&self, part: Value, out: &mut Vec<u8>) {
        self.write(chunk(vec![part], None, &self.model), out);
    }

    fn end_call(&mut self, out: &mut Vec<u8>) {
        let Some((mut call, arguments)) = self.call.take() else { return };
        let text = if arguments.trim().is_empty() { "{}" } else { &arguments };
        match serde_json::from_str(text) {
            Ok(arguments) => {
                call.arguments = arguments;
                let proven = std::mem::replace(&mut self.proven, true);
                self.say(called(&call, proven), out);
            }
            Err(_) => self.broken = true,
        }
    }

    fn finish(&self, finish: &Finish, out: &mut Vec<u8>) {
        let reason = if self.broken { "MALFORMED_FUNCTION_CALL" } else { finish_reason(finish) };
        // Google's own SDK throws away an answer whose last piece has no part.
        let mut last = chunk(vec![json!({ "text": "" })], Some(reason), &self.model);
        last.insert("usageMetadata".to_owned(), self.meter.usage().to_gemini());
        self.write(last, out);
    }
}

impl Encode for Encoder {
    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        if !matches!(delta, Delta::Arguments(_) | Delta::Ping) {
            self.end_call(out);
        }
        match delta {
            Delta::Start { id, model } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
            }
            Delta::Text(said) | Delta::Refusal(said) => self.say(json!({ "text": said }), out),
            Delta::Thinking(said) => self.say(thought(said, None), out),
            Delta::Signature(signature) => self.say(thought("", Some(signature)), out),
            Delta::Sealed(data) => self.say(sealed(data), out),
            Delta::Call { id, name, signature } => {
                let call = ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: Object::new(),
                    signature: signature.clone(),
                };
                self.call = Some((call, String::new()));
            }
            Delta::Arguments(part) => {
                if let Some((_, arguments)) = &mut self.call {
                    arguments.push_str(part);
                }
            }
            // Google's SDKs take a comment for a piece of an answer.
            Delta::Ping => {}
            Delta::Finish(finish) => self.finish(finish, out),
        }
    }
}
