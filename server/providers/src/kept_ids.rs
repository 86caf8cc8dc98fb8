//! What a provider keeps and requests name by ids out of its answers: earlier answers and their
//! items, containers that code runs in, sound.
//!
//! Whoever has a provider's key can name whatever is kept under it, so such an id may only go out
//! where it was given. What was made past the gateway (conversations, prompts, caches, stores of
//! documents, skills, files in a cloud's storage) is nobody's here, and is refused by its name.

use ralex_kernel::{Code, FieldError, Problem};
use serde_json::Value;

use crate::dialect::Dialect;
use crate::inbound::Inbound;
use crate::json::{Object, given, objects, text};

/// Fields that belong to callers and their tools, or say what was found: nothing is looked up by
/// them.
const OTHERS: [&str; 19] = [
    "annotations",
    "args",
    "arguments",
    "citations",
    "inputSchema",
    "input_examples",
    "input_schema",
    "json",
    "json_schema",
    "metadata",
    "parameters",
    "parametersJsonSchema",
    "parameters_json_schema",
    "response",
    "responseJsonSchema",
    "responseSchema",
    "response_schema",
    "schema",
    "toolUse",
];

/// True for a field, in an object of this type, that names nothing of a provider's.
pub(crate) fn is_callers(kind: &str, key: &str) -> bool {
    // What a tool is called with, and what those that the provider ran brought (Anthropic's form).
    OTHERS.contains(&key)
        || (key == "input" && kind.ends_with("tool_use"))
        || kind.ends_with("_tool_result")
        || (key == "results" && kind == "file_search_call")
}

/// What is made past the gateway, by the field that names it, and what to do instead.
const MADE_ELSEWHERE: [(&str, &str); 14] = [
    ("cachedContent", WHOLE),
    ("cached_content", WHOLE),
    ("collection_ids", SEARCH),
    ("externalApi", SEARCH),
    ("external_api", SEARCH),
    ("fileSearchStoreNames", SEARCH),
    ("file_search_store_names", SEARCH),
    ("library_ids", SEARCH),
    ("skill_id", "Send the skill's files with the call, or its text."),
    ("vector_store_ids", SEARCH),
    ("vertexAiSearch", SEARCH),
    ("vertexRagStore", SEARCH),
    ("vertex_ai_search", SEARCH),
    ("vertex_rag_store", SEARCH),
];
const WHOLE: &str = "Send what it holds: a beginning that is sent again is cached all the same.";
const SEARCH: &str = "Search it yourself and send what was found, or offer the search as a tool.";
const TEXTS: &str = "Send its text as instructions and input.";
const GO_ON: &str = "Use previous_response_id, or send what was said.";

/// Where links to media stand.
const LINKS: [&str; 10] = [
    "audio_url",
    "fileUri",
    "file_uri",
    "file_url",
    "gcsUri",
    "gcs_uri",
    "image_url",
    "uri",
    "url",
    "video_url",
];

impl Inbound {
    /// The ids out of earlier answers that this request names.
    ///
    /// # Errors
    /// Where it names what was made past the gateway, so that nobody can tell whose it is.
    pub fn kept_ids(&self) -> Result<Vec<&str>, Problem> {
        let mut ids = Vec::new();
        let body = self.body();
        if self.dialect() == Dialect::OpenaiResponses {
            for (field, advice) in [("conversation", GO_ON), ("prompt", TEXTS)] {
                if given(body, field).is_some_and(|it| !(field == "prompt" && it.is_string())) {
                    return Err(made_elsewhere(field, advice));
                }
            }
            ids.extend(text(body, "previous_response_id"));
        }
        if objects(body.get("data_sources")).any(by_own_identity) {
            return Err(made_elsewhere("data_sources", SEARCH));
        }
        within(body, &mut ids)?;
        Ok(ids)
    }

    /// Whether the provider keeps the answer, which it does unless it is told not to.
    fn is_kept(&self) -> bool {
        self.dialect() == Dialect::OpenaiResponses
            && self.body().get("store").and_then(Value::as_bool) != Some(false)
    }
}

fn within<'a>(object: &'a Object, ids: &mut Vec<&'a str>) -> Result<(), Problem> {
    let kind = text(object, "type").unwrap_or_default();
    ids.extend(item(kind, object));
    for (key, value) in object {
        if is_callers(kind, key) {
            continue;
        }
        match (key.as_str(), value) {
            ("container" | "container_id" | "approval_request_id", Value::String(id)) => {
                ids.push(id);
            }
            ("container", Value::Object(container)) => ids.extend(text(container, "id")),
            ("audio", Value::Object(audio)) if text(object, "role") == Some("assistant") => {
                ids.extend(text(audio, "id"));
            }
            (key, Value::String(link)) if LINKS.contains(&key) && is_store(link) => {
                return Err(stored(key));
            }
            ("skill_id", Value::String(id)) if is_vendors(kind, id) => {}
            (key, value) => refuse(key, value)?,
        }
        each(value, ids)?;
    }
    Ok(())
}

