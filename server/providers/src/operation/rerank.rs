//! Rankings: which of some documents answer a query. Cohere, Jina and Voyage write them alike but
//! for a few names, and everyone else writes them as one of these does.

use bytes::Bytes;
use ralex_kernel::Problem;
use serde_json::{Value, json};

use super::named;
use crate::codec::refuse::{self, Harmless, rest, unsupported};
use crate::inbound::Inbound;
use crate::json::{Object, given, object as fields, objects, text};
use crate::prepare::Target;
use crate::spec::RerankForm;

const CARRIED: &[&str] = &["documents", "model", "query", "return_documents", "top_k", "top_n"];
/// What may be left out: nobody cuts by default what fits.
const HARMLESS: &[(&str, Harmless)] = &[
    ("max_chunks_per_doc", Harmless::Always),
    ("priority", Harmless::Always),
    ("truncation", Harmless::Saying(&["true"])),
];

/// Whether the caller's words are Voyage's; those of Cohere and Jina are the same words.
fn is_voyage(body: &Object) -> bool {
    body.contains_key("top_k") || body.contains_key("truncation")
}

fn wants_documents(body: &Object) -> bool {
    body.get("return_documents") == Some(&Value::Bool(true))
}

/// The request in the provider's form.
pub(super) fn request(inbound: &Inbound, target: &Target) -> Result<Bytes, Problem> {
    let body = inbound.body();
    let form = target.spec.quirks.rerank;
    let same = match form {
        RerankForm::Cohere => !is_voyage(body) && !body.contains_key("return_documents"),
        RerankForm::Jina => !is_voyage(body) && !body.contains_key("max_tokens_per_doc"),
        RerankForm::Voyage => is_voyage(body) || !body.contains_key("top_n"),
    };
    if same && !is_voyage_of_texts(form, body) {
        return Ok(named(inbound, target));
    }
    rest(body, "", CARRIED, HARMLESS)?;
    let mut request = fields([
        ("model", json!(target.upstream_model)),
        ("query", body.get("query").cloned().unwrap_or_default()),
        ("documents", Value::Array(documents(body)?)),
    ]);
    let top = given(body, "top_n").or_else(|| given(body, "top_k"));
    let name = if form == RerankForm::Voyage { "top_k" } else { "top_n" };
    request.extend(top.map(|top| (name.to_owned(), top.clone())));
    let documents = given(body, "return_documents").filter(|_| form != RerankForm::Cohere);
    request.extend(documents.map(|it| ("return_documents".to_owned(), it.clone())));
    Ok(Value::Object(request).to_string().into())
}

/// Voyage takes documents as texts only, and others' callers may wrap them.
fn is_voyage_of_texts(form: RerankForm, body: &Object) -> bool {
    let wrapped = || objects(body.get("documents")).next().is_some();
    form != RerankForm::Jina && wrapped()
}

/// The documents as plain texts.
fn documents(body: &Object) -> Result<Vec<Value>, Problem> {
    let documents = body.get("documents").and_then(Value::as_array).into_iter().flatten();
    let plain = documents.enumerate().map(|(index, document)| match document {
        Value::String(_) => Ok(document.clone()),
        Value::Object(wrapped) => {
            let path = format!("documents[{index}]");
            rest(wrapped, &path, &["text"], refuse::NOTHING)?;
            let text = wrapped.get("text").filter(|text| text.is_string());
            text.cloned().ok_or_else(|| unsupported(path, "cannot be carried unless it is a text"))
        }
        _ => Err(Problem::field(format!("documents[{index}]"), "must be a text")),
    });
    plain.collect()
}

/// The answer in the caller's form; nothing where it is that already.
pub(super) fn answer(inbound: &Inbound, target: &Target, answer: &Object) -> Option<Object> {
    let asked = inbound.body();
    let voyage = is_voyage(asked);
    let is_data = answer.get("data").is_some_and(Value::is_array);
    // Cohere's newer form has no documents in its answers.
    let lacks = wants_documents(asked) && target.spec.quirks.rerank == RerankForm::Cohere;
    if voyage == is_data && !lacks {
        return None;
    }
    let rows = objects(answer.get("results").or_else(|| answer.get("data")));
    let rows: Vec<Value> = rows.map(|row| ranked(row, asked, voyage)).collect();
    let mut said = fields([("object", json!("list"))]);
    let name = if voyage { "data" } else { "results" };
    said.insert(name.to_owned(), Value::Array(rows));
    said.insert("model".to_owned(), json!(target.upstream_model));
    for key in ["id", "meta", "usage"] {
        said.extend(given(answer, key).map(|value| (key.to_owned(), value.clone())));
    }
    Some(said)
}

fn ranked(row: &Object, asked: &Object, voyage: bool) -> Value {
    let index = row.get("index").cloned().unwrap_or_default();
    let score = row.get("relevance_score").or_else(|| row.get("score")).cloned();
    let mut ranked = fields([("index", index), ("relevance_score", score.unwrap_or_default())]);
    if wants_documents(asked) {
        let said = document(row).or_else(|| asked_document(row, asked)).unwrap_or_default();
        let document = if voyage { json!(said) } else { json!({ "text": said }) };
        ranked.insert("document".to_owned(), document);
    }
    Value::Object(ranked)
}

/// The document as the answer has it, plain or wrapped.
fn document(row: &Object) -> Option<String> {
    match row.get("document")? {
        Value::String(said) => Some(said.clone()),
        wrapped => text(wrapped.as_object()?, "text").map(str::to_owned),
    }
}

/// The document as it was asked about.
fn asked_document(row: &Object, asked: &Object) -> Option<String> {
    let index = usize::try_from(row.get("index")?.as_u64()?).ok()?;
    match asked.get("documents")?.get(index)? {
        Value::String(said) => Some(said.clone()),
        wrapped => wrapped.get("text")?.as_str().map(str::to_owned),
    }
}
