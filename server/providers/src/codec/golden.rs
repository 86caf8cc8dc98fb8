//! Each dialect's transcripts in every other dialect, as `tests/golden/translated/` has them.
//!
//! A change of a codec shows there as a diff to be read. `UPDATE_GOLDEN=1` writes them anew.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::{Value, json};

use super::of;
use crate::dialect::Dialect;
use crate::framing::Framing;
use crate::inbound::{InPath, Inbound};
use crate::ir::Delta;
use crate::relay::Progress;
use crate::sse;
use crate::usage::Meter;

const fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat => "chat",
        Dialect::OpenaiResponses => "responses",
        Dialect::AnthropicMessages => "messages",
        Dialect::Gemini => "gemini",
        Dialect::BedrockConverse => "converse",
    }
}

fn golden() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"))
}

fn read(dialect: Dialect, file: &str) -> String {
    let path = golden().join(name(dialect)).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn inbound(dialect: Dialect) -> Inbound {
    let path = InPath { model: Some("asked-model".to_owned()), streamed: None };
    let body = Bytes::from(read(dialect, "request.json"));
    Inbound::parse_at(dialect, body, path).unwrap()
}

/// Compares with the file, or writes it.
fn check(from: Dialect, to: Dialect, what: &str, text: String) -> Option<String> {
    let file = format!("{}-to-{}.{what}", name(from), name(to));
    let path = golden().join("translated").join(&file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
        return None;
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    (known != text).then(|| format!("{file} is now:\n{text}"))
}

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let to =
        |from| Dialect::ALL.into_iter().filter(move |to| *to != from).map(move |to| (from, to));
    Dialect::ALL.into_iter().flat_map(to)
}

fn all_as_checked_in(changed: Vec<String>) {
    assert!(changed.is_empty(), "{}\nUPDATE_GOLDEN=1 writes them.", changed.join("\n"));
}

#[test]
fn requests_become_what_is_checked_in() {
    let target = super::tests::target("openai_compatible");
    all_as_checked_in(
        pairs()
            .filter_map(|(from, to)| {
                let request = of(from).decode_request(&inbound(from)).unwrap();
                let told = match of(to).encode_request(&request, &target, 2048) {
                    Ok(body) => serde_json::to_string_pretty(&body).unwrap(),
                    Err(problem) => format!("refused: {}", problem.detail),
                };
                check(from, to, "request.json", told + "\n")
            })
            .collect(),
    );
}

#[test]
fn answers_become_what_is_checked_in() {
    all_as_checked_in(
        pairs()
            .filter_map(|(from, to)| {
                let answer: Value = serde_json::from_str(&read(from, "reply.json")).unwrap();
                let answer = answer.as_object().unwrap();
                let reply = of(from).decode_reply(answer).unwrap();
                let usage = of(from).usage(answer).expect("the transcript tells its usage");
                let reply = of(to).encode_reply(&reply, usage, &inbound(to));
                let text = serde_json::to_string_pretty(&timeless(Value::Object(reply))).unwrap();
                check(from, to, "reply.json", text + "\n")
            })
            .collect(),
    );
}

#[test]
fn streams_become_what_is_checked_in() {
    all_as_checked_in(
        pairs()
            .filter_map(|(from, to)| check(from, to, "stream.txt", translated(from, to)))
            .collect(),
    );
}

fn events(dialect: Dialect) -> Vec<sse::Event> {
    let mut decoder = sse::Decoder::default();
    decoder.push(read(dialect, "stream.txt").as_bytes());
    std::iter::from_fn(|| decoder.event().unwrap()).collect()
}

fn translated(from: Dialect, to: Dialect) -> String {
    let meter = Meter::new(inbound(to));
    let mut decoder = of(from).decoder(meter.clone());
    let mut encoder = of(to).encoder(meter, &inbound(to));
    let (mut out, mut ended) = (Vec::new(), false);
    for event in events(from) {
        let mut deltas = Vec::new();
        decoder.event(&event, &mut deltas).unwrap();
        for delta in &deltas {
            encoder.delta(delta, &mut out);
        }
        ended |= matches!(deltas.last(), Some(Delta::Finish(_)));
    }
    // Google's streams have no last event.
    if !ended {
        let mut deltas = Vec::new();
        decoder.end(&mut deltas).unwrap();
        for delta in &deltas {
            encoder.delta(delta, &mut out);
        }
    }
    // Amazon's frames are no text; what is in them is.
    let text = match to {
        Dialect::BedrockConverse => framed(&out),
        _ => String::from_utf8(out).unwrap(),
    };
    let mut told = String::new();
    for line in text.lines() {
        match line.strip_prefix("data: ").and_then(|data| serde_json::from_str(data).ok()) {
            Some(data) => writeln!(told, "data: {}", timeless(data)).unwrap(),
            None => writeln!(told, "{line}").unwrap(),
        }
    }
    told
}

fn framed(out: &[u8]) -> String {
    let mut framing = Framing::of(Dialect::BedrockConverse);
    framing.push(out);
    let events = std::iter::from_fn(|| framing.event().unwrap());
    let mut text = String::new();
    for event in events {
        let (name, data) = (event.name.unwrap_or_default(), event.data.unwrap_or_default());
        write!(text, "event: {name}\ndata: {data}\n\n").unwrap();
    }
    text
}

/// Without the moment at which it was made.
fn timeless(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let is_moment = matches!(key.as_str(), "created" | "created_at" | "completed_at");
                *field =
                    if is_moment && !field.is_null() { json!(0) } else { timeless(field.take()) };
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|it| *it = timeless(it.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

#[test]
fn a_dialects_own_stream_passes_byte_for_byte() {
    for dialect in Dialect::ALL {
        let wants_usage = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }],
            "stream": true, "stream_options": { "include_usage": true } });
        let asked = match dialect {
            Dialect::OpenaiChat => Inbound::parse(dialect, wants_usage.to_string().into()).unwrap(),
            _ => inbound(dialect),
        };
        let meter = Meter::new(asked.clone());
        let mut pass = of(dialect).pass(meter.clone(), &asked);
        let (mut out, mut progress) = (Vec::new(), Progress::Going);
        for event in events(dialect) {
            progress = pass.event(&event, &mut out).unwrap();
        }
        // Only some dialects say in the stream that it ends.
        if progress == Progress::Going {
            pass.end(&mut out).unwrap();
        }
        assert_eq!(String::from_utf8(out).unwrap(), read(dialect, "stream.txt"), "{dialect:?}");
        assert!(!meter.usage().estimated, "{dialect:?}");
    }
}
