//! Chat chunks.

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::reply::{finish, finish_reason, proof, proven};
use crate::codec::{Decode, Encode, identifier, now};
use crate::dialect::Dialect;
use crate::error::{Refusal, UpstreamError};
use crate::ir::{Delta, Finish};
use crate::json::{Object, given, object as fields, objects, text};
use crate::relay::{Progress, Relay, read};
use crate::sse::Event;
use crate::usage::{Meter, Usage};

/// Passes chunks on, less the usage chunk that was Ralex's wish and not the caller's.
pub(super) struct Pass {
    meter: Meter,
    wants_usage: bool,
    finished: bool,
}

impl Pass {
    pub fn new(meter: Meter, wants_usage: bool) -> Self {
        Self { meter, wants_usage, finished: false }
    }
}

impl Relay for Pass {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        let Some(data) = event.data.as_deref() else {
            out.extend_from_slice(&event.raw);
            return Ok(Progress::Going);
        };
        if data.trim() == "[DONE]" {
            out.extend_from_slice(&event.raw);
            return Ok(Progress::Done);
        }
        let chunk = read(data)?;
        self.finished |= measure(&chunk, &self.meter)?;
        let only_usage = given(&chunk, "usage").is_some()
            && chunk.get("choices").and_then(Value::as_array).is_some_and(Vec::is_empty);
        if self.wants_usage {
            out.extend_from_slice(&event.raw);
        } else if !only_usage {
            // It is told in every chunk once it is asked for, and strict readers want no null.
            let asked = chunk.get("usage") == Some(&Value::Null);
            let less = asked.then(|| without_usage(data)).flatten();
            match less {
                Some(data) => out.extend_from_slice(format!("data: {data}\n\n").as_bytes()),
                None => out.extend_from_slice(&event.raw),
            }
        }
        Ok(Progress::Going)
    }

    /// Some servers forget `[DONE]`; a finish reason is as good.
    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), UpstreamError> {
        if self.finished { Ok(()) } else { Err(UpstreamError::Cut) }
    }
}

/// A chunk without its empty usage, and else byte for byte. A quoted name in a text has a backslash
/// before its last quote, so it is never taken for the field.
fn without_usage(data: &str) -> Option<String> {
    let forms = [",\"usage\":null", "\"usage\":null,", ", \"usage\": null", "\"usage\": null, "];
    let form = forms.iter().find(|form| data.matches(**form).count() == 1)?;
    Some(data.replace(form, ""))
}

/// Reads usage, text and failure of a chunk; true when it has a finish reason.
fn measure(chunk: &Object, meter: &Meter) -> Result<bool, UpstreamError> {
    if let Some(error) = given(chunk, "error") {
        return Err(UpstreamError::Status(Refusal::in_stream(Some(error))));
    }
    // Groq says it in a place of its own.
    let groq = || chunk.get("x_groq").and_then(|it| it.get("usage"));
    if let Some(usage) = Usage::of_chat(given(chunk, "usage").or_else(groq)) {
        meter.settle(usage);
    }
    meter.keeps(Dialect::OpenaiChat, chunk);
    let mut finished = false;
    for choice in objects(chunk.get("choices")) {
        finished |= given(choice, "finish_reason").is_some();
        if let Some(delta) = choice.get("delta").and_then(Value::as_object) {
            texts(delta, |text| meter.produced(text));
        }
    }
    Ok(finished)
}

/// Everything in a chat message or delta that a model produced.
pub(crate) fn texts(message: &Object, mut each: impl FnMut(&str)) {
    for key in ["content", "refusal", "reasoning_content", "reasoning"] {
        each(text(message, key).unwrap_or_default());
    }
    for call in objects(message.get("tool_calls")) {
        if let Some(function) = call.get("function").and_then(Value::as_object) {
            each(text(function, "name").unwrap_or_default());
            each(text(function, "arguments").unwrap_or_default());
        }
    }
}

/// Chunks as steps.
pub(super) struct Decoder {
    meter: Meter,
    started: bool,
    /// The number of the call that is being written, and of those before it.
    call: Option<u64>,
    called: Vec<u64>,
    /// The arguments of that call so far.
    arguments: String,
    said: bool,
    finish: Option<Finish>,
    unsaid: bool,
}

impl Decoder {
    pub fn new(meter: Meter) -> Self {
        Self {
            meter,
            started: false,
            call: None,
            called: Vec::new(),
            arguments: String::new(),
            said: false,
            finish: None,
            unsaid: false,
        }
    }

    fn delta(&mut self, delta: &Object, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        let say = |key: &str| text(delta, key).filter(|said| !said.is_empty()).map(str::to_owned);
        deltas.extend(say("reasoning_content").or_else(|| say("reasoning")).map(Delta::Thinking));
        deltas.extend(say("content").map(Delta::Text));
        deltas.extend(say("refusal").map(Delta::Refusal));
        for (position, call) in objects(delta.get("tool_calls")).enumerate() {
            self.call(call, position, deltas)?;
        }
        Ok(())
    }

    fn call(
        &mut self,
        call: &Object,
        position: usize,
        deltas: &mut Vec<Delta>,
    ) -> Result<(), UpstreamError> {
        let position = u64::try_from(position).unwrap_or(u64::MAX);
        let index = call.get("index").and_then(Value::as_u64).unwrap_or(position);
        let function = call.get("function").and_then(Value::as_object);
        if self.call != Some(index) {
            let name = function.and_then(|function| text(function, "name"));
            let (Some(name), false) = (name, self.called.contains(&index)) else {
                return Err(UpstreamError::Malformed("tool calls are interleaved"));
            };
            self.called.push(index);
            self.call = Some(index);
            self.arguments.clear();
            let id = text(call, "id").map_or_else(|| format!("call_{index}"), str::to_owned);
            let signature = proof(call).map(str::to_owned);
            deltas.push(Delta::Call { id, name: name.to_owned(), signature });
        }
        let part = function.and_then(|function| text(function, "arguments")).unwrap_or_default();
        if !part.is_empty() {
            self.arguments.push_str(part);
            deltas.push(Delta::Arguments(part.to_owned()));
        }
        Ok(())
    }

