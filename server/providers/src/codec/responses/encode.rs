//! A request for an upstream.
//!
//! Nothing is kept at the upstream, since the caller's dialect could not come back to it. That a
//! tool failed, which no field can say here, is written before its result.

use ralex_kernel::Problem;
use serde_json::{Number, Value, json};

use super::thought;
use crate::codec::chat::effort;
use crate::codec::refuse::{none, none_but};
use crate::ir::{Content, Format, Given, Part, Reasoning, Request, Role, Source, Tool, ToolChoice};
use crate::json::{Object, object as fields};
use crate::prepare::Target;

const TOOL_FAILED: &str = "The tool failed: ";

pub(super) fn request(
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
    none(top_k.as_ref())?;
    none(seed.as_ref())?;
    none(stop.as_ref())?;
    none_but(frequency_penalty.as_ref(), 0.0)?;
    none_but(presence_penalty.as_ref(), 0.0)?;
    let mut input = Vec::new();
    for turn in turns {
        items(turn.role, &turn.parts, &mut input)?;
    }
    let mut body = fields([
        ("model", json!(target.upstream_model)),
        ("input", Value::Array(input)),
        ("max_output_tokens", json!(max_output)),
        ("store", Value::Bool(false)),
    ]);
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    set("instructions", (!system.is_empty()).then(|| instructions(system)).transpose()?);
    set("stream", streamed.then_some(Value::Bool(true)));
    let plain = |given: &Option<Given<Number>>| given.as_ref().map(|it| json!(it.value));
    set("temperature", plain(temperature));
    set("top_p", plain(top_p));
    let has_tools = !tools.is_empty();
    set("tools", has_tools.then(|| tools.iter().map(tool).collect()));
    set("tool_choice", tool_choice.as_ref().filter(|_| has_tools).map(choice));
    let parallel = parallel_tools.as_ref().filter(|_| has_tools);
    set("parallel_tool_calls", parallel.map(|it| json!(it.value)));
    set("text", text_options(format.as_ref(), verbosity.as_ref()));
    set("user", user.as_ref().map(|it| json!(it.value)));
    let reasoning = reasoning.as_ref().and_then(|it| self::reasoning(&it.value));
    // A model that cannot think refuses the wish for its sealed thoughts.
    set("include", reasoning.is_some().then(|| json!(["reasoning.encrypted_content"])));
    set("reasoning", reasoning);
    Ok(body)
}

fn instructions(system: &[Part]) -> Result<Value, Problem> {
    let texts = system.iter().map(|part| match &part.content {
        Content::Text(text) => Ok(text.as_str()),
        _ => Err(part.unsupported("cannot be carried unless it is a text")),
    });
    Ok(json!(texts.collect::<Result<Vec<_>, _>>()?.join("\n\n")))
}

/// One turn: what was said is a message for each stretch of it, and all else an item of its own.
fn items(role: Role, parts: &[Part], input: &mut Vec<Value>) -> Result<(), Problem> {
    let mut said = Vec::new();
    for part in parts {
        let item = match &part.content {
            Content::ToolCall(call) => json!({
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": Value::Object(call.arguments.clone()).to_string(),
            }),
            Content::ToolResult { call, parts, failed } => json!({
                "type": "function_call_output",
                "call_id": call,
                "output": output(parts, *failed)?,
            }),
            // Another vendor's thought would be refused.
            Content::Thinking { text, signature } => {
                match thought::home(text, signature.as_deref()) {
                    Some(item) => item,
                    None => continue,
                }
            }
            Content::Sealed(proof) => match thought::home("", Some(proof)) {
                Some(item) => item,
                None => continue,
            },
            Content::Text(_)
            | Content::Refusal(_)
            | Content::Image(_)
            | Content::Document { .. }
            | Content::Audio(_) => {
                said.push(self::part(role, part)?);
                continue;
            }
        };
        message(role, &mut said, input);
        input.push(item);
    }
    message(role, &mut said, input);
    Ok(())
}

fn message(role: Role, said: &mut Vec<Value>, input: &mut Vec<Value>) {
    if said.is_empty() {
        return;
    }
    let role = match role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let said = std::mem::take(said);
    input.push(json!({ "type": "message", "role": role, "content": said }));
}

