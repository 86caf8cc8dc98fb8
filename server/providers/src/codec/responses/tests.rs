//! What becomes of a response's requests, answers and events elsewhere, and back.

use ralex_kernel::{Code, Problem};
use serde_json::{Value, json};

use super::Responses;
use crate::codec::tests::target;
use crate::codec::{Codec, of};
use crate::dialect::Dialect;
use crate::error::UpstreamError;
use crate::inbound::Inbound;
use crate::ir::{Content, Delta, Finish, Part, Reply, ToolCall};
use crate::json::Object;
use crate::prepare::prepare;
use crate::sse;
use crate::usage::{Meter, Usage};

mod round_trip;

const CODEX: &str = include_str!("../../../tests/golden/responses/codex.json");

const AGENT: &str = include_str!("../../../tests/golden/responses/agent.stream.txt");

pub(super) fn inbound(body: &Value) -> Inbound {
    Inbound::parse(Dialect::OpenaiResponses, body.to_string().into()).unwrap()
}

fn sent(kind: &str, body: &Value) -> Result<Value, Problem> {
    let prepared = prepare(&inbound(body), &target(kind), 500)?;
    Ok(serde_json::from_slice(&prepared.body).unwrap())
}

/// The data of the events that an encoder writes.
pub(super) fn written(asked: &Inbound, deltas: &[Delta]) -> (Vec<u8>, Vec<Value>) {
    let meter = Meter::new(asked.clone());
    meter.settle(Usage { input_tokens: 3, output_tokens: 5, ..Usage::default() });
    let mut encoder = Responses.encoder(meter, asked);
    let mut out = Vec::new();
    deltas.iter().for_each(|delta| encoder.delta(delta, &mut out));
    let events = data(&out);
    (out, events)
}

fn data(bytes: &[u8]) -> Vec<Value> {
    let mut decoder = sse::Decoder::default();
    decoder.push(bytes);
    let events = std::iter::from_fn(|| decoder.event().unwrap());
    let each = events.filter_map(|event| {
        let data: Value = serde_json::from_str(event.data.as_deref()?).unwrap();
        assert_eq!(data["type"].as_str(), event.name.as_deref());
        Some(data)
    });
    each.collect()
}

fn decoded(events: &[Value]) -> Result<Vec<Delta>, UpstreamError> {
    let asked = inbound(&json!({ "model": "m", "input": "hi" }));
    let mut decoder = Responses.decoder(Meter::new(asked));
    let mut deltas = Vec::new();
    for event in events {
        let event =
            sse::Event { name: None, data: Some(event.to_string()), raw: bytes::Bytes::new() };
        decoder.event(&event, &mut deltas)?;
    }
    Ok(deltas)
}

#[test]
fn codex_can_ask_a_model_of_another_vendor() {
    let mut body: Value = serde_json::from_str(CODEX).unwrap();
    // Anthropic's models know no verbosity, and that is refused by name.
    body["text"] = Value::Null;
    let sent = sent("anthropic", &body).unwrap();
    let names: Vec<_> = sent["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    let within = ["multi_agent_v1__close_agent", "multi_agent_v1__resume_agent"];
    assert_eq!(names, [&["exec_command", "apply_patch", "tool_search"][..], &within].concat());
    let patch = &sent["tools"][1];
    assert_eq!(patch["input_schema"]["required"], json!(["input"]));
    assert!(patch["description"].as_str().unwrap().contains("lark grammar:\nstart: begin_patch"));
    assert_eq!(sent["messages"][1]["content"][0]["type"], "tool_use");
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "call_1");
}

