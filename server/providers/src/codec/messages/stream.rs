//! A message's events.
//!
//! A message is a row of blocks, one open at a time.

use serde_json::{Value, json};

use super::reply::{finish, proven, stop};
use crate::codec::{Decode, Encode, identifier};
use crate::dialect::Dialect;
use crate::error::{Refusal, UpstreamError};
use crate::ir::{Delta, Finish};
use crate::json::{Object, text};
use crate::relay::{Progress, Relay, read};
use crate::sse::Event;
use crate::usage::{Meter, Usage};

/// Passes events on as they are.
pub(super) struct Pass {
    meter: Meter,
}

impl Pass {
    pub fn new(meter: Meter) -> Self {
        Self { meter }
    }
}

impl Relay for Pass {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        let progress = match event.data.as_deref() {
            Some(data) => measure(&read(data)?, &self.meter)?,
            None => Progress::Going,
        };
        out.extend_from_slice(&event.raw);
        Ok(progress)
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), UpstreamError> {
        Err(UpstreamError::Cut)
    }
}

/// Reads usage, text, end and failure of an event.
fn measure(event: &Object, meter: &Meter) -> Result<Progress, UpstreamError> {
    meter.keeps(Dialect::AnthropicMessages, event);
    match text(event, "type") {
        Some("error") => {
            return Err(UpstreamError::Status(Refusal::in_stream(event.get("error"))));
        }
        Some("message_start") => {
            let message = event.get("message").and_then(Value::as_object);
            if let Some(usage) = message.and_then(|it| Usage::of_message(it.get("usage"))) {
                meter.report(usage);
            }
        }
        Some("content_block_start") => {
            let block = event.get("content_block").and_then(Value::as_object);
            meter.produced(block.and_then(|block| text(block, "name")).unwrap_or_default());
        }
        Some("content_block_delta") => {
            let Some(delta) = event.get("delta").and_then(Value::as_object) else {
                return Err(UpstreamError::Malformed("a delta is missing"));
            };
            for key in ["text", "partial_json", "thinking"] {
                meter.produced(text(delta, key).unwrap_or_default());
            }
        }
        Some("message_delta") => settle(event, meter),
        Some("message_stop") => return Ok(Progress::Done),
        // `ping`, `content_block_stop`, and what may come later.
        Some(_) | None => {}
    }
    Ok(Progress::Going)
}

/// The last counts of a message's stream: those of its start, overlaid with what is told now.
fn settle(event: &Object, meter: &Meter) {
    let Some(told) = event.get("usage").and_then(Value::as_object) else { return };
    let mut whole = match meter.reported() {
        Some(usage) => usage.to_message(),
        None => Value::Object(Object::new()),
    };
    if let Some(whole) = whole.as_object_mut() {
        let counts = told.iter().filter(|(_, count)| count.is_u64() || count.is_object());
        whole.extend(counts.map(|(key, count)| (key.clone(), count.clone())));
    }
    if let Some(usage) = Usage::of_message(Some(&whole)) {
        meter.settle(usage);
    }
}

/// Events as steps.
pub(super) struct Decoder {
    meter: Meter,
    /// Nothing until the upstream says why.
    finish: Option<Finish>,
    calls: bool,
    unsaid: bool,
}

impl Decoder {
    pub fn new(meter: Meter) -> Self {
        Self { meter, finish: None, calls: false, unsaid: false }
    }
}

impl Decode for Decoder {
    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        let Some(data) = event.data.as_deref() else { return Ok(()) };
        let event = read(data)?;
        measure(&event, &self.meter)?;
        let within = |key: &str| event.get(key).and_then(Value::as_object);
        match text(&event, "type") {
            Some("message_start") => {
                let message = within("message");
                let said = |key| message.and_then(|it| text(it, key)).map(str::to_owned);
                deltas.push(Delta::Start {
                    id: said("id"),
                    model: said("model").unwrap_or_default(),
                });
            }
            Some("content_block_start") => {
                let begun = within("content_block").and_then(begun);
                self.calls |= matches!(begun, Some(Delta::Call { .. }));
                deltas.extend(begun);
            }
            Some("content_block_delta") => deltas.extend(within("delta").and_then(added)),
            Some("message_delta") => {
                let delta = within("delta");
                let said = |key| delta.and_then(|it| text(it, key));
                let reason = said("stop_reason");
                let finish = reason.map(|_| finish(reason, said("stop_sequence")));
                self.finish = finish.or(self.finish.take());
            }
            Some("message_stop") => {
                self.unsaid = self.finish.is_none();
                let unsaid = if self.calls { Finish::ToolCalls } else { Finish::Stop };
                deltas.push(Delta::Finish(self.finish.take().unwrap_or(unsaid)));
            }
            Some("ping") => deltas.push(Delta::Ping),
            Some(_) | None => {}
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        Err(UpstreamError::Cut)
    }

