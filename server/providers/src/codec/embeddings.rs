//! Embeddings, which Google asks and answers in a form of its own and everyone else in OpenAI's.
//!
//! Google is always asked for a batch, since its other form takes one text at a time.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use ralex_kernel::Problem;
use serde_json::{Value, json};

use super::gemini::fields::Fields;
use super::refuse::{self, Harmless, rest, unsupported};
use crate::dialect::{Dialect, Operation};
use crate::error::UpstreamError;
use crate::inbound::{Inbound, whole};
use crate::json::{Object, given, object as fields, objects, text};
use crate::prepare::Target;
use crate::usage::Usage;

/// What is to be embedded.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    texts: Vec<String>,
    dimensions: Option<u64>,
}

/// Google's name of a task only shapes what its own models compute.
const TASKS: &[&str] = &[r#""TASK_TYPE_UNSPECIFIED""#, r#""SEMANTIC_SIMILARITY""#];

/// Refuses what no provider could understand.
pub(crate) fn check(dialect: Dialect, body: &Object) -> Result<(), Problem> {
    if dialect != Dialect::Gemini {
        return match given(body, "input") {
            Some(_) => Ok(()),
            None => Err(Problem::field("input", "is required")),
        };
    }
    let body = Fields::of(body, "")?;
    match (body.get("content"), body.get("requests")) {
        (Some(_), None) => body.child("content").map(|_| ()),
        (None, Some(_)) if body.children("requests")?.is_empty() => {
            Err(Problem::field("requests", "must be an array that is not empty"))
        }
        (None, Some(_)) => Ok(()),
        _ => Err(Problem::field("content", "is required, or requests")),
    }
}

/// The request in the provider's form; nothing where it is that already, but for its model.
pub(crate) fn request(inbound: &Inbound, target: &Target) -> Result<Option<Bytes>, Problem> {
    let body = inbound.body();
    let body = match (inbound.dialect() == Dialect::Gemini, is_googles(target)) {
        (false, false) => return Ok(None),
        (true, true) => batch(body, target)?,
        (true, false) => encode(&decode_googles(body)?, target),
        (false, true) => encode_googles(&decode(body)?, target),
    };
    Ok(Some(Value::Object(body).to_string().into()))
}

/// The answer in the caller's form; nothing where it is that already.
pub(crate) fn answer(
    inbound: &Inbound,
    target: &Target,
    answer: &Object,
    usage: Usage,
) -> Result<Option<Object>, UpstreamError> {
    let caller_is_googles = inbound.dialect() == Dialect::Gemini;
    let single = inbound.body().contains_key("content");
    if caller_is_googles == is_googles(target) && !(caller_is_googles && single) {
        return Ok(None);
    }
    let vectors = if is_googles(target) { googles_vectors(answer) } else { vectors(answer)? };
    if vectors.is_empty() {
        return Err(UpstreamError::Malformed("it has no embedding in it"));
    }
    Ok(Some(if caller_is_googles {
        googles_answer(vectors, single, usage)
    } else {
        let base64 = text(inbound.body(), "encoding_format") == Some("base64");
        plain_answer(vectors, base64, inbound.model(), usage)
    }))
}

/// What Google tells of the use; nothing in its older models' answers.
pub(crate) fn usage(answer: &Object) -> Option<Usage> {
    Usage::of_gemini(answer.get("usageMetadata"))
}

/// True where the provider's address is that of Google's own form.
fn is_googles(target: &Target) -> bool {
    let path = target.spec.operations.get(&Operation::Embeddings);
    path.is_some_and(|path| path.ends_with(":batchEmbedContents"))
}

/// OpenAI's form. Tokens instead of texts are those of OpenAI's own tokenizers.
fn decode(body: &Object) -> Result<Request, Problem> {
    rest(body, "", &["dimensions", "encoding_format", "input", "model", "user"], refuse::NOTHING)?;
    let texts = match given(body, "input") {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) if !texts.is_empty() => {
            let each = texts.iter().enumerate().map(|(index, text)| match text {
                Value::String(text) => Ok(text.clone()),
                Value::Number(_) | Value::Array(_) => {
                    Err(unsupported("input", "is made of tokens, which cannot be carried"))
                }
                _ => Err(Problem::field(format!("input[{index}]"), "must be a text")),
            });
            each.collect::<Result<_, _>>()?
        }
        _ => return Err(Problem::field("input", "must be a text or an array of texts")),
    };
    if !matches!(text(body, "encoding_format"), None | Some("float" | "base64")) {
        return Err(Problem::field("encoding_format", "must be float or base64"));
    }
    Ok(Request { texts, dimensions: whole(body, "dimensions")? })
}

fn encode(request: &Request, target: &Target) -> Object {
    let mut body = fields([
        ("model", json!(target.upstream_model)),
        ("input", json!(request.texts)),
        ("encoding_format", json!("float")),
    ]);
    if let Some(dimensions) = request.dimensions {
        body.insert("dimensions".to_owned(), json!(dimensions));
    }
    body
}

