//! The chat request that an upstream gets.
//!
//! The system prompt becomes the first message. A turn that holds tools' results becomes one
//! `tool` message for each, followed by the rest of it. That a tool failed, which chat cannot mark,
//! is written before its result; an image in a result, which chat cannot hold there, follows in a
//! user message.

use ralex_kernel::Problem;
use serde_json::{Number, Value, json};

use crate::codec::refuse::none;
use crate::ir::{
    Content, Format, Given, Part, Reasoning, Request, Role, Source, Tool, ToolChoice, Turn,
};
use crate::json::{Object, object as fields};
use crate::prepare::Target;

const TOOL_FAILED: &str = "The tool failed: ";

pub(super) fn encode(
    request: &Request,
    target: &Target,
    max_output: u64,
) -> Result<Object, Problem> {
    let Request {
        system,
        turns,
        tools,
        tool_choice,
        parallel_tools,
        format,
        reasoning,
        temperature,
        top_p,
        top_k,
        seed,
        frequency_penalty,
        presence_penalty,
        stop,
        verbosity,
        user,
        streamed,
    } = request;
    let mut body = fields([
        ("model", json!(target.upstream_model)),
        ("messages", Value::Array(conversation(system, turns)?)),
        (&target.spec.quirks.max_output_field, json!(max_output)),
    ]);
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    if *streamed {
        set("stream", Some(Value::Bool(true)));
        let usage = target.spec.quirks.stream_usage;
        set("stream_options", usage.then(|| json!({ "include_usage": true })));
    }
    set("temperature", plain(temperature.as_ref()));
    set("top_p", plain(top_p.as_ref()));
    if !target.spec.quirks.top_k {
        none(top_k.as_ref())?;
    }
    set("top_k", plain(top_k.as_ref()));
    set("seed", plain(seed.as_ref()));
    set("frequency_penalty", plain(frequency_penalty.as_ref()));
    set("presence_penalty", plain(presence_penalty.as_ref()));
    set("stop", stop.as_ref().map(|it| json!(it.value)));
    set("user", user.as_ref().map(|it| json!(it.value)));
    set("verbosity", verbosity.as_ref().map(|it| json!(it.value)));
    set("response_format", format.as_ref().map(encode_format));
    set("reasoning_effort", reasoning.as_ref().and_then(|it| effort(&it.value)).map(Value::from));
    // Chat refuses an empty array, and what is said about tools where there are none.
    if !tools.is_empty() {
        set("tools", Some(tools.iter().map(encode_tool).collect()));
        set("tool_choice", tool_choice.as_ref().map(encode_choice));
        set("parallel_tool_calls", parallel_tools.as_ref().map(|it| json!(it.value)));
    }
    Ok(body)
}

fn conversation(system: &[Part], turns: &[Turn]) -> Result<Vec<Value>, Problem> {
    let mut messages = Vec::with_capacity(turns.len() + 1);
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": joined(system, "\n\n")? }));
    }
    for turn in turns {
        match turn.role {
            Role::User => encode_user(&turn.parts, &mut messages)?,
            Role::Assistant => messages.extend(encode_assistant(&turn.parts)?),
        }
    }
    Ok(messages)
}

fn plain(given: Option<&Given<Number>>) -> Option<Value> {
    given.map(|given| Value::Number(given.value.clone()))
}

/// The texts of parts that may be nothing else.
fn joined(parts: &[Part], between: &str) -> Result<String, Problem> {
    let texts = parts.iter().map(|part| match &part.content {
        Content::Text(text) => Ok(text.as_str()),
        _ => Err(part.unsupported("cannot be carried unless it is a text")),
    });
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join(between))
}

fn encode_user(parts: &[Part], messages: &mut Vec<Value>) -> Result<(), Problem> {
    let mut said = Vec::new();
    for part in parts {
        if let Content::ToolResult { call, parts, failed } = &part.content {
            let (texts, media): (Vec<_>, Vec<_>) =
                parts.iter().cloned().partition(|part| matches!(part.content, Content::Text(_)));
            let content = joined(&texts, "\n")?;
            let content = if *failed { format!("{TOOL_FAILED}{content}") } else { content };
            messages.push(json!({ "role": "tool", "tool_call_id": call, "content": content }));
            for part in &media {
                said.push(encode_part(part)?);
            }
        } else {
            said.push(encode_part(part)?);
        }
    }
    // Servers that know only texts must still understand the plain case.
    match said.as_slice() {
        [] => {}
        [part] if part["type"] == "text" => {
            messages.push(json!({ "role": "user", "content": part["text"] }));
        }
        _ => messages.push(json!({ "role": "user", "content": said })),
    }
    Ok(())
}

