//! A caller's messages request in the intermediate form.

use ralex_kernel::Problem;
use serde_json::Value;

use crate::codec::refuse::{self, number, object, required, rest, stops, under, unsupported};
use crate::codec::responses::read_called;
use crate::inbound::Inbound;
use crate::ir::{
    Content, Format, Given, Part, Reasoning, Request, Role, Source, Tool, ToolCall, ToolChoice,
};
use crate::json::{Object, given, text};

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
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

pub(super) fn decode(inbound: &Inbound) -> Result<Request, Problem> {
    let body = inbound.body();
    rest(body, "", CARRIED, refuse::MESSAGES)?;
    let (tool_choice, parallel_tools) = tool_choice(body)?;
    let (format, effort) = output_config(body)?;
    let mut request = Request {
        system: match given(body, "system") {
            None => Vec::new(),
            Some(system) => blocks(system, "system")?,
        },
        tools: tools(body)?,
        tool_choice,
        parallel_tools,
        format,
        reasoning: reasoning(body, effort)?,
        temperature: number(body, "temperature", "")?,
        top_p: number(body, "top_p", "")?,
        top_k: number(body, "top_k", "")?,
        stop: stops(body.get("stop_sequences"), "stop_sequences")?,
        user: user(body)?,
        streamed: inbound.streamed(),
        ..Request::default()
    };
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    for (index, message) in messages.enumerate() {
        let path = format!("messages[{index}]");
        let message = object(message, &path)?;
        rest(message, &path, &["role", "content"], refuse::NOTHING)?;
        let role = text(message, "role");
        let content = message.get("content").unwrap_or(&Value::Null);
        let parts = blocks(content, &under(&path, "content"))?;
        match role {
            Some("user") => request.push(Role::User, parts),
            Some("assistant") => request.push(Role::Assistant, parts),
            Some("system") => request.system.extend(parts),
            _ => return Err(unsupported(under(&path, "role"), "cannot be carried")),
        }
    }
    Ok(request)
}

/// Content: a text, or blocks.
fn blocks(content: &Value, path: &str) -> Result<Vec<Part>, Problem> {
    match content {
        Value::String(text) => Ok(Part::text(path, text).into_iter().collect()),
        Value::Array(blocks) => {
            let mut parts = Vec::with_capacity(blocks.len());
            for (index, block) in blocks.iter().enumerate() {
                let path = format!("{path}[{index}]");
                parts.extend(self::block(object(block, &path)?, &path)?);
            }
            Ok(with_proofs(parts))
        }
        _ => Err(Problem::field(path, "must be a text or an array of blocks")),
    }
}

/// Gives calls the proofs that stand in blocks of their own beside them.
fn with_proofs(mut parts: Vec<Part>) -> Vec<Part> {
    let mut proofs = Vec::new();
    parts.retain(|part| {
        let Content::Sealed(data) = &part.content else { return true };
        let proof = read_called(data).map(|(call, proof)| (call.to_owned(), proof.to_owned()));
        let keep = proof.is_none();
        proofs.extend(proof);
        keep
    });
    for part in &mut parts {
        if let Content::ToolCall(call) = &mut part.content {
            let proof = proofs.iter().find(|(id, _)| *id == call.id);
            call.signature = proof.map(|(_, proof)| proof.clone());
        }
    }
    parts
}

fn block(block: &Object, path: &str) -> Result<Option<Part>, Problem> {
    let carry = |fields: &[&str]| rest(block, path, fields, refuse::BLOCK);
    let cache = given(block, "cache_control").cloned();
    let content = match text(block, "type") {
        Some("text") => {
            carry(&["type", "text", "cache_control"])?;
            let text = required(block, path, "text")?;
            return Ok(Part::text(path, text).map(|part| Part { cache, ..part }));
        }
        Some("image") => {
            carry(&["type", "source", "cache_control"])?;
            Content::Image(source(block, path)?)
        }
        Some("document") => {
            carry(&["type", "source", "title", "cache_control"])?;
            let name = text(block, "title").map(str::to_owned);
            match document_text(block) {
                Some(text) => return Ok(Part::text(path, text)),
                None => Content::Document { source: source(block, path)?, name },
            }
        }
        Some("tool_use") => {
            carry(&["type", "id", "name", "input", "cache_control"])?;
            let arguments = block.get("input").and_then(Value::as_object).cloned();
            Content::ToolCall(ToolCall {
                id: required(block, path, "id")?.to_owned(),
                name: required(block, path, "name")?.to_owned(),
                arguments: arguments.unwrap_or_default(),
                signature: None,
            })
        }
        Some("tool_result") => {
            carry(&["type", "tool_use_id", "content", "is_error", "cache_control"])?;
            Content::ToolResult {
                call: required(block, path, "tool_use_id")?.to_owned(),
                parts: match given(block, "content") {
                    None => Vec::new(),
                    Some(content) => blocks(content, &under(path, "content"))?,
                },
                failed: block.get("is_error") == Some(&Value::Bool(true)),
            }
        }
        Some("thinking") => {
            carry(&["type", "thinking", "signature"])?;
            Content::Thinking {
                text: text(block, "thinking").unwrap_or_default().to_owned(),
                signature: text(block, "signature").map(str::to_owned),
            }
        }
        Some("redacted_thinking") => {
            carry(&["type", "data"])?;
            Content::Sealed(required(block, path, "data")?.to_owned())
        }
        _ => return Err(unsupported(path, "is of a type that cannot be carried")),
    };
    Ok(Some(Part { cache, ..Part::new(path, content) }))
}