#[test]
fn tools_are_called_as_the_caller_declared_them() {
    let asked: Value = serde_json::from_str(CODEX).unwrap();
    let call = |id: &str, name: &str, arguments: Value| {
        let arguments = arguments.as_object().unwrap().clone();
        let (id, name) = (id.to_owned(), name.to_owned());
        Part::new("", Content::ToolCall(ToolCall { id, name, arguments, signature: None }))
    };
    let reply = Reply {
        id: Some("msg_01".to_owned()),
        model: "claude".to_owned(),
        parts: vec![
            call("c1", "exec_command", json!({ "cmd": "ls" })),
            call("c2", "apply_patch", json!({ "input": "*** Begin Patch" })),
            call("c3", "multi_agent_v1__close_agent", json!({ "target": "a" })),
            call("c4", "tool_search", json!({ "query": "mail" })),
        ],
        finish: Finish::ToolCalls,
    };
    let answer = Responses.encode_reply(&reply, Usage::default(), &inbound(&asked));
    let expected = json!([
        { "id": "fc_01_0", "type": "function_call", "status": "completed", "call_id": "c1",
            "name": "exec_command", "arguments": "{\"cmd\":\"ls\"}" },
        { "id": "ctc_01_1", "type": "custom_tool_call", "status": "completed", "call_id": "c2",
            "name": "apply_patch", "input": "*** Begin Patch" },
        { "id": "fc_01_2", "type": "function_call", "status": "completed", "call_id": "c3",
            "namespace": "multi_agent_v1", "name": "close_agent", "arguments": "{\"target\":\"a\"}" },
        { "id": "tsc_01_3", "type": "tool_search_call", "status": "completed", "call_id": "c4",
            "execution": "client", "arguments": { "query": "mail" } },
    ]);
    assert_eq!(answer["output"], expected);
    let tools = answer["tools"].as_array().unwrap();
    assert!(tools.iter().all(|tool| tool["type"] != "web_search"), "nobody could search");

    // What the caller sends back is understood.
    let mut next = asked;
    let items = next["input"].as_array_mut().unwrap();
    items.extend(expected.as_array().unwrap().clone());
    items.extend(
        ["c1", "c2", "c3"]
            .map(|id| json!({ "type": "function_call_output", "call_id": id, "output": "done" })),
    );
    items.push(json!({ "type": "tool_search_output", "call_id": "c4", "execution": "client",
        "status": "completed", "tools": [{ "type": "namespace", "name": "mail", "description": "",
            "tools": [{ "type": "function", "name": "send", "parameters": {}, "strict": false }] }] }));
    next["text"] = Value::Null;
    let sent = sent("anthropic", &next).unwrap();
    assert_eq!(sent["tools"][5]["name"], "mail__send");
    let turns = sent["messages"].as_array().unwrap();
    let calls = turns[3]["content"].as_array().unwrap();
    assert_eq!(calls[2]["name"], "multi_agent_v1__close_agent");
    let found = &turns[4]["content"][3]["content"][0]["text"];
    assert_eq!(found, "These tools can be called now: mail__send");
}

#[test]
fn a_long_name_within_a_namespace_is_cut_and_stays_its_own() {
    let long = "n".repeat(60);
    let (one, two) =
        (super::tools::joined(Some(&long), "first"), super::tools::joined(Some(&long), "second"));
    assert!(one.len() <= 64 && two.len() <= 64 && one != two, "{one} {two}");
    assert_eq!(super::tools::joined(Some("mcp__x__"), "go"), "mcp__x__go");
}

#[test]
fn what_responses_have_and_others_lack_is_refused_by_name() {
    for (field, value, path) in [
        ("previous_response_id", json!("resp_1"), "previous_response_id"),
        ("conversation", json!("conv_1"), "conversation"),
        ("prompt", json!({ "id": "p" }), "prompt"),
        ("store", json!(true), "store"),
        ("service_tier", json!("flex"), "service_tier"),
        ("top_logprobs", json!(3), "top_logprobs"),
        ("moderation", json!({ "model": "m" }), "moderation"),
        ("include", json!(["message.output_text.logprobs"]), "include[0]"),
        ("tools", json!([{ "type": "web_search" }]), "tools[0]"),
        ("tools", json!([{ "type": "function", "name": "f" }, { "type": "mcp" }]), "tools[1]"),
        ("tools", json!([{ "type": "local_shell" }]), "tools[0]"),
        ("tool_choice", json!({ "type": "file_search" }), "tool_choice"),
        ("reasoning", json!({ "mode": "pro" }), "reasoning.mode"),
        ("a_new_field", json!(1), "a_new_field"),
        ("input", json!([{ "type": "item_reference", "id": "x" }]), "input[0]"),
        ("input", json!([{ "type": "compaction", "encrypted_content": "x" }]), "input[0]"),
        (
            "input",
            json!([{ "role": "user", "content": [{ "type": "input_new" }] }]),
            "input[0].content[0]",
        ),
        ("input", json!([{ "role": "user", "content": "x", "a": 1 }]), "input[0].a"),
    ] {
        let mut body = json!({ "model": "m", "input": "hi" });
        body[field] = value.clone();
        let problem = sent("anthropic", &body).unwrap_err();
        let found = (problem.code, problem.errors[0].path.as_str());
        assert_eq!(found, (Code::Unsupported, path), "{value}");
    }
}