fn each<'a>(value: &'a Value, ids: &mut Vec<&'a str>) -> Result<(), Problem> {
    match value {
        Value::Object(object) => within(object, ids),
        Value::Array(values) => values.iter().try_for_each(|value| each(value, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// The id of an item that is only named, and not sent with what it holds.
fn item<'a>(kind: &str, item: &'a Object) -> Option<&'a str> {
    let is_named = match kind {
        "item_reference" => true,
        "image_generation_call" => !holds(item, "result"),
        "reasoning" => !holds(item, "encrypted_content") && !holds(item, "content"),
        _ => false,
    };
    // Ralex keeps nothing under the ids that it makes itself.
    if is_named { text(item, "id").filter(|id| !is_made_here(id)) } else { None }
}

fn holds(item: &Object, key: &str) -> bool {
    given(item, key)
        .is_some_and(|it| it.as_str() != Some("") && it.as_array().is_none_or(|it| !it.is_empty()))
}

/// True for the id of an item that was translated from another dialect: it ends in a place.
pub(crate) fn is_made_here(id: &str) -> bool {
    id.rsplit_once('_').is_some_and(|(head, place)| {
        head.contains('_') && !place.is_empty() && place.bytes().all(|it| it.is_ascii_digit())
    })
}

fn refuse(key: &str, value: &Value) -> Result<(), Problem> {
    let names = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(name) => !name.is_empty(),
        Value::Array(names) => !names.is_empty(),
        Value::Object(_) => true,
    };
    match MADE_ELSEWHERE.iter().find(|(field, _)| *field == key) {
        Some((field, advice)) if names => Err(made_elsewhere(field, advice)),
        Some(_) | None => Ok(()),
    }
}

/// Skills of the vendors' own, which everybody has.
fn is_vendors(kind: &str, id: &str) -> bool {
    kind == "anthropic" || id.starts_with("openai-")
}

/// True where Azure is to read data with the identity of the organisation's own resource, as it does
/// where nothing is said.
fn by_own_identity(source: &Object) -> bool {
    let how = source.get("parameters").and_then(|it| it.get("authentication")?.get("type"));
    how.and_then(Value::as_str).is_none_or(|how| how.ends_with("managed_identity"))
}

/// True for what a provider reads with the key that it is called with.
fn is_store(link: &str) -> bool {
    let host = |host: &str| {
        let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
        rest.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
    };
    link.starts_with("gs://")
        || link.starts_with("s3://")
        || link.starts_with("files/")
        || host("generativelanguage.googleapis.com")
}

fn made_elsewhere(field: &str, advice: &str) -> Problem {
    let why = "names what was made at the provider past Ralex, so that it belongs to no team here";
    unsupported(field, why, advice)
}

fn stored(field: &str) -> Problem {
    let why = "links to storage that the provider would read with the organisation's own key";
    unsupported(field, why, "Send the content itself, or a link that anybody may read.")
}

fn unsupported(field: &str, why: &str, advice: &str) -> Problem {
    let mut problem = Problem::new(Code::Unsupported, format!("`{field}` {why}. {advice}"));
    problem.errors.push(FieldError { path: field.to_owned(), message: why.to_owned() });
    problem
}

/// The ids in a whole answer, or in an event of a streamed one, of what its provider keeps.
pub(crate) fn told<'a>(asked: &Inbound, answer: &'a Object) -> Vec<&'a str> {
    match asked.dialect() {
        Dialect::OpenaiResponses => {
            let response = answer.get("response").and_then(Value::as_object).unwrap_or(answer);
            let is_event = text(answer, "type").is_some();
            let item = answer.get("item").and_then(Value::as_object);
            // The events at a stream's end repeat what those before told.
            let own = (!is_event || text(answer, "type") == Some("response.created"))
                .then(|| text(response, "id"))
                .flatten();
            let items = item.into_iter().chain(objects(answer.get("output")));
            let (kept, mut ids) = (asked.is_kept(), Vec::new());
            ids.extend(own.filter(|_| kept));
            for item in items {
                ids.extend(text(item, "id").filter(|_| kept));
                let environment = item.get("environment").and_then(Value::as_object);
                ids.extend(text(item, "container_id"));
                ids.extend(environment.and_then(|it| text(it, "container_id")));
            }
            ids
        }
        Dialect::AnthropicMessages => {
            let part = |key: &str| answer.get(key).and_then(Value::as_object);
            let places = [Some(answer), part("message"), part("delta")];
            let containers = places.into_iter().flatten().filter_map(|it| it.get("container"));
            containers.filter_map(|it| it.get("id")?.as_str()).collect()
        }
        Dialect::OpenaiChat => objects(answer.get("choices"))
            .filter_map(|choice| choice.get("message").or_else(|| choice.get("delta")))
            .filter_map(|said| said.get("audio")?.get("id")?.as_str())
            .collect(),
        Dialect::Gemini | Dialect::BedrockConverse => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
