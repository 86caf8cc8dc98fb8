//! Responses, as OpenAI writes them, with every event of a stream.

use bytes::Bytes;
use serde_json::{Value, json};

use super::chat::call_id;
use super::dialect::{Frames, halves, pieces};
use super::question::{Question, Reply};
use super::script::{Script, Usage};

const CREATED: u64 = 1_700_000_000;
/// Stands for the thinking that OpenAI returns sealed.
const SEALED: &str = "c2VhbGVkLXJlYXNvbmluZw==";

fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt(),
        "input_tokens_details": { "cached_tokens": usage.cache_read_tokens },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning_tokens },
        "total_tokens": usage.total(),
    })
}

fn envelope(id: u64, question: &Question) -> Value {
    json!({
        "id": format!("resp_{id}"),
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress",
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "max_output_tokens": null,
        "model": question.model,
        "output": [],
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": { "effort": null, "summary": null },
        "store": false,
        "temperature": 1.0,
        "text": { "format": { "type": "text" }, "verbosity": "medium" },
        "tool_choice": "auto",
        "tools": question.given_tools,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": null,
        "metadata": {},
    })
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "annotations": [], "logprobs": [], "text": text })
}

fn items(id: u64, question: &Question, reply: &Reply) -> Vec<Value> {
    let mut items = Vec::new();
    if let Some(container) = question.container(id, "cntr") {
        items.push(json!({ "id": format!("ci_{id}"), "type": "code_interpreter_call",
            "status": "completed", "code": "6 * 7", "container_id": container, "outputs": null }));
    }
    if !reply.reasoning.is_empty() {
        let summary = json!([{ "type": "summary_text", "text": reply.reasoning }]);
        let id = format!("rs_{id}");
        items.push(json!({ "id": id, "type": "reasoning", "summary": summary,
            "encrypted_content": SEALED }));
    }
    if !reply.text.is_empty() || reply.calls.is_empty() {
        let id = format!("msg_{id}");
        items.push(json!({ "id": id, "type": "message", "status": "completed",
            "role": "assistant", "content": [part(&reply.text)] }));
    }
    for (at, call) in reply.calls.iter().enumerate() {
        items.push(json!({
            "id": format!("fc_{id}_{at}"),
            "type": "function_call",
            "status": "completed",
            "arguments": call.arguments.to_string(),
            "call_id": call_id("call", id, at, call),
            "name": call.name,
        }));
    }
    items
}

pub(super) fn whole(id: u64, question: &Question, reply: &Reply) -> Value {
    let mut response = envelope(id, question);
    response["output"] = json!(items(id, question, reply));
    let reason = match reply.finish_reason.as_str() {
        "length" => Some("max_output_tokens"),
        "content_filter" => Some("content_filter"),
        _ => None,
    };
    response["status"] = json!(if reason.is_some() { "incomplete" } else { "completed" });
    if let Some(reason) = reason {
        response["incomplete_details"] = json!({ "reason": reason });
    }
    if let Some(counts) = reply.usage {
        response["usage"] = usage(counts);
    }
    response
}