/// A document that is plain text is a text.
fn document_text(block: &Object) -> Option<&str> {
    let source = block.get("source").and_then(Value::as_object)?;
    text(source, "data").filter(|_| text(source, "type") == Some("text"))
}

fn source(block: &Object, path: &str) -> Result<Source, Problem> {
    let path = under(path, "source");
    let source = object(block.get("source").unwrap_or(&Value::Null), &path)?;
    match text(source, "type") {
        Some("base64") => Ok(Source::Base64 {
            media_type: required(source, &path, "media_type")?.to_owned(),
            data: required(source, &path, "data")?.to_owned(),
        }),
        Some("url") => required(source, &path, "url").map(|url| Source::Url(url.to_owned())),
        Some("file") => required(source, &path, "file_id").map(|id| Source::File(id.to_owned())),
        _ => Err(unsupported(path, "is of a type that cannot be carried")),
    }
}

fn tools(body: &Object) -> Result<Vec<Tool>, Problem> {
    let Some(tools) = given(body, "tools") else { return Ok(Vec::new()) };
    let tools = tools.as_array().ok_or_else(|| Problem::field("tools", "must be an array"))?;
    let each = tools.iter().enumerate();
    each.map(|(index, tool)| self::tool(tool, &format!("tools[{index}]"))).collect()
}

fn tool(tool: &Value, at: &str) -> Result<Tool, Problem> {
    let tool = object(tool, at)?;
    if !matches!(text(tool, "type"), None | Some("custom")) {
        return Err(unsupported(at, "is a tool that cannot be carried"));
    }
    let carried = ["type", "name", "description", "input_schema", "strict", "cache_control"];
    rest(tool, at, &carried, refuse::BLOCK)?;
    Ok(Tool {
        at: at.to_owned(),
        name: required(tool, at, "name")?.to_owned(),
        description: text(tool, "description").map(str::to_owned),
        schema: given(tool, "input_schema").cloned(),
        strict: given(tool, "strict").and_then(Value::as_bool),
        cache: given(tool, "cache_control").cloned(),
    })
}

type Choice = (Option<Given<ToolChoice>>, Option<Given<bool>>);

fn tool_choice(body: &Object) -> Result<Choice, Problem> {
    let at = "tool_choice";
    let Some(choice) = given(body, at) else { return Ok((None, None)) };
    let choice = object(choice, at)?;
    rest(choice, at, &["type", "name", "disable_parallel_tool_use"], refuse::NOTHING)?;
    let carried = match text(choice, "type") {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::None,
        Some("any") => ToolChoice::Any,
        Some("tool") => ToolChoice::Named(required(choice, at, "name")?.to_owned()),
        _ => return Err(Problem::field("tool_choice.type", "must be auto, any, tool or none")),
    };
    let single = choice.get("disable_parallel_tool_use") == Some(&Value::Bool(true));
    let parallel = single.then(|| Given::new("tool_choice.disable_parallel_tool_use", false));
    Ok((Some(Given::new(at, carried)), parallel))
}

fn user(body: &Object) -> Result<Option<Given<String>>, Problem> {
    let Some(metadata) = given(body, "metadata") else { return Ok(None) };
    let metadata = object(metadata, "metadata")?;
    rest(metadata, "metadata", &["user_id"], refuse::NOTHING)?;
    Ok(text(metadata, "user_id").map(|user| Given::new("metadata.user_id", user.to_owned())))
}

type OutputConfig = (Option<Given<Format>>, Option<String>);

/// The demanded format and the effort.
fn output_config(body: &Object) -> Result<OutputConfig, Problem> {
    let Some(config) = given(body, "output_config") else { return Ok((None, None)) };
    let path = "output_config";
    let config = object(config, path)?;
    rest(config, path, &["format", "effort"], refuse::NOTHING)?;
    let effort = text(config, "effort").map(str::to_owned);
    let Some(format) = given(config, "format") else { return Ok((None, effort)) };
    let path = under(path, "format");
    let format = object(format, &path)?;
    rest(format, &path, &["type", "schema"], refuse::NOTHING)?;
    if text(format, "type") != Some("json_schema") {
        return Err(unsupported(under(&path, "type"), "cannot be carried"));
    }
    let schema = format.get("schema").cloned().unwrap_or(Value::Null);
    let format = Format::Schema { name: None, schema, strict: Some(true) };
    Ok((Some(Given::new(path, format)), effort))
}

fn reasoning(body: &Object, effort: Option<String>) -> Result<Option<Given<Reasoning>>, Problem> {
    let at = "thinking";
    let effort_alone = effort.clone().map(|effort| {
        let reasoning = Reasoning { on: true, effort: Some(effort), ..Reasoning::default() };
        Given::new("output_config.effort", reasoning)
    });
    let Some(thinking) = given(body, at) else { return Ok(effort_alone) };
    let thinking = object(thinking, at)?;
    rest(thinking, at, &["type", "budget_tokens", "display"], refuse::NOTHING)?;
    let shown = text(thinking, "display") != Some("omitted");
    let reasoning = match text(thinking, "type") {
        Some("disabled") => Reasoning { effort, ..Reasoning::default() },
        Some("adaptive") => Reasoning { on: true, effort, budget: None, shown },
        Some("enabled") => {
            let budget = thinking.get("budget_tokens").and_then(Value::as_u64);
            Reasoning { on: true, effort, budget, shown }
        }
        _ => {
            return Err(Problem::field("thinking.type", "must be adaptive, enabled or disabled"));
        }
    };
    Ok(Some(Given::new(at, reasoning)))
}
