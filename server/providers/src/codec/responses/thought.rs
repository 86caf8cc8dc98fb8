//! Proofs of thoughts that travel through a dialect which is not their vendor's.
//!
//! A caller sends a model's sealed thoughts back with the conversation, and a vendor refuses those
//! of another. So OpenAI's are marked in other dialects, and other vendors' in this one: a mark
//! that comes back says whom a thought belongs to.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::ir::Content;
use crate::json::{Object, objects, text};
use crate::kept_ids::is_made_here;

/// Stands before OpenAI's item id and sealed content in another dialect's proof.
const OPENAI: &str = "openai:";

/// Stands before other vendors' proofs in `encrypted_content`.
const FOREIGN: &str = "ralex:";
const SIGNED: &str = "ralex:signed:";
const SEALED: &str = "ralex:sealed:";

/// Stands before the proof of the thought behind a call, and the call's id.
const CALLED: &str = "ralex:called:";

/// True for a proof that only OpenAI understands.
pub(crate) fn is_openais(proof: &str) -> bool {
    proof.starts_with(OPENAI)
}

/// A reasoning item of OpenAI's as other dialects carry it; nothing where it says nothing.
pub(super) fn decode(item: &Object) -> Option<Content> {
    let text_of = reasoning_text(item);
    let sealed = text(item, "encrypted_content").filter(|it| !it.is_empty());
    let proof = sealed.map(|sealed| proof(text(item, "id").unwrap_or_default(), sealed));
    match (text_of, proof) {
        (text, None) if text.is_empty() => None,
        (text, Some(proof)) if text.is_empty() => Some(Content::Sealed(proof)),
        (text, signature) => Some(Content::Thinking { text, signature }),
    }
}

/// OpenAI's proof as other dialects carry it.
pub(super) fn proof(id: &str, sealed: &str) -> String {
    format!("{OPENAI}{id}:{sealed}")
}

/// A reasoning item that a caller sends to another vendor's model. What OpenAI sealed is of no use
/// there, what that vendor sealed is.
pub(super) fn returned(item: &Object) -> Option<Content> {
    let said = reasoning_text(item);
    let sealed = text(item, "encrypted_content").unwrap_or_default();
    if let Some(data) = sealed.strip_prefix(SEALED) {
        return Some(Content::Sealed(data.to_owned()));
    }
    if sealed.starts_with(CALLED) {
        return None;
    }
    let signature = sealed.strip_prefix(SIGNED).map(str::to_owned);
    let empty = said.is_empty() && signature.is_none();
    (!empty).then_some(Content::Thinking { text: said, signature })
}

fn reasoning_text(item: &Object) -> String {
    let parts = |key| objects(item.get(key)).filter_map(|part| text(part, "text"));
    parts("summary").chain(parts("content")).collect::<Vec<_>>().join("\n\n")
}

/// The reasoning item for OpenAI, where the thought is its own.
pub(super) fn home(said: &str, proof: Option<&str>) -> Option<Value> {
    let (id, sealed) = proof?.strip_prefix(OPENAI)?.split_once(':')?;
    let mut item = json!({
        "type": "reasoning", "summary": summary(said), "encrypted_content": sealed,
    });
    if !id.is_empty() {
        item["id"] = json!(id);
    }
    Some(item)
}

pub(super) fn summary(said: &str) -> Value {
    if said.is_empty() { json!([]) } else { json!([{ "type": "summary_text", "text": said }]) }
}

/// `encrypted_content` for a caller, of a thought's signature.
pub(super) fn signed(signature: &str) -> String {
    bare(signature).map_or_else(|| format!("{SIGNED}{signature}"), str::to_owned)
}

/// `encrypted_content` for a caller, of a thought that only its vendor can read.
pub(super) fn sealed(data: &str) -> String {
    bare(data).map_or_else(|| format!("{SEALED}{data}"), str::to_owned)
}

/// `encrypted_content` for a caller, of the thought behind a call, which has no place in the call.
pub(crate) fn called(call: &str, signature: &str) -> String {
    format!("{CALLED}{signature}:{call}")
}

/// The call's id and the proof.
pub(crate) fn read_called(proof: &str) -> Option<(&str, &str)> {
    let (signature, call) = proof.strip_prefix(CALLED)?.split_once(':')?;
    Some((call, signature))
}

/// The proofs of the thoughts behind the calls of an input, by the calls' ids.
pub(super) fn of_calls(input: Option<&Value>) -> HashMap<&str, &str> {
    let proofs = objects(input).filter_map(|item| read_called(text(item, "encrypted_content")?));
    proofs.collect()
}

/// The id that OpenAI gave to the thought, which must come back with what it sealed.
pub(super) fn own_id(proof: &str) -> Option<&str> {
    let (id, _) = proof.strip_prefix(OPENAI)?.split_once(':')?;
    (!id.is_empty()).then_some(id)
}

fn bare(proof: &str) -> Option<&str> {
    proof.strip_prefix(OPENAI)?.split_once(':').map(|(_, sealed)| sealed)
}

/// The input without other vendors' thoughts, where there are any: a conversation may move from
/// one model to another, and a provider of this dialect refuses what it did not seal.
pub(super) fn without_foreign(input: Option<&Value>) -> Option<Value> {
    let items = input?.as_array()?;
    let foreign = |item: &&Value| {
        let said = |key: &str| item.get(key).and_then(Value::as_str);
        match said("encrypted_content").filter(|sealed| !sealed.is_empty()) {
            Some(sealed) => sealed.starts_with(FOREIGN),
            None => said("type") == Some("reasoning") && said("id").is_some_and(is_made_here),
        }
    };
    items
        .iter()
        .any(|item| foreign(&item))
        .then(|| items.iter().filter(|item| !foreign(item)).cloned().collect())
}