/// Google's form: one content, or a batch of requests for one each.
fn decode_googles(body: &Object) -> Result<Request, Problem> {
    let body = Fields::of(body, "")?;
    let requests = if body.get("requests").is_some() {
        body.rest(&["requests", "model"], refuse::NOTHING)?;
        body.children("requests")?
    } else {
        vec![body]
    };
    let mut decoded = Request::default();
    for (index, request) in requests.iter().enumerate() {
        let harmless = [("taskType", Harmless::Saying(TASKS)), ("autoTruncate", Harmless::Always)];
        request.rest(&["content", "model", "outputDimensionality"], &harmless)?;
        let dimensions = request.whole("outputDimensionality")?;
        if index > 0 && dimensions != decoded.dimensions {
            let at = request.at("outputDimensionality");
            return Err(unsupported(at, "cannot differ within a batch"));
        }
        decoded.dimensions = dimensions;
        decoded.texts.push(content(request)?);
    }
    Ok(decoded)
}

/// The texts of a content, which is embedded as one.
fn content(request: &Fields<'_>) -> Result<String, Problem> {
    let missing = || Problem::field(request.at("content"), "is required");
    let content = request.child("content")?.ok_or_else(missing)?;
    content.rest(&["parts", "role"], refuse::NOTHING)?;
    let mut texts = Vec::new();
    for part in content.children("parts")? {
        part.rest(&["text"], refuse::NOTHING)?;
        texts.push(part.required("text")?);
    }
    if texts.is_empty() {
        return Err(Problem::field(content.at("parts"), "must hold a text"));
    }
    Ok(texts.join("\n"))
}

fn encode_googles(request: &Request, target: &Target) -> Object {
    let requests = request.texts.iter().map(|text| {
        let mut each =
            fields([("model", named(target)), ("content", json!({ "parts": [{ "text": text }] }))]);
        if let Some(dimensions) = request.dimensions {
            each.insert("outputDimensionality".to_owned(), json!(dimensions));
        }
        Value::Object(each)
    });
    fields([("requests", requests.collect())])
}

/// A caller's requests of Google's form as they are, but for the model.
fn batch(body: &Object, target: &Target) -> Result<Object, Problem> {
    let requests = match body.get("requests") {
        None => vec![body],
        Some(requests) => objects(Some(requests)).collect(),
    };
    if requests.is_empty() {
        return Err(Problem::field("requests", "must be an array of objects"));
    }
    let requests = requests.into_iter().map(|request| {
        let mut request = request.clone();
        request.insert("model".to_owned(), named(target));
        Value::Object(request)
    });
    Ok(fields([("requests", requests.collect())]))
}

fn named(target: &Target) -> Value {
    json!(format!("models/{}", target.upstream_model))
}

/// Vectors are kept as they are written, since a number that is read loses digits.
fn googles_vectors(answer: &Object) -> Vec<Value> {
    let one = given(answer, "embedding").and_then(Value::as_object);
    let all = objects(answer.get("embeddings")).chain(one);
    all.filter_map(|embedding| embedding.get("values").filter(|it| it.is_array()).cloned())
        .collect()
}

fn vectors(answer: &Object) -> Result<Vec<Value>, UpstreamError> {
    let mut all: Vec<&Object> = objects(answer.get("data")).collect();
    all.sort_by_key(|each| each.get("index").and_then(Value::as_u64).unwrap_or(0));
    all.into_iter()
        .map(|each| match each.get("embedding") {
            Some(Value::String(packed)) => unpack(packed),
            Some(vector @ Value::Array(_)) => Ok(vector.clone()),
            _ => Err(UpstreamError::Malformed("an embedding is no vector")),
        })
        .collect()
}

fn googles_answer(vectors: Vec<Value>, single: bool, usage: Usage) -> Object {
    let mut vectors = vectors.into_iter().map(|values| json!({ "values": values }));
    let mut answer = if single {
        fields([("embedding", vectors.next().unwrap_or_default())])
    } else {
        fields([("embeddings", vectors.collect())])
    };
    let prompt = json!({ "promptTokenCount": usage.total_input() });
    answer.insert("usageMetadata".to_owned(), prompt);
    answer
}

fn plain_answer(vectors: Vec<Value>, base64: bool, model: &str, usage: Usage) -> Object {
    let data = vectors.into_iter().enumerate().map(|(index, vector)| {
        let vector = if base64 { pack(&vector) } else { vector };
        json!({ "object": "embedding", "index": index, "embedding": vector })
    });
    let tokens = usage.total_input();
    fields([
        ("object", json!("list")),
        ("data", data.collect()),
        ("model", json!(model)),
        ("usage", json!({ "prompt_tokens": tokens, "total_tokens": tokens })),
    ])
}

/// A vector as the base64 of its 32-bit numbers, the lowest byte first.
pub(crate) fn pack(vector: &Value) -> Value {
    let numbers = vector.as_array().into_iter().flatten();
    let bytes: Vec<u8> = numbers.flat_map(|number| short(number).to_le_bytes()).collect();
    json!(BASE64_STANDARD.encode(bytes))
}

#[expect(clippy::cast_possible_truncation, reason = "the form has 32 bits for a number")]
fn short(number: &Value) -> f32 {
    number.as_f64().unwrap_or_default() as f32
}

fn unpack(packed: &str) -> Result<Value, UpstreamError> {
    let wrong = || UpstreamError::Malformed("an embedding is no vector");
    let bytes = BASE64_STANDARD.decode(packed).map_err(|_| wrong())?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    if rest.is_empty() {
        Ok(numbers.iter().map(|number| json!(f32::from_le_bytes(*number))).collect())
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests;
