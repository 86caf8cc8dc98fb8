//! The items of a caller's input.

use std::collections::HashMap;

use ralex_kernel::Problem;
use serde_json::{Value, json};

use super::thought;
use super::tools::{self, INPUT, SEARCH, joined};
use crate::codec::refuse::{self, object, required, rest, source_of, under, unsupported};
use crate::ir::{Content, Part, Request, Role, Source, ToolCall};
use crate::json::{Object, given, object as fields, text};

const ITEM: &[(&str, refuse::Harmless)] = refuse::RESPONSES_ITEM;

/// Adds an item to the request.
pub(super) fn decode(
    item: &Object,
    path: &str,
    proofs: &HashMap<&str, &str>,
    request: &mut Request,
) -> Result<(), Problem> {
    let carry = |carried: &[&str]| rest(item, path, carried, ITEM);
    let mut called = |mut call: ToolCall| {
        call.signature = proofs.get(call.id.as_str()).map(|proof| (*proof).to_owned());
        request.push(Role::Assistant, vec![Part::new(path, Content::ToolCall(call))]);
    };
    match text(item, "type") {
        None | Some("message") => message(item, path, request)?,
        Some("reasoning") => {
            carry(&["type", "summary", "content", "encrypted_content"])?;
            let thought = thought::returned(item).map(|it| Part::new(path, it));
            request.push(Role::Assistant, thought.into_iter().collect());
        }
        Some("function_call") => {
            carry(&["type", "call_id", "name", "namespace", "arguments"])?;
            called(function_call(item, path)?);
        }
        Some("custom_tool_call") => {
            carry(&["type", "call_id", "name", "namespace", "input"])?;
            let arguments = fields([(INPUT, json!(required(item, path, "input")?))]);
            called(call(item, path, name(item, path)?, arguments)?);
        }
        Some("tool_search_call") => {
            carry(&["type", "call_id", "execution", "arguments"])?;
            let arguments = item.get("arguments").and_then(Value::as_object).cloned();
            called(call(item, path, SEARCH.to_owned(), arguments.unwrap_or_default())?);
        }
        Some("function_call_output" | "custom_tool_call_output") => {
            carry(&["type", "call_id", "output", "name", "namespace"])?;
            let output = item.get("output").unwrap_or(&Value::Null);
            let parts = content(output, &under(path, "output"))?;
            request.push(Role::User, vec![result(item, path, parts)?]);
        }
        Some("tool_search_output") => {
            carry(&["type", "call_id", "execution", "tools"])?;
            let found = found(item, path, request)?;
            request.push(Role::User, vec![result(item, path, found)?]);
        }
        Some("additional_tools") => {
            carry(&["type", "role", "tools"])?;
            let more = item.get("tools").unwrap_or(&Value::Null);
            tools::decode(more, &under(path, "tools"), &mut request.tools)?;
        }
        // What was found stands in the answer that followed.
        Some("web_search_call") => {}
        Some(_) => return Err(unsupported(path, "is of a type that cannot be carried")),
    }
    Ok(())
}

fn message(item: &Object, path: &str, request: &mut Request) -> Result<(), Problem> {
    rest(item, path, &["type", "role", "content"], ITEM)?;
    let said = item.get("content").unwrap_or(&Value::Null);
    let parts = content(said, &under(path, "content"))?;
    match text(item, "role") {
        Some("system" | "developer") => request.system.extend(parts),
        Some("user") => request.push(Role::User, parts),
        Some("assistant") => request.push(Role::Assistant, parts),
        _ => return Err(unsupported(under(path, "role"), "cannot be carried")),
    }
    Ok(())
}

fn name(item: &Object, path: &str) -> Result<String, Problem> {
    Ok(joined(text(item, "namespace"), required(item, path, "name")?))
}

fn call(item: &Object, path: &str, name: String, arguments: Object) -> Result<ToolCall, Problem> {
    let id = required(item, path, "call_id")?.to_owned();
    Ok(ToolCall { id, name, arguments, signature: None })
}

