//! A caller's chat request in the intermediate form.

use ralex_kernel::Problem;
use serde_json::Value;

use crate::codec::refuse::{
    self, number, object, required, rest, source_of, stops, under, unsupported,
};
use crate::inbound::Inbound;
use crate::ir::{
    Content, Format, Given, Part, Reasoning, Request, Role, Source, Tool, ToolCall, ToolChoice,
};
use crate::json::{Object, given, text};

const CARRIED: &[&str] = &[
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "user",
    "verbosity",
];

pub(super) fn decode(inbound: &Inbound) -> Result<Request, Problem> {
    let chat = inbound.body();
    rest(chat, "", CARRIED, refuse::CHAT)?;
    let mut request = Request {
        tools: tools(chat)?,
        tool_choice: tool_choice(chat)?,
        parallel_tools: given(chat, "parallel_tool_calls")
            .and_then(Value::as_bool)
            .map(|flag| Given::new("parallel_tool_calls", flag)),
        format: format(chat)?,
        reasoning: reasoning(chat)?,
        temperature: number(chat, "temperature", "")?,
        top_p: number(chat, "top_p", "")?,
        top_k: number(chat, "top_k", "")?,
        seed: number(chat, "seed", "")?,
        frequency_penalty: number(chat, "frequency_penalty", "")?,
        presence_penalty: number(chat, "presence_penalty", "")?,
        stop: stops(chat.get("stop"), "stop")?,
        verbosity: text(chat, "verbosity").map(|it| Given::new("verbosity", it.to_owned())),
        user: text(chat, "user").map(|it| Given::new("user", it.to_owned())),
        streamed: inbound.streamed(),
        ..Request::default()
    };
    let messages = chat.get("messages").and_then(Value::as_array).into_iter().flatten();
    for (index, message) in messages.enumerate() {
        let path = format!("messages[{index}]");
        decode_message(object(message, &path)?, &path, &mut request)?;
    }
    if request.turns.is_empty() {
        return Err(Problem::field("messages", "must hold more than system messages"));
    }
    Ok(request)
}

fn decode_message(message: &Object, path: &str, request: &mut Request) -> Result<(), Problem> {
    match text(message, "role") {
        Some("system" | "developer") => {
            rest(message, path, &["role", "content"], refuse::NOTHING)?;
            request.system.extend(parts(message, path)?);
        }
        Some("user") => {
            rest(message, path, &["role", "content"], refuse::NOTHING)?;
            request.push(Role::User, parts(message, path)?);
        }
        Some("assistant") => request.push(Role::Assistant, assistant(message, path)?),
        Some("tool") => request.push(Role::User, vec![tool_result(message, path)?]),
        _ => return Err(unsupported(format!("{path}.role"), "cannot be carried")),
    }
    Ok(())
}

fn assistant(message: &Object, path: &str) -> Result<Vec<Part>, Problem> {
    let carried = ["role", "content", "refusal", "tool_calls"];
    rest(message, path, &carried, refuse::CHAT_MESSAGE)?;
    let mut blocks = parts(message, path)?;
    blocks.extend(text(message, "refusal").and_then(|it| Part::text(under(path, "refusal"), it)));
    let calls = given(message, "tool_calls").and_then(Value::as_array).into_iter().flatten();
    for (index, call) in calls.enumerate() {
        blocks.push(tool_call(call, &format!("{path}.tool_calls[{index}]"))?);
    }
    Ok(blocks)
}

fn tool_call(call: &Value, path: &str) -> Result<Part, Problem> {
    let call = object(call, path)?;
    let carried = ["id", "type", "function", "extra_content"];
    rest(call, path, &carried, refuse::CHAT_TOOL_CALL)?;
    let function_path = under(path, "function");
    let function = object(call.get("function").unwrap_or(&Value::Null), &function_path)?;
    rest(function, &function_path, &["name", "arguments"], refuse::NOTHING)?;
    let arguments = text(function, "arguments").unwrap_or_default();
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    let arguments = serde_json::from_str(arguments).map_err(|_| {
        Problem::field(under(&function_path, "arguments"), "must be the text of a JSON object")
    })?;
    let signature = super::reply::proof(call).map(str::to_owned);
    let call = ToolCall {
        id: required(call, path, "id")?.to_owned(),
        name: required(function, &function_path, "name")?.to_owned(),
        arguments,
        signature,
    };
    Ok(Part::new(path, Content::ToolCall(call)))
}

fn tool_result(message: &Object, path: &str) -> Result<Part, Problem> {
    rest(message, path, &["role", "content", "tool_call_id", "name"], refuse::NOTHING)?;
    let call = required(message, path, "tool_call_id")?.to_owned();
    let parts = parts(message, path)?;
    Ok(Part::new(path, Content::ToolResult { call, parts, failed: false }))
}

fn parts(message: &Object, path: &str) -> Result<Vec<Part>, Problem> {
    let path = under(path, "content");
    match given(message, "content") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(Part::text(path, text).into_iter().collect()),
        Some(Value::Array(parts)) => {
            let mut decoded = Vec::with_capacity(parts.len());
            for (index, part) in parts.iter().enumerate() {
                decoded.extend(self::part(part, &format!("{path}[{index}]"))?);
            }
            Ok(decoded)
        }
        Some(_) => Err(Problem::field(path, "must be a text or an array of parts")),
    }
}

