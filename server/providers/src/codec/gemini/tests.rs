//! What Google's dialect becomes in others, and others in it.

mod answers;
mod requests;
mod round_trip;

use ralex_kernel::Problem;
use serde_json::Value;

use crate::codec::of;
use crate::codec::tests::target;
use crate::dialect::Dialect;
use crate::inbound::{InPath, Inbound};
use crate::prepare::{Target, prepare};

fn google(model: &str) -> Target {
    Target { upstream_model: model.to_owned(), ..target("gemini") }
}

fn inbound(dialect: Dialect, body: &Value) -> Result<Inbound, Problem> {
    let path = InPath {
        model: (dialect == Dialect::Gemini).then(|| "asked".to_owned()),
        ..InPath::default()
    };
    Inbound::parse_at(dialect, body.to_string().into(), path)
}

/// A caller's request for an upstream of another dialect.
fn carried(from: Dialect, body: &Value, to: Dialect, target: &Target) -> Result<Value, Problem> {
    let request = of(from).decode_request(&inbound(from, body)?)?;
    of(to).encode_request(&request, target, 500).map(Value::Object)
}

/// The bytes that an upstream of the same dialect gets.
fn passed(text: &str) -> Result<String, Problem> {
    let path = InPath { model: Some("asked".to_owned()), ..InPath::default() };
    let inbound = Inbound::parse_at(Dialect::Gemini, text.to_owned().into(), path)?;
    let prepared = prepare(&inbound, &google("gemini-2.5-flash"), 500)?;
    Ok(String::from_utf8(prepared.body.to_vec()).unwrap())
}
