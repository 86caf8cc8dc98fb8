//! A whole response.
//!
//! SDKs take many fields of it for granted that only repeat the request, so that each answer here
//! has them too.

use ralex_kernel::Problem;
use serde_json::{Value, json};

use super::thought;
use super::tools::{INPUT, Known, Names, SEARCH, in_force, joined};
use crate::codec::{identifier, now};
use crate::error::{Refusal, UpstreamError};
use crate::inbound::Inbound;
use crate::ir::{Content, Finish, Part, Reply, ToolCall};
use crate::json::{Object, given, object as fields, objects, text};
use crate::usage::Usage;

pub(super) fn decode(answer: &Object) -> Result<Reply, UpstreamError> {
    if text(answer, "status") == Some("failed") {
        return Err(UpstreamError::Status(Refusal::in_stream(given(answer, "error"))));
    }
    if !answer.get("output").is_some_and(Value::is_array) {
        return Err(UpstreamError::Malformed("it has no answer in it"));
    }
    let mut reply = Reply {
        id: text(answer, "id").map(str::to_owned),
        model: text(answer, "model").unwrap_or_default().to_owned(),
        ..Reply::default()
    };
    for item in objects(answer.get("output")) {
        reply.parts.extend(item_parts(item)?.into_iter().map(|content| Part::new("", content)));
    }
    reply.finish = finish(answer, reply.calls_tools());
    Ok(reply)
}

