//! Nothing that a caller or an upstream says makes a codec panic.
//!
//! Real bodies with one value replaced go deeper than random ones, which fail at the first field.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::of;
use crate::dialect::Dialect;
use crate::inbound::{InPath, Inbound};
use crate::sse;
use crate::usage::Meter;

const NAMES: &[&str] = &[
    "arguments",
    "args",
    "candidates",
    "choices",
    "content",
    "contents",
    "data",
    "delta",
    "error",
    "finish_reason",
    "function",
    "functionCall",
    "id",
    "index",
    "input",
    "message",
    "messages",
    "name",
    "output",
    "parts",
    "response",
    "role",
    "source",
    "text",
    "thinking",
    "tool_calls",
    "tools",
    "type",
    "usage",
    "usageMetadata",
];

const WORDS: &[&str] = &[
    "",
    "assistant",
    "content_block_delta",
    "content_block_start",
    "function",
    "function_call",
    "image_url",
    "input_text",
    "max_tokens",
    "message_delta",
    "model",
    "output_text",
    "reasoning",
    "response.completed",
    "response.output_item.added",
    "STOP",
    "text",
    "tool",
    "tool_result",
    "tool_use",
    "user",
    "{",
    "{}",
    "data:;base64,",
    "\u{feff}",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        proptest::sample::select(WORDS).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((proptest::sample::select(NAMES), inner), 0..5)
                .prop_map(|fields| fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

/// Bodies in which every part of a dialect stands at least once.
fn seeds(dialect: Dialect) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let folder = std::path::Path::new(folder).join(match dialect {
        Dialect::OpenaiChat => "chat",
        Dialect::OpenaiResponses => "responses",
        Dialect::AnthropicMessages => "messages",
        Dialect::Gemini => "gemini",
        Dialect::BedrockConverse => "converse",
    });
    let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|file| file.path());
    let mut seeds = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        if let Ok(body) = serde_json::from_str(&text) {
            seeds.push(body);
        } else {
            let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
            seeds.extend(data.filter_map(|data| serde_json::from_str(data).ok()));
        }
    }
    assert!(!seeds.is_empty(), "{} has no transcripts", folder.display());
    seeds
}

/// Replaces the value at one place, counted through the whole body.
fn replace(body: &mut Value, place: &mut usize, with: &Value) {
    if *place == 0 {
        body.clone_from(with);
    }
    *place = place.wrapping_sub(1);
    match body {
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, place, with)),
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(_, value)| replace(value, place, with));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn size(body: &Value) -> usize {
    1 + match body {
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(fields) => fields.values().map(size).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Everything that is done with a caller's body; what comes of it does not matter here.
fn ask(dialect: Dialect, body: &Value) {
    let path = InPath { model: Some("m".to_owned()), streamed: None };
    let Ok(inbound) = Inbound::parse_at(dialect, body.to_string().into(), path) else { return };
    inbound.outline();
    inbound.input_tokens();
    inbound.texts(|_, _| {});
    let Ok(request) = of(dialect).decode_request(&inbound) else { return };
    let target = super::tests::target("openai_compatible");
    for upstream in Dialect::ALL {
        let _ = of(upstream).encode_request(&request, &target, 100);
    }
}

fn answer(dialect: Dialect, body: &Value) {
    let Some(answer) = body.as_object() else { return };
    let usage = of(dialect).usage(answer).unwrap_or_default();
    let Ok(reply) = of(dialect).decode_reply(answer) else { return };
    let asked = asked();
    for caller in Dialect::ALL {
        of(caller).encode_reply(&reply, usage, &asked);
    }
}

fn stream(dialect: Dialect, events: &[Value]) {
    let meter = Meter::new(asked());
    let (mut decoder, mut deltas) = (of(dialect).decoder(meter.clone()), Vec::new());
    let mut pass = of(dialect).pass(meter.clone(), &asked());
    for event in events {
        let name = event.get("type").and_then(Value::as_str).map(str::to_owned);
        let data = Some(event.to_string());
        let event = sse::Event { name, data, raw: Bytes::new() };
        let _ = pass.event(&event, &mut Vec::new());
        if decoder.event(&event, &mut deltas).is_err() {
            break;
        }
    }
    let _ = decoder.end(&mut deltas);
    for caller in Dialect::ALL {
        let mut encoder = of(caller).encoder(meter.clone(), &asked());
        for delta in &deltas {
            encoder.delta(delta, &mut Vec::new());
        }
    }
    meter.usage();
}

fn asked() -> Inbound {
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
    Inbound::parse(Dialect::OpenaiChat, body.to_string().into()).unwrap()
}

fn broken(dialect: Dialect) -> impl Strategy<Value = Value> {
    let seeds = proptest::sample::select(seeds(dialect));
    (seeds, any::<proptest::sample::Index>(), json_value()).prop_map(|(mut body, place, with)| {
        let mut place = place.index(size(&body));
        replace(&mut body, &mut place, &with);
        body
    })
}

fn dialects() -> impl Strategy<Value = Dialect> {
    proptest::sample::select(Dialect::ALL.as_slice())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_request_makes_a_codec_panic(
        (dialect, body) in dialects().prop_flat_map(|it| (Just(it), broken(it))),
    ) {
        ask(dialect, &body);
    }

    #[test]
    fn no_answer_makes_a_codec_panic(
        (dialect, body) in dialects().prop_flat_map(|it| (Just(it), broken(it))),
    ) {
        answer(dialect, &body);
    }

    #[test]
    fn no_stream_makes_a_codec_panic(
        (dialect, events) in dialects().prop_flat_map(|it| {
            (Just(it), proptest::collection::vec(prop_oneof![broken(it), json_value()], 0..12))
        }),
    ) {
        stream(dialect, &events);
    }
}
