//! What cannot be carried into the other dialect, and the one table of what need not be.

use ralex_kernel::{Code, FieldError, Problem};
use serde_json::{Value, json};

use crate::json::Object;

/// When a field that the other dialect lacks may be left out.
pub(crate) enum Harmless {
    /// It is a hint: it changes cost, speed or bookkeeping, never the answer.
    Always,
    /// It says what would happen without it.
    Saying(&'static [&'static str]),
}

use Harmless::{Always, Saying};

/// Fields of a chat request that messages lack. The texts are JSON.
pub(crate) const CHAT: &[(&str, Harmless)] = &[
    ("frequency_penalty", Saying(&["0", "0.0"])),
    ("logprobs", Saying(&["false"])),
    ("metadata", Always),
    ("modalities", Saying(&[r#"["text"]"#])),
    ("n", Saying(&["1"])),
    ("presence_penalty", Saying(&["0", "0.0"])),
    ("prompt_cache_key", Always),
    ("prompt_cache_retention", Always),
    ("reasoning_effort", Saying(&[r#""none""#])),
    ("safety_identifier", Always),
    ("service_tier", Saying(&[r#""auto""#, r#""default""#])),
    ("store", Saying(&["false"])),
    ("verbosity", Saying(&[r#""medium""#])),
];

/// Fields of a chat message, of its parts and of its tools.
pub(crate) const CHAT_MESSAGE: &[(&str, Harmless)] = &[("annotations", Always)];
pub(crate) const CHAT_TOOL_CALL: &[(&str, Harmless)] = &[("index", Always)];
pub(crate) const CHAT_IMAGE: &[(&str, Harmless)] = &[("detail", Always)];

/// Fields of a messages request that chat lacks.
pub(crate) const MESSAGES: &[(&str, Harmless)] = &[
    ("cache_control", Always),
    ("service_tier", Saying(&[r#""auto""#, r#""standard_only""#])),
    ("thinking", Saying(&[r#"{"type":"disabled"}"#])),
];

/// Fields of content blocks and tools.
pub(crate) const BLOCK: &[(&str, Harmless)] = &[
    ("cache_control", Always),
    ("caller", Saying(&[r#"{"type":"direct"}"#])),
    ("citations", Saying(&[r#"{"enabled":false}"#])),
    ("eager_input_streaming", Always),
];

/// Nothing is harmless here.
pub(crate) const NOTHING: &[(&str, Harmless)] = &[];

/// The refusal of one thing, by its path.
pub(crate) fn unsupported(path: impl Into<String>, why: &str) -> Problem {
    let path = path.into();
    let detail = format!(
        "`{path}` {why}, since this model's provider speaks another dialect. Leave it out, or \
         use a model whose provider speaks the same dialect as your client."
    );
    let mut problem = Problem::new(Code::Unsupported, detail);
    problem.errors.push(FieldError { path, message: why.to_owned() });
    problem
}

/// Refuses every field that is neither carried nor harmless nor empty.
pub(crate) fn rest(
    object: &Object,
    path: &str,
    carried: &[&str],
    harmless: &[(&str, Harmless)],
) -> Result<(), Problem> {
    for (key, value) in object {
        if carried.contains(&key.as_str()) || is_empty(value) {
            continue;
        }
        let known = harmless.iter().find(|(name, _)| name == key);
        let fine = known.is_some_and(|(_, when)| match when {
            Always => true,
            Saying(texts) => texts.contains(&value.to_string().as_str()),
        });
        if !fine {
            return Err(unsupported(under(path, key), "cannot be carried"));
        }
    }
    Ok(())
}

/// A field's path below another.
pub(crate) fn under(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The object at a path, or the caller's mistake.
pub(crate) fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Object, Problem> {
    value.as_object().ok_or_else(|| Problem::field(path, "must be an object"))
}

/// The text of a field, or the caller's mistake.
pub(crate) fn required<'a>(object: &'a Object, path: &str, key: &str) -> Result<&'a str, Problem> {
    let text = object.get(key).and_then(Value::as_str);
    text.ok_or_else(|| Problem::field(under(path, key), "must be a text"))
}

fn is_empty(value: &Value) -> bool {
    *value == Value::Null || *value == json!([]) || *value == json!({})
}