/// Why a response ended.
pub(super) fn finish(response: &Object, calls: bool) -> Finish {
    let details = response.get("incomplete_details").and_then(Value::as_object);
    match details.and_then(|details| text(details, "reason")) {
        Some("content_filter") => Finish::Refused,
        Some("max_output_tokens" | "max_tokens") => Finish::Length,
        _ if text(response, "status") == Some("incomplete") => Finish::Length,
        _ if calls => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// What an item says; nothing for steps of tools that the provider ran itself.
pub(super) fn item_parts(item: &Object) -> Result<Vec<Content>, UpstreamError> {
    Ok(match text(item, "type") {
        Some("message") => objects(item.get("content")).filter_map(said).collect(),
        Some("reasoning") => thought::decode(item).into_iter().collect(),
        Some("function_call" | "custom_tool_call" | "tool_search_call") => {
            let (id, name) = call_names(item);
            let arguments = serde_json::from_str(&arguments(item)).map_err(|_| {
                UpstreamError::Malformed("a tool call's arguments are not a JSON object")
            })?;
            vec![Content::ToolCall(ToolCall { id, name, arguments, signature: None })]
        }
        Some(_) | None => Vec::new(),
    })
}

fn said(part: &Object) -> Option<Content> {
    let filled = |key| text(part, key).filter(|it| !it.is_empty()).map(str::to_owned);
    match text(part, "type") {
        Some("output_text") => filled("text").map(Content::Text),
        Some("refusal") => filled("refusal").map(Content::Refusal),
        Some(_) | None => None,
    }
}

/// The id and the name of a call.
pub(super) fn call_names(item: &Object) -> (String, String) {
    let id = text(item, "call_id").or_else(|| text(item, "id")).unwrap_or_default();
    let name = match text(item, "type") {
        Some("tool_search_call") => SEARCH.to_owned(),
        _ => joined(text(item, "namespace"), text(item, "name").unwrap_or_default()),
    };
    (id.to_owned(), name)
}

/// The JSON text of a call's arguments.
pub(super) fn arguments(item: &Object) -> String {
    if let Some(input) = text(item, "input") {
        return json!({ INPUT: input }).to_string();
    }
    match item.get("arguments") {
        Some(Value::String(arguments)) if !arguments.trim().is_empty() => arguments.clone(),
        Some(arguments @ Value::Object(_)) => arguments.to_string(),
        _ => "{}".to_owned(),
    }
}

pub(super) fn encode(reply: &Reply, usage: Usage, asked: &Inbound) -> Object {
    let names = Names::of(asked);
    let mut output = Items::new(reply.id.as_deref());
    for part in &reply.parts {
        output.part(&part.content, &names);
    }
    let mut response = shell(asked);
    response.insert("id".to_owned(), json!(identifier("resp_", reply.id.as_deref())));
    response.insert("model".to_owned(), json!(reply.model));
    complete(&mut response, output.items, &reply.finish, usage);
    response
}

/// Items of an answer; texts that follow each other are parts of one message.
struct Items {
    id: Option<String>,
    items: Vec<Value>,
}

impl Items {
    fn new(id: Option<&str>) -> Self {
        Self { id: id.map(str::to_owned), items: Vec::new() }
    }

    fn part(&mut self, content: &Content, names: &Names) {
        if let Content::ToolCall(ToolCall { id, signature: Some(signature), .. }) = content {
            let proof = item_id("rs_", self.id.as_deref(), self.items.len());
            self.items.push(reasoning(&proof, "", Some(&thought::called(id, signature))));
        }
        let index = self.items.len();
        let id = |prefix| item_id(prefix, self.id.as_deref(), index);
        let item = match content {
            Content::Text(said) => return self.say(output_text(said)),
            Content::Refusal(said) => return self.say(refusal(said)),
            Content::Thinking { text, signature } => {
                let proof = signature.as_deref().filter(|it| !it.is_empty());
                let own = proof.and_then(thought::own_id).map(str::to_owned);
                let sealed = proof.map(thought::signed);
                reasoning(&own.unwrap_or_else(|| id("rs_")), text, sealed.as_deref())
            }
            Content::Sealed(data) => {
                let own = thought::own_id(data).map(str::to_owned);
                let sealed = thought::sealed(data);
                reasoning(&own.unwrap_or_else(|| id("rs_")), "", Some(&sealed))
            }
            Content::ToolCall(called) => {
                let arguments = Value::Object(called.arguments.clone()).to_string();
                let known = names.known(&called.name);
                call(&id(call_prefix(&known)), &called.id, &known, &arguments)
            }
            // No model of today answers with these, and this dialect has no item for them.
            Content::Image(_)
            | Content::Document { .. }
            | Content::Audio(_)
            | Content::ToolResult { .. } => return,
        };
        self.items.push(item);
    }

    fn say(&mut self, part: Value) {
        let last = self.items.last_mut().filter(|item| item["type"] == "message");
        if let Some(Value::Array(parts)) = last.and_then(|item| item.get_mut("content")) {
            parts.push(part);
            return;
        }
        let id = item_id("msg_", self.id.as_deref(), self.items.len());
        self.items.push(message(&id, "completed", vec![part]));
    }
}

/// An item's id: the answer's, and the item's place in it.
pub(super) fn item_id(prefix: &str, answer: Option<&str>, index: usize) -> String {
    format!("{}_{index}", identifier(prefix, answer))
}

pub(super) fn output_text(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

pub(super) fn refusal(text: &str) -> Value {
    json!({ "type": "refusal", "refusal": text })
}

pub(super) fn message(id: &str, status: &str, content: Vec<Value>) -> Value {
    json!({
        "id": id, "type": "message", "status": status, "role": "assistant", "content": content,
    })
}

pub(super) fn reasoning(id: &str, said: &str, sealed: Option<&str>) -> Value {
    json!({
        "id": id,
        "type": "reasoning",
        "summary": thought::summary(said),
        "encrypted_content": sealed,
    })
}

pub(super) fn call_prefix(known: &Known) -> &'static str {
    match known {
        Known::Function { .. } => "fc_",
        Known::Custom { .. } => "ctc_",
        Known::Search => "tsc_",
    }
}

/// A call of what the caller declared, with the JSON text of its arguments.
pub(super) fn call(id: &str, call_id: &str, known: &Known, arguments: &str) -> Value {
    let (mut item, namespace) = match known {
        Known::Function { namespace, name } => (
            json!({
                "id": id, "type": "function_call", "status": "completed", "call_id": call_id,
                "name": name, "arguments": arguments,
            }),
            namespace,
        ),
        Known::Custom { namespace, name } => (
            json!({
                "id": id, "type": "custom_tool_call", "status": "completed", "call_id": call_id,
                "name": name, "input": freeform(arguments),
            }),
            namespace,
        ),
        Known::Search => {
            let arguments: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
            return json!({
                "id": id, "type": "tool_search_call", "status": "completed", "call_id": call_id,
                "execution": "client", "arguments": arguments,
            });
        }
    };
    if let Some(namespace) = namespace {
        item["namespace"] = json!(namespace);
    }
    item
}

/// The input of a freeform tool. A model that forgot the parameter has said it without.
pub(super) fn freeform(arguments: &str) -> String {
    let object: Option<Object> = serde_json::from_str(arguments).ok();
    let input = object.as_ref().and_then(|object| text(object, INPUT));
    input.unwrap_or(arguments).to_owned()
}

/// A response that has said nothing yet, with what it repeats of the request.
pub(super) fn shell(asked: &Inbound) -> Object {
    let body = asked.body();
    let echo = |key: &str, default: Value| given(body, key).cloned().unwrap_or(default);
    let mut text = fields([("format", json!({ "type": "text" }))]);
    text.extend(given(body, "text").and_then(Value::as_object).cloned().unwrap_or_default());
    let reasoning = json!({ "effort": null, "summary": null });
    fields([
        ("id", json!(identifier("resp_", None))),
        ("object", json!("response")),
        ("created_at", json!(now())),
        ("status", json!("in_progress")),
        ("background", json!(false)),
        ("error", Value::Null),
        ("incomplete_details", Value::Null),
        ("instructions", echo("instructions", Value::Null)),
        ("max_output_tokens", echo("max_output_tokens", Value::Null)),
        ("max_tool_calls", echo("max_tool_calls", Value::Null)),
        ("metadata", echo("metadata", json!({}))),
        ("model", json!(asked.model())),
        ("output", json!([])),
        ("parallel_tool_calls", echo("parallel_tool_calls", json!(true))),
        ("previous_response_id", echo("previous_response_id", Value::Null)),
        ("prompt_cache_key", echo("prompt_cache_key", Value::Null)),
        ("reasoning", echo("reasoning", reasoning)),
        ("safety_identifier", echo("safety_identifier", Value::Null)),
        ("service_tier", json!("default")),
        ("store", json!(false)),
        ("temperature", echo("temperature", json!(1.0))),
        ("text", Value::Object(text)),
        ("tool_choice", echo("tool_choice", json!("auto"))),
        ("tools", in_force(body.get("tools"))),
        ("top_logprobs", json!(0)),
        ("top_p", echo("top_p", json!(1.0))),
        ("truncation", json!("disabled")),
        ("usage", Value::Null),
        ("user", echo("user", Value::Null)),
    ])
}

/// Ends a response.
pub(super) fn complete(response: &mut Object, output: Vec<Value>, finish: &Finish, usage: Usage) {
    let reason = match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => None,
        Finish::Length => Some("max_output_tokens"),
        Finish::Refused => Some("content_filter"),
    };
    let mut set = |key: &str, value: Value| response.insert(key.to_owned(), value);
    set("status", json!(if reason.is_some() { "incomplete" } else { "completed" }));
    set("incomplete_details", reason.map_or(Value::Null, |reason| json!({ "reason": reason })));
    set("completed_at", reason.map_or_else(|| json!(now()), |_| Value::Null));
    set("output", Value::Array(output));
    set("usage", usage.to_response());
}

/// A response that a problem ended, for streams.
pub(super) fn failed(problem: &Problem) -> Object {
    let code = match problem.status {
        402 => "insufficient_quota",
        429 => "rate_limit_exceeded",
        400..=499 => "invalid_prompt",
        _ => "server_error",
    };
    fields([
        ("id", json!(identifier("resp_", problem.request_id.as_deref()))),
        ("object", json!("response")),
        ("created_at", json!(now())),
        ("status", json!("failed")),
        ("error", json!({ "code": code, "message": problem.detail })),
        ("incomplete_details", Value::Null),
        ("instructions", Value::Null),
        ("metadata", json!({})),
        ("model", json!("")),
        ("output", json!([])),
        ("parallel_tool_calls", json!(true)),
        ("temperature", Value::Null),
        ("tool_choice", json!("auto")),
        ("tools", json!([])),
        ("top_p", Value::Null),
        ("usage", Value::Null),
    ])
}
