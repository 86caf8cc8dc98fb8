//! What was said: `contents` and `systemInstruction`, a caller's into the intermediate form.
//!
//! Google's calls need no id, and its results name the function instead. So every call without an
//! id gets one by its place, and a result without one answers the first open call of its name.

use ralex_kernel::Problem;
use serde_json::Value;

use super::fields::Fields;
use super::proof::{self, Proof};
use crate::codec::refuse::{Harmless, NOTHING, unsupported};
use crate::ir::{Content, Part, Request, Role, Source, ToolCall};
use crate::json::Object;

/// Fields of a part beside its content: a hint of how closely to look, and the caller's own notes.
const PART: &[(&str, Harmless)] =
    &[("mediaResolution", Harmless::Always), ("partMetadata", Harmless::Always)];

/// When a function's result is complete, it is scheduled as without these.
const RESULT: &[(&str, Harmless)] = &[("willContinue", Harmless::Saying(&["false"]))];

pub(super) fn decode(body: &Fields<'_>, request: &mut Request) -> Result<(), Problem> {
    let mut calls = Calls::default();
    for content in body.children("contents")? {
        content.rest(&["role", "parts"], NOTHING)?;
        let role = match content.text("role")? {
            None | Some("user" | "function" | "tool") => Role::User,
            Some("model") => Role::Assistant,
            Some(_) => return Err(Problem::field(content.at("role"), "must be user or model")),
        };
        // Google's SDKs keep every piece of a streamed answer as a content of its own.
        let begun = request.turns.pop_if(|last| last.role == role);
        let mut parts = begun.map(|turn| turn.parts).unwrap_or_default();
        for part in content.children("parts")? {
            decode_part(&part, role, &mut calls, &mut parts)?;
        }
        request.push(role, parts);
    }
    if request.turns.is_empty() {
        return Err(Problem::field("contents", "must say something"));
    }
    Ok(())
}

/// Content, or, as some clients write it, only its text.
pub(super) fn decode_system(body: &Fields<'_>) -> Result<Vec<Part>, Problem> {
    let at = body.at("systemInstruction");
    let Some(value) = body.get("systemInstruction") else { return Ok(Vec::new()) };
    if let Value::String(text) = value {
        return Ok(Part::text(at, text).into_iter().collect());
    }
    let content = Fields::new(value, at)?;
    content.rest(&["role", "parts"], NOTHING)?;
    let mut parts = Vec::new();
    for part in content.children("parts")? {
        decode_part(&part, Role::User, &mut Calls::default(), &mut parts)?;
    }
    Ok(parts)
}

/// The calls that no result has answered yet.
#[derive(Debug, Default)]
struct Calls {
    made: usize,
    open: Vec<(String, String)>,
}

impl Calls {
    fn made(&mut self, id: Option<&str>, name: &str) -> String {
        let id = id.map_or_else(|| format!("call_{}", self.made), str::to_owned);
        self.made += 1;
        self.open.push((id.clone(), name.to_owned()));
        id
    }

    fn answered(&mut self, id: Option<&str>, name: &str) -> Option<String> {
        let found = self.open.iter().position(|(open, called)| match id {
            Some(id) => open == id,
            None => called == name,
        });
        match (found, id) {
            (Some(found), _) => Some(self.open.remove(found).0),
            // The provider judges an id that nobody called with.
            (None, id) => id.map(str::to_owned),
        }
    }
}

fn decode_part(
    part: &Fields<'_>,
    role: Role,
    calls: &mut Calls,
    parts: &mut Vec<Part>,
) -> Result<(), Problem> {
    const KINDS: [&str; 5] = ["text", "functionCall", "functionResponse", "inlineData", "fileData"];
    let kinds: Vec<_> = KINDS.into_iter().filter(|kind| part.get(kind).is_some()).collect();
    let signature = part.text("thoughtSignature")?;
    let thought = part.flag("thought")?.unwrap_or(false);
    let [kind] = kinds.as_slice() else {
        return match (kinds.len(), signature, part.object().len()) {
            // What is left of a thought whose words were not shown.
            (0, Some(signature), _) => {
                signed("", Some(signature), part, parts);
                Ok(())
            }
            (0, None, 1..) => Err(unsupported(part.path(), "is of a type that cannot be carried")),
            _ => Err(Problem::field(part.path(), "must have exactly one content")),
        };
    };
    part.rest(&[kind, "thought", "thoughtSignature"], PART)?;
    let at = part.path();
    let content = match *kind {
        "text" if thought => {
            signed(part.required("text")?, signature, part, parts);
            return Ok(());
        }
        "text" => {
            said(part.required("text")?, role, at, parts);
            return Ok(());
        }
        "functionCall" => call(part, signature, calls)?,
        "functionResponse" => result(part, calls)?,
        "inlineData" => enclosed(part)?,
        _ => named(part)?,
    };
    parts.push(Part::new(at, content));
    Ok(())
}

/// Texts of a model that stand next to each other are pieces of one, as they were streamed: some
/// upstreams refuse a piece that is only a space.
fn said(text: &str, role: Role, at: &str, parts: &mut Vec<Part>) {
    match parts.last_mut().map(|part| &mut part.content) {
        Some(Content::Text(before)) if role == Role::Assistant => before.push_str(text),
        _ => parts.extend(Part::text(at, text)),
    }
}

