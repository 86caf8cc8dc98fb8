//! An upstream's events.
//!
//! A response is a row of items, each announced, written piece by piece and shown again when it is
//! done; at its end comes the whole response with its usage.

use std::collections::HashSet;

use serde_json::Value;

use super::reply::{arguments, call_names, finish, item_parts};
use super::thought;
use crate::codec::Decode;
use crate::dialect::Dialect;
use crate::error::{Refusal, UpstreamError};
use crate::ir::{Content, Delta};
use crate::json::{Object, given, text};
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
            Some(data) if data.trim() != "[DONE]" => measure(&read(data)?, &self.meter)?,
            Some(_) | None => Progress::Going,
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
    meter.keeps(Dialect::OpenaiResponses, event);
    let response = event.get("response").and_then(Value::as_object);
    // Before the end no count is the last word.
    let last = ["response.completed", "response.incomplete", "response.failed"];
    if text(event, "type").is_some_and(|kind| last.contains(&kind))
        && let Some(usage) = response.and_then(Usage::of_whole_response)
    {
        meter.settle(usage);
    }
    match text(event, "type") {
        Some("response.completed" | "response.incomplete") => return Ok(Progress::Done),
        Some("response.failed") => {
            let error = response.and_then(|response| given(response, "error"));
            return Err(UpstreamError::Status(Refusal::in_stream(error)));
        }
        Some("error") => {
            let whole = Value::Object(event.clone());
            let error = given(event, "error").unwrap_or(&whole);
            return Err(UpstreamError::Status(Refusal::in_stream(Some(error))));
        }
        Some("response.output_item.added") => {
            let item = event.get("item").and_then(Value::as_object);
            meter.produced(item.and_then(|item| text(item, "name")).unwrap_or_default());
        }
        Some(kind) if is_text(kind) => {
            meter.produced(text(event, "delta").unwrap_or_default());
        }
        Some(_) | None => {}
    }
    Ok(Progress::Going)
}

/// Pieces of all kinds of texts; sound is none.
fn is_text(kind: &str) -> bool {
    let mut names = kind.rsplit('.');
    names.next() == Some("delta") && names.next() != Some("audio")
}

/// Events as steps.
pub(super) struct Decoder {
    meter: Meter,
    started: bool,
    /// Items of which something was said already, by their place.
    said: HashSet<u64>,
    /// The place of the call that is being written, and those of all that were begun.
    call: Option<u64>,
    called: HashSet<u64>,
}

impl Decoder {
    pub fn new(meter: Meter) -> Self {
        Self { meter, started: false, said: HashSet::new(), call: None, called: HashSet::new() }
    }

    fn start(&mut self, response: Option<&Object>, deltas: &mut Vec<Delta>) {
        if !std::mem::replace(&mut self.started, true) {
            let said = |key| response.and_then(|it| text(it, key)).map(str::to_owned);
            deltas.push(Delta::Start { id: said("id"), model: said("model").unwrap_or_default() });
        }
    }

    /// A piece of a text.
    fn piece(&mut self, event: &Object, delta: fn(String) -> Delta, deltas: &mut Vec<Delta>) {
        let piece = text(event, "delta").unwrap_or_default();
        if !piece.is_empty() {
            self.said.insert(place(event));
            self.call = None;
            deltas.push(delta(piece.to_owned()));
        }
    }

    /// A piece of a call's arguments. Those of freeform tools are no JSON, and come when done.
    fn argument(&mut self, event: &Object, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        let piece = text(event, "delta").unwrap_or_default();
        if piece.is_empty() {
            return Ok(());
        }
        if self.call != Some(place(event)) {
            return Err(UpstreamError::Malformed("tool calls are interleaved"));
        }
        self.said.insert(place(event));
        deltas.push(Delta::Arguments(piece.to_owned()));
        Ok(())
    }

    fn begin(&mut self, place: u64, item: &Object, deltas: &mut Vec<Delta>) {
        let kinds = ["function_call", "custom_tool_call", "tool_search_call"];
        let is_call = text(item, "type").is_some_and(|kind| kinds.contains(&kind));
        if is_call && self.called.insert(place) {
            self.call = Some(place);
            let (id, name) = call_names(item);
            deltas.push(Delta::Call { id, name, signature: None });
        }
    }

    /// An item is done: what of it was not said yet is said now.
    fn done(&mut self, event: &Object, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        let Some(item) = event.get("item").and_then(Value::as_object) else { return Ok(()) };
        let place = place(event);
        let unsaid = self.said.insert(place);
        self.begin(place, item, deltas);
        if self.called.contains(&place) {
            if unsaid && self.call != Some(place) {
                return Err(UpstreamError::Malformed("tool calls are interleaved"));
            }
            deltas.extend(unsaid.then(|| Delta::Arguments(arguments(item))));
            self.call = None;
            return Ok(());
        }
        if !unsaid {
            deltas.extend(proof(item).map(Delta::Signature));
            return Ok(());
        }
        for content in item_parts(item)? {
            match content {
                Content::Text(said) => deltas.push(Delta::Text(said)),
                Content::Refusal(said) => deltas.push(Delta::Refusal(said)),
                Content::Sealed(data) => deltas.push(Delta::Sealed(data)),
                Content::Thinking { text, signature } => {
                    deltas.push(Delta::Thinking(text));
                    deltas.extend(signature.map(Delta::Signature));
                }
                Content::ToolCall(_)
                | Content::Image(_)
                | Content::Document { .. }
                | Content::Audio(_)
                | Content::ToolResult { .. } => {}
            }
        }
        Ok(())
    }
}

fn place(event: &Object) -> u64 {
    event.get("output_index").and_then(Value::as_u64).unwrap_or(0)
}

fn proof(item: &Object) -> Option<String> {
    let sealed = text(item, "encrypted_content").filter(|sealed| !sealed.is_empty())?;
    let reasoning = text(item, "type") == Some("reasoning");
    reasoning.then(|| thought::proof(text(item, "id").unwrap_or_default(), sealed))
}

impl Decode for Decoder {
    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        let Some(data) = event.data.as_deref() else {
            deltas.push(Delta::Ping);
            return Ok(());
        };
        if data.trim() == "[DONE]" {
            return Ok(());
        }
        let event = read(data)?;
        measure(&event, &self.meter)?;
        let response = event.get("response").and_then(Value::as_object);
        let kind = text(&event, "type").unwrap_or_default();
        self.start(response, deltas);
        match kind {
            "response.output_item.added" => {
                if let Some(item) = event.get("item").and_then(Value::as_object) {
                    self.begin(place(&event), item, deltas);
                }
            }
            "response.output_text.delta" => self.piece(&event, Delta::Text, deltas),
            "response.refusal.delta" => self.piece(&event, Delta::Refusal, deltas),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.piece(&event, Delta::Thinking, deltas);
            }
            // Parts of a summary are paragraphs.
            "response.reasoning_summary_part.added" if self.said.contains(&place(&event)) => {
                deltas.push(Delta::Thinking("\n\n".to_owned()));
            }
            "response.function_call_arguments.delta" => self.argument(&event, deltas)?,
            "response.output_item.done" => self.done(&event, deltas)?,
            "response.completed" | "response.incomplete" => {
                let calls = !self.called.is_empty();
                deltas.extend(response.map(|it| Delta::Finish(finish(it, calls))));
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Delta>) -> Result<(), UpstreamError> {
        Err(UpstreamError::Cut)
    }
}
