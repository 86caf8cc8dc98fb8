//! What happens to each event of an upstream's stream on its way to the caller.
//!
//! Between equal dialects the event's own bytes go on; it is read only to know the usage, the end
//! and a failure. Between different ones it is decoded and encoded anew.

use crate::codec::{self, Decode, Encode};
use crate::dialect::{Dialect, Operation};
use crate::error::{Stop, UpstreamError};
use crate::filter::{Filtered, TextFilter};
use crate::ir::{Delta, Finish};
use crate::json::Object;
use crate::one_call::OneCall;
use crate::operation;
use crate::prepare::Prepared;
use crate::sse::Event;
use crate::usage::Meter;

/// What an event meant for the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Going,
    /// The upstream has said all.
    Done,
    /// The caller gets no more of it, whatever the upstream still says.
    Cut,
}

/// Turns an upstream's events into the caller's bytes.
pub(crate) trait Relay: Send {
    /// Handles one event; what the caller gets is appended to `out`.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<Progress, UpstreamError>;

    /// The upstream's stream ended without saying so.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), UpstreamError>;

    /// Ends the answer where it is, as one that has reached its length. Only [`Prepared::cuttable`]
    /// ones are.
    fn cut(&mut self, _: &mut Vec<u8>) -> Result<(), UpstreamError> {
        Err(UpstreamError::Cut)
    }
}

/// The relay that a call needs.
pub(crate) fn relay(
    prepared: &Prepared,
    meter: Meter,
    filter: Option<Box<dyn TextFilter>>,
) -> Box<dyn Relay> {
    if prepared.inbound.operation() != Operation::Generate {
        return Box::new(operation::Pass::new(meter, &prepared.inbound));
    }
    let (upstream, caller) = (prepared.upstream_dialect(), prepared.inbound.dialect());
    if upstream == caller && filter.is_none() && !prepared.cuttable {
        return codec::of(caller).pass(meter, &prepared.inbound);
    }
    Box::new(Translation {
        decode: codec::of(upstream).decoder(meter.clone()),
        encode: codec::of(caller).encoder(meter, &prepared.inbound),
        one_call: prepared.one_call.then(OneCall::default),
        filter: filter.map(Filtered::new),
        asked_model: prepared.target.upstream_model.clone(),
        comments: !matches!(caller, Dialect::Gemini | Dialect::BedrockConverse),
        deltas: Vec::new(),
    })
}

/// Marks the end of an answer whose upstream did not say why it ended: the caller's dialect has no
/// word for that, and the nearest one would hide it.
const UNSAID: &[u8] = b": x-ralex-end the provider gave no reason\n\n";

/// Marks the end of an answer that would have gone on if there were money left for it.
const UNPAID: &[u8] = b": x-ralex-end a budget has nothing left for more\n\n";

/// Says an upstream's events in the caller's dialect.
struct Translation {
    decode: Box<dyn Decode>,
    encode: Box<dyn Encode>,
    one_call: Option<OneCall>,
    filter: Option<Filtered>,
    /// For upstreams that do not say which model answers.
    asked_model: String,
    /// True where the caller's readers pass over comments.
    comments: bool,
    /// Empty between events.
    deltas: Vec<Delta>,
}

impl Translation {
    fn write(&mut self, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        let mut progress = Progress::Going;
        for mut delta in self.filtered()? {
            if let Delta::Start { id, model } = &mut delta {
                id.get_or_insert_with(codec::new_id);
                if model.is_empty() {
                    model.clone_from(&self.asked_model);
                }
            }
            self.encode.delta(&delta, out);
            if matches!(delta, Delta::Finish(_)) {
                progress = Progress::Done;
                if self.decode.ended_unsaid() && self.comments {
                    out.extend_from_slice(UNSAID);
                }
            }
        }
        Ok(progress)
    }

