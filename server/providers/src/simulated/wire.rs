//! The simulated answer in each dialect's shape.

use serde_json::{Value, json};

use super::{Content, Said};
use crate::dialect::Dialect;
use crate::translate::now;

/// A plain answer.
pub(super) fn whole(dialect: Dialect, said: &Said) -> Value {
    match dialect {
        Dialect::OpenaiChat => chat(said),
        Dialect::AnthropicMessages => message(said),
    }
}

/// A streamed answer, event by event.
pub(super) fn events(dialect: Dialect, said: &Said) -> Vec<String> {
    match dialect {
        Dialect::OpenaiChat => chat_events(said),
        Dialect::AnthropicMessages => message_events(said),
    }
}

fn finish_reason(content: &Content) -> &'static str {
    match content {
        Content::Text { whole: true, .. } => "stop",
        Content::Text { whole: false, .. } => "length",
        Content::Call { .. } => "tool_calls",
    }
}

fn stop_reason(content: &Content) -> &'static str {
    match content {
        Content::Text { whole: true, .. } => "end_turn",
        Content::Text { whole: false, .. } => "max_tokens",
        Content::Call { .. } => "tool_use",
    }
}

fn chat(said: &Said) -> Value {
    let message = match &said.content {
        Content::Text { text, .. } => {
            json!({ "role": "assistant", "content": text, "refusal": null })
        }
        Content::Call { name, arguments } => json!({
            "role": "assistant",
            "content": null,
            "refusal": null,
            "tool_calls": [{
                "id": format!("call_{}", said.id),
                "type": "function",
                "function": { "name": name, "arguments": arguments },
            }],
        }),
    };
    let choices: Vec<Value> = (0..said.answers)
        .map(|index| {
            json!({ "index": index, "message": message, "logprobs": null,
                "finish_reason": finish_reason(&said.content) })
        })
        .collect();
    json!({
        "id": format!("chatcmpl-{}", said.id),
        "object": "chat.completion",
        "created": now(),
        "model": said.model,
        "choices": choices,
        "usage": said.usage.to_chat(),
    })
}

fn chat_events(said: &Said) -> Vec<String> {
    let created = now();
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": format!("chatcmpl-{}", said.id),
            "object": "chat.completion.chunk",
            "created": created,
            "model": said.model,
            "choices": choices,
            "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let delta = |index: u64, delta: Value, finish: Option<&str>| {
        let choice =
            json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish });
        chunk(json!([choice]), Value::Null)
    };
    let mut events = Vec::new();
    for index in 0..said.answers {
        events.push(delta(index, json!({ "role": "assistant", "content": "" }), None));
        match &said.content {
            Content::Text { text, .. } => {
                let words = text.split_inclusive(' ');
                events.extend(words.map(|word| delta(index, json!({ "content": word }), None)));
            }
            Content::Call { name, arguments } => {
                let call = json!({ "index": 0, "id": format!("call_{}", said.id),
                    "type": "function", "function": { "name": name, "arguments": "" } });
                events.push(delta(index, json!({ "tool_calls": [call] }), None));
                let call = json!({ "index": 0, "function": { "arguments": arguments } });
                events.push(delta(index, json!({ "tool_calls": [call] }), None));
            }
        }
        events.push(delta(index, json!({}), Some(finish_reason(&said.content))));
    }
    events.push(chunk(json!([]), said.usage.to_chat()));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn message(said: &Said) -> Value {
    let block = match &said.content {
        Content::Text { text, .. } => json!({ "type": "text", "text": text }),
        Content::Call { name, arguments } => {
            let input: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
            json!({ "type": "tool_use", "id": format!("toolu_{}", said.id), "name": name,
                "input": input })
        }
    };
    envelope(said, json!([block]), json!(stop_reason(&said.content)), said.usage.to_message())
}

fn envelope(said: &Said, content: Value, stop_reason: Value, usage: Value) -> Value {
    json!({
        "id": format!("msg_{}", said.id),
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": usage,
    })
}

fn message_events(said: &Said) -> Vec<String> {
    let event = |data: Value| {
        let name = data.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("event: {name}\ndata: {data}\n\n")
    };
    let add =
        |delta: Value| event(json!({ "type": "content_block_delta", "index": 0, "delta": delta }));
    let (block, deltas) = match &said.content {
        Content::Text { text, .. } => {
            let words = text.split_inclusive(' ');
            let deltas = words.map(|word| add(json!({ "type": "text_delta", "text": word })));
            (json!({ "type": "text", "text": "" }), deltas.collect())
        }
        Content::Call { name, arguments } => {
            let block = json!({ "type": "tool_use", "id": format!("toolu_{}", said.id),
                "name": name, "input": {} });
            (block, vec![add(json!({ "type": "input_json_delta", "partial_json": arguments }))])
        }
    };
    let mut none_yet = said.usage;
    none_yet.output_tokens = 0;
    let start = envelope(said, json!([]), Value::Null, none_yet.to_message());
    let mut events = vec![
        event(json!({ "type": "message_start", "message": start })),
        event(json!({ "type": "content_block_start", "index": 0, "content_block": block })),
    ];
    events.extend::<Vec<String>>(deltas);
    events.extend([
        event(json!({ "type": "content_block_stop", "index": 0 })),
        event(json!({
            "type": "message_delta",
            "delta": { "stop_reason": stop_reason(&said.content), "stop_sequence": null },
            "usage": said.usage.to_message(),
        })),
        event(json!({ "type": "message_stop" })),
    ]);
    events
}