    /// The end of an answer whose upstream says that it has ended, with a reason or without: some
    /// forget it, and what has come is the caller's. Where nothing has come, or half a call, it is
    /// no answer.
    fn done(&mut self) -> Result<Delta, UpstreamError> {
        if let Some(last) = self.last() {
            return Ok(last);
        }
        let half = serde_json::from_str::<IgnoredAny>(&self.arguments).is_err();
        if !self.said || (half && !self.arguments.is_empty()) {
            return Err(UpstreamError::Malformed("it ended without a reason"));
        }
        self.unsaid = true;
        let called = !self.called.is_empty();
        Ok(Delta::Finish(if called { Finish::ToolCalls } else { Finish::Stop }))
    }

    fn last(&mut self) -> Option<Delta> {
        // Some servers say "stop" with calls too, and a client would not run them.
        let calls = !self.called.is_empty();
        self.finish.take().map(|finish| match finish {
            Finish::Stop if calls => Delta::Finish(Finish::ToolCalls),
            finish => Delta::Finish(finish),
        })
    }
}

impl Decode for Decoder {
    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        let Some(data) = event.data.as_deref() else {
            deltas.push(Delta::Ping);
            return Ok(());
        };
        if data.trim() == "[DONE]" {
            deltas.push(self.done()?);
            return Ok(());
        }
        let chunk = read(data)?;
        measure(&chunk, &self.meter)?;
        if !std::mem::replace(&mut self.started, true) {
            let id = text(&chunk, "id").map(str::to_owned);
            let model = text(&chunk, "model").unwrap_or_default().to_owned();
            deltas.push(Delta::Start { id, model });
        }
        if let Some(choice) = objects(chunk.get("choices")).next() {
            if let Some(delta) = choice.get("delta").and_then(Value::as_object) {
                let before = deltas.len();
                self.delta(delta, deltas)?;
                self.said |= deltas.len() > before;
            }
            if let Some(reason) = text(choice, "finish_reason") {
                self.finish = Some(finish(Some(reason)));
            }
        }
        Ok(())
    }

    fn end(&mut self, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        deltas.push(self.last().ok_or(UpstreamError::Cut)?);
        Ok(())
    }

    fn ended_unsaid(&self) -> bool {
        self.unsaid
    }
}

/// Steps as chunks.
pub(super) struct Encoder {
    meter: Meter,
    wants_usage: bool,
    id: String,
    model: String,
    created: u64,
    /// How many calls were begun.
    calls: u64,
    /// The last call has no arguments yet; chat clients parse what was sent.
    empty_call: bool,
}

impl Encoder {
    pub fn new(meter: Meter, wants_usage: bool) -> Self {
        Self {
            meter,
            wants_usage,
            id: identifier("chatcmpl-", None),
            model: String::new(),
            created: now(),
            calls: 0,
            empty_call: false,
        }
    }

    fn chunk(&self, out: &mut Vec<u8>, choices: Value, usage: Option<Value>) {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.wants_usage {
            chunk["usage"] = usage.unwrap_or(Value::Null);
        }
        out.extend_from_slice(format!("data: {chunk}\n\n").as_bytes());
    }

    fn say(&self, out: &mut Vec<u8>, delta: Value, finish: Option<&str>) {
        let choice =
            json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
        self.chunk(out, json!([choice]), None);
    }

    fn arguments(&mut self, part: &str, out: &mut Vec<u8>) {
        self.empty_call = false;
        let index = self.calls.saturating_sub(1);
        let call = json!({ "index": index, "function": { "arguments": part } });
        self.say(out, json!({ "tool_calls": [call] }), None);
    }

    fn end_call(&mut self, out: &mut Vec<u8>) {
        if self.empty_call {
            self.arguments("{}", out);
        }
    }
}

impl Encode for Encoder {
    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Start { id, model } => {
                self.id = identifier("chatcmpl-", id.as_deref());
                self.model.clone_from(model);
                let first = json!({ "role": "assistant", "content": "", "refusal": null });
                self.say(out, first, None);
            }
            Delta::Text(said) => self.say(out, json!({ "content": said }), None),
            Delta::Refusal(said) => self.say(out, json!({ "refusal": said }), None),
            Delta::Thinking(said) => self.say(out, json!({ "reasoning_content": said }), None),
            // Chat has no place for the proofs of a thought.
            Delta::Signature(_) | Delta::Sealed(_) => {}
            Delta::Call { id, name, signature } => {
                self.end_call(out);
                let index = self.calls;
                self.calls += 1;
                self.empty_call = true;
                let mut call = fields([
                    ("index", json!(index)),
                    ("id", json!(id)),
                    ("type", json!("function")),
                    ("function", json!({ "name": name, "arguments": "" })),
                ]);
                call.extend(proven(signature.as_deref()));
                self.say(out, json!({ "tool_calls": [call] }), None);
            }
            Delta::Arguments(part) => self.arguments(part, out),
            // A comment keeps the connection alive as a ping does.
            Delta::Ping => out.extend_from_slice(b": ping\n\n"),
            Delta::Finish(finish) => {
                self.end_call(out);
                self.say(out, json!({}), Some(finish_reason(finish)));
                if self.wants_usage {
                    self.chunk(out, json!([]), Some(self.meter.usage().to_chat()));
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
        }
    }
}
