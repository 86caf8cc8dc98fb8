//! A converse stream's events.
//!
//! Blocks follow one another by their number. The usage comes in a last event of its own, after
//! the one that says why the answer ended.

use serde_json::{Value, json};

use super::reply::{finish, stop_reason};
use crate::codec::{Decode, Encode};
use crate::error::{Refusal, UpstreamError};
use crate::event_stream::{self, EXCEPTION};
use crate::ir::{Delta, Finish};
use crate::json::{Object, text};
use crate::relay::{Progress, Relay, read};
use crate::sse::Event;
use crate::usage::{Meter, Usage};

/// Passes events on as they are.
pub(super) struct Pass {
    meter: Meter,
    stopped: bool,
}

impl Pass {
    pub fn new(meter: Meter) -> Self {
        Self { meter, stopped: false }
    }
}

impl Relay for Pass {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        let read = content(event)?;
        measure(event, &read, &self.meter);
        out.extend_from_slice(&event.raw);
        let name = event.name.as_deref();
        self.stopped |= name == Some("messageStop");
        Ok(if name == Some("metadata") { Progress::Done } else { Progress::Going })
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), UpstreamError> {
        if self.stopped { Ok(()) } else { Err(UpstreamError::Cut) }
    }
}

/// What an event says, or the failure that it is.
fn content(event: &Event) -> Result<Object, UpstreamError> {
    let data = event.data.as_deref().map_or(Ok(Object::new()), read);
    if let Some(kind) = event.name.as_deref().and_then(|name| name.strip_prefix(EXCEPTION)) {
        let said = data.unwrap_or_default();
        return Err(UpstreamError::Status(refusal(kind, &said)));
    }
    data
}

fn refusal(kind: &str, said: &Object) -> Refusal {
    let status = match kind.trim_end_matches("Exception") {
        "throttling" => 429,
        "validation" => 400,
        "serviceUnavailable" => 503,
        "modelTimeout" => 408,
        // The model failed, and the service says which status it gave.
        "modelStreamError" => said
            .get("originalStatusCode")
            .and_then(Value::as_u64)
            .and_then(|status| u16::try_from(status).ok())
            .filter(|status| (500..600).contains(status))
            .unwrap_or(500),
        _ => 500,
    };
    Refusal::said(status, kind, text(said, "message").unwrap_or_default())
}

/// Reads usage and text of an event.
fn measure(event: &Event, said: &Object, meter: &Meter) {
    match event.name.as_deref() {
        Some("contentBlockStart") => {
            let call = said.get("start").and_then(|it| it.get("toolUse"));
            let name = call.and_then(|it| it.get("name")).and_then(Value::as_str);
            meter.produced(name.unwrap_or_default());
        }
        Some("contentBlockDelta") => {
            let delta = said.get("delta").and_then(Value::as_object);
            for (key, within) in [("text", ""), ("toolUse", "input"), ("reasoningContent", "text")]
            {
                let part = delta.and_then(|delta| delta.get(key));
                let part =
                    if within.is_empty() { part } else { part.and_then(|it| it.get(within)) };
                meter.produced(part.and_then(Value::as_str).unwrap_or_default());
            }
        }
        Some("metadata") => {
            if let Some(usage) = Usage::of_converse(said.get("usage")) {
                meter.settle(usage);
            }
        }
        // `messageStart`, `contentBlockStop`, `messageStop`, and what may come later.
        Some(_) | None => {}
    }
}

/// Events as steps.
pub(super) struct Decoder {
    meter: Meter,
    /// The number of the call that is open.
    call: Option<u64>,
    finish: Option<Finish>,
}

impl Decoder {
    pub fn new(meter: Meter) -> Self {
        Self { meter, call: None, finish: None }
    }

    fn begun(&mut self, said: &Object) -> Option<Delta> {
        let call = said.get("start")?.get("toolUse")?.as_object()?;
        if text(call, "type") == Some("server_tool_use") {
            return None;
        }
        self.call = index(said);
        let said = |key: &str| text(call, key).unwrap_or_default().to_owned();
        Some(Delta::Call { id: said("toolUseId"), name: said("name"), signature: None })
    }

