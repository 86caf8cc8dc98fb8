//! What was said, for an upstream that speaks Google's dialect.

use ralex_kernel::Problem;
use serde_json::{Value, json};

use super::model::Model;
use super::proof;
use super::reply::is_made_up;
use crate::ir::{Content, Part, Request, Role, Source, ToolCall};
use crate::json::{Object, object as fields};

/// The turns; one that holds nothing for this upstream is left out.
pub(super) fn encode(request: &Request, model: Model) -> Result<Vec<Value>, Problem> {
    let mut contents = Vec::with_capacity(request.turns.len());
    for turn in &request.turns {
        let mut parts = Vec::with_capacity(turn.parts.len());
        let mut proven = false;
        for part in &turn.parts {
            if let Content::ToolCall(call) = &part.content {
                // Models ask for the proof of the first call of a step, and of no other.
                let demanded = model.demands_proofs() && !std::mem::replace(&mut proven, true);
                parts.push(encode_call(call, demanded));
            } else {
                encode_part(part, request, model, &mut parts)?;
            }
        }
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "model",
        };
        if !parts.is_empty() {
            contents.push(json!({ "role": role, "parts": parts }));
        }
    }
    Ok(contents)
}

pub(super) fn encode_system(system: &[Part]) -> Result<Option<Value>, Problem> {
    let texts = system.iter().map(|part| match &part.content {
        Content::Text(text) => Ok(json!({ "text": text })),
        _ => Err(part.unsupported("cannot be carried unless it is a text")),
    });
    let parts = texts.collect::<Result<Vec<_>, _>>()?;
    Ok((!parts.is_empty()).then(|| json!({ "parts": parts })))
}

/// A call and its proof; its id only where the caller or an upstream gave it one.
fn encode_call(call: &ToolCall, demanded: bool) -> Value {
    let mut part = fields([("functionCall", Value::Object(function_call(call)))]);
    let proof = call.signature.as_deref().or(demanded.then_some(proof::NOT_ITS_OWN));
    if let Some(proof) = proof {
        part.insert("thoughtSignature".to_owned(), json!(proof));
    }
    Value::Object(part)
}

fn function_call(call: &ToolCall) -> Object {
    let mut encoded = fields([("name", json!(call.name)), ("args", json!(call.arguments))]);
    if !is_made_up(&call.id) {
        encoded.insert("id".to_owned(), json!(call.id));
    }
    encoded
}

fn encode_part(
    part: &Part,
    request: &Request,
    model: Model,
    parts: &mut Vec<Value>,
) -> Result<(), Problem> {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => parts.push(json!({ "text": text })),
        Content::Image(source) => parts.push(medium(source, part, "image/jpeg")?),
        Content::Document { source, name: _ } => {
            parts.push(medium(source, part, "application/pdf")?);
        }
        Content::Audio(source) => parts.push(medium(source, part, "audio/mpeg")?),
        Content::ToolResult { call, parts: results, failed } => {
            let name = request.called(call).ok_or_else(|| {
                Problem::field(&part.at, "answers a call that is not in the conversation")
            })?;
            encode_result((call, name), results, *failed, model, parts)?;
        }
        // Another vendor's thoughts, and its proofs of them.
        Content::Thinking { .. } | Content::Sealed(_) => {}
        Content::ToolCall(call) => parts.push(encode_call(call, false)),
    }
    Ok(())
}

/// A tool's result; its media stand beside it for models that look for them nowhere else.
fn encode_result(
    (call, name): (&str, &str),
    results: &[Part],
    failed: bool,
    model: Model,
    parts: &mut Vec<Value>,
) -> Result<(), Problem> {
    let (mut texts, mut media) = (Vec::new(), Vec::new());
    for part in results {
        match &part.content {
            Content::Text(text) | Content::Refusal(text) => texts.push(text.as_str()),
            Content::Image(source) => media.push(medium(source, part, "image/jpeg")?),
            Content::Document { source, name: _ } => {
                media.push(medium(source, part, "application/pdf")?);
            }
            Content::Audio(_)
            | Content::ToolCall(_)
            | Content::ToolResult { .. }
            | Content::Thinking { .. }
            | Content::Sealed(_) => return Err(part.unsupported("cannot be carried here")),
        }
    }
    let mut result =
        fields([("name", json!(name)), ("response", response(&texts.join("\n"), failed))]);
    if !is_made_up(call) {
        result.insert("id".to_owned(), json!(call));
    }
    if model.sees_results() && !media.is_empty() {
        result.insert("parts".to_owned(), json!(std::mem::take(&mut media)));
    }
    parts.push(json!({ "functionResponse": result }));
    parts.extend(media);
    Ok(())
}

/// An object is taken as it is; a text gets the name that Google's documents give it.
fn response(text: &str, failed: bool) -> Value {
    let object = serde_json::from_str::<Object>(text).ok();
    match (object, failed) {
        (Some(object), false) => Value::Object(object),
        (Some(object), true) if object.len() == 1 && object.contains_key("error") => {
            Value::Object(object)
        }
        (_, true) => json!({ "error": text }),
        (None, false) => json!({ "output": text }),
    }
}

/// A medium by its source. What is only named has no type, which Google wants to be told.
fn medium(source: &Source, part: &Part, usual: &str) -> Result<Value, Problem> {
    match source {
        Source::Base64 { media_type, data } => {
            Ok(json!({ "inlineData": { "mimeType": media_type, "data": data } }))
        }
        Source::Url(url) => {
            let media_type = media_type(url).unwrap_or(usual);
            Ok(json!({ "fileData": { "mimeType": media_type, "fileUri": url } }))
        }
        Source::File(_) => {
            Err(part.unsupported("cannot be carried, since it is a file of its own provider"))
        }
    }
}

/// By the ending of its path.
fn media_type(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        _ => return None,
    })
}
