//! How to answer: `generationConfig`.

use ralex_kernel::Problem;
use serde_json::{Number, Value, json};

use super::fields::Fields;
use super::model::Model;
use super::schema::to_json_schema;
use crate::codec::refuse::{Harmless, NOTHING, stops, unsupported};
use crate::ir::{Format, Given, Reasoning, Request};
use crate::json::Object;

const CARRIED: &[&str] = &[
    "frequencyPenalty",
    "maxOutputTokens",
    "presencePenalty",
    "responseJsonSchema",
    "responseMimeType",
    "responseSchema",
    "seed",
    "stopSequences",
    "temperature",
    "thinkingConfig",
    "topK",
    "topP",
];

const HARMLESS: &[(&str, Harmless)] = &[
    ("audioTimestamp", Harmless::Saying(&["false"])),
    ("candidateCount", Harmless::Saying(&["1"])),
    ("enableEnhancedCivicAnswers", Harmless::Saying(&["false"])),
    // How closely to look at media, as a hint.
    ("mediaResolution", Harmless::Always),
    ("responseLogprobs", Harmless::Saying(&["false"])),
    ("responseModalities", Harmless::Saying(&[r#"["TEXT"]"#, r#"["Text"]"#, r#"["text"]"#])),
];

/// The name of the object that most of these stand in.
pub(super) const CONFIG: &str = "generationConfig";

pub(super) fn decode(body: &Fields<'_>, request: &mut Request) -> Result<(), Problem> {
    let Some(config) = body.child(CONFIG)? else { return Ok(()) };
    config.rest(CARRIED, HARMLESS)?;
    request.temperature = config.number("temperature")?;
    request.top_p = config.number("topP")?;
    request.top_k = config.number("topK")?.map(whole);
    request.seed = config.number("seed")?;
    request.frequency_penalty = config.number("frequencyPenalty")?;
    request.presence_penalty = config.number("presencePenalty")?;
    request.stop = stops(config.get("stopSequences"), &config.at("stopSequences"))?;
    request.format = format(&config)?;
    request.reasoning = reasoning(&config)?;
    Ok(())
}

/// Google's `topK` is a fraction by its type, which others refuse.
fn whole(given: Given<Number>) -> Given<Number> {
    let whole = given.value.as_f64().filter(|number| number.fract() == 0.0);
    match whole.and_then(|number| format!("{number:.0}").parse::<u64>().ok()) {
        Some(number) => Given::new(given.at, Number::from(number)),
        None => given,
    }
}

fn format(config: &Fields<'_>) -> Result<Option<Given<Format>>, Problem> {
    let (own, json) = (config.get("responseSchema"), config.get("responseJsonSchema"));
    let named = if json.is_some() { "responseJsonSchema" } else { "responseSchema" };
    let schema = json.cloned().or_else(|| own.map(to_json_schema));
    match (config.text("responseMimeType")?, schema) {
        (None | Some("" | "text/plain"), None) => Ok(None),
        (Some("application/json"), None) => {
            Ok(Some(Given::new(config.at("responseMimeType"), Format::Json)))
        }
        (Some("application/json"), Some(schema)) => {
            let format = Format::Schema { name: None, schema, strict: Some(true) };
            Ok(Some(Given::new(config.at(named), format)))
        }
        (None | Some("" | "text/plain"), Some(_)) => {
            Err(Problem::field(config.at(named), "needs the responseMimeType application/json"))
        }
        (Some(_), _) => Err(unsupported(config.at("responseMimeType"), "cannot be carried")),
    }
}

fn reasoning(config: &Fields<'_>) -> Result<Option<Given<Reasoning>>, Problem> {
    let Some(thinking) = config.child("thinkingConfig")? else { return Ok(None) };
    thinking.rest(&["includeThoughts", "thinkingBudget", "thinkingLevel"], NOTHING)?;
    let shown = thinking.flag("includeThoughts")?.unwrap_or(false);
    let budget = match thinking.get("thinkingBudget") {
        None => None,
        // As much as the model finds right.
        Some(value) if value.as_i64() == Some(-1) => Some(None),
        Some(value) => {
            let wrong =
                || Problem::field(thinking.at("thinkingBudget"), "must be a whole number from -1");
            Some(Some(value.as_u64().ok_or_else(wrong)?))
        }
    };
    let effort = match thinking.text("thinkingLevel")? {
        None | Some("THINKING_LEVEL_UNSPECIFIED") => None,
        Some(level) => Some(level.to_ascii_lowercase()),
    };
    if budget.is_none() && effort.is_none() && !shown {
        return Ok(None);
    }
    let on = budget != Some(Some(0));
    let reasoning = Reasoning { on, effort, budget: budget.flatten().filter(|_| on), shown };
    Ok(Some(Given::new(thinking.path(), reasoning)))
}

pub(super) fn encode(request: &Request, model: Model, max_output: u64) -> Object {
    let mut config = Object::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            config.insert(key.to_owned(), value);
        }
    };
    let plain = |given: &Option<Given<Number>>| given.as_ref().map(|it| json!(it.value));
    set("maxOutputTokens", Some(json!(max_output)));
    set("temperature", plain(&request.temperature));
    set("topP", plain(&request.top_p));
    set("topK", plain(&request.top_k));
    set("seed", plain(&request.seed));
    set("frequencyPenalty", plain(&request.frequency_penalty));
    set("presencePenalty", plain(&request.presence_penalty));
    set("stopSequences", request.stop.as_ref().map(|it| json!(it.value)));
    let format = request.format.as_ref().map(|format| &format.value);
    set("responseMimeType", format.map(|_| json!("application/json")));
    if let Some(Format::Schema { name: _, schema, strict: _ }) = format {
        set("responseJsonSchema", Some(schema.clone()));
    }
    let reasoning = request.reasoning.as_ref().map(|reasoning| &reasoning.value);
    set("thinkingConfig", reasoning.and_then(|it| encode_reasoning(it, model)).map(Value::Object));
    config
}

/// Levels and budgets exclude each other. Thinking that is off is not mentioned to models that
/// cannot think, since they refuse the field whatever it says.
fn encode_reasoning(reasoning: &Reasoning, model: Model) -> Option<Object> {
    if !model.thinks() && !reasoning.on {
        return None;
    }
    let mut config = Object::new();
    let effort = if reasoning.on { reasoning.effort.as_deref() } else { Some("none") };
    let level = effort.and_then(|effort| model.level(effort));
    match (level, reasoning.budget.filter(|_| reasoning.on), effort) {
        (Some(level), _, _) => config.insert("thinkingLevel".to_owned(), json!(level)),
        (None, Some(budget), _) => config.insert("thinkingBudget".to_owned(), json!(budget)),
        (None, None, Some(effort)) => {
            config.insert("thinkingBudget".to_owned(), json!(model.budget(effort)))
        }
        (None, None, None) => None,
    };
    if reasoning.shown && reasoning.on {
        config.insert("includeThoughts".to_owned(), Value::Bool(true));
    }
    (!config.is_empty()).then_some(config)
}
