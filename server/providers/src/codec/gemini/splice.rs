//! What changes on the way to an upstream of the same dialect: a missing maximum of output, which
//! stands deep in the body, and the model's name where a caller repeats it there.

use bytes::Bytes;
use ralex_kernel::Problem;
use serde_json::{Value, json};

use super::config::CONFIG;
use super::fields::{Fields, spells};
use super::proof::{self, Proof};
use crate::inbound::{Inbound, spans};
use crate::prepare::{Splice, Target};

const MAXIMUM: &str = "maxOutputTokens";

pub(super) fn splice(
    inbound: &Inbound,
    target: &Target,
    max_output: u64,
    splice: &mut Splice,
) -> Result<(), Problem> {
    if inbound.span("model").is_some() {
        splice.set(inbound, "model", &json!(format!("models/{}", target.upstream_model)));
    }
    if let Some(contents) = without_foreign(inbound.body().get("contents")) {
        splice.set(inbound, "contents", &contents);
    }
    let body = Fields::of(inbound.body(), "")?;
    let Some((key, _)) = body.entry(CONFIG) else {
        // The null of a field that is there must give way to the object.
        let key =
            if inbound.span("generation_config").is_some() { "generation_config" } else { CONFIG };
        splice.set(inbound, key, &json!({ MAXIMUM: max_output }));
        return Ok(());
    };
    let Some(config) = inbound.span(key) else { return Ok(()) };
    let raw: Bytes = inbound.raw().slice(config.clone());
    // Also where nothing is missing: it refuses a maximum that stands twice.
    let within = spans(&raw)?;
    if inbound.max_output().is_some() {
        return Ok(());
    }
    let null = within.iter().find(|(name, _)| spells(name, MAXIMUM));
    if let Some((_, value)) = null {
        let range = config.start + value.start..config.start + value.end;
        splice.within(range, max_output.to_string());
        return Ok(());
    }
    // Before the brace that ends the object.
    let end = config.end.saturating_sub(1);
    let comma = if within.is_empty() { "" } else { "," };
    splice.within(end..end, format!("{comma}{}:{max_output}", json!(MAXIMUM)));
    Ok(())
}

/// True for a thought that carries another vendor's proof, which Google would refuse.
fn is_foreign(part: &Value) -> bool {
    let proof = part.get("thoughtSignature").or_else(|| part.get("thought_signature"));
    let proof = proof.and_then(Value::as_str).map(proof::read);
    matches!(proof, Some(Proof::Thinking(_) | Proof::Sealed(_)))
}

/// The contents without other vendors' thoughts, where there are any: a conversation may move from
/// one model to another.
fn without_foreign(contents: Option<&Value>) -> Option<Value> {
    let contents = contents?.as_array()?;
    let foreign = |content: &Value| {
        let parts = content.get("parts").and_then(Value::as_array);
        parts.is_some_and(|parts| parts.iter().any(is_foreign))
    };
    if !contents.iter().any(foreign) {
        return None;
    }
    let kept = contents.iter().filter_map(|content| {
        let mut content = content.clone();
        let all = content.get_mut("parts").and_then(Value::as_array_mut);
        let emptied = all.is_some_and(|all| {
            all.retain(|part| !is_foreign(part));
            all.is_empty()
        });
        (!emptied).then_some(content)
    });
    Some(kept.collect())
}