/// A thought, or a piece of one: its proof comes with its last piece.
fn signed(thought: &str, proof: Option<&str>, part: &Fields<'_>, parts: &mut Vec<Part>) {
    let signature = match proof.map(proof::read) {
        Some(Proof::Sealed(data)) => {
            parts.push(Part::new(part.path(), Content::Sealed(data)));
            return;
        }
        Some(Proof::Thinking(signature)) => Some(signature),
        Some(Proof::Googles) | None => None,
    };
    if let Some(Content::Thinking { text, signature: open @ None }) =
        parts.last_mut().map(|part| &mut part.content)
    {
        text.push_str(thought);
        *open = signature;
    } else if !thought.is_empty() || signature.is_some() {
        let thinking = Content::Thinking { text: thought.to_owned(), signature };
        parts.push(Part::new(part.path(), thinking));
    }
}

fn call(part: &Fields<'_>, signature: Option<&str>, calls: &mut Calls) -> Result<Content, Problem> {
    let at = part.at("functionCall");
    let call = part.child("functionCall")?.ok_or_else(|| Problem::field(&at, "is required"))?;
    call.rest(&["id", "name", "args"], NOTHING)?;
    let name = call.required("name")?;
    let arguments = match call.get("args") {
        None => Object::new(),
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(_) => return Err(Problem::field(call.at("args"), "must be an object")),
    };
    Ok(Content::ToolCall(ToolCall {
        id: calls.made(call.text("id")?.filter(|id| !id.is_empty()), name),
        name: name.to_owned(),
        arguments,
        signature: signature.and_then(proof::of_call),
    }))
}

fn result(part: &Fields<'_>, calls: &mut Calls) -> Result<Content, Problem> {
    let at = part.at("functionResponse");
    let result = part.child("functionResponse")?;
    let result = result.ok_or_else(|| Problem::field(&at, "is required"))?;
    result.rest(&["id", "name", "response", "parts"], RESULT)?;
    let name = result.required("name")?;
    let id = result.text("id")?.filter(|id| !id.is_empty());
    let call = calls
        .answered(id, name)
        .ok_or_else(|| Problem::field(result.at("name"), "answers a call that was not made"))?;
    let (text, failed) = match result.get("response") {
        None => (String::new(), false),
        Some(Value::Object(response)) => answer(response),
        Some(_) => return Err(Problem::field(result.at("response"), "must be an object")),
    };
    let mut parts: Vec<_> = Part::text(result.at("response"), &text).into_iter().collect();
    for part in result.children("parts")? {
        let is_enclosed = part.get("inlineData").is_some();
        part.rest(&[if is_enclosed { "inlineData" } else { "fileData" }], PART)?;
        let content = if is_enclosed { enclosed(&part)? } else { named(&part)? };
        parts.push(Part::new(part.path(), content));
    }
    Ok(Content::ToolResult { call, parts, failed })
}

/// The text of a result, and whether it is that of a failure. Google asks for an object, in which
/// a result that is a text stands under one of these names.
fn answer(response: &Object) -> (String, bool) {
    let mut fields = response.iter();
    if let (Some((key, Value::String(text))), None) = (fields.next(), fields.next()) {
        match key.as_str() {
            "output" | "result" => return (text.clone(), false),
            "error" => return (text.clone(), true),
            _ => {}
        }
    }
    let failed = response.len() == 1 && response.contains_key("error");
    (Value::Object(response.clone()).to_string(), failed)
}

fn enclosed(part: &Fields<'_>) -> Result<Content, Problem> {
    let at = part.at("inlineData");
    let blob = part.child("inlineData")?.ok_or_else(|| Problem::field(&at, "is required"))?;
    blob.rest(&["mimeType", "data", "displayName"], NOTHING)?;
    let media_type = blob.required("mimeType")?;
    let data = in_standard_base64(blob.required("data")?);
    let source = Source::Base64 { media_type: media_type.to_owned(), data };
    medium(media_type, source, blob.text("displayName")?, &blob)
}

/// Google takes base64 in either alphabet, with or without its padding, and its SDK for Python
/// writes the one of addresses; all others take only the usual one.
fn in_standard_base64(data: &str) -> String {
    let mut data = data.replace('-', "+").replace('_', "/");
    while !data.len().is_multiple_of(4) {
        data.push('=');
    }
    data
}

fn named(part: &Fields<'_>) -> Result<Content, Problem> {
    let at = part.at("fileData");
    let file = part.child("fileData")?.ok_or_else(|| Problem::field(&at, "is required"))?;
    file.rest(&["mimeType", "fileUri", "displayName"], NOTHING)?;
    let uri = file.required("fileUri")?;
    let googles = !uri.starts_with("https://") && !uri.starts_with("http://")
        || uri.starts_with("https://generativelanguage.googleapis.com/");
    let source = if googles { Source::File(uri.to_owned()) } else { Source::Url(uri.to_owned()) };
    medium(file.text("mimeType")?.unwrap_or_default(), source, file.text("displayName")?, &file)
}

fn medium(
    media_type: &str,
    source: Source,
    name: Option<&str>,
    at: &Fields<'_>,
) -> Result<Content, Problem> {
    match media_type.split('/').next() {
        Some("image") => Ok(Content::Image(source)),
        Some("audio") => Ok(Content::Audio(source)),
        Some("application" | "text") => {
            Ok(Content::Document { source, name: name.map(str::to_owned) })
        }
        _ => Err(unsupported(at.at("mimeType"), "is of a type that cannot be carried")),
    }
}