#[test]
fn what_others_have_and_responses_lack_is_refused_by_name() {
    let user = json!([{ "role": "user", "content": "hi" }]);
    for (field, value) in [
        ("seed", json!(1)),
        ("stop", json!("END")),
        ("top_k", json!(3)),
        ("frequency_penalty", json!(0.5)),
    ] {
        let mut body = json!({ "model": "m", "messages": user });
        body[field] = value;
        let inbound = Inbound::parse(Dialect::OpenaiChat, body.to_string().into()).unwrap();
        let request = of(Dialect::OpenaiChat).decode_request(&inbound).unwrap();
        let problem = Responses.encode_request(&request, &target("openai"), 9).unwrap_err();
        assert_eq!((problem.code, problem.errors[0].path.as_str()), (Code::Unsupported, field));
    }
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    for (body, path) in [
        (json!({ "model": "m" }), "input"),
        (json!({ "model": "m", "input": [] }), "input"),
        (json!({ "model": "m", "input": 3 }), "input"),
        (json!({ "model": "m", "input": ["x"] }), "input[0]"),
        (json!({ "model": "m", "input": [{ "content": "x" }] }), "input[0].type"),
        (json!({ "model": "m", "input": "x", "stream": 1 }), "stream"),
        (json!({ "model": "m", "input": "x", "max_output_tokens": 0 }), "max_output_tokens"),
        (json!({ "model": "m", "input": "x", "background": true }), "background"),
    ] {
        let problem = Inbound::parse(Dialect::OpenaiResponses, body.to_string().into());
        assert_eq!(problem.unwrap_err().errors[0].path, path, "{body}");
    }
    for kept in ["previous_response_id", "conversation", "prompt"] {
        let body = json!({ "model": "m", kept: "x" });
        assert!(Inbound::parse(Dialect::OpenaiResponses, body.to_string().into()).is_ok());
    }
}

#[test]
fn between_equal_dialects_only_what_must_change_changes() {
    let text = r#" {"x":1.10,"model":"m","previous_response_id":"r", "input":[{"role":"user","content":"a","new":{}}]} "#;
    let inbound = Inbound::parse(Dialect::OpenaiResponses, text.into()).unwrap();
    let body = prepare(&inbound, &target("openai"), 500).unwrap().body;
    assert_eq!(
        String::from_utf8(body.to_vec()).unwrap(),
        r#" {"x":1.10,"model":"up","previous_response_id":"r", "input":[{"role":"user","content":"a","new":{}}],"max_output_tokens":500} "#,
    );
}

#[test]
fn a_thought_goes_back_to_its_vendor_and_to_no_other() {
    let answered = |parts: &[Content]| {
        let parts = parts.iter().map(|it| Part::new("", it.clone())).collect();
        let reply = Reply { parts, ..Reply::default() };
        let asked = inbound(&json!({ "model": "m", "input": "hi" }));
        Responses.encode_reply(&reply, Usage::default(), &asked)["output"].clone()
    };
    let signed = Content::Thinking { text: "hm".to_owned(), signature: Some("sig".to_owned()) };
    let mut items = answered(&[signed, Content::Sealed("data".to_owned())]);
    let own =
        json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA" });
    items.as_array_mut().unwrap().extend([own, json!({ "role": "user", "content": "go on" })]);
    let body = json!({ "model": "m", "input": items });

    let to_anthropic = sent("anthropic", &body).unwrap();
    let thoughts = &to_anthropic["messages"][0]["content"];
    assert_eq!(thoughts[0], json!({ "type": "thinking", "thinking": "hm", "signature": "sig" }));
    assert_eq!(to_anthropic["messages"].as_array().unwrap().len(), 2);
    let to_openai = sent("openai", &body).unwrap();
    let input = to_openai["input"].as_array().unwrap();
    assert_eq!((input.len(), &input[0]["encrypted_content"]), (2, &json!("gAAA")));

    // And OpenAI's thought by way of a caller that speaks Anthropic's dialect.
    let answer = json!({ "id": "resp_1", "model": "m", "status": "completed", "output": [
        { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "hm" }],
            "encrypted_content": "gAAA" }] });
    let reply = Responses.decode_reply(answer.as_object().unwrap()).unwrap();
    let messages = of(Dialect::AnthropicMessages);
    let asked =
        json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "x" }] });
    let asked = Inbound::parse(Dialect::AnthropicMessages, asked.to_string().into()).unwrap();
    let message = messages.encode_reply(&reply, Usage::default(), &asked);
    let next = json!({ "model": "m", "max_tokens": 9, "messages": [
        { "role": "assistant", "content": message["content"] }] });
    let next = Inbound::parse(Dialect::AnthropicMessages, next.to_string().into()).unwrap();
    let request = messages.decode_request(&next).unwrap();
    let body = Responses.encode_request(&request, &target("openai"), 9).unwrap();
    assert_eq!(
        body["input"],
        json!([{ "type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA",
            "summary": [{ "type": "summary_text", "text": "hm" }] }])
    );
}

