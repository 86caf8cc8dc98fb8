//! A chat request as a messages request.
//!
//! All system and developer messages become the system prompt, in their order. Neighbours of one
//! role become one message, since a tool's results must stand together in the next user message.

use ralex_kernel::Problem;
use serde_json::{Value, json};

use super::refuse::{self, object, required, rest, under, unsupported};
use crate::inbound::Inbound;
use crate::json::{Object, given, object as fields, text};
use crate::prepare::Target;

const CARRIED: &[&str] = &[
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "parallel_tool_calls",
    "response_format",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
    "user",
];

pub(super) fn body(inbound: &Inbound, target: &Target, max_output: u64) -> Result<Object, Problem> {
    let chat = inbound.body();
    rest(chat, "", CARRIED, refuse::CHAT)?;
    let conversation = conversation(chat)?;
    let mut body = fields([
        ("model", json!(target.upstream_model)),
        ("max_tokens", json!(max_output)),
        ("messages", Value::Array(conversation.messages)),
    ]);
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    let system = conversation.system;
    set("system", (!system.is_empty()).then_some(Value::Array(system)));
    set("stream", inbound.streamed().then_some(Value::Bool(true)));
    set("temperature", temperature(chat)?);
    set("top_p", given(chat, "top_p").cloned());
    set("stop_sequences", stop(chat)?);
    set("tools", tools(chat)?);
    set("tool_choice", tool_choice(chat)?);
    set("output_config", output_config(chat)?);
    set("metadata", text(chat, "user").map(|user| json!({ "user_id": user })));
    Ok(body)
}

/// What the messages become.
#[derive(Default)]
struct Conversation {
    system: Vec<Value>,
    messages: Vec<Value>,
}

impl Conversation {
    /// Adds blocks to the last message of the same role, or begins one.
    fn push(&mut self, role: &str, blocks: Vec<Value>) {
        if blocks.is_empty() {
            return;
        }
        let last = self.messages.last_mut().filter(|last| last["role"] == role);
        match last.and_then(|last| last["content"].as_array_mut()) {
            Some(content) => content.extend(blocks),
            None => self.messages.push(json!({ "role": role, "content": blocks })),
        }
    }
}

fn conversation(chat: &Object) -> Result<Conversation, Problem> {
    let mut conversation = Conversation::default();
    let messages = chat.get("messages").and_then(Value::as_array).into_iter().flatten();
    for (index, message) in messages.enumerate() {
        let path = format!("messages[{index}]");
        let message = object(message, &path)?;
        match text(message, "role") {
            Some("system" | "developer") => {
                rest(message, &path, &["role", "content"], refuse::NOTHING)?;
                conversation.system.extend(parts(message, &path)?);
            }
            Some("user") => {
                rest(message, &path, &["role", "content"], refuse::NOTHING)?;
                conversation.push("user", parts(message, &path)?);
            }
            Some("assistant") => conversation.push("assistant", assistant(message, &path)?),
            Some("tool") => conversation.push("user", vec![tool_result(message, &path)?]),
            _ => return Err(unsupported(format!("{path}.role"), "cannot be carried")),
        }
    }
    if conversation.messages.is_empty() {
        return Err(Problem::field("messages", "must hold more than system messages"));
    }
    Ok(conversation)
}

fn assistant(message: &Object, path: &str) -> Result<Vec<Value>, Problem> {
    let carried = ["role", "content", "refusal", "tool_calls"];
    rest(message, path, &carried, refuse::CHAT_MESSAGE)?;
    let mut blocks = parts(message, path)?;
    blocks.extend(text(message, "refusal").and_then(text_block));
    let calls = given(message, "tool_calls").and_then(Value::as_array).into_iter().flatten();
    for (index, call) in calls.enumerate() {
        blocks.push(tool_use(call, &format!("{path}.tool_calls[{index}]"))?);
    }
    Ok(blocks)
}