    fn added(&self, said: &Object) -> Result<Option<Delta>, UpstreamError> {
        let Some(delta) = said.get("delta").and_then(Value::as_object) else {
            return Err(UpstreamError::Malformed("a delta is missing"));
        };
        let full = |text: Option<&str>| text.filter(|it| !it.is_empty()).map(str::to_owned);
        if let Some(call) = delta.get("toolUse").and_then(Value::as_object) {
            // Arguments of a call that the provider answers itself.
            if self.call.is_none() {
                return Ok(None);
            }
            if self.call != index(said) {
                return Err(UpstreamError::Malformed("tool calls are interleaved"));
            }
            return Ok(full(text(call, "input")).map(Delta::Arguments));
        }
        if let Some(thought) = delta.get("reasoningContent").and_then(Value::as_object) {
            let said = |key: &str| full(text(thought, key));
            return Ok(said("text")
                .map(Delta::Thinking)
                .or_else(|| said("signature").map(Delta::Signature))
                .or_else(|| said("redactedContent").map(Delta::Sealed)));
        }
        Ok(full(text(delta, "text")).map(Delta::Text))
    }
}

fn index(said: &Object) -> Option<u64> {
    said.get("contentBlockIndex").and_then(Value::as_u64)
}

impl Decode for Decoder {
    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        let said = content(event)?;
        measure(event, &said, &self.meter);
        match event.name.as_deref() {
            // Neither an id nor the model's name is said.
            Some("messageStart") => {
                deltas.push(Delta::Start { id: None, model: String::new() });
            }
            Some("contentBlockStart") => deltas.extend(self.begun(&said)),
            Some("contentBlockDelta") => deltas.extend(self.added(&said)?),
            Some("contentBlockStop") if self.call == index(&said) => self.call = None,
            Some("messageStop") => self.finish = Some(finish(text(&said, "stopReason"))),
            Some("metadata") => deltas.extend(self.finish.take().map(Delta::Finish)),
            Some(_) | None => {}
        }
        Ok(())
    }

    fn end(&mut self, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        deltas.push(Delta::Finish(self.finish.take().ok_or(UpstreamError::Cut)?));
        Ok(())
    }
}

/// Steps as events.
pub(super) struct Encoder {
    meter: Meter,
    block: Block,
    blocks: u64,
}

/// The block that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    None,
    Text,
    Thinking,
    Call,
}

impl Encoder {
    pub fn new(meter: Meter) -> Self {
        Self { meter, block: Block::None, blocks: 0 }
    }

    /// A block of this kind is open afterwards; only calls have an event for their begin.
    fn within(&mut self, block: Block, out: &mut Vec<u8>) {
        if self.block != block {
            self.close(out);
            self.block = block;
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.block != Block::None {
            write(out, "contentBlockStop", &json!({ "contentBlockIndex": self.blocks }));
            self.block = Block::None;
            self.blocks += 1;
        }
    }

    fn add(&self, delta: Value, out: &mut Vec<u8>) {
        let said = json!({ "contentBlockIndex": self.blocks, "delta": delta });
        write(out, "contentBlockDelta", &said);
    }

    fn think(&mut self, thought: Value, out: &mut Vec<u8>) {
        self.within(Block::Thinking, out);
        self.add(json!({ "reasoningContent": thought }), out);
    }
}

impl Encode for Encoder {
    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Start { id: _, model: _ } => {
                write(out, "messageStart", &json!({ "role": "assistant" }));
            }
            Delta::Text(said) | Delta::Refusal(said) => {
                self.within(Block::Text, out);
                self.add(json!({ "text": said }), out);
            }
            Delta::Thinking(said) => self.think(json!({ "text": said }), out),
            Delta::Signature(signature) => {
                self.think(json!({ "signature": signature }), out);
                self.close(out);
            }
            Delta::Sealed(data) => {
                self.close(out);
                self.think(json!({ "redactedContent": data }), out);
                self.close(out);
            }
            Delta::Call { id, name, signature: _ } => {
                self.close(out);
                self.block = Block::Call;
                let start = json!({ "toolUse": { "toolUseId": id, "name": name } });
                let said = json!({ "contentBlockIndex": self.blocks, "start": start });
                write(out, "contentBlockStart", &said);
            }
            Delta::Arguments(part) => self.add(json!({ "toolUse": { "input": part } }), out),
            // Nothing in this dialect says only that one is alive.
            Delta::Ping => {}
            Delta::Finish(finish) => {
                self.close(out);
                write(out, "messageStop", &json!({ "stopReason": stop_reason(finish) }));
                write(out, "metadata", &json!({ "usage": self.meter.usage().to_converse() }));
            }
        }
    }
}

fn write(out: &mut Vec<u8>, name: &str, said: &Value) {
    out.extend_from_slice(&event_stream::write(name, &said.to_string()));
}
