//! The messages request that an upstream gets.

use ralex_kernel::Problem;
use serde_json::{Number, Value, json};

use crate::codec::refuse::{none, none_but};
use crate::codec::responses::is_openais;
use crate::ir::{
    Content, Format, Given, Part, Reasoning, Request, Role, Source, Tool, ToolChoice, Turn,
};
use crate::json::{Object, object as fields};
use crate::prepare::Target;

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
        // A wish about style, which clients send by default; without it the answer is the model's own.
        verbosity: _,
        user,
        streamed,
    } = request;
    none(seed.as_ref())?;
    none_but(frequency_penalty.as_ref(), 0.0)?;
    none_but(presence_penalty.as_ref(), 0.0)?;
    let mut body = fields([
        ("model", json!(target.upstream_model)),
        ("max_tokens", json!(max_output)),
        ("messages", Value::Array(conversation(turns)?)),
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
    set("temperature", plain(temperature.as_ref()));
    set("top_p", plain(top_p.as_ref()));
    set("top_k", plain(top_k.as_ref()));
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

fn conversation(turns: &[Turn]) -> Result<Vec<Value>, Problem> {
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
    Ok(messages)
}

fn plain(given: Option<&Given<Number>>) -> Option<Value> {
    given.map(|given| Value::Number(given.value.clone()))
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