fn tool_use(call: &Value, path: &str) -> Result<Value, Problem> {
    let call = object(call, path)?;
    rest(call, path, &["id", "type", "function"], refuse::CHAT_TOOL_CALL)?;
    let function_path = under(path, "function");
    let function = call.get("function").unwrap_or(&Value::Null);
    let function = object(function, &function_path)?;
    let arguments = text(function, "arguments").unwrap_or_default();
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    let input: Object = serde_json::from_str(arguments).map_err(|_| {
        Problem::field(under(&function_path, "arguments"), "must be the text of a JSON object")
    })?;
    Ok(json!({
        "type": "tool_use",
        "id": required(call, path, "id")?,
        "name": required(function, &function_path, "name")?,
        "input": input,
    }))
}

fn tool_result(message: &Object, path: &str) -> Result<Value, Problem> {
    rest(message, path, &["role", "content", "tool_call_id", "name"], refuse::NOTHING)?;
    Ok(json!({
        "type": "tool_result",
        "tool_use_id": required(message, path, "tool_call_id")?,
        "content": parts(message, path)?,
    }))
}

/// A message's content as blocks; empty texts are left out, since messages refuse them.
fn parts(message: &Object, path: &str) -> Result<Vec<Value>, Problem> {
    let path = under(path, "content");
    match given(message, "content") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text_block(text).into_iter().collect()),
        Some(Value::Array(parts)) => {
            let mut blocks = Vec::with_capacity(parts.len());
            for (index, part) in parts.iter().enumerate() {
                blocks.extend(block(part, &format!("{path}[{index}]"))?);
            }
            Ok(blocks)
        }
        Some(_) => Err(Problem::field(path, "must be a text or an array of parts")),
    }
}

fn text_block(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!({ "type": "text", "text": text }))
}

fn block(part: &Value, path: &str) -> Result<Option<Value>, Problem> {
    let part = object(part, path)?;
    match text(part, "type") {
        Some(kind @ ("text" | "refusal")) => {
            rest(part, path, &["type", kind], refuse::NOTHING)?;
            Ok(text_block(required(part, path, kind)?))
        }
        Some("image_url") => image(part, path).map(Some),
        Some("file") => file(part, path).map(Some),
        _ => Err(unsupported(path, "is of a type that cannot be carried")),
    }
}

fn image(part: &Object, path: &str) -> Result<Value, Problem> {
    rest(part, path, &["type", "image_url"], refuse::NOTHING)?;
    let path = under(path, "image_url");
    let image = object(part.get("image_url").unwrap_or(&Value::Null), &path)?;
    rest(image, &path, &["url"], refuse::CHAT_IMAGE)?;
    let url = required(image, &path, "url")?;
    let source = match data_url(url) {
        Some((kind, data)) => json!({ "type": "base64", "media_type": kind, "data": data }),
        None if url.starts_with("https://") || url.starts_with("http://") => {
            json!({ "type": "url", "url": url })
        }
        None => {
            return Err(Problem::field(under(&path, "url"), "must be a web or base64 data URL"));
        }
    };
    Ok(json!({ "type": "image", "source": source }))
}

fn file(part: &Object, path: &str) -> Result<Value, Problem> {
    rest(part, path, &["type", "file"], refuse::NOTHING)?;
    let path = under(path, "file");
    let file = object(part.get("file").unwrap_or(&Value::Null), &path)?;
    rest(file, &path, &["filename", "file_data"], refuse::NOTHING)?;
    let data = text(file, "file_data").and_then(data_url);
    let Some(("application/pdf", data)) = data else {
        return Err(unsupported(under(&path, "file_data"), "cannot be carried unless it is a PDF"));
    };
    let source = json!({ "type": "base64", "media_type": "application/pdf", "data": data });
    let mut document = fields([("type", json!("document")), ("source", source)]);
    if let Some(name) = text(file, "filename") {
        document.insert("title".to_owned(), json!(name));
    }
    Ok(Value::Object(document))
}

/// The media type and the data of a base64 data URL.
fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let kind = head.strip_suffix(";base64")?;
    Some((kind.split(';').next().unwrap_or(kind), data))
}

fn temperature(chat: &Object) -> Result<Option<Value>, Problem> {
    match given(chat, "temperature") {
        Some(value) if value.as_f64().is_some_and(|degrees| degrees > 1.0) => {
            Err(unsupported("temperature", "cannot be carried above 1"))
        }
        given => Ok(given.cloned()),
    }
}