#[test]
fn a_thought_of_openais_is_not_shown_to_anthropic() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"openai:rs:g"},
            {"type":"redacted_thinking","data":"openai:rs:g"},{"type":"text","text":"b"}]},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""}]},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"Eq"}]}]}"#;
    let inbound = Inbound::parse(Dialect::AnthropicMessages, body.into()).unwrap();
    let sent = prepare(&inbound, &target("anthropic"), 500).unwrap().body;
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(
        sent["messages"],
        json!([
            { "role": "user", "content": "a" },
            { "role": "assistant", "content": [{ "type": "text", "text": "b" }] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "hm", "signature": "Eq" }] },
        ])
    );
}

#[test]
fn the_proof_of_the_thought_behind_a_call_comes_back_with_the_call() {
    let asked = inbound(&json!({ "model": "m", "input": "hi" }));
    let called = ToolCall {
        id: "c:1".to_owned(),
        name: "f".to_owned(),
        arguments: Object::new(),
        signature: Some("Cg==".to_owned()),
    };
    let reply = Reply {
        parts: vec![Part::new("", Content::ToolCall(called.clone()))],
        finish: Finish::ToolCalls,
        ..Reply::default()
    };
    let (id, name, signature) = (called.id.clone(), called.name.clone(), called.signature.clone());
    let deltas = [
        Delta::Start { id: None, model: String::new() },
        Delta::Call { id, name, signature },
        Delta::Finish(Finish::ToolCalls),
    ];
    let streamed = written(&asked, &deltas).1.pop().unwrap()["response"]["output"].take();
    for output in [whole(&reply, &asked)["output"].clone(), streamed] {
        let request = Responses.decode_request(&inbound(&json!({ "model": "m", "input": output })));
        let parts = &request.unwrap().turns[0].parts;
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].content, Content::ToolCall(called.clone()));
    }
}

#[test]
fn only_allowed_tools_are_offered() {
    let tool = |name: &str| json!({ "type": "function", "name": name, "parameters": {} });
    let sent = sent(
        "anthropic",
        &json!({ "model": "m", "input": "hi", "tools": [tool("a"), tool("b")],
            "tool_choice": { "type": "allowed_tools", "mode": "required",
                "tools": [{ "type": "function", "name": "b" }] } }),
    );
    let sent = sent.unwrap();
    assert_eq!(
        (&sent["tools"][0]["name"], sent["tools"].as_array().unwrap().len()),
        (&json!("b"), 1)
    );
    assert_eq!(sent["tool_choice"]["type"], "any");
}

#[test]
fn an_upstream_that_shows_only_whole_items_is_understood() {
    let usage = json!({ "input_tokens": 1, "output_tokens": 1 });
    let deltas = decoded(&[
        json!({ "type": "response.created", "response": { "id": "resp_1", "model": "m" } }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": {
            "type": "message", "content": [{ "type": "output_text", "text": "hi" }] } }),
        json!({ "type": "response.output_item.done", "output_index": 1, "item": {
            "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" } }),
        json!({ "type": "response.completed", "response": { "status": "completed", "usage": usage } }),
    ]);
    let start = Delta::Start { id: Some("resp_1".to_owned()), model: "m".to_owned() };
    let call = Delta::Call { id: "c".to_owned(), name: "f".to_owned(), signature: None };
    assert_eq!(
        deltas.unwrap(),
        [
            start,
            Delta::Text("hi".to_owned()),
            call,
            Delta::Arguments("{}".to_owned()),
            Delta::Finish(Finish::ToolCalls),
        ]
    );
}

