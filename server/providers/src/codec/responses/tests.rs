//! What becomes of a response's requests, answers and events elsewhere, and back.

use ralex_kernel::{Code, Problem};
use serde_json::{Value, json};

use super::Responses;
use crate::codec::tests::target;
use crate::codec::{Codec, of};
use crate::dialect::Dialect;
use crate::error::UpstreamError;
use crate::inbound::Inbound;
use crate::ir::{Content, Delta, Finish, Part, Reply, ToolCall};
use crate::json::Object;
use crate::prepare::prepare;
use crate::sse;
use crate::usage::{Meter, Usage};

mod requests;
mod round_trip;
mod streams;
mod thoughts;
mod translations;

const CODEX: &str = include_str!("../../../tests/golden/responses/codex.json");

const CODEX_LATER: &str = include_str!("../../../tests/golden/responses/codex_later.json");

const AGENT: &str = include_str!("../../../tests/golden/responses/agent.stream.txt");

pub(super) fn inbound(body: &Value) -> Inbound {
    Inbound::parse(Dialect::OpenaiResponses, body.to_string().into()).unwrap()
}

fn sent(kind: &str, body: &Value) -> Result<Value, Problem> {
    let prepared = prepare(&inbound(body), &target(kind), 500)?;
    Ok(serde_json::from_slice(&prepared.body).unwrap())
}

/// The data of the events that an encoder writes.
pub(super) fn written(asked: &Inbound, deltas: &[Delta]) -> (Vec<u8>, Vec<Value>) {
    let meter = Meter::new(asked.clone());
    meter.settle(Usage { input_tokens: 3, output_tokens: 5, ..Usage::default() });
    let mut encoder = Responses.encoder(meter, asked);
    let mut out = Vec::new();
    for delta in deltas {
        encoder.delta(delta, &mut out);
    }
    let events = data(&out);
    (out, events)
}

fn data(bytes: &[u8]) -> Vec<Value> {
    let mut decoder = sse::Decoder::default();
    decoder.push(bytes);
    let events = std::iter::from_fn(|| decoder.event().unwrap());
    let each = events.filter_map(|event| {
        let data: Value = serde_json::from_str(event.data.as_deref()?).unwrap();
        assert_eq!(data["type"].as_str(), event.name.as_deref());
        Some(data)
    });
    each.collect()
}

fn decoded(events: &[Value]) -> Result<Vec<Delta>, UpstreamError> {
    let asked = inbound(&json!({ "model": "m", "input": "hi" }));
    let mut decoder = Responses.decoder(Meter::new(asked));
    let mut deltas = Vec::new();
    for event in events {
        let event =
            sse::Event { name: None, data: Some(event.to_string()), raw: bytes::Bytes::new() };
        decoder.event(&event, &mut deltas)?;
    }
    Ok(deltas)
}

pub(super) fn whole(reply: &Reply, asked: &Inbound) -> Object {
    let usage = Usage { input_tokens: 3, output_tokens: 5, ..Usage::default() };
    Responses.encode_reply(reply, usage, asked)
}
