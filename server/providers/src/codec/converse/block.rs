//! Content blocks, in both directions. A block's only key says what it is.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ralex_kernel::Problem;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Family;
use crate::codec::refuse::{self, object, required, rest, under, unsupported};
use crate::codec::responses::is_openais;
use crate::ir::{Content, Part, Source, ToolCall};
use crate::json::{Object, given, object as fields, text};

/// Formats of media, by their types.
const IMAGES: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpeg", "image/jpeg"),
    ("jpeg", "image/jpg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
];
const DOCUMENTS: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
];
const AUDIO: &[(&str, &str)] = &[
    ("mp3", "audio/mp3"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("wav", "audio/x-wav"),
    ("flac", "audio/flac"),
    ("aac", "audio/aac"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/opus"),
    ("m4a", "audio/m4a"),
    ("mp4", "audio/mp4"),
    ("webm", "audio/webm"),
];

/// Reads blocks. A cache point belongs to the block before it.
pub(super) fn decode(blocks: &Value, path: &str) -> Result<Vec<Part>, Problem> {
    let blocks = blocks.as_array().ok_or_else(|| Problem::field(path, "must be an array"))?;
    let mut parts: Vec<Part> = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let block = object(block, &path)?;
        match (given(block, "cachePoint"), parts.last_mut()) {
            (Some(point), Some(last)) => last.cache = Some(cache_control(point)),
            (Some(_), None) => {}
            (None, _) => parts.extend(decode_block(block, &path)?),
        }
    }
    Ok(parts)
}

fn decode_block(block: &Object, path: &str) -> Result<Option<Part>, Problem> {
    let of = |key: &str| {
        let value = given(block, key)?;
        let path = under(path, key);
        Some(object(value, &path).map(|value| (value, path)))
    };
    let content = if let Some(said) = text(block, "text") {
        return Ok(Part::text(under(path, "text"), said));
    } else if let Some(image) = of("image") {
        let (image, path) = image?;
        Content::Image(decode_source(image, &path, IMAGES)?)
    } else if let Some(document) = of("document") {
        let (document, path) = document?;
        let name = text(document, "name").map(str::to_owned);
        rest(document, &path, &["format", "name", "source"], refuse::BLOCK)?;
        match document.get("source").and_then(|it| it.get("text")).and_then(Value::as_str) {
            Some(said) => return Ok(Part::text(path, said)),
            None => Content::Document { source: decode_source(document, &path, DOCUMENTS)?, name },
        }
    } else if let Some(audio) = of("audio") {
        let (audio, path) = audio?;
        Content::Audio(decode_source(audio, &path, AUDIO)?)
    } else if let Some(call) = of("toolUse") {
        let (call, path) = call?;
        rest(call, &path, &["toolUseId", "name", "input"], refuse::NOTHING)?;
        Content::ToolCall(ToolCall {
            id: required(call, &path, "toolUseId")?.to_owned(),
            name: required(call, &path, "name")?.to_owned(),
            arguments: call.get("input").and_then(Value::as_object).cloned().unwrap_or_default(),
            signature: None,
        })
    } else if let Some(result) = of("toolResult") {
        let (result, path) = result?;
        rest(result, &path, &["toolUseId", "content", "status"], refuse::NOTHING)?;
        Content::ToolResult {
            call: required(result, &path, "toolUseId")?.to_owned(),
            parts: decode_result(result.get("content"), &under(&path, "content"))?,
            failed: text(result, "status") == Some("error"),
        }
    } else if let Some(thought) = of("reasoningContent") {
        return Ok(decode_thought(thought?.0).map(|content| Part::new(path, content)));
    } else {
        return Err(unsupported(path, "is of a type that cannot be carried"));
    };
    Ok(Some(Part::new(path, content)))
}

/// A tool's result may be JSON, which is a text to everyone else.
fn decode_result(blocks: Option<&Value>, path: &str) -> Result<Vec<Part>, Problem> {
    let Some(blocks) = blocks.and_then(Value::as_array) else { return Ok(Vec::new()) };
    let plain = blocks.iter().map(|block| match block.get("json") {
        Some(value) => json!({ "text": value.to_string() }),
        None => block.clone(),
    });
    decode(&plain.collect(), path)
}

/// A thought, in a request and in an answer.
pub(super) fn decode_thought(thought: &Object) -> Option<Content> {
    let readable =
        thought.get("reasoningText").and_then(Value::as_object).map(|said| Content::Thinking {
            text: text(said, "text").unwrap_or_default().to_owned(),
            signature: text(said, "signature").map(str::to_owned),
        });
    let sealed = || text(thought, "redactedContent").map(|data| Content::Sealed(data.to_owned()));
    readable.or_else(sealed)
}

fn decode_source(medium: &Object, path: &str, formats: &[(&str, &str)]) -> Result<Source, Problem> {
    let at = under(path, "source");
    let source = object(medium.get("source").unwrap_or(&Value::Null), &at)?;
    if let Some(data) = text(source, "bytes") {
        let format = required(medium, path, "format")?;
        let known = formats.iter().find(|(name, _)| *name == format);
        let (_, media_type) =
            known.ok_or_else(|| unsupported(under(path, "format"), "cannot be carried"))?;
        return Ok(Source::Base64 { media_type: (*media_type).to_owned(), data: data.to_owned() });
    }
    let place = source.get("s3Location").and_then(|it| it.get("uri")).and_then(Value::as_str);
    place.map(|uri| Source::Url(uri.to_owned())).ok_or_else(|| unsupported(at, "cannot be carried"))
}

/// A cache point as Anthropic writes it, which is how the intermediate form keeps it.
pub(super) fn cache_control(point: &Value) -> Value {
    let mut cache = fields([("type", json!("ephemeral"))]);
    if let Some(ttl) = point.get("ttl") {
        cache.insert("ttl".to_owned(), ttl.clone());
    }
    Value::Object(cache)
}

/// A cache point, for the models that have them; others refuse them, and lose nothing but speed.
pub(super) fn cache_point(cache: &Value, family: Family) -> Option<Value> {
    match (family, cache.get("ttl")) {
        (Family::Anthropic, Some(ttl)) => Some(json!({ "type": "default", "ttl": ttl })),
        (Family::Anthropic | Family::Nova, _) => Some(json!({ "type": "default" })),
        (Family::OpenWeight | Family::Other, _) => None,
    }
    .map(|point| json!({ "cachePoint": point }))
}

/// Writes blocks; names of documents must differ within a request.
pub(super) struct Writer {
    family: Family,
    names: HashSet<String>,
}

impl Writer {
    pub fn new(family: Family) -> Self {
        Self { family, names: HashSet::new() }
    }

    pub fn blocks(&mut self, parts: &[Part]) -> Result<Vec<Value>, Problem> {
        let mut blocks = Vec::with_capacity(parts.len());
        for part in parts {
            let Some(block) = self.block(part)? else { continue };
            blocks.push(block);
            let cache = part.cache.as_ref();
            blocks.extend(cache.and_then(|cache| cache_point(cache, self.family)));
        }
        Ok(blocks)
    }

    fn block(&mut self, part: &Part) -> Result<Option<Value>, Problem> {
        Ok(Some(match &part.content {
            // Bedrock refuses a whole conversation for a text of spaces.
            Content::Text(text) | Content::Refusal(text) if text.trim().is_empty() => {
                return Ok(None);
            }
            Content::Text(text) | Content::Refusal(text) => json!({ "text": text }),
            Content::Image(source) => json!({ "image": medium(source, part, IMAGES)? }),
            Content::Audio(source) => json!({ "audio": medium(source, part, AUDIO)? }),
            Content::Document { source, name } => {
                let mut document = medium(source, part, DOCUMENTS)?;
                document.insert("name".to_owned(), json!(self.name(name.as_deref())));
                json!({ "document": document })
            }
            Content::ToolCall(call) => json!({ "toolUse": {
                "toolUseId": identifier(&call.id), "name": call.name, "input": call.arguments,
            } }),
            Content::ToolResult { call, parts, failed } => {
                let content = self.blocks(parts)?;
                let status = if *failed { "error" } else { "success" };
                let call = identifier(call);
                json!({ "toolResult": { "toolUseId": call, "content": content, "status": status } })
            }
            Content::Thinking { text, signature } => {
                return Ok(self.thought(text, signature.as_deref()));
            }
            // What is no base64 is no bytes of Bedrock's, and would spoil the whole request.
            Content::Sealed(data)
                if self.family == Family::Anthropic && BASE64_STANDARD.decode(data).is_ok() =>
            {
                json!({ "reasoningContent": { "redactedContent": data } })
            }
            Content::Sealed(_) => return Ok(None),
        }))
    }

    /// Only a thought that its vendor has proved may be sent back, and only Anthropic proves them.
    fn thought(&self, text: &str, signature: Option<&str>) -> Option<Value> {
        let signature = signature.filter(|it| !it.is_empty() && !is_openais(it))?;
        (self.family == Family::Anthropic).then(|| {
            let said = json!({ "text": text, "signature": signature });
            json!({ "reasoningContent": { "reasoningText": said } })
        })
    }

    /// A document's name within what Bedrock allows in names.
    fn name(&mut self, given: Option<&str>) -> String {
        let given = given.map_or("document", |name| name.rsplit_once('.').map_or(name, |it| it.0));
        let fine =
            |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '(' | ')' | '[' | ']');
        let words: String = given.chars().map(|it| if fine(it) { it } else { ' ' }).collect();
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut name: String = words.join(" ").chars().take(180).collect();
        if name.is_empty() {
            "document".clone_into(&mut name);
        }
        let mut unique = name.clone();
        let mut number = 1;
        while !self.names.insert(unique.clone()) {
            number += 1;
            unique = format!("{name} {number}");
        }
        unique
    }
}

