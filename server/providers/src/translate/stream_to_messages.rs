//! Chat chunks as a message's events.
//!
//! A message is a row of blocks, one open at a time; chat mixes text and numbered calls in one
//! delta. The usage comes after the finish reason there and before the stop here, so the finish is
//! remembered until the stream ends.

use serde_json::{Value, json};

use super::{reason, response};
use crate::error::UpstreamError;
use crate::inbound::Inbound;
use crate::json::{Object, objects, text};
use crate::relay::{Progress, Relay, meter_chat_chunk, read};
use crate::sse::Event;
use crate::usage::{Meter, Usage};

/// Relays from a chat upstream to a messages caller.
pub(crate) struct ChatToMessages {
    meter: Meter,
    /// What the start must say about the input, before the upstream tells.
    input: u64,
    started: bool,
    block: Block,
    blocks: u64,
    /// Numbers of the calls that were begun; an ended block cannot be opened again.
    called: Vec<u64>,
    finish: Option<String>,
}

/// The block that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    None,
    Text,
    Call(u64),
}

impl ChatToMessages {
    pub fn new(meter: Meter, inbound: &Inbound) -> Self {
        Self {
            meter,
            input: inbound.counted_tokens(),
            started: false,
            block: Block::None,
            blocks: 0,
            called: Vec::new(),
            finish: None,
        }
    }

    fn start(&mut self, chunk: &Object, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let usage = Usage { input_tokens: self.input, ..Usage::default() };
        let message = json!({
            "id": response::id("msg_", text(chunk, "id")),
            "type": "message",
            "role": "assistant",
            "model": text(chunk, "model").unwrap_or_default(),
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage.to_message(),
        });
        write(out, "message_start", json!({ "message": message }));
    }

    fn delta(&mut self, delta: &Object, out: &mut Vec<u8>) -> Result<(), UpstreamError> {
        for key in ["content", "refusal"] {
            if let Some(said) = text(delta, key).filter(|said| !said.is_empty()) {
                if self.block != Block::Text {
                    self.open(Block::Text, json!({ "type": "text", "text": "" }), out);
                }
                self.add(json!({ "type": "text_delta", "text": said }), out);
            }
        }
        for (position, call) in objects(delta.get("tool_calls")).enumerate() {
            self.call(call, position, out)?;
        }
        Ok(())
    }

    fn call(
        &mut self,
        call: &Object,
        position: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), UpstreamError> {
        let position = u64::try_from(position).unwrap_or(u64::MAX);
        let index = call.get("index").and_then(Value::as_u64).unwrap_or(position);
        let function = call.get("function").and_then(Value::as_object);
        if self.block != Block::Call(index) {
            let name = function.and_then(|function| text(function, "name"));
            let (Some(name), false) = (name, self.called.contains(&index)) else {
                return Err(UpstreamError::Malformed("tool calls are interleaved"));
            };
            self.called.push(index);
            let id = text(call, "id").map_or_else(|| format!("toolu_{index}"), str::to_owned);
            let block = json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
            self.open(Block::Call(index), block, out);
        }
        let part = function.and_then(|function| text(function, "arguments")).unwrap_or_default();
        if !part.is_empty() {
            self.add(json!({ "type": "input_json_delta", "partial_json": part }), out);
        }
        Ok(())
    }

    fn open(&mut self, block: Block, content: Value, out: &mut Vec<u8>) {
        self.close(out);
        self.block = block;
        let start = json!({ "index": self.blocks, "content_block": content });
        write(out, "content_block_start", start);
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

    fn stop(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        let stop_reason = match self.finish.as_deref() {
            Some("stop") if !self.called.is_empty() => "tool_use",
            finish => reason::to_message(finish),
        };
        let delta = json!({ "stop_reason": stop_reason, "stop_sequence": null });
        let usage = self.meter.usage().to_message();
        write(out, "message_delta", json!({ "delta": delta, "usage": usage }));
        write(out, "message_stop", json!({}));
    }
}

impl Relay for ChatToMessages {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        let Some(data) = event.data.as_deref() else {
            // A keep-alive; messages have an event for it.
            if self.started {
                write(out, "ping", json!({}));
            }
            return Ok(Progress::Going);
        };
        if data.trim() == "[DONE]" {
            return if self.finish.is_some() {
                self.stop(out);
                Ok(Progress::Done)
            } else {
                Err(UpstreamError::Malformed("it ended without a reason"))
            };
        }
        let chunk = read(data)?;
        meter_chat_chunk(&chunk, &self.meter)?;
        self.start(&chunk, out);
        if let Some(choice) = objects(chunk.get("choices")).next() {
            if let Some(delta) = choice.get("delta").and_then(Value::as_object) {
                self.delta(delta, out)?;
            }
            if let Some(finish) = text(choice, "finish_reason") {
                self.finish = Some(finish.to_owned());
            }
        }
        Ok(Progress::Going)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), UpstreamError> {
        if self.finish.is_none() {
            return Err(UpstreamError::Cut);
        }
        self.stop(out);
        Ok(())
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
