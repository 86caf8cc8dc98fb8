//! A messages request as a chat request.
//!
//! The system prompt becomes the first message. A user message that holds tool results becomes one
//! `tool` message for each, followed by the rest of it. That a tool failed, which chat cannot mark,
//! is written before its result.

use ralex_kernel::Problem;
use serde_json::{Value, json};

use super::refuse::{self, object, required, rest, under, unsupported};
use crate::inbound::Inbound;
use crate::json::{Object, given, object as fields, text};
use crate::prepare::{Target, max_output_field};

const CARRIED: &[&str] = &[
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
];

const TOOL_FAILED: &str = "The tool failed: ";

pub(super) fn body(inbound: &Inbound, target: &Target, max_output: u64) -> Result<Object, Problem> {
    let request = inbound.body();
    rest(request, "", CARRIED, refuse::MESSAGES)?;
    let mut body = fields([
        ("model", json!(target.upstream_model)),
        ("messages", Value::Array(conversation(request)?)),
        (max_output_field(target.kind), json!(max_output)),
    ]);
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    if inbound.streamed() {
        set("stream", Some(Value::Bool(true)));
        set("stream_options", Some(json!({ "include_usage": true })));
    }
    set("temperature", given(request, "temperature").cloned());
    set("top_p", given(request, "top_p").cloned());
    set("stop", given(request, "stop_sequences").cloned());
    set("tools", tools(request)?);
    let (choice, parallel) = tool_choice(request)?;
    set("tool_choice", choice);
    set("parallel_tool_calls", parallel);
    set("user", user(request)?);
    let (format, effort) = output_config(request)?;
    set("response_format", format);
    set("reasoning_effort", effort);
    Ok(body)
}

fn conversation(request: &Object) -> Result<Vec<Value>, Problem> {
    let mut messages = Vec::new();
    if let Some(system) = system(request)? {
        messages.push(json!({ "role": "system", "content": system }));
    }
    let given = request.get("messages").and_then(Value::as_array).into_iter().flatten();
    for (index, message) in given.enumerate() {
        let path = format!("messages[{index}]");
        let message = object(message, &path)?;
        rest(message, &path, &["role", "content"], refuse::NOTHING)?;
        match text(message, "role") {
            Some("user") => user_messages(message, &path, &mut messages)?,
            Some("assistant") => messages.push(assistant(message, &path)?),
            _ => return Err(unsupported(format!("{path}.role"), "cannot be carried")),
        }
    }
    Ok(messages)
}

fn system(request: &Object) -> Result<Option<String>, Problem> {
    match given(request, "system") {
        None => Ok(None),
        Some(Value::String(system)) => Ok(Some(system.clone())),
        Some(blocks) => texts(blocks, "system").map(|texts| Some(texts.join("\n\n"))),
    }
}

/// The texts of blocks that may be nothing else.
fn texts(blocks: &Value, path: &str) -> Result<Vec<String>, Problem> {
    if let Some(text) = blocks.as_str() {
        return Ok(vec![text.to_owned()]);
    }
    let blocks = blocks.as_array().ok_or_else(|| must_be_content(path))?;
    let mut texts = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let block = object(block, &path)?;
        if text(block, "type") != Some("text") {
            return Err(unsupported(path, "is of a type that cannot be carried here"));
        }
        texts.push(block_text(block, &path)?);
    }
    Ok(texts)
}

fn must_be_content(path: &str) -> Problem {
    Problem::field(path, "must be a text or an array of blocks")
}

fn block_text(block: &Object, path: &str) -> Result<String, Problem> {
    rest(block, path, &["type", "text"], refuse::BLOCK)?;
    required(block, path, "text").map(str::to_owned)
}

/// The blocks of a message, a text being one.
fn blocks(message: &Object, path: &str) -> Result<Vec<Value>, Problem> {
    match given(message, "content") {
        Some(Value::String(text)) => Ok(vec![json!({ "type": "text", "text": text })]),
        Some(Value::Array(blocks)) => Ok(blocks.clone()),
        _ => Err(must_be_content(&under(path, "content"))),
    }
}

