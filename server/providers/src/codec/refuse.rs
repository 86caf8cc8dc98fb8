//! What cannot be carried into the other dialect, and the one table of what need not be.

use ralex_kernel::{Code, FieldError, Problem};
use serde_json::{Number, Value, json};

use crate::ir::{Given, Source};
use crate::json::{Object, given};

/// When a field that the other dialect lacks may be left out.
pub(crate) enum Harmless {
    /// It is a hint: it changes cost, speed or bookkeeping, never the answer.
    Always,
    /// It says what would happen without it.
    Saying(&'static [&'static str]),
}

use Harmless::{Always, Saying};

/// Fields of a chat request that nobody else has.
pub(crate) const CHAT: &[(&str, Harmless)] = &[
    ("logprobs", Saying(&["false"])),
    ("metadata", Always),
    ("modalities", Saying(&[r#"["text"]"#])),
    ("n", Saying(&["1"])),
    ("prompt_cache_key", Always),
    ("prompt_cache_options", Always),
    ("prompt_cache_retention", Always),
    ("safety_identifier", Always),
    ("service_tier", Saying(&[r#""auto""#, r#""default""#])),
    ("store", Saying(&["false"])),
];

/// Fields of a chat message, of its parts and of its tools.
pub(crate) const CHAT_MESSAGE: &[(&str, Harmless)] = &[
    ("annotations", Always),
    // Mistral's mark of a beginning that the model is to go on from.
    ("prefix", Saying(&["false"])),
    // What the model thought in an earlier turn; only its own vendor could use it.
    ("reasoning", Always),
    ("reasoning_content", Always),
    ("reasoning_details", Always),
];
pub(crate) const CHAT_TOOL_CALL: &[(&str, Harmless)] = &[("index", Always)];
pub(crate) const CHAT_IMAGE: &[(&str, Harmless)] = &[("detail", Always)];

/// Fields of a responses request that nobody else has.
pub(crate) const RESPONSES: &[(&str, Harmless)] = &[
    ("background", Saying(&["false"])),
    ("client_metadata", Always),
    // Shortens a history that is too long; without it all of it is sent.
    ("context_management", Always),
    // Counts calls of the provider's own tools, of which there are none.
    ("max_tool_calls", Always),
    ("metadata", Always),
    ("prompt_cache_key", Always),
    ("prompt_cache_options", Always),
    ("prompt_cache_retention", Always),
    ("service_tier", Saying(&[r#""auto""#, r#""default""#])),
    ("store", Saying(&["false"])),
    // Padding against eavesdroppers.
    ("stream_options", Always),
    ("top_logprobs", Saying(&["0"])),
    // A history that is too long is refused by the provider, never cut.
    ("truncation", Always),
];
pub(crate) const RESPONSES_REASONING: &[(&str, Harmless)] =
    &[("context", Always), ("mode", Saying(&[r#""standard""#]))];

/// Fields of items and their parts.
pub(crate) const RESPONSES_ITEM: &[(&str, Harmless)] = &[
    ("caller", Saying(&[r#"{"type":"direct"}"#])),
    ("id", Always),
    ("phase", Always),
    ("status", Always),
];
pub(crate) const RESPONSES_PART: &[(&str, Harmless)] = &[
    ("annotations", Always),
    ("detail", Always),
    ("logprobs", Always),
    ("prompt_cache_breakpoint", Always),
];

/// Fields of a messages request that nobody else has.
pub(crate) const MESSAGES: &[(&str, Harmless)] = &[
    ("cache_control", Always),
    // Edits of the history that save tokens; without them all of it is sent.
    ("context_management", Always),
    ("service_tier", Saying(&[r#""auto""#, r#""standard_only""#])),
];

/// Fields of content blocks and tools.
pub(crate) const BLOCK: &[(&str, Harmless)] = &[
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

/// Refuses a value that the upstream's dialect has no place for.
pub(crate) fn none<T>(given: Option<&Given<T>>) -> Result<(), Problem> {
    given.map_or(Ok(()), |given| Err(given.unsupported("cannot be carried")))
}

/// The same, where one number says what would happen without it.
pub(crate) fn none_but(given: Option<&Given<Number>>, neutral: f64) -> Result<(), Problem> {
    none(given.filter(|given| given.value.as_f64() != Some(neutral)))
}

/// A number of the caller's, with its place.
pub(crate) fn number(
    object: &Object,
    key: &str,
    path: &str,
) -> Result<Option<Given<Number>>, Problem> {
    match given(object, key) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(Given::new(under(path, key), number.clone()))),
        Some(_) => Err(Problem::field(under(path, key), "must be a number")),
    }
}

/// A text or a row of texts.
pub(crate) fn stops(
    value: Option<&Value>,
    path: &str,
) -> Result<Option<Given<Vec<String>>>, Problem> {
    let wrong = || Problem::field(path, "must be a text or an array of texts");
    let stops = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(stop)) => vec![stop.clone()],
        Some(Value::Array(stops)) => stops
            .iter()
            .map(|stop| stop.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(wrong()),
    };
    Ok((!stops.is_empty()).then(|| Given::new(path, stops)))
}

/// The media type and the data of a base64 data URL.
pub(crate) fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let kind = head.strip_suffix(";base64")?;
    Some((kind.split(';').next().unwrap_or(kind), data))
}

/// A medium's source from the text of a URL.
pub(crate) fn source_of(url: &str, path: &str) -> Result<Source, Problem> {
    match data_url(url) {
        Some((media_type, data)) => {
            Ok(Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() })
        }
        None if url.starts_with("https://") || url.starts_with("http://") => {
            Ok(Source::Url(url.to_owned()))
        }
        None => Err(Problem::field(path, "must be a web or base64 data URL")),
    }
}
