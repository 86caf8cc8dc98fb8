//! What Codex asks, of models that cannot be told to make one call a turn.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::codec::tests::target;
use crate::dialect::Dialect;
use crate::event_stream;
use crate::inbound::Inbound;
use crate::prepare::{Prepared, prepare};
use crate::usage::Meter;

/// The form of a turn of Codex, less its instructions.
fn asked(kind: &str, model: &str, parallel: bool, streamed: bool) -> Prepared {
    let body = json!({
        "model": "m",
        "instructions": "You are a coding agent.",
        "input": [{ "type": "message", "role": "user",
            "content": [{ "type": "input_text", "text": "List the files." }] }],
        "tools": [{ "type": "function", "name": "shell", "strict": false,
            "parameters": { "type": "object", "properties": { "command": { "type": "string" } } } }],
        "tool_choice": "auto",
        "parallel_tool_calls": parallel,
        "store": false,
        "stream": streamed,
        "include": [],
    });
    let inbound = Inbound::parse(Dialect::OpenaiResponses, body.to_string().into()).unwrap();
    let mut target = target(kind);
    model.clone_into(&mut target.upstream_model);
    prepare(&inbound, &target, 500).unwrap()
}

/// The arguments of the calls in a response.
fn calls(output: &Value) -> Vec<String> {
    let items = output.as_array().unwrap().iter();
    let calls = items.filter(|item| item["type"] == "function_call");
    calls.map(|call| call["arguments"].as_str().unwrap().to_owned()).collect()
}

fn whole(prepared: &Prepared, answer: &Value) -> Vec<String> {
    let answered = answer::whole(prepared, answer.to_string().into(), None).unwrap();
    let Answer::Whole { body, usage, .. } = answered else { panic!("{answered:?}") };
    assert_eq!(usage.output_tokens, 9, "what the model made is paid");
    calls(&serde_json::from_slice::<Value>(&body).unwrap()["output"])
}

/// The calls of the finished response, and of the items that were finished before it.
async fn streamed(prepared: &Prepared, events: Vec<u8>) -> (Vec<String>, Vec<String>) {
    let arriving = stream::iter([Ok(Bytes::from(events))]).boxed();
    let meter = Meter::new(prepared.inbound.clone());
    let mut chunks =
        answer::streamed(prepared, arriving, Duration::from_secs(5), meter.clone(), None);
    let mut said = Vec::new();
    while let Some(chunk) = chunks.next().await {
        said.extend_from_slice(&chunk.unwrap().bytes);
    }
    assert_eq!(meter.usage().output_tokens, 9, "what the model made is paid");
    let said = String::from_utf8(said).unwrap();
    assert!(!said.contains("src"), "no trace of the other call: {said}");
    let events = said.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = events.map(|data| serde_json::from_str(data).unwrap()).collect();
    let done = events.iter().filter(|event| event["type"] == "response.output_item.done");
    let items: Value = done.map(|event| event["item"].clone()).collect();
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed", "{said}");
    (calls(&last["response"]["output"]), calls(&items))
}

fn of_gemini() -> Value {
    let call =
        |dir: &str| json!({ "functionCall": { "name": "shell", "args": { "command": dir } } });
    json!({
        "candidates": [{ "finishReason": "STOP", "content": { "role": "model", "parts": [
            { "text": "Let me look." }, call("ls"), call("ls src"),
        ] } }],
        "usageMetadata": { "promptTokenCount": 5, "candidatesTokenCount": 9 },
        "modelVersion": "gemini-3-flash",
    })
}

const FIRST: &str = r#"{"command":"ls"}"#;

#[tokio::test]
async fn a_caller_who_wants_one_call_a_turn_gets_one_of_gemini() {
    let prepared = asked("gemini", "gemini-3-flash", false, false);
    assert!(!String::from_utf8_lossy(&prepared.body).contains("arallel"));
    assert_eq!(whole(&prepared, &of_gemini()), [FIRST]);
    let prepared = asked("gemini", "gemini-3-flash", false, true);
    let events = format!("data: {}\n\n", of_gemini());
    let (response, items) = streamed(&prepared, events.into_bytes()).await;
    assert_eq!(
        (response.as_slice(), items.as_slice()),
        ([FIRST.to_owned()].as_slice(), response.as_slice())
    );
}

#[tokio::test]
async fn a_caller_who_wants_one_call_a_turn_gets_one_of_bedrock() {
    let call = |id: &str, dir: &str| json!({ "toolUse": { "toolUseId": id, "name": "shell", "input": { "command": dir } } });
    let answer = json!({
        "output": { "message": { "role": "assistant", "content": [call("a", "ls"), call("b", "ls src")] } },
        "stopReason": "tool_use",
        "usage": { "inputTokens": 5, "outputTokens": 9 },
    });
    let prepared = asked("bedrock", "amazon.nova-pro-v1:0", false, false);
    assert_eq!(whole(&prepared, &answer), [FIRST]);

    let start = |at: u32, id: &str| {
        let start = json!({ "toolUse": { "toolUseId": id, "name": "shell" } });
        ("contentBlockStart", json!({ "contentBlockIndex": at, "start": start }))
    };
    let part = |at: u32, dir: &str| {
        let input = json!({ "command": dir }).to_string();
        let delta = json!({ "toolUse": { "input": input } });
        ("contentBlockDelta", json!({ "contentBlockIndex": at, "delta": delta }))
    };
    let stop = |at: u32| ("contentBlockStop", json!({ "contentBlockIndex": at }));
    let events = [
        ("messageStart", json!({ "role": "assistant" })),
        start(0, "a"),
        part(0, "ls"),
        stop(0),
        start(1, "b"),
        part(1, "ls src"),
        stop(1),
        ("messageStop", json!({ "stopReason": "tool_use" })),
        ("metadata", json!({ "usage": { "inputTokens": 5, "outputTokens": 9 } })),
    ];
    let frames =
        events.iter().flat_map(|(name, data)| event_stream::write(name, &data.to_string()));
    let prepared = asked("bedrock", "amazon.nova-pro-v1:0", false, true);
    let (response, items) = streamed(&prepared, frames.collect()).await;
    assert_eq!(
        (response.as_slice(), items.as_slice()),
        ([FIRST.to_owned()].as_slice(), response.as_slice())
    );
}

#[test]
fn a_caller_who_does_not_mind_gets_all_calls() {
    for parallel in [true, false] {
        let prepared = asked("gemini", "gemini-3-flash", parallel, false);
        assert_eq!(whole(&prepared, &of_gemini()).len(), if parallel { 2 } else { 1 });
    }
}