    fn filtered(&mut self) -> Result<Vec<Delta>, UpstreamError> {
        let mut deltas = std::mem::take(&mut self.deltas);
        if let Some(one_call) = &mut self.one_call {
            deltas.retain(|delta| one_call.passes(delta));
        }
        let Some(filter) = &mut self.filter else { return Ok(deltas) };
        let mut passed = Vec::with_capacity(deltas.len());
        for delta in deltas {
            let stopped = |problem| UpstreamError::Stopped(Box::new(Stop { problem, usage: None }));
            filter.step(delta, &mut passed).map_err(stopped)?;
        }
        Ok(passed)
    }
}

impl Relay for Translation {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        let read = self.decode.event(event, &mut self.deltas);
        // What was said before a failure is still said.
        let progress = self.write(out)?;
        read.map(|()| progress)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), UpstreamError> {
        let read = self.decode.end(&mut self.deltas);
        self.write(out)?;
        read
    }

    fn cut(&mut self, out: &mut Vec<u8>) -> Result<(), UpstreamError> {
        if self.comments {
            out.extend_from_slice(UNPAID);
        }
        self.deltas = vec![Delta::Finish(Finish::Length)];
        self.write(out).map(drop)
    }
}

/// An event's data as an object.
pub(crate) fn read(data: &str) -> Result<Object, UpstreamError> {
    serde_json::from_str(data).map_err(|_| UpstreamError::Malformed("an event is not JSON"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::codec::tests::target;
    use crate::inbound::{InPath, Inbound};
    use crate::prepare::prepare;
    use crate::sse::Decoder;

    fn prepared(caller: Dialect, kind: &str) -> Prepared {
        let said = json!([{ "role": "user", "content": "Hi" }]);
        let body = match caller {
            Dialect::OpenaiChat => json!({ "messages": said, "stream": true }),
            Dialect::AnthropicMessages => {
                json!({ "messages": said, "max_tokens": 9, "stream": true })
            }
            Dialect::OpenaiResponses => json!({ "input": "Hi", "stream": true, "store": false }),
            Dialect::Gemini => {
                json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hi" }] }] })
            }
            Dialect::BedrockConverse => {
                json!({ "messages": [{ "role": "user", "content": [{ "text": "Hi" }] }] })
            }
        };
        let path = InPath { model: Some("m".to_owned()), streamed: Some(true) };
        let inbound = Inbound::parse_at(caller, body.to_string().into(), path).unwrap();
        prepare(&inbound, &target(kind), 500).unwrap()
    }

    /// A relay that has seen these events, and what the caller got of them.
    fn relayed(
        caller: Dialect,
        kind: &str,
        events: &str,
        cuttable: bool,
    ) -> (Box<dyn Relay>, Vec<u8>) {
        let prepared = prepared(caller, kind);
        let prepared = if cuttable { prepared.cuttable() } else { prepared };
        let mut relay = relay(&prepared, Meter::new(prepared.inbound.clone()), None);
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        decoder.push(events.as_bytes());
        while let Some(event) = decoder.event().unwrap() {
            relay.event(&event, &mut out).unwrap();
        }
        (relay, out)
    }

    /// What a caller of this dialect gets of an upstream's events.
    fn translated(
        caller: Dialect,
        kind: &str,
        events: &str,
    ) -> (String, Result<(), UpstreamError>) {
        let prepared = prepared(caller, kind);
        let mut relay = relay(&prepared, Meter::new(prepared.inbound.clone()), None);
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        decoder.push(events.as_bytes());
        let mut ended = Ok(());
        while let (Ok(()), Some(event)) = (&ended, decoder.event().unwrap()) {
            ended = relay.event(&event, &mut out).map(|_| ());
        }
        (String::from_utf8_lossy(&out).into_owned(), ended)
    }

    fn chunks(deltas: &[Value]) -> String {
        let each = deltas.iter().map(|delta| {
            let choice = json!({ "index": 0, "delta": delta, "finish_reason": null });
            let chunk = json!({ "id": "c-1", "model": "up", "choices": [choice] });
            format!("data: {chunk}\n\n")
        });
        each.chain(["data: [DONE]\n\n".to_owned()]).collect()
    }

    fn call(arguments: &str) -> Value {
        json!({ "tool_calls": [{ "index": 0, "id": "call_1", "type": "function",
            "function": { "name": "look", "arguments": arguments } }] })
    }

    #[test]
    fn an_answer_that_is_cut_ends_as_one_that_has_reached_its_length_and_keeps_what_was_said() {
        let said = chunks(&[json!({ "role": "assistant" }), json!({ "content": "Half a" })]);
        for (caller, stop, last) in [
            (Dialect::OpenaiChat, r#""finish_reason":"length""#, "[DONE]"),
            (Dialect::AnthropicMessages, r#""max_tokens""#, "message_stop"),
            (Dialect::OpenaiResponses, "max_output_tokens", "response.incomplete"),
            (Dialect::Gemini, r#""finishReason":"MAX_TOKENS""#, "usageMetadata"),
        ] {
            let said = said.replace("data: [DONE]\n\n", "");
            let (mut relay, mut out) = relayed(caller, "together", &said, true);
            relay.cut(&mut out).unwrap();
            let out = String::from_utf8(out).unwrap();
            assert!(out.contains("Half a") && out.contains(stop) && out.contains(last), "{out}");
            assert_eq!(out.contains("a budget has nothing left"), caller != Dialect::Gemini);
        }
        let (mut relay, mut out) = relayed(Dialect::OpenaiChat, "together", &said, false);
        assert_eq!(relay.cut(&mut out), Err(UpstreamError::Cut), "its bytes pass as they are");
    }

    #[test]
    fn an_answer_that_ends_without_a_reason_is_ended_properly_for_every_caller_and_marked() {
        let said = chunks(&[json!({ "role": "assistant" }), json!({ "content": "Half a" })]);
        let called = chunks(&[call("{\"x\":1}")]);
        for (caller, stop, calls, last) in [
            (Dialect::AnthropicMessages, r#""end_turn""#, r#""tool_use""#, "message_stop"),
            (Dialect::OpenaiResponses, "response.completed", "function_call", "completed"),
            (Dialect::Gemini, r#""finishReason":"STOP""#, "functionCall", "usageMetadata"),
            (Dialect::BedrockConverse, "end_turn", "tool_use", "metadata"),
        ] {
            for (events, word) in [(&said, stop), (&called, calls)] {
                let (out, ended) = translated(caller, "together", events);
                assert_eq!(ended, Ok(()), "{caller:?}: {out}");
                assert!(out.contains(word) && out.contains(last), "{caller:?}: {out}");
                let comments = !matches!(caller, Dialect::Gemini | Dialect::BedrockConverse);
                assert_eq!(out.contains(": x-ralex-end"), comments, "{caller:?}: {out}");
            }
        }
        let events = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\
            \"model\":\"up\"}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\
            \"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"look\",\"input\":{}}}\n\n\
            event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        let (out, ended) = translated(Dialect::OpenaiChat, "anthropic", events);
        assert_eq!(ended, Ok(()));
        assert!(
            out.contains(r#""finish_reason":"tool_calls""#) && out.contains("x-ralex-end"),
            "{out}"
        );
    }

    #[test]
    fn an_answer_without_any_content_or_with_half_a_call_is_a_failure_without_a_reason() {
        for events in
            [chunks(&[]), chunks(&[json!({ "role": "assistant" })]), chunks(&[call("{\"x\":")])]
        {
            let (out, ended) = translated(Dialect::AnthropicMessages, "openai", &events);
            assert!(matches!(ended, Err(UpstreamError::Malformed(_))), "{out}");
            assert!(!out.contains("message_stop"), "{out}");
        }
        let (out, ended) = translated(
            Dialect::AnthropicMessages,
            "openai",
            "data: {\"choices\":[{\"delta\":{\"content\":\"whole\"},\"finish_reason\":\"stop\"}]}\n\n\
             data: [DONE]\n\n",
        );
        assert!(ended.is_ok() && out.contains("message_stop") && !out.contains("x-ralex-end"));
    }
}