/// A call's id within what Bedrock allows in ids: another vendor's may be longer or have other
/// letters. The same id always becomes the same.
fn identifier(id: &str) -> Cow<'_, str> {
    let fine = |it: u8| it.is_ascii_alphanumeric() || b"_.:-".contains(&it);
    if (1..=64).contains(&id.len()) && id.bytes().all(fine) {
        return Cow::Borrowed(id);
    }
    let digest = hex::encode(Sha256::digest(id));
    Cow::Owned(format!("call_{}", digest.get(..32).unwrap_or_default()))
}

fn medium(source: &Source, part: &Part, formats: &[(&str, &str)]) -> Result<Object, Problem> {
    match source {
        Source::Base64 { media_type, data } => {
            let known = formats.iter().find(|(_, known)| known == media_type);
            let Some((format, _)) = known else {
                return Err(part.unsupported(&format!(
                    "is of the type {media_type}, which cannot be carried"
                )));
            };
            Ok(fields([("format", json!(format)), ("source", json!({ "bytes": data }))]))
        }
        Source::Url(url) if url.starts_with("s3://") => {
            let ending = url.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
            let ending = ending.map(|it| if it == "jpg" { "jpeg".to_owned() } else { it });
            let known = formats.iter().find(|(format, _)| ending.as_deref() == Some(format));
            let Some((format, _)) = known else {
                return Err(part.unsupported("is of no type that can be carried"));
            };
            let place = json!({ "s3Location": { "uri": url } });
            Ok(fields([("format", json!(format)), ("source", place)]))
        }
        Source::Url(_) => Err(part.unsupported("cannot be carried unless it is enclosed")),
        Source::File(_) => {
            Err(part.unsupported("cannot be carried, since it is a file of its own provider"))
        }
    }
}