fn encode_part(part: &Part) -> Result<Value, Problem> {
    Ok(match &part.content {
        Content::Text(text) | Content::Refusal(text) => json!({ "type": "text", "text": text }),
        Content::Image(source) => {
            json!({ "type": "image_url", "image_url": { "url": url(source, part)? } })
        }
        Content::Document { source, name } => {
            let mut file = match source {
                Source::Base64 { .. } => fields([("file_data", json!(url(source, part)?))]),
                Source::File(id) => fields([("file_id", json!(id))]),
                Source::Url(_) => {
                    return Err(part.unsupported("cannot be carried unless it is enclosed"));
                }
            };
            let name = name.as_deref().unwrap_or("document.pdf");
            file.insert("filename".to_owned(), json!(name));
            json!({ "type": "file", "file": file })
        }
        Content::Audio(Source::Base64 { media_type, data }) => {
            let format = media_type.strip_prefix("audio/").unwrap_or(media_type);
            let format = if matches!(format, "mpeg" | "mpga") { "mp3" } else { format };
            json!({ "type": "input_audio", "input_audio": { "data": data, "format": format } })
        }
        Content::Audio(Source::Url(_) | Source::File(_))
        | Content::ToolCall(_)
        | Content::ToolResult { .. }
        | Content::Thinking { .. }
        | Content::Sealed(_) => return Err(part.unsupported("cannot be carried here")),
    })
}

fn url(source: &Source, part: &Part) -> Result<String, Problem> {
    match source {
        Source::Base64 { media_type, data } => Ok(format!("data:{media_type};base64,{data}")),
        Source::Url(url) => Ok(url.clone()),
        Source::File(_) => {
            Err(part.unsupported("cannot be carried, since it is a file of its own provider"))
        }
    }
}

/// Nothing where the turn was only thought, which its own vendor alone could use.
fn encode_assistant(parts: &[Part]) -> Result<Option<Value>, Problem> {
    let (mut said, mut calls) = (String::new(), Vec::new());
    for part in parts {
        match &part.content {
            Content::Text(text) | Content::Refusal(text) => said.push_str(text),
            Content::ToolCall(call) => calls.push(json!({
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": Value::Object(call.arguments.clone()).to_string(),
                },
            })),
            Content::Thinking { .. } | Content::Sealed(_) => {}
            Content::Image(_)
            | Content::Document { .. }
            | Content::Audio(_)
            | Content::ToolResult { .. } => return Err(part.unsupported("cannot be carried here")),
        }
    }
    if said.is_empty() && calls.is_empty() {
        return Ok(None);
    }
    let content = if said.is_empty() { Value::Null } else { json!(said) };
    let mut message = fields([("role", json!("assistant")), ("content", content)]);
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    Ok(Some(Value::Object(message)))
}

fn encode_tool(tool: &Tool) -> Value {
    let mut function = fields([("name", json!(tool.name))]);
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            function.insert(key.to_owned(), value);
        }
    };
    set("description", tool.description.as_ref().map(|it| json!(it)));
    set("parameters", tool.schema.clone());
    set("strict", tool.strict.map(Value::Bool));
    json!({ "type": "function", "function": function })
}

fn encode_choice(choice: &Given<ToolChoice>) -> Value {
    match &choice.value {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Any => json!("required"),
        ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
    }
}

fn encode_format(format: &Given<Format>) -> Value {
    match &format.value {
        Format::Json => json!({ "type": "json_object" }),
        Format::Schema { name, schema, strict } => {
            let name = name.as_deref().unwrap_or("answer");
            let named = json!({ "name": name, "schema": schema, "strict": strict.unwrap_or(true) });
            json!({ "type": "json_schema", "json_schema": named })
        }
    }
}

/// Chat has efforts and no budgets. Thinking that is off is not mentioned, since models that
/// cannot think refuse the field whatever it says.
pub(crate) fn effort(reasoning: &Reasoning) -> Option<&str> {
    match (reasoning.effort.as_deref(), reasoning.budget) {
        (Some("max"), _) => Some("xhigh"),
        (Some(effort), _) => Some(effort),
        (None, Some(0..=2048)) => Some("low"),
        (None, Some(2049..=12_000)) => Some("medium"),
        (None, Some(_)) => Some("high"),
        (None, None) => None,
    }
}