fn stop(chat: &Object) -> Result<Option<Value>, Problem> {
    match given(chat, "stop") {
        None => Ok(None),
        Some(Value::String(stop)) => Ok(Some(json!([stop]))),
        Some(Value::Array(stops)) => Ok(Some(json!(stops))),
        Some(_) => Err(Problem::field("stop", "must be a text or an array of texts")),
    }
}

fn tools(chat: &Object) -> Result<Option<Value>, Problem> {
    let Some(tools) = given(chat, "tools") else { return Ok(None) };
    let tools = tools.as_array().ok_or_else(|| Problem::field("tools", "must be an array"))?;
    let mut carried = Vec::with_capacity(tools.len());
    for (index, tool) in tools.iter().enumerate() {
        carried.push(self::tool(tool, &format!("tools[{index}]"))?);
    }
    Ok(Some(Value::Array(carried)))
}

fn tool(tool: &Value, path: &str) -> Result<Value, Problem> {
    let tool = object(tool, path)?;
    if text(tool, "type") != Some("function") {
        return Err(unsupported(path, "is a tool that cannot be carried"));
    }
    rest(tool, path, &["type", "function"], refuse::NOTHING)?;
    let path = under(path, "function");
    let function = object(tool.get("function").unwrap_or(&Value::Null), &path)?;
    rest(function, &path, &["name", "description", "parameters", "strict"], refuse::NOTHING)?;
    let nothing = json!({ "type": "object", "properties": {} });
    let mut carried = fields([("name", json!(required(function, &path, "name")?))]);
    if let Some(description) = given(function, "description") {
        carried.insert("description".to_owned(), description.clone());
    }
    let schema = given(function, "parameters").cloned().unwrap_or(nothing);
    carried.insert("input_schema".to_owned(), schema);
    if function.get("strict") == Some(&Value::Bool(true)) {
        carried.insert("strict".to_owned(), Value::Bool(true));
    }
    Ok(Value::Object(carried))
}

fn tool_choice(chat: &Object) -> Result<Option<Value>, Problem> {
    let mut choice = match given(chat, "tool_choice") {
        None => None,
        Some(Value::String(choice)) => Some(match choice.as_str() {
            "auto" => fields([("type", json!("auto"))]),
            "none" => fields([("type", json!("none"))]),
            "required" => fields([("type", json!("any"))]),
            _ => return Err(Problem::field("tool_choice", "must be auto, none or required")),
        }),
        Some(choice) => {
            let choice = object(choice, "tool_choice")?;
            if text(choice, "type") != Some("function") {
                return Err(unsupported("tool_choice", "cannot be carried"));
            }
            let path = "tool_choice.function";
            let function = object(choice.get("function").unwrap_or(&Value::Null), path)?;
            let name = required(function, path, "name")?;
            Some(fields([("type", json!("tool")), ("name", json!(name))]))
        }
    };
    let has_tools = given(chat, "tools").is_some();
    if has_tools && chat.get("parallel_tool_calls") == Some(&Value::Bool(false)) {
        let choice = choice.get_or_insert_with(|| fields([("type", json!("auto"))]));
        if text(choice, "type") != Some("none") {
            choice.insert("disable_parallel_tool_use".to_owned(), Value::Bool(true));
        }
    }
    Ok(choice.map(Value::Object))
}

/// Structured output: both dialects can demand a JSON schema, only chat "any JSON".
fn output_config(chat: &Object) -> Result<Option<Value>, Problem> {
    let Some(format) = given(chat, "response_format") else { return Ok(None) };
    let format = object(format, "response_format")?;
    match text(format, "type") {
        Some("text") => Ok(None),
        Some("json_schema") => {
            let path = "response_format.json_schema";
            let named = object(format.get("json_schema").unwrap_or(&Value::Null), path)?;
            let schema = given(named, "schema")
                .ok_or_else(|| Problem::field(under(path, "schema"), "is required"))?;
            Ok(Some(json!({ "format": { "type": "json_schema", "schema": schema } })))
        }
        _ => Err(unsupported("response_format.type", "cannot be carried")),
    }
}