fn user_messages(message: &Object, path: &str, messages: &mut Vec<Value>) -> Result<(), Problem> {
    let (mut parts, mut only_text) = (Vec::new(), true);
    for (index, block) in blocks(message, path)?.iter().enumerate() {
        let path = format!("{path}.content[{index}]");
        let block = object(block, &path)?;
        match text(block, "type") {
            Some("tool_result") => messages.push(tool_result(block, &path)?),
            Some("text") => {
                let text = block_text(block, &path)?;
                parts.push(json!({ "type": "text", "text": text }));
            }
            Some("image") => {
                only_text = false;
                parts.push(image(block, &path)?);
            }
            Some("document") => {
                only_text = false;
                parts.push(document(block, &path)?);
            }
            _ => return Err(unsupported(path, "is of a type that cannot be carried")),
        }
    }
    // Servers that know only texts must still understand the plain case.
    match parts.as_slice() {
        [] => {}
        [part] if only_text => messages.push(json!({ "role": "user", "content": part["text"] })),
        _ => messages.push(json!({ "role": "user", "content": parts })),
    }
    Ok(())
}

fn tool_result(block: &Object, path: &str) -> Result<Value, Problem> {
    let carried = ["type", "tool_use_id", "content", "is_error"];
    rest(block, path, &carried, refuse::BLOCK)?;
    let content = match given(block, "content") {
        None => String::new(),
        Some(content) => texts(content, &under(path, "content"))?.join("\n"),
    };
    let failed = block.get("is_error") == Some(&Value::Bool(true));
    let content = if failed { format!("{TOOL_FAILED}{content}") } else { content };
    let id = required(block, path, "tool_use_id")?;
    Ok(json!({ "role": "tool", "tool_call_id": id, "content": content }))
}

fn image(block: &Object, path: &str) -> Result<Value, Problem> {
    rest(block, path, &["type", "source"], refuse::BLOCK)?;
    let url = match source(block, path)? {
        Source::Enclosed { kind, data } => format!("data:{kind};base64,{data}"),
        Source::Address(url) => url.to_owned(),
    };
    Ok(json!({ "type": "image_url", "image_url": { "url": url } }))
}

fn document(block: &Object, path: &str) -> Result<Value, Problem> {
    rest(block, path, &["type", "source", "title"], refuse::BLOCK)?;
    match source(block, path)? {
        Source::Enclosed { kind: "application/pdf", data } => {
            let name = text(block, "title").unwrap_or("document.pdf");
            let data = format!("data:application/pdf;base64,{data}");
            Ok(json!({ "type": "file", "file": { "filename": name, "file_data": data } }))
        }
        Source::Enclosed { .. } | Source::Address(_) => {
            Err(unsupported(under(path, "source"), "cannot be carried unless it is a PDF"))
        }
    }
}

enum Source<'a> {
    Enclosed { kind: &'a str, data: &'a str },
    Address(&'a str),
}

fn source<'a>(block: &'a Object, path: &str) -> Result<Source<'a>, Problem> {
    let path = under(path, "source");
    let source = object(block.get("source").unwrap_or(&Value::Null), &path)?;
    match text(source, "type") {
        Some("base64") => Ok(Source::Enclosed {
            kind: required(source, &path, "media_type")?,
            data: required(source, &path, "data")?,
        }),
        Some("url") => required(source, &path, "url").map(Source::Address),
        _ => Err(unsupported(path, "is of a type that cannot be carried")),
    }
}

fn assistant(message: &Object, path: &str) -> Result<Value, Problem> {
    let (mut said, mut calls) = (Vec::new(), Vec::new());
    for (index, block) in blocks(message, path)?.iter().enumerate() {
        let path = format!("{path}.content[{index}]");
        let block = object(block, &path)?;
        match text(block, "type") {
            Some("text") => said.push(block_text(block, &path)?),
            Some("tool_use") => calls.push(tool_call(block, &path)?),
            _ => return Err(unsupported(path, "is of a type that cannot be carried")),
        }
    }
    let content = if said.is_empty() { Value::Null } else { json!(said.concat()) };
    let mut message = fields([("role", json!("assistant")), ("content", content)]);
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    Ok(Value::Object(message))
}

