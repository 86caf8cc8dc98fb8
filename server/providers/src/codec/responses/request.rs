//! A caller's request into the intermediate form.

use ralex_kernel::Problem;
use serde_json::Value;

use super::{items, thought, tools};
use crate::codec::refuse::{self, number, object, rest, under, unsupported};
use crate::inbound::Inbound;
use crate::ir::{Format, Given, Part, Reasoning, Request, Role};
use crate::json::{Object, given, text};

const CARRIED: &[&str] = &[
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "model",
    "parallel_tool_calls",
    "reasoning",
    "safety_identifier",
    "stream",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "user",
];

pub(super) fn decode(inbound: &Inbound) -> Result<Request, Problem> {
    let body = inbound.body();
    rest(body, "", CARRIED, refuse::RESPONSES)?;
    include(body)?;
    let (format, verbosity) = text_options(body)?;
    let mut request = Request {
        system: text(body, "instructions")
            .and_then(|it| Part::text("instructions", it))
            .into_iter()
            .collect(),
        parallel_tools: given(body, "parallel_tool_calls")
            .and_then(Value::as_bool)
            .map(|flag| Given::new("parallel_tool_calls", flag)),
        format,
        verbosity,
        reasoning: reasoning(body)?,
        temperature: number(body, "temperature", "")?,
        top_p: number(body, "top_p", "")?,
        user: ["safety_identifier", "user"]
            .into_iter()
            .find_map(|key| Some(Given::new(key, text(body, key)?.to_owned()))),
        streamed: inbound.streamed(),
        ..Request::default()
    };
    if let Some(declared) = given(body, "tools") {
        tools::decode(declared, "tools", &mut request.tools)?;
    }
    match body.get("input") {
        Some(Value::String(said)) => {
            request.push(Role::User, Part::text("input", said).into_iter().collect());
        }
        input => {
            let proofs = thought::of_calls(input);
            let items = input.and_then(Value::as_array).into_iter().flatten();
            for (index, item) in items.enumerate() {
                let path = format!("input[{index}]");
                items::decode(object(item, &path)?, &path, &proofs, &mut request)?;
            }
        }
    }
    request.tool_choice = tools::choice(body, &mut request.tools)?;
    if request.turns.is_empty() {
        return Err(Problem::field("input", "must hold more than instructions"));
    }
    Ok(request)
}

/// Sealed thoughts come anyway; what else could be included belongs to tools that are not there.
fn include(body: &Object) -> Result<(), Problem> {
    let wishes = given(body, "include").and_then(Value::as_array).into_iter().flatten();
    for (index, wish) in wishes.enumerate() {
        if wish == "message.output_text.logprobs" {
            return Err(unsupported(format!("include[{index}]"), "cannot be carried"));
        }
    }
    Ok(())
}

type TextOptions = (Option<Given<Format>>, Option<Given<String>>);

/// The demanded form and the wished length of the answer.
fn text_options(body: &Object) -> Result<TextOptions, Problem> {
    let Some(options) = given(body, "text") else { return Ok((None, None)) };
    let options = object(options, "text")?;
    rest(options, "text", &["format", "verbosity"], refuse::NOTHING)?;
    let verbosity = text(options, "verbosity");
    let verbosity = verbosity.map(|it| Given::new("text.verbosity", it.to_owned()));
    let at = "text.format";
    let Some(format) = given(options, "format") else { return Ok((None, verbosity)) };
    let format = object(format, at)?;
    let format = match text(format, "type") {
        Some("text") => return Ok((None, verbosity)),
        Some("json_object") => Format::Json,
        Some("json_schema") => {
            let carried = ["type", "name", "description", "schema", "strict"];
            rest(format, at, &carried, refuse::NOTHING)?;
            let schema = given(format, "schema")
                .ok_or_else(|| Problem::field(under(at, "schema"), "is required"))?;
            Format::Schema {
                name: text(format, "name").map(str::to_owned),
                schema: schema.clone(),
                strict: given(format, "strict").and_then(Value::as_bool),
            }
        }
        _ => return Err(unsupported("text.format.type", "cannot be carried")),
    };
    Ok((Some(Given::new(at, format)), verbosity))
}

/// How much to think, where the caller says so. To want a summary of thoughts is not to want
/// thoughts, and many models refuse to be asked for them.
fn reasoning(body: &Object) -> Result<Option<Given<Reasoning>>, Problem> {
    let at = "reasoning";
    let Some(reasoning) = given(body, at) else { return Ok(None) };
    let reasoning = object(reasoning, at)?;
    rest(reasoning, at, &["effort", "summary", "generate_summary"], refuse::RESPONSES_REASONING)?;
    let shown = ["summary", "generate_summary"].iter().any(|key| given(reasoning, key).is_some());
    let reasoning = match given(reasoning, "effort") {
        None => return Ok(None),
        Some(Value::String(effort)) if effort == "none" => Reasoning::default(),
        Some(Value::String(effort)) => {
            Reasoning { on: true, effort: Some(effort.clone()), budget: None, shown }
        }
        Some(_) => return Err(Problem::field("reasoning.effort", "must be a text")),
    };
    Ok(Some(Given::new("reasoning.effort", reasoning)))
}
