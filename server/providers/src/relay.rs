//! What happens to each event of an upstream's stream on its way to the caller.
//!
//! Between equal dialects the event's own bytes go on; it is read only to know the usage, the end
//! and a failure. Between different ones `translate` writes other events.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::error::{Refusal, UpstreamError};
use crate::json::{Object, given, objects, text};
use crate::prepare::Prepared;
use crate::sse::Event;
use crate::translate::{ChatToMessages, MessagesToChat};
use crate::usage::{Meter, Usage};

/// What an event meant for the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Going,
    /// The upstream has said all.
    Done,
}

/// Turns an upstream's events into the caller's bytes.
pub(crate) trait Relay: Send {
    /// Handles one event; what the caller gets is appended to `out`.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<Progress, UpstreamError>;

    /// The upstream's stream ended without saying so.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), UpstreamError>;
}

/// The relay that a call needs.
pub(crate) fn relay(prepared: &Prepared, meter: Meter) -> Box<dyn Relay> {
    let wants_usage = prepared.inbound.wants_usage();
    match (prepared.upstream_dialect(), prepared.inbound.dialect()) {
        (Dialect::OpenaiChat, Dialect::OpenaiChat) => {
            Box::new(ChatPass { meter, hide_usage: !wants_usage, finished: false })
        }
        (Dialect::AnthropicMessages, Dialect::AnthropicMessages) => Box::new(MessagePass { meter }),
        (Dialect::OpenaiChat, Dialect::AnthropicMessages) => {
            Box::new(ChatToMessages::new(meter, &prepared.inbound))
        }
        (Dialect::AnthropicMessages, Dialect::OpenaiChat) => {
            Box::new(MessagesToChat::new(meter, wants_usage))
        }
    }
}

/// An event's data as an object.
pub(crate) fn read(data: &str) -> Result<Object, UpstreamError> {
    serde_json::from_str(data).map_err(|_| UpstreamError::Malformed("an event is not JSON"))
}

struct ChatPass {
    meter: Meter,
    /// The usage chunk was Ralex's wish, not the caller's.
    hide_usage: bool,
    finished: bool,
}

impl Relay for ChatPass {
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
        self.finished |= meter_chat_chunk(&chunk, &self.meter)?;
        let only_usage = given(&chunk, "usage").is_some()
            && chunk.get("choices").and_then(Value::as_array).is_some_and(Vec::is_empty);
        if !(self.hide_usage && only_usage) {
            out.extend_from_slice(&event.raw);
        }
        Ok(Progress::Going)
    }

    /// Some servers forget `[DONE]`; a finish reason is as good.
    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), UpstreamError> {
        if self.finished { Ok(()) } else { Err(UpstreamError::Cut) }
    }
}

/// Reads usage, text and failure of a chat chunk; true when it has a finish reason.
pub(crate) fn meter_chat_chunk(chunk: &Object, meter: &Meter) -> Result<bool, UpstreamError> {
    if let Some(error) = given(chunk, "error") {
        return Err(UpstreamError::Status(Refusal::in_stream(Some(error))));
    }
    if let Some(usage) = Usage::of_chat(chunk.get("usage")) {
        meter.settle(usage);
    }
    let mut finished = false;
    for choice in objects(chunk.get("choices")) {
        finished |= given(choice, "finish_reason").is_some();
        if let Some(delta) = choice.get("delta").and_then(Value::as_object) {
            chat_texts(delta, |text| meter.produced(text));
        }
    }
    Ok(finished)
}

/// Everything in a chat message or delta that a model produced.
pub(crate) fn chat_texts(message: &Object, mut each: impl FnMut(&str)) {
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

struct MessagePass {
    meter: Meter,
}

impl Relay for MessagePass {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        let progress = match event.data.as_deref() {
            Some(data) => meter_message_event(&read(data)?, &self.meter)?,
            None => Progress::Going,
        };
        out.extend_from_slice(&event.raw);
        Ok(progress)
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), UpstreamError> {
        Err(UpstreamError::Cut)
    }
}

/// Reads usage, text, end and failure of a message's event.
pub(crate) fn meter_message_event(
    event: &Object,
    meter: &Meter,
) -> Result<Progress, UpstreamError> {
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
        Some("message_delta") => settle_message(event, meter),
        Some("message_stop") => return Ok(Progress::Done),
        // `ping`, `content_block_stop`, and what may come later.
        Some(_) | None => {}
    }
    Ok(Progress::Going)
}

/// The last counts of a message's stream: those of its start, overlaid with what is told now.
fn settle_message(event: &Object, meter: &Meter) {
    let Some(told) = event.get("usage").and_then(Value::as_object) else { return };
    let start = meter.reported();
    let mut whole = match start {
        Some(usage) => usage.to_message(),
        None => Value::Object(Object::new()),
    };
    if let Some(whole) = whole.as_object_mut() {
        let counts = told.iter().filter(|(_, count)| count.is_u64());
        whole.extend(counts.map(|(key, count)| (key.clone(), count.clone())));
    }
    if let Some(usage) = Usage::of_message(Some(&whole)) {
        meter.settle(usage);
    }
}
