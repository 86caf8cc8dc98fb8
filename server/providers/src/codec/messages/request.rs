//! A messages request: a caller's into the intermediate form, and that for an upstream.

use ralex_kernel::Problem;
use serde_json::{Value, json};

use crate::codec::refuse::{
    self, none, none_but, number, object, required, rest, stops, under, unsupported,
};
use crate::codec::responses::{is_openais, read_called};
use crate::inbound::Inbound;
use crate::ir::{
    Content, Format, Given, Part, Reasoning, Request, Role, Source, Tool, ToolCall, ToolChoice,
};
use crate::json::{Object, given, object as fields, text};
use crate::prepare::Target;

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
    none(seed.as_ref())?;
    none_but(frequency_penalty.as_ref(), 0.0)?;
    none_but(presence_penalty.as_ref(), 0.0)?;
    none(verbosity.as_ref().filter(|it| it.value != "medium"))?;
    let mut messages = Vec::with_capacity(turns.len());
    for turn in turns {
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let content = encode_blocks(&turn.parts)?;
        if !content.is_empty() {
            messages.push(json!({ "role": role, "content": content }));
        }
    }
    let mut body = fields([
        ("model", json!(target.upstream_model)),
        ("max_tokens", json!(max_output)),
        ("messages", Value::Array(messages)),
    ]);
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    set(
        "system",
        (!system.is_empty()).then(|| encode_blocks(system)).transpose()?.map(Value::Array),
    );
    set("stream", streamed.then_some(Value::Bool(true)));
    if let Some(hot) = temperature.as_ref().filter(|it| it.value.as_f64() > Some(1.0)) {
        return Err(hot.unsupported("cannot be carried above 1"));
    }
    let plain =
        |given: &Option<Given<serde_json::Number>>| given.as_ref().map(|it| json!(it.value));
    set("temperature", plain(temperature));
    set("top_p", plain(top_p));
    set("top_k", plain(top_k));
    set("stop_sequences", stop.as_ref().map(|it| json!(it.value)));
    let has_tools = !tools.is_empty();
    set("tools", has_tools.then(|| tools.iter().map(encode_tool).collect()));
    set("tool_choice", encode_choice(tool_choice.as_ref(), parallel_tools.as_ref(), has_tools));
    let (thinking, effort) = encode_reasoning(reasoning.as_ref(), max_output);
    set("thinking", thinking);
    set("output_config", output(format.as_ref(), effort)?);
    set("metadata", user.as_ref().map(|it| json!({ "user_id": it.value })));
    Ok(body)
}

fn encode_blocks(parts: &[Part]) -> Result<Vec<Value>, Problem> {
    let mut blocks = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(mut block) = encode_block(part)? else { continue };
        if let (Some(cache), Some(block)) = (&part.cache, block.as_object_mut()) {
            block.insert("cache_control".to_owned(), cache.clone());
        }
        blocks.push(block);
    }
    Ok(blocks)
}

fn encode_block(part: &Part) -> Result<Option<Value>, Problem> {
    Ok(Some(match &part.content {
        Content::Text(text) | Content::Refusal(text) => json!({ "type": "text", "text": text }),
        Content::Image(source) => {
            json!({ "type": "image", "source": encode_source(source, part)? })
        }
        Content::Document { source, name } => {
            if matches!(source, Source::Base64 { media_type, .. } if media_type != "application/pdf")
            {
                return Err(part.unsupported("cannot be carried unless it is a PDF"));
            }
            let source = encode_source(source, part)?;
            let mut block = fields([("type", json!("document")), ("source", source)]);
            if let Some(name) = name {
                block.insert("title".to_owned(), json!(name));
            }
            Value::Object(block)
        }
        Content::ToolCall(call) => json!({
            "type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments,
        }),
        Content::ToolResult { call, parts, failed } => {
            let content = encode_blocks(parts)?;
            let mut block = fields([
                ("type", json!("tool_result")),
                ("tool_use_id", json!(call)),
                ("content", Value::Array(content)),
            ]);
            if *failed {
                block.insert("is_error".to_owned(), Value::Bool(true));
            }
            Value::Object(block)
        }
        // A thought without Anthropic's proof is another vendor's, and would be refused.
        Content::Thinking { text, signature: Some(signature) }
            if !signature.is_empty() && !is_openais(signature) =>
        {
            json!({ "type": "thinking", "thinking": text, "signature": signature })
        }
        Content::Sealed(data) if !is_openais(data) => {
            json!({ "type": "redacted_thinking", "data": data })
        }
        Content::Thinking { .. } | Content::Sealed(_) => return Ok(None),
        Content::Audio(_) => return Err(part.unsupported("is audio, which cannot be carried")),
    }))
}

