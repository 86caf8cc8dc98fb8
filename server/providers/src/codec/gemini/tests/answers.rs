//! Answers and errors, whole and streamed.

use ralex_kernel::{Code, Problem};
use serde_json::{Value, json};

use super::inbound;
use crate::codec::of;
use crate::dialect::Dialect::{AnthropicMessages, Gemini, OpenaiChat};
use crate::error::{UpstreamError, error_body, error_event};
use crate::inbound::Inbound;
use crate::ir::{Content, Delta, Finish, Reply};
use crate::sse::Event;
use crate::usage::{Meter, Usage};

fn asked() -> Inbound {
    inbound(Gemini, &json!({ "contents": [{ "parts": [{ "text": "x" }] }] })).unwrap()
}

fn reply(body: Value) -> Reply {
    of(Gemini).decode_reply(body.as_object().unwrap()).unwrap()
}

fn ended(reason: &str) -> Reply {
    reply(
        json!({ "candidates": [{ "content": { "parts": [{ "text": "a" }] }, "finishReason": reason }] }),
    )
}

fn event(data: &Value) -> Event {
    Event { name: None, data: Some(data.to_string()), raw: format!("data: {data}\n\n").into() }
}

fn decoded(chunks: &[Value]) -> Result<Vec<Delta>, UpstreamError> {
    let mut decoder = of(Gemini).decoder(Meter::new(asked()));
    let mut deltas = Vec::new();
    for chunk in chunks {
        decoder.event(&event(chunk), &mut deltas)?;
    }
    decoder.end(&mut deltas)?;
    Ok(deltas)
}

fn chunk(parts: Value, finish: Option<&str>) -> Value {
    let mut chunk = json!({ "candidates": [{ "content": { "parts": parts, "role": "model" } }],
        "responseId": "r1", "modelVersion": "g" });
    if let Some(finish) = finish {
        chunk["candidates"][0]["finishReason"] = json!(finish);
        chunk["usageMetadata"] = json!({ "promptTokenCount": 3, "candidatesTokenCount": 5 });
    }
    chunk
}