    fn ended_unsaid(&self) -> bool {
        self.unsaid
    }
}

fn begun(block: &Object) -> Option<Delta> {
    let said = |key| text(block, key).unwrap_or_default().to_owned();
    match text(block, "type") {
        Some("tool_use") => {
            Some(Delta::Call { id: said("id"), name: said("name"), signature: None })
        }
        Some("redacted_thinking") => Some(Delta::Sealed(said("data"))),
        Some("text") => Some(Delta::Text(said("text"))).filter(|_| !said("text").is_empty()),
        Some(_) | None => None,
    }
}

fn added(delta: &Object) -> Option<Delta> {
    let said = |key| text(delta, key).filter(|it| !it.is_empty()).map(str::to_owned);
    said("text")
        .map(Delta::Text)
        .or_else(|| said("partial_json").map(Delta::Arguments))
        .or_else(|| said("thinking").map(Delta::Thinking))
        .or_else(|| said("signature").map(Delta::Signature))
}

/// Steps as events.
pub(super) struct Encoder {
    meter: Meter,
    /// What the start must say about the input, before the upstream tells.
    input: u64,
    started: bool,
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
    pub fn new(meter: Meter, input: u64) -> Self {
        Self { meter, input, started: false, block: Block::None, blocks: 0 }
    }

    fn start(&mut self, id: Option<&str>, model: &str, out: &mut Vec<u8>) {
        self.started = true;
        let usage = Usage { input_tokens: self.input, ..Usage::default() };
        let usage = self.meter.reported().unwrap_or(usage);
        let message = json!({
            "id": identifier("msg_", id),
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage.to_message(),
        });
        write(out, "message_start", json!({ "message": message }));
    }

    fn open(&mut self, block: Block, content: Value, out: &mut Vec<u8>) {
        self.close(out);
        self.block = block;
        let start = json!({ "index": self.blocks, "content_block": content });
        write(out, "content_block_start", start);
    }

    /// Opens a block of this kind where another is open.
    fn within(&mut self, block: Block, content: Value, out: &mut Vec<u8>) {
        if self.block != block {
            self.open(block, content, out);
        }
    }

    fn add(&self, delta: Value, out: &mut Vec<u8>) {
        write(out, "content_block_delta", json!({ "index": self.blocks, "delta": delta }));
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.block != Block::None {
            write(out, "content_block_stop", json!({ "index": self.blocks }));
            self.block = Block::None;
            self.blocks += 1;
        }
    }

    fn stop(&mut self, finish: &Finish, out: &mut Vec<u8>) {
        self.close(out);
        let (reason, sequence) = stop(finish);
        let delta = json!({ "stop_reason": reason, "stop_sequence": sequence });
        let usage = self.meter.usage().to_message();
        write(out, "message_delta", json!({ "delta": delta, "usage": usage }));
        write(out, "message_stop", json!({}));
    }
}

impl Encode for Encoder {
    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let thinking = || json!({ "type": "thinking", "thinking": "", "signature": "" });
        match delta {
            Delta::Start { id, model } => self.start(id.as_deref(), model, out),
            Delta::Text(said) | Delta::Refusal(said) => {
                self.within(Block::Text, json!({ "type": "text", "text": "" }), out);
                self.add(json!({ "type": "text_delta", "text": said }), out);
            }
            Delta::Thinking(said) => {
                self.within(Block::Thinking, thinking(), out);
                self.add(json!({ "type": "thinking_delta", "thinking": said }), out);
            }
            Delta::Signature(signature) => {
                self.within(Block::Thinking, thinking(), out);
                self.add(json!({ "type": "signature_delta", "signature": signature }), out);
                self.close(out);
            }
            Delta::Sealed(data) => {
                let block = json!({ "type": "redacted_thinking", "data": data });
                self.open(Block::Thinking, block, out);
                self.close(out);
            }
            Delta::Call { id, name, signature } => {
                if let Some(signature) = signature {
                    self.open(Block::Thinking, proven(id, signature), out);
                }
                let block = json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
                self.open(Block::Call, block, out);
            }
            Delta::Arguments(part) => {
                self.add(json!({ "type": "input_json_delta", "partial_json": part }), out);
            }
            Delta::Ping if self.started => write(out, "ping", json!({})),
            Delta::Ping => {}
            Delta::Finish(finish) => self.stop(finish, out),
        }
    }
}

/// One event, whose type stands in its name and in its data.
fn write(out: &mut Vec<u8>, kind: &str, rest: Value) {
    let mut data = crate::json::object([("type", json!(kind))]);
    if let Value::Object(rest) = rest {
        data.extend(rest);
    }
    out.extend_from_slice(format!("event: {kind}\ndata: {}\n\n", Value::Object(data)).as_bytes());
}