fn tool_call(block: &Object, path: &str) -> Result<Value, Problem> {
    rest(block, path, &["type", "id", "name", "input"], refuse::BLOCK)?;
    let input = given(block, "input").cloned().unwrap_or_else(|| json!({}));
    Ok(json!({
        "id": required(block, path, "id")?,
        "type": "function",
        "function": { "name": required(block, path, "name")?, "arguments": input.to_string() },
    }))
}

fn tools(request: &Object) -> Result<Option<Value>, Problem> {
    let Some(tools) = given(request, "tools") else { return Ok(None) };
    let tools = tools.as_array().ok_or_else(|| Problem::field("tools", "must be an array"))?;
    let mut carried = Vec::with_capacity(tools.len());
    for (index, tool) in tools.iter().enumerate() {
        carried.push(self::tool(tool, &format!("tools[{index}]"))?);
    }
    // Chat refuses an empty array.
    Ok((!carried.is_empty()).then_some(Value::Array(carried)))
}

fn tool(tool: &Value, path: &str) -> Result<Value, Problem> {
    let tool = object(tool, path)?;
    if !matches!(text(tool, "type"), None | Some("custom")) {
        return Err(unsupported(path, "is a tool that cannot be carried"));
    }
    let carried = ["type", "name", "description", "input_schema", "strict"];
    rest(tool, path, &carried, refuse::BLOCK)?;
    let mut function = fields([("name", json!(required(tool, path, "name")?))]);
    for (from, to) in
        [("description", "description"), ("input_schema", "parameters"), ("strict", "strict")]
    {
        if let Some(value) = given(tool, from) {
            function.insert(to.to_owned(), value.clone());
        }
    }
    Ok(json!({ "type": "function", "function": function }))
}

/// The choice, and whether calls may come in parallel.
fn tool_choice(request: &Object) -> Result<(Option<Value>, Option<Value>), Problem> {
    let Some(choice) = given(request, "tool_choice") else { return Ok((None, None)) };
    let path = "tool_choice";
    let choice = object(choice, path)?;
    rest(choice, path, &["type", "name", "disable_parallel_tool_use"], refuse::NOTHING)?;
    let carried = match text(choice, "type") {
        Some("auto") => json!("auto"),
        Some("none") => json!("none"),
        Some("any") => json!("required"),
        Some("tool") => {
            let name = required(choice, path, "name")?;
            json!({ "type": "function", "function": { "name": name } })
        }
        _ => return Err(Problem::field("tool_choice.type", "must be auto, any, tool or none")),
    };
    let single = choice.get("disable_parallel_tool_use") == Some(&Value::Bool(true));
    Ok((Some(carried), single.then_some(Value::Bool(false))))
}

fn user(request: &Object) -> Result<Option<Value>, Problem> {
    let Some(metadata) = given(request, "metadata") else { return Ok(None) };
    let metadata = object(metadata, "metadata")?;
    rest(metadata, "metadata", &["user_id"], refuse::NOTHING)?;
    Ok(given(metadata, "user_id").cloned())
}

/// The demanded format and the effort.
fn output_config(request: &Object) -> Result<(Option<Value>, Option<Value>), Problem> {
    let Some(config) = given(request, "output_config") else { return Ok((None, None)) };
    let path = "output_config";
    let config = object(config, path)?;
    rest(config, path, &["format", "effort"], refuse::NOTHING)?;
    let effort = given(config, "effort").cloned();
    let Some(format) = given(config, "format") else { return Ok((None, effort)) };
    let path = under(path, "format");
    let format = object(format, &path)?;
    rest(format, &path, &["type", "schema"], refuse::NOTHING)?;
    if text(format, "type") != Some("json_schema") {
        return Err(unsupported(under(&path, "type"), "cannot be carried"));
    }
    let named = json!({ "name": "answer", "schema": format.get("schema"), "strict": true });
    Ok((Some(json!({ "type": "json_schema", "json_schema": named })), effort))
}