/// The data of the events that these steps are.
fn encoded(deltas: &[Delta]) -> Vec<Value> {
    let mut encoder = of(Gemini).encoder(Meter::new(asked()), &asked());
    let mut out = Vec::new();
    for delta in deltas {
        encoder.delta(delta, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    let events = text.split_terminator("\n\n");
    events
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

#[test]
fn every_end_is_told_for_what_it_is() {
    assert_eq!(ended("STOP").finish, Finish::Stop);
    assert_eq!(ended("MAX_TOKENS").finish, Finish::Length);
    for reason in ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "A_NEW_REASON"] {
        assert_eq!(ended(reason).finish, Finish::Refused, "{reason}");
    }
    let broken = reply(json!({ "candidates": [{ "finishReason": "MALFORMED_FUNCTION_CALL",
        "finishMessage": "Malformed function call: print(" }] }));
    assert_eq!(broken.finish, Finish::Refused, "a failure must not look like an empty answer");
    assert_eq!(
        broken.parts[0].content,
        Content::Refusal("Malformed function call: print(".to_owned())
    );
    let blocked = reply(json!({ "promptFeedback": { "blockReason": "PROHIBITED_CONTENT" },
        "usageMetadata": { "promptTokenCount": 4 } }));
    assert_eq!((blocked.finish, blocked.parts.len()), (Finish::Refused, 0));
    let thinking_only =
        reply(json!({ "candidates": [{ "content": {}, "finishReason": "MAX_TOKENS" }] }));
    assert_eq!(thinking_only.finish, Finish::Length);
    assert!(of(Gemini).decode_reply(json!({}).as_object().unwrap()).is_err());
}

#[test]
fn a_call_without_an_id_gets_one_that_other_dialects_take() {
    let call =
        json!({ "functionCall": { "name": "f", "args": { "x": 1 } }, "thoughtSignature": "U0lH" });
    let body = json!({ "responseId": "a_long/id with-things and much more than forty letters",
        "candidates": [{ "content": { "parts": [call, call] }, "finishReason": "STOP" }] });
    let reply = reply(body);
    assert_eq!(reply.finish, Finish::ToolCalls);
    let ids: Vec<_> = reply
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::ToolCall(call) => {
                assert_eq!(call.signature.as_deref(), Some("U0lH"));
                call.id.as_str()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_ne!(ids[0], ids[1]);
    for id in ids {
        let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        assert!(plain && id.len() <= 40, "{id}");
    }
}

#[test]
fn an_answer_of_another_vendor_reads_like_googles() {
    let message = json!({ "id": "msg_1", "type": "message", "model": "c", "stop_reason": "tool_use",
        "content": [
            { "type": "thinking", "thinking": "hm", "signature": "S+/=" },
            { "type": "text", "text": "I look." },
            { "type": "tool_use", "id": "t1", "name": "look", "input": { "x": 1 } },
        ],
        "usage": { "input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 20 } });
    let message = message.as_object().unwrap();
    let reply = of(AnthropicMessages).decode_reply(message).unwrap();
    let usage = of(AnthropicMessages).usage(message).unwrap();
    let proof = super::super::proof::thinking("S+/=");
    assert_eq!(
        Value::Object(of(Gemini).encode_reply(&reply, usage, &asked())),
        json!({
            "candidates": [{ "index": 0, "finishReason": "STOP", "content": { "role": "model", "parts": [
                { "text": "hm", "thought": true, "thoughtSignature": proof },
                { "text": "I look." },
                { "functionCall": { "id": "t1", "name": "look", "args": { "x": 1 } },
                    "thoughtSignature": "skip/thought/signature/validator" },
            ] } }],
            "usageMetadata": { "promptTokenCount": 23, "candidatesTokenCount": 5, "totalTokenCount": 28,
                "cachedContentTokenCount": 20 },
            "modelVersion": "c",
            "responseId": "msg_1",
        })
    );
}

#[test]
fn a_stream_is_read_to_its_end_which_no_event_tells() {
    let deltas = decoded(&[
        chunk(json!([{ "text": "hm", "thought": true }]), None),
        chunk(json!([{ "text": "Hel" }]), Some("STOP")),
        chunk(
            json!([{ "text": "lo" }, { "functionCall": { "name": "f", "args": { "x": 1 } } }]),
            Some("STOP"),
        ),
    ]);
    assert_eq!(
        deltas.unwrap(),
        [
            Delta::Start { id: Some("r1".to_owned()), model: "g".to_owned() },
            Delta::Thinking("hm".to_owned()),
            Delta::Text("Hel".to_owned()),
            Delta::Text("lo".to_owned()),
            Delta::Call { id: "gemini_r1_0".to_owned(), name: "f".to_owned(), signature: None },
            Delta::Arguments(r#"{"x":1}"#.to_owned()),
            Delta::Finish(Finish::ToolCalls),
        ]
    );
    let cut = decoded(&[chunk(json!([{ "text": "Hel" }]), None)]);
    assert_eq!(cut, Err(UpstreamError::Cut), "a stream without a reason was cut");
}

#[test]
fn an_error_in_a_stream_keeps_its_status() {
    let error =
        json!({ "error": { "code": 503, "message": "overloaded", "status": "UNAVAILABLE" } });
    match decoded(&[chunk(json!([{ "text": "a" }]), None), error]) {
        Err(UpstreamError::Status(refusal)) => assert_eq!(refusal.status, 503),
        other => panic!("{other:?}"),
    }
}

#[test]
fn counts_before_the_end_are_no_last_word() {
    let meter = Meter::new(asked());
    let mut pass = of(Gemini).pass(meter.clone(), &asked());
    let mut out = Vec::new();
    let mut first = chunk(json!([{ "text": "Hello there, this is quite a text." }]), None);
    first["usageMetadata"] = json!({ "promptTokenCount": 3, "candidatesTokenCount": 1 });
    pass.event(&event(&first), &mut out).unwrap();
    assert!(meter.usage().estimated && meter.usage().output_tokens > 5, "{:?}", meter.usage());
    pass.event(&event(&chunk(json!([]), Some("STOP"))), &mut out).unwrap();
    assert!(!meter.usage().estimated);
    assert_eq!((meter.usage().input_tokens, meter.usage().output_tokens), (3, 5));
}

#[test]
fn a_call_is_said_whole_when_its_arguments_are() {
    let deltas = [
        Delta::Start { id: Some("r".to_owned()), model: "m".to_owned() },
        Delta::Thinking("hm".to_owned()),
        Delta::Signature("S".to_owned()),
        Delta::Call { id: "c1".to_owned(), name: "f".to_owned(), signature: None },
        Delta::Arguments(r#"{"x""#.to_owned()),
        Delta::Ping,
        Delta::Arguments(":1}".to_owned()),
        Delta::Call {
            id: "c2".to_owned(),
            name: "g".to_owned(),
            signature: Some("U0lH".to_owned()),
        },
        Delta::Finish(Finish::ToolCalls),
    ];
    let events = encoded(&deltas);
    let parts: Vec<_> =
        events.iter().map(|event| event["candidates"][0]["content"]["parts"][0].clone()).collect();
    let proof = super::super::proof::thinking("S");
    assert_eq!(
        parts,
        [
            json!({ "text": "hm", "thought": true }),
            json!({ "text": "", "thought": true, "thoughtSignature": proof }),
            json!({ "functionCall": { "id": "c1", "name": "f", "args": { "x": 1 } },
                "thoughtSignature": "skip/thought/signature/validator" }),
            json!({ "functionCall": { "id": "c2", "name": "g", "args": {} }, "thoughtSignature": "U0lH" }),
            json!({ "text": "" }),
        ]
    );
    let last = events.last().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert!(last["usageMetadata"]["promptTokenCount"].is_u64());
    assert!(events.iter().all(|event| event["responseId"] == "r" && event["modelVersion"] == "m"));
}

#[test]
fn arguments_that_are_no_object_are_no_call() {
    let deltas = [
        Delta::Call { id: "c1".to_owned(), name: "f".to_owned(), signature: None },
        Delta::Arguments(r#"{"x":"#.to_owned()),
        Delta::Finish(Finish::Length),
    ];
    let events = encoded(&deltas);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["candidates"][0]["finishReason"], "MALFORMED_FUNCTION_CALL");
}

#[test]
fn a_problem_is_told_in_googles_form() {
    let mut problem = Problem::field("contents", "is required").with_retry_after(7);
    problem.request_id = Some("req_1".to_owned());
    let body = error_body(Gemini, &problem);
    assert_eq!(body["error"]["code"], problem.status);
    assert_eq!(body["error"]["status"], "INVALID_ARGUMENT");
    let details = body["error"]["details"].as_array().unwrap();
    assert_eq!(details[0]["reason"], "INVALID_REQUEST");
    assert_eq!(details[1]["fieldViolations"][0]["field"], "contents");
    assert_eq!(details[2]["retryDelay"], "7s");
    assert_eq!(details[3]["requestId"], "req_1");
    let problem = Problem::new(Code::UpstreamUnavailable, "x");
    assert!(error_event(Gemini, &problem).starts_with(br#"data: {"error":{"#));
}

#[test]
fn a_chat_client_sees_googles_thoughts_and_usage() {
    let body = json!({ "responseId": "r1", "modelVersion": "g",
        "candidates": [{ "finishReason": "STOP", "content": { "parts": [
            { "text": "hm", "thought": true }, { "text": "Hello" }] } }],
        "usageMetadata": { "promptTokenCount": 3, "candidatesTokenCount": 5, "thoughtsTokenCount": 7 } });
    let usage = of(Gemini).usage(body.as_object().unwrap()).unwrap();
    let chat = of(OpenaiChat).encode_reply(&reply(body), usage, &asked());
    assert_eq!(chat["choices"][0]["message"]["content"], "Hello");
    assert_eq!(chat["choices"][0]["message"]["reasoning_content"], "hm");
    assert_eq!(chat["usage"]["completion_tokens"], 12);
}

/// The proof of a call of Google's, sent through a client of another dialect and back.
#[test]
fn a_calls_proof_comes_back_by_way_of_every_dialect() {
    let call =
        json!({ "functionCall": { "name": "f", "args": { "x": 1 } }, "thoughtSignature": "U0lH" });
    let body = json!({ "responseId": "r1", "modelVersion": "g",
        "candidates": [{ "content": { "parts": [{ "text": "a" }, call] }, "finishReason": "STOP" }],
        "usageMetadata": { "promptTokenCount": 3, "candidatesTokenCount": 5 } });
    let user = json!({ "role": "user", "content": "hi" });
    let chat = of(OpenaiChat).encode_reply(&reply(body.clone()), Usage::default(), &asked());
    let chat = json!({ "model": "m", "messages": [user, chat["choices"][0]["message"]] });
    let said = of(AnthropicMessages).encode_reply(&reply(body), Usage::default(), &asked());
    let said = json!({ "model": "m", "max_tokens": 9,
        "messages": [user, { "role": "assistant", "content": said["content"] }] });
    for (dialect, body) in [(OpenaiChat, chat), (AnthropicMessages, said)] {
        let body = super::carried(dialect, &body, Gemini, &super::google("gemini-3-pro")).unwrap();
        assert_eq!(body["contents"][1]["parts"], json!([{ "text": "a" }, call]), "{dialect:?}");
    }
}

#[test]
fn a_streamed_calls_proof_reaches_every_dialect() {
    let deltas = [
        Delta::Start { id: None, model: "g".to_owned() },
        Delta::Call {
            id: "c".to_owned(),
            name: "f".to_owned(),
            signature: Some("U0lH".to_owned()),
        },
        Delta::Arguments("{}".to_owned()),
        Delta::Finish(Finish::ToolCalls),
    ];
    for (dialect, proof) in [
        (OpenaiChat, r#""extra_content":{"google":{"thought_signature":"U0lH"}}"#),
        (AnthropicMessages, r#"{"type":"redacted_thinking","data":"ralex:called:U0lH:c"}"#),
    ] {
        let mut encoder = of(dialect).encoder(Meter::new(asked()), &asked());
        let mut out = Vec::new();
        for delta in &deltas {
            encoder.delta(delta, &mut out);
        }
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(proof), "{text}");
    }
}