/// An event before it has its number.
type Event = (&'static str, Value);

/// How one item of the output is streamed.
struct Streamed {
    /// The item while nothing of it is there.
    opened: Value,
    before: Vec<Event>,
    pieces: Vec<Event>,
    after: Vec<Event>,
}

fn streamed(item: &Value, texts: &[String]) -> Streamed {
    let mut opened = item.clone();
    match item["type"].as_str() {
        Some("reasoning") => {
            opened["summary"] = json!([]);
            let text = &item["summary"][0]["text"];
            let part = |text: &Value| json!({ "type": "summary_text", "text": text });
            let at = |key: &str, value: Value| json!({ "summary_index": 0, key: value });
            let of_part = |text: &Value| at("part", part(text));
            Streamed {
                opened,
                before: vec![("response.reasoning_summary_part.added", of_part(&json!("")))],
                pieces: vec![("response.reasoning_summary_text.delta", at("delta", text.clone()))],
                after: vec![
                    ("response.reasoning_summary_text.done", at("text", text.clone())),
                    ("response.reasoning_summary_part.done", of_part(text)),
                ],
            }
        }
        Some("code_interpreter_call") => {
            opened["status"] = json!("in_progress");
            let done = ("response.code_interpreter_call.completed", json!({}));
            Streamed { opened, before: Vec::new(), pieces: Vec::new(), after: vec![done] }
        }
        Some("function_call") => {
            opened["arguments"] = json!("");
            opened["status"] = json!("in_progress");
            let arguments = item["arguments"].as_str().unwrap_or_default();
            let delta = |half| ("response.function_call_arguments.delta", json!({ "delta": half }));
            let done = json!({ "arguments": arguments, "name": item["name"] });
            Streamed {
                opened,
                before: Vec::new(),
                pieces: halves(arguments).into_iter().map(delta).collect(),
                after: vec![("response.function_call_arguments.done", done)],
            }
        }
        _ => {
            opened["content"] = json!([]);
            opened["status"] = json!("in_progress");
            let whole = &item["content"][0];
            let text =
                |key: &str, text: &Value| json!({ "content_index": 0, "logprobs": [], key: text });
            let of_part = |part: &Value| json!({ "content_index": 0, "part": part });
            let delta = |it: &String| ("response.output_text.delta", text("delta", &json!(it)));
            Streamed {
                opened,
                before: vec![("response.content_part.added", of_part(&part("")))],
                pieces: texts.iter().map(delta).collect(),
                after: vec![
                    ("response.output_text.done", text("text", &whole["text"])),
                    ("response.content_part.done", of_part(whole)),
                ],
            }
        }
    }
}

/// Writes the events of one stream, each with its number.
#[derive(Default)]
struct Writer {
    number: u64,
}

impl Writer {
    fn write(&mut self, kind: &str, mut data: Value) -> Bytes {
        data["type"] = json!(kind);
        data["sequence_number"] = json!(self.number);
        self.number += 1;
        format!("event: {kind}\ndata: {data}\n\n").into()
    }

    /// Events within one item of the output.
    fn within(&mut self, index: usize, item: &Value, events: Vec<Event>) -> Vec<Bytes> {
        let told = events.into_iter().map(|(kind, mut data)| {
            data["item_id"] = item["id"].clone();
            data["output_index"] = json!(index);
            self.write(kind, data)
        });
        told.collect()
    }
}

pub(super) fn frames(id: u64, question: &Question, script: &Script, reply: &Reply) -> Frames {
    let mut writer = Writer::default();
    let envelope = envelope(id, question);
    let mut first: Vec<Bytes> = ["response.created", "response.in_progress"]
        .map(|kind| writer.write(kind, json!({ "response": envelope })))
        .into();
    let (mut parts, mut last) = (Vec::new(), Vec::new());
    let texts = pieces(script, reply);
    for (index, item) in items(id, question, reply).into_iter().enumerate() {
        // An end that another item follows is no end of the answer.
        parts.append(&mut last);
        let Streamed { opened, before, pieces, after } = streamed(&item, &texts);
        let begun = if index == 0 { &mut first } else { &mut parts };
        let added = json!({ "output_index": index, "item": opened });
        begun.push(writer.write("response.output_item.added", added));
        begun.extend(writer.within(index, &item, before));
        parts.extend(writer.within(index, &item, pieces));
        last.extend(writer.within(index, &item, after));
        let done = json!({ "output_index": index, "item": item });
        last.push(writer.write("response.output_item.done", done));
    }
    let whole = whole(id, question, reply);
    if !script.no_end {
        let complete = whole["status"] == "completed";
        let kind = if complete { "response.completed" } else { "response.incomplete" };
        last.push(writer.write(kind, json!({ "response": whole })));
    }
    Frames { first, pieces: parts, last }
}

/// An error in the middle of a stream.
pub(super) fn error_event(body: &Value) -> Bytes {
    let error = body.get("error").unwrap_or(body);
    let code = if error["code"].is_null() { &error["type"] } else { &error["code"] };
    let message = &error["message"];
    let event = json!({ "type": "error", "code": code, "message": message, "param": null,
        "sequence_number": 0 });
    format!("event: error\ndata: {event}\n\n").into()
}