#[test]
fn paragraphs_of_a_thought_and_a_freeform_call_are_understood() {
    let deltas = decoded(&data(AGENT.as_bytes())).unwrap();
    let thinking = deltas.iter().filter_map(|delta| match delta {
        Delta::Thinking(piece) => Some(piece.as_str()),
        _ => None,
    });
    assert_eq!(thinking.collect::<String>(), "Lyon is near.\n\nOne patch.");
    let call =
        Delta::Call { id: "call_c1".to_owned(), name: "apply_patch".to_owned(), signature: None };
    assert_eq!(
        deltas[deltas.len() - 4..],
        [
            Delta::Signature("openai:rs_c0:gAAAAABpS".to_owned()),
            call,
            Delta::Arguments(r#"{"input":"*** Begin Patch\n"}"#.to_owned()),
            Delta::Finish(Finish::ToolCalls),
        ]
    );
}

#[test]
fn a_response_that_failed_is_an_error_and_its_usage_is_known() {
    for event in [
        json!({ "type": "error", "code": "rate_limit_exceeded", "message": "slow down" }),
        json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "slow down" } }),
        json!({ "type": "response.failed", "response": { "status": "failed", "usage": null,
            "error": { "code": "rate_limit_exceeded", "message": "slow down" } } }),
    ] {
        let error = decoded(std::slice::from_ref(&event)).unwrap_err();
        let UpstreamError::Status(refusal) = error else { panic!("{error}") };
        assert_eq!((refusal.status, refusal.message.as_str()), (429, "slow down"), "{event}");
    }
    let asked = inbound(&json!({ "model": "m", "input": "hi" }));
    let meter = Meter::new(asked.clone());
    let failed = json!({ "type": "response.failed", "response": { "status": "failed",
        "error": { "code": "server_error", "message": "x" },
        "usage": { "input_tokens": 7, "output_tokens": 2 } } });
    let event = sse::Event { name: None, data: Some(failed.to_string()), raw: bytes::Bytes::new() };
    assert!(Responses.pass(meter.clone(), &asked).event(&event, &mut Vec::new()).is_err());
    assert_eq!((meter.usage().input_tokens, meter.usage().estimated), (7, false));
}

#[test]
fn a_stream_that_ends_without_its_last_event_is_cut() {
    let asked = inbound(&json!({ "model": "m", "input": "hi" }));
    let mut decoder = Responses.decoder(Meter::new(asked.clone()));
    assert_eq!(decoder.end(&mut Vec::new()), Err(UpstreamError::Cut));
    let mut pass = Responses.pass(Meter::new(asked.clone()), &asked);
    assert_eq!(pass.end(&mut Vec::new()), Err(UpstreamError::Cut));
}

#[test]
fn a_cut_answer_is_incomplete_and_says_why() {
    let asked = inbound(&json!({ "model": "m", "input": "hi", "stream": true }));
    for (finish, reason) in
        [(Finish::Length, "max_output_tokens"), (Finish::Refused, "content_filter")]
    {
        let (id, model) = (None, "m".to_owned());
        let deltas =
            [Delta::Start { id, model }, Delta::Text("hi".to_owned()), Delta::Finish(finish)];
        let (_, events) = written(&asked, &deltas);
        let last = events.last().unwrap();
        assert_eq!(last["type"], "response.incomplete");
        assert_eq!(last["response"]["status"], "incomplete");
        assert_eq!(last["response"]["incomplete_details"]["reason"], reason);
        assert_eq!(last["response"]["usage"]["total_tokens"], 8);
        assert_eq!(last["response"]["output"][0]["status"], "incomplete");
    }
}

#[test]
fn a_problem_in_a_stream_is_told_to_sdks_and_to_codex() {
    let problem = Problem::new(Code::BudgetExhausted, "The budget is spent.");
    let events = data(&Responses.error_event(&problem));
    assert_eq!(events[0]["type"], "error");
    assert_eq!(events[0]["error"]["message"], "The budget is spent.");
    assert_eq!(events[0]["message"], "The budget is spent.");
    assert_eq!(events[1]["type"], "response.failed");
    assert_eq!(events[1]["response"]["error"]["code"], "insufficient_quota");
}

#[test]
fn freeform_input_is_streamed_as_the_text_that_it_is() {
    let asked = inbound(&serde_json::from_str(CODEX).unwrap());
    let deltas = [
        Delta::Start { id: None, model: "m".to_owned() },
        Delta::Call { id: "c".to_owned(), name: "apply_patch".to_owned(), signature: None },
        Delta::Arguments(r#"{"input":"a\n"#.to_owned()),
        Delta::Arguments(r#"\u00e9"}"#.to_owned()),
        Delta::Finish(Finish::ToolCalls),
    ];
    let (_, events) = written(&asked, &deltas);
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds[2..],
        [
            "response.output_item.added",
            "response.custom_tool_call_input.delta",
            "response.custom_tool_call_input.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert_eq!(events[4]["input"], "a\né");
    assert_eq!(events[5]["item"]["input"], "a\né");
}

pub(super) fn whole(reply: &Reply, asked: &Inbound) -> Object {
    let usage = Usage { input_tokens: 3, output_tokens: 5, ..Usage::default() };
    Responses.encode_reply(reply, usage, asked)
}