fn function_call(item: &Object, path: &str) -> Result<ToolCall, Problem> {
    let arguments = text(item, "arguments").unwrap_or_default();
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    let arguments = serde_json::from_str(arguments).map_err(|_| {
        Problem::field(under(path, "arguments"), "must be the text of a JSON object")
    })?;
    call(item, path, name(item, path)?, arguments)
}

fn result(item: &Object, path: &str, parts: Vec<Part>) -> Result<Part, Problem> {
    let call = required(item, path, "call_id")?.to_owned();
    Ok(Part::new(path, Content::ToolResult { call, parts, failed: false }))
}

/// The tools that a search found can be called from now on, and the model must know their names.
fn found(item: &Object, path: &str, request: &mut Request) -> Result<Vec<Part>, Problem> {
    let mut found = Vec::new();
    let path = under(path, "tools");
    tools::decode(item.get("tools").unwrap_or(&json!([])), &path, &mut found)?;
    let names: Vec<_> = found.iter().map(|tool| tool.name.as_str()).collect();
    let told = if names.is_empty() {
        "No tools were found.".to_owned()
    } else {
        format!("These tools can be called now: {}", names.join(", "))
    };
    for tool in found {
        if !request.tools.iter().any(|known| known.name == tool.name) {
            request.tools.push(tool);
        }
    }
    Ok(Part::text(path, &told).into_iter().collect())
}

/// A text, or parts.
fn content(content: &Value, path: &str) -> Result<Vec<Part>, Problem> {
    match content {
        Value::String(said) => Ok(Part::text(path, said).into_iter().collect()),
        Value::Array(parts) => {
            let mut decoded = Vec::with_capacity(parts.len());
            for (index, part) in parts.iter().enumerate() {
                let path = format!("{path}[{index}]");
                decoded.extend(self::part(object(part, &path)?, &path)?);
            }
            Ok(decoded)
        }
        _ => Err(Problem::field(path, "must be a text or an array of parts")),
    }
}

fn part(part: &Object, path: &str) -> Result<Option<Part>, Problem> {
    let carry = |carried: &[&str]| rest(part, path, carried, refuse::RESPONSES_PART);
    // The only hint of this kind that anyone else knows is Anthropic's.
    let cache = given(part, "prompt_cache_breakpoint").map(|_| json!({ "type": "ephemeral" }));
    let content = match text(part, "type") {
        Some("input_text" | "output_text" | "text") => {
            carry(&["type", "text"])?;
            let said = required(part, path, "text")?;
            return Ok(Part::text(path, said).map(|part| Part { cache, ..part }));
        }
        Some("refusal") => {
            carry(&["type", "refusal"])?;
            return Ok(Part::text(path, required(part, path, "refusal")?));
        }
        Some("input_image") => {
            carry(&["type", "image_url", "file_id"])?;
            Content::Image(source(part, path, "image_url")?)
        }
        Some("input_file") => {
            carry(&["type", "file_data", "file_id", "file_url", "filename"])?;
            let data = if part.contains_key("file_url") { "file_url" } else { "file_data" };
            let name = text(part, "filename").map(str::to_owned);
            Content::Document { source: source(part, path, data)?, name }
        }
        Some("input_audio") => {
            carry(&["type", "input_audio"])?;
            let path = under(path, "input_audio");
            let audio = object(part.get("input_audio").unwrap_or(&Value::Null), &path)?;
            rest(audio, &path, &["data", "format"], refuse::NOTHING)?;
            let media_type = format!("audio/{}", required(audio, &path, "format")?);
            let data = required(audio, &path, "data")?.to_owned();
            Content::Audio(Source::Base64 { media_type, data })
        }
        _ => return Err(unsupported(path, "is of a type that cannot be carried")),
    };
    Ok(Some(Part { cache, ..Part::new(path, content) }))
}

/// What a URL holds, or an uploaded file.
fn source(part: &Object, path: &str, url: &str) -> Result<Source, Problem> {
    match (text(part, url), text(part, "file_id")) {
        (Some(data), None) => source_of(data, &under(path, url)),
        (None, Some(id)) => Ok(Source::File(id.to_owned())),
        _ => Err(Problem::field(path, format!("must hold either {url} or file_id"))),
    }
}