fn part(part: &Value, path: &str) -> Result<Option<Part>, Problem> {
    let part = object(part, path)?;
    // Anthropic's models behind compatible servers take the hint here too.
    let cache = given(part, "cache_control").cloned();
    let content = match text(part, "type") {
        Some(kind @ ("text" | "refusal")) => {
            rest(part, path, &["type", kind, "cache_control"], refuse::NOTHING)?;
            let text = required(part, path, kind)?;
            return Ok(Part::text(path, text).map(|part| Part { cache, ..part }));
        }
        Some("image_url") => image(part, path)?,
        Some("input_audio") => audio(part, path)?,
        Some("file") => file(part, path)?,
        _ => return Err(unsupported(path, "is of a type that cannot be carried")),
    };
    Ok(Some(Part { cache, ..Part::new(path, content) }))
}

fn image(part: &Object, path: &str) -> Result<Content, Problem> {
    rest(part, path, &["type", "image_url", "cache_control"], refuse::NOTHING)?;
    let path = under(path, "image_url");
    let image = object(part.get("image_url").unwrap_or(&Value::Null), &path)?;
    rest(image, &path, &["url"], refuse::CHAT_IMAGE)?;
    let url = required(image, &path, "url")?;
    source_of(url, &under(&path, "url")).map(Content::Image)
}

fn audio(part: &Object, path: &str) -> Result<Content, Problem> {
    rest(part, path, &["type", "input_audio"], refuse::NOTHING)?;
    let path = under(path, "input_audio");
    let audio = object(part.get("input_audio").unwrap_or(&Value::Null), &path)?;
    rest(audio, &path, &["data", "format"], refuse::NOTHING)?;
    let media_type = format!("audio/{}", required(audio, &path, "format")?);
    let data = required(audio, &path, "data")?.to_owned();
    Ok(Content::Audio(Source::Base64 { media_type, data }))
}

fn file(part: &Object, path: &str) -> Result<Content, Problem> {
    rest(part, path, &["type", "file", "cache_control"], refuse::NOTHING)?;
    let path = under(path, "file");
    let file = object(part.get("file").unwrap_or(&Value::Null), &path)?;
    rest(file, &path, &["filename", "file_data", "file_id"], refuse::NOTHING)?;
    let source = match (text(file, "file_data"), text(file, "file_id")) {
        (Some(data), None) => source_of(data, &under(&path, "file_data"))?,
        (None, Some(id)) => Source::File(id.to_owned()),
        _ => return Err(Problem::field(path, "must hold either file_data or file_id")),
    };
    Ok(Content::Document { source, name: text(file, "filename").map(str::to_owned) })
}

fn tools(chat: &Object) -> Result<Vec<Tool>, Problem> {
    let Some(tools) = given(chat, "tools") else { return Ok(Vec::new()) };
    let tools = tools.as_array().ok_or_else(|| Problem::field("tools", "must be an array"))?;
    let each = tools.iter().enumerate();
    each.map(|(index, tool)| self::tool(tool, &format!("tools[{index}]"))).collect()
}

fn tool(tool: &Value, at: &str) -> Result<Tool, Problem> {
    let tool = object(tool, at)?;
    if text(tool, "type") != Some("function") {
        return Err(unsupported(at, "is a tool that cannot be carried"));
    }
    rest(tool, at, &["type", "function", "cache_control"], refuse::NOTHING)?;
    let path = under(at, "function");
    let function = object(tool.get("function").unwrap_or(&Value::Null), &path)?;
    rest(function, &path, &["name", "description", "parameters", "strict"], refuse::NOTHING)?;
    Ok(Tool {
        at: at.to_owned(),
        name: required(function, &path, "name")?.to_owned(),
        description: text(function, "description").map(str::to_owned),
        schema: given(function, "parameters").cloned(),
        strict: given(function, "strict").and_then(Value::as_bool),
        cache: given(tool, "cache_control").cloned(),
    })
}

fn tool_choice(chat: &Object) -> Result<Option<Given<ToolChoice>>, Problem> {
    let at = "tool_choice";
    let choice = match given(chat, at) {
        None => return Ok(None),
        Some(Value::String(choice)) => match choice.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Any,
            _ => return Err(Problem::field(at, "must be auto, none or required")),
        },
        Some(choice) => {
            let choice = object(choice, at)?;
            if text(choice, "type") != Some("function") {
                return Err(unsupported(at, "cannot be carried"));
            }
            let path = "tool_choice.function";
            let function = object(choice.get("function").unwrap_or(&Value::Null), path)?;
            ToolChoice::Named(required(function, path, "name")?.to_owned())
        }
    };
    Ok(Some(Given::new(at, choice)))
}

fn format(chat: &Object) -> Result<Option<Given<Format>>, Problem> {
    let Some(format) = given(chat, "response_format") else { return Ok(None) };
    let format = object(format, "response_format")?;
    let format = match text(format, "type") {
        Some("text") => return Ok(None),
        Some("json_object") => Format::Json,
        Some("json_schema") => {
            let path = "response_format.json_schema";
            let named = object(format.get("json_schema").unwrap_or(&Value::Null), path)?;
            rest(named, path, &["name", "description", "schema", "strict"], refuse::NOTHING)?;
            let schema = given(named, "schema")
                .ok_or_else(|| Problem::field(under(path, "schema"), "is required"))?;
            Format::Schema {
                name: text(named, "name").map(str::to_owned),
                schema: schema.clone(),
                strict: given(named, "strict").and_then(Value::as_bool),
            }
        }
        _ => return Err(unsupported("response_format.type", "cannot be carried")),
    };
    Ok(Some(Given::new("response_format", format)))
}

fn reasoning(chat: &Object) -> Result<Option<Given<Reasoning>>, Problem> {
    let at = "reasoning_effort";
    match given(chat, at) {
        None => Ok(None),
        Some(Value::String(effort)) => {
            let on = effort != "none";
            let effort = on.then(|| effort.clone());
            Ok(Some(Given::new(at, Reasoning { on, effort, ..Reasoning::default() })))
        }
        Some(_) => Err(Problem::field(at, "must be a text")),
    }
}