fn encode_source(source: &Source, part: &Part) -> Result<Value, Problem> {
    match source {
        Source::Base64 { media_type, data } => {
            Ok(json!({ "type": "base64", "media_type": media_type, "data": data }))
        }
        Source::Url(url) => Ok(json!({ "type": "url", "url": url })),
        Source::File(_) => {
            Err(part.unsupported("cannot be carried, since it is a file of its own provider"))
        }
    }
}

fn encode_tool(tool: &Tool) -> Value {
    let nothing = || json!({ "type": "object", "properties": {} });
    let mut carried = fields([("name", json!(tool.name))]);
    if let Some(description) = &tool.description {
        carried.insert("description".to_owned(), json!(description));
    }
    carried.insert("input_schema".to_owned(), tool.schema.clone().unwrap_or_else(nothing));
    if tool.strict == Some(true) {
        carried.insert("strict".to_owned(), Value::Bool(true));
    }
    if let Some(cache) = &tool.cache {
        carried.insert("cache_control".to_owned(), cache.clone());
    }
    Value::Object(carried)
}

fn encode_choice(
    choice: Option<&Given<ToolChoice>>,
    parallel: Option<&Given<bool>>,
    has_tools: bool,
) -> Option<Value> {
    if !has_tools {
        return None;
    }
    let single = parallel.is_some_and(|parallel| !parallel.value);
    let mut encoded = match choice.map(|choice| &choice.value) {
        None if single => fields([("type", json!("auto"))]),
        None => return None,
        Some(ToolChoice::Auto) => fields([("type", json!("auto"))]),
        Some(ToolChoice::None) => return Some(json!({ "type": "none" })),
        Some(ToolChoice::Any) => fields([("type", json!("any"))]),
        Some(ToolChoice::Named(name)) => fields([("type", json!("tool")), ("name", json!(name))]),
    };
    if single {
        encoded.insert("disable_parallel_tool_use".to_owned(), Value::Bool(true));
    }
    Some(Value::Object(encoded))
}

/// The field `thinking`, and the effort. A budget must be at least 1,024 and leave room to answer.
fn encode_reasoning(
    reasoning: Option<&Given<Reasoning>>,
    max_output: u64,
) -> (Option<Value>, Option<String>) {
    let Some(Given { value: reasoning, .. }) = reasoning else { return (None, None) };
    if !reasoning.on {
        return (Some(json!({ "type": "disabled" })), None);
    }
    let effort = reasoning.effort.as_deref().map(|effort| match effort {
        "minimal" => "low".to_owned(),
        effort => effort.to_owned(),
    });
    let thinking = match reasoning.budget {
        Some(budget) if max_output > 1024 => {
            let budget = budget.clamp(1024, max_output - 1);
            json!({ "type": "enabled", "budget_tokens": budget })
        }
        Some(_) => return (None, effort),
        None => json!({ "type": "adaptive" }),
    };
    (Some(thinking), effort)
}

fn output(
    format: Option<&Given<Format>>,
    effort: Option<String>,
) -> Result<Option<Value>, Problem> {
    let mut config = Object::new();
    if let Some(effort) = effort {
        config.insert("effort".to_owned(), json!(effort));
    }
    match format.map(|format| (format, &format.value)) {
        None => {}
        Some((_, Format::Schema { schema, .. })) => {
            config.insert("format".to_owned(), json!({ "type": "json_schema", "schema": schema }));
        }
        Some((format, Format::Json)) => {
            return Err(format.unsupported("cannot be carried without a schema"));
        }
    }
    Ok((!config.is_empty()).then_some(Value::Object(config)))
}