/// A result that is only text stays one, since not every server takes parts.
fn output(parts: &[Part], failed: bool) -> Result<Value, Problem> {
    let texts = parts.iter().map(|part| match &part.content {
        Content::Text(text) => Some(text.as_str()),
        _ => None,
    });
    if let Some(texts) = texts.collect::<Option<Vec<_>>>() {
        let text = texts.join("\n");
        return Ok(json!(if failed { format!("{TOOL_FAILED}{text}") } else { text }));
    }
    let mut output = Vec::with_capacity(parts.len() + 1);
    if failed {
        output.push(json!({ "type": "input_text", "text": TOOL_FAILED.trim_end() }));
    }
    for part in parts {
        output.push(self::part(Role::User, part)?);
    }
    Ok(Value::Array(output))
}

fn part(role: Role, part: &Part) -> Result<Value, Problem> {
    Ok(match (&part.content, role) {
        (Content::Text(text) | Content::Refusal(text), Role::User) => {
            json!({ "type": "input_text", "text": text })
        }
        (Content::Text(text), Role::Assistant) => {
            json!({ "type": "output_text", "text": text, "annotations": [] })
        }
        (Content::Refusal(text), Role::Assistant) => json!({ "type": "refusal", "refusal": text }),
        (Content::Image(source), Role::User) => {
            let mut image = fields([("type", json!("input_image")), ("detail", json!("auto"))]);
            put(source, "image_url", "image_url", &mut image);
            Value::Object(image)
        }
        (Content::Document { source, name }, Role::User) => {
            let mut file = fields([("type", json!("input_file"))]);
            put(source, "file_url", "file_data", &mut file);
            // Enclosed bytes must have a name, and others must have none.
            if matches!(source, Source::Base64 { .. }) {
                file.insert(
                    "filename".to_owned(),
                    json!(name.as_deref().unwrap_or("document.pdf")),
                );
            }
            Value::Object(file)
        }
        (Content::Audio(Source::Base64 { media_type, data }), Role::User) => {
            let format = media_type.strip_prefix("audio/").unwrap_or(media_type);
            let format = if matches!(format, "mpeg" | "mpga") { "mp3" } else { format };
            json!({ "type": "input_audio", "input_audio": { "data": data, "format": format } })
        }
        _ => return Err(part.unsupported("cannot be carried here")),
    })
}

fn put(source: &Source, url_key: &str, data_key: &str, part: &mut Object) {
    let (key, value) = match source {
        Source::Base64 { media_type, data } => {
            (data_key, format!("data:{media_type};base64,{data}"))
        }
        Source::Url(url) => (url_key, url.clone()),
        Source::File(id) => ("file_id", id.clone()),
    };
    part.insert(key.to_owned(), json!(value));
}

/// A function that does not say whether it is strict is not, though it would be by this dialect's
/// default: a schema that others accept may be none that strictness allows.
fn tool(tool: &Tool) -> Value {
    let nothing = || json!({ "type": "object", "properties": {} });
    let mut function = fields([
        ("type", json!("function")),
        ("name", json!(tool.name)),
        ("parameters", tool.schema.clone().unwrap_or_else(nothing)),
        ("strict", json!(tool.strict.unwrap_or(false))),
    ]);
    if let Some(description) = &tool.description {
        function.insert("description".to_owned(), json!(description));
    }
    Value::Object(function)
}

fn choice(choice: &Given<ToolChoice>) -> Value {
    match &choice.value {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Any => json!("required"),
        ToolChoice::Named(name) => json!({ "type": "function", "name": name }),
    }
}

fn text_options(
    format: Option<&Given<Format>>,
    verbosity: Option<&Given<String>>,
) -> Option<Value> {
    let mut options = Object::new();
    if let Some(format) = format {
        let format = match &format.value {
            Format::Json => json!({ "type": "json_object" }),
            Format::Schema { name, schema, strict } => json!({
                "type": "json_schema",
                "name": name.as_deref().unwrap_or("answer"),
                "schema": schema,
                "strict": strict.unwrap_or(true),
            }),
        };
        options.insert("format".to_owned(), format);
    }
    if let Some(verbosity) = verbosity {
        options.insert("verbosity".to_owned(), json!(verbosity.value));
    }
    (!options.is_empty()).then_some(Value::Object(options))
}

/// Thinking that is off is not mentioned, since models that cannot think refuse the field whatever
/// it says.
fn reasoning(reasoning: &Reasoning) -> Option<Value> {
    if !reasoning.on {
        return None;
    }
    let mut options = Object::new();
    if let Some(effort) = effort(reasoning) {
        options.insert("effort".to_owned(), json!(effort));
    }
    if reasoning.shown {
        options.insert("summary".to_owned(), json!("auto"));
    }
    (!options.is_empty()).then_some(Value::Object(options))
}
