//! A message's events as chat chunks.

use serde_json::{Value, json};

use super::{reason, response};
use crate::error::UpstreamError;
use crate::json::{Object, text};
use crate::relay::{Progress, Relay, meter_message_event, read};
use crate::sse::Event;
use crate::usage::Meter;

/// Relays from a messages upstream to a chat caller.
pub(crate) struct MessagesToChat {
    meter: Meter,
    wants_usage: bool,
    id: String,
    model: Value,
    created: u64,
    /// The tool call that is being written; chat numbers calls, messages number all blocks.
    call: Option<Call>,
    calls: u64,
}

struct Call {
    index: u64,
    /// A call without arguments has no delta at all, but chat clients parse what was sent.
    empty: bool,
}

impl MessagesToChat {
    pub fn new(meter: Meter, wants_usage: bool) -> Self {
        Self {
            meter,
            wants_usage,
            id: response::id("chatcmpl-", None),
            model: json!(""),
            created: response::now(),
            call: None,
            calls: 0,
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

    fn delta(&self, out: &mut Vec<u8>, delta: Value, finish: Option<&str>) {
        let choice =
            json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
        self.chunk(out, json!([choice]), None);
    }

    fn begin(&mut self, event: &Object, out: &mut Vec<u8>) {
        if let Some(message) = event.get("message").and_then(Value::as_object) {
            self.id = response::id("chatcmpl-", text(message, "id"));
            self.model = message.get("model").cloned().unwrap_or_else(|| json!(""));
        }
        self.delta(out, json!({ "role": "assistant", "content": "", "refusal": null }), None);
    }

    fn begin_block(&mut self, event: &Object, out: &mut Vec<u8>) {
        let Some(block) = event.get("content_block").and_then(Value::as_object) else { return };
        if text(block, "type") != Some("tool_use") {
            return;
        }
        let index = self.calls;
        self.calls += 1;
        self.call = Some(Call { index, empty: true });
        let call = json!({
            "index": index,
            "id": block.get("id"),
            "type": "function",
            "function": { "name": block.get("name"), "arguments": "" },
        });
        self.delta(out, json!({ "tool_calls": [call] }), None);
    }

    fn block_delta(&mut self, event: &Object, out: &mut Vec<u8>) {
        let Some(delta) = event.get("delta").and_then(Value::as_object) else { return };
        if let Some(said) = text(delta, "text") {
            self.delta(out, json!({ "content": said }), None);
        }
        let Some(part) = text(delta, "partial_json").filter(|part| !part.is_empty()) else {
            return;
        };
        if let Some(call) = &mut self.call {
            call.empty = false;
            let index = call.index;
            self.arguments(index, part, out);
        }
    }

    fn end_block(&mut self, out: &mut Vec<u8>) {
        if let Some(Call { index, empty: true }) = self.call.take() {
            self.arguments(index, "{}", out);
        }
    }

    fn arguments(&self, index: u64, part: &str, out: &mut Vec<u8>) {
        let call = json!({ "index": index, "function": { "arguments": part } });
        self.delta(out, json!({ "tool_calls": [call] }), None);
    }

    fn finish(&self, event: &Object, out: &mut Vec<u8>) {
        let delta = event.get("delta").and_then(Value::as_object);
        let stop_reason = delta.and_then(|delta| text(delta, "stop_reason"));
        self.delta(out, json!({}), Some(reason::to_chat(stop_reason)));
    }
}

impl Relay for MessagesToChat {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        let Some(data) = event.data.as_deref() else { return Ok(Progress::Going) };
        let event = read(data)?;
        let progress = meter_message_event(&event, &self.meter)?;
        match text(&event, "type") {
            Some("message_start") => self.begin(&event, out),
            Some("content_block_start") => self.begin_block(&event, out),
            Some("content_block_delta") => self.block_delta(&event, out),
            Some("content_block_stop") => self.end_block(out),
            Some("message_delta") => self.finish(&event, out),
            Some("message_stop") => {
                if self.wants_usage {
                    self.chunk(out, json!([]), Some(self.meter.usage().to_chat()));
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            // A comment keeps the connection alive as a ping does.
            Some("ping") => out.extend_from_slice(b": ping\n\n"),
            Some(_) | None => {}
        }
        Ok(progress)
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), UpstreamError> {
        Err(UpstreamError::Cut)
    }
}
