//! What each dialect's requests become in the other.

use std::sync::Arc;

use ralex_kernel::{Code, Problem};
use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::inbound::Inbound;
use crate::prepare::{Target, prepare};
use crate::spec::{ProviderSpec, Specs};

fn spec(kind: &str) -> Arc<ProviderSpec> {
    Specs::built_in().unwrap().find(kind).unwrap().clone()
}

/// An upstream of this kind.
pub(crate) fn target(kind: &str) -> Target {
    Target {
        spec: spec(kind),
        base_url: Some("https://x.test".parse().unwrap()),
        upstream_model: "up".to_owned(),
        max_output: 1000,
        patience: crate::Patience::default(),
    }
}

fn translated(dialect: Dialect, kind: &str, body: &Value) -> Result<Value, Problem> {
    let inbound = Inbound::parse(dialect, body.to_string().into()).unwrap();
    let target = target(kind);
    let prepared = prepare(&inbound, &target, 500)?;
    Ok(serde_json::from_slice(&prepared.body).unwrap())
}

fn to_messages(body: Value) -> Value {
    translated(Dialect::OpenaiChat, "anthropic", &body).unwrap()
}

fn to_chat(body: Value) -> Value {
    translated(Dialect::AnthropicMessages, "openai", &body).unwrap()
}

#[test]
fn a_chat_conversation_with_tools_becomes_messages() {
    let body = to_messages(json!({
        "model": "m",
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "developer", "content": [{ "type": "text", "text": "Be kind." }] },
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA", "detail": "low" } },
                { "type": "image_url", "image_url": { "url": "https://x.test/a.png" } },
            ] },
            { "role": "assistant", "content": null, "refusal": null, "annotations": [], "tool_calls": [
                { "id": "c1", "type": "function", "index": 0, "function": { "name": "look", "arguments": "{\"x\":1}" } },
                { "id": "c2", "type": "function", "function": { "name": "look", "arguments": "" } },
            ] },
            { "role": "tool", "tool_call_id": "c1", "content": "a cat" },
            { "role": "tool", "tool_call_id": "c2", "content": [{ "type": "text", "text": "a dog" }] },
            { "role": "user", "content": "So?" },
        ],
        "tools": [{ "type": "function", "function": { "name": "look", "description": "Looks.",
            "parameters": { "type": "object", "properties": { "x": { "type": "integer" } } }, "strict": false } }],
        "tool_choice": { "type": "function", "function": { "name": "look" } },
        "parallel_tool_calls": false,
        "stop": "END", "temperature": 0.5, "top_p": 0.9, "user": "u1", "max_completion_tokens": 77,
        "stream": true, "stream_options": { "include_usage": true },
        "store": false, "seed": null, "metadata": { "a": "b" }, "n": 1, "frequency_penalty": 0,
        "response_format": { "type": "json_schema", "json_schema": { "name": "a", "schema": { "type": "object" } } },
    }));
    assert_eq!(
        body,
        json!({
            "model": "up",
            "max_tokens": 77,
            "messages": [
                { "role": "user", "content": [
                    { "type": "text", "text": "What is this?" },
                    { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } },
                    { "type": "image", "source": { "type": "url", "url": "https://x.test/a.png" } },
                ] },
                { "role": "assistant", "content": [
                    { "type": "tool_use", "id": "c1", "name": "look", "input": { "x": 1 } },
                    { "type": "tool_use", "id": "c2", "name": "look", "input": {} },
                ] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "c1", "content": [{ "type": "text", "text": "a cat" }] },
                    { "type": "tool_result", "tool_use_id": "c2", "content": [{ "type": "text", "text": "a dog" }] },
                    { "type": "text", "text": "So?" },
                ] },
            ],
            "system": [{ "type": "text", "text": "Be brief." }, { "type": "text", "text": "Be kind." }],
            "stream": true,
            "temperature": 0.5,
            "top_p": 0.9,
            "stop_sequences": ["END"],
            "tools": [{ "name": "look", "description": "Looks.",
                "input_schema": { "type": "object", "properties": { "x": { "type": "integer" } } } }],
            "tool_choice": { "type": "tool", "name": "look", "disable_parallel_tool_use": true },
            "output_config": { "format": { "type": "json_schema", "schema": { "type": "object" } } },
            "metadata": { "user_id": "u1" },
        })
    );
}

#[test]
fn messages_with_tools_become_a_chat_conversation() {
    let body = to_chat(json!({
        "model": "m",
        "max_tokens": 77,
        "system": [{ "type": "text", "text": "Be brief.", "cache_control": { "type": "ephemeral" } },
            { "type": "text", "text": "Be kind." }],
        "messages": [
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?" },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } },
            ] },
            { "role": "assistant", "content": [
                { "type": "text", "text": "I look." },
                { "type": "tool_use", "id": "t1", "name": "look", "input": { "x": 1 } },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "t1", "is_error": true,
                    "content": [{ "type": "text", "text": "too dark" }] },
                { "type": "text", "text": "So?" },
            ] },
        ],
        "tools": [{ "name": "look", "description": "Looks.", "input_schema": { "type": "object" } }],
        "tool_choice": { "type": "any", "disable_parallel_tool_use": true },
        "stop_sequences": ["END"], "temperature": 0.5, "stream": true,
        "metadata": { "user_id": "u1" }, "thinking": { "type": "disabled" },
        "output_config": { "effort": "low", "format": { "type": "json_schema", "schema": { "type": "object" } } },
    }));
    assert_eq!(
        body,
        json!({
            "model": "up",
            "messages": [
                { "role": "system", "content": "Be brief.\n\nBe kind." },
                { "role": "user", "content": [
                    { "type": "text", "text": "What is this?" },
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
                ] },
                { "role": "assistant", "content": "I look.", "tool_calls": [
                    { "id": "t1", "type": "function", "function": { "name": "look", "arguments": "{\"x\":1}" } },
                ] },
                { "role": "tool", "tool_call_id": "t1", "content": "The tool failed: too dark" },
                { "role": "user", "content": "So?" },
            ],
            "max_completion_tokens": 77,
            "stream": true,
            "stream_options": { "include_usage": true },
            "temperature": 0.5,
            "stop": ["END"],
            "tools": [{ "type": "function", "function": { "name": "look", "description": "Looks.",
                "parameters": { "type": "object" } } }],
            "tool_choice": "required",
            "parallel_tool_calls": false,
            "user": "u1",
            "response_format": { "type": "json_schema",
                "json_schema": { "name": "answer", "schema": { "type": "object" }, "strict": true } },
            "reasoning_effort": "low",
        })
    );
}

#[test]
fn what_chat_has_and_messages_lack_is_refused_by_name() {
    let user = json!([{ "role": "user", "content": "hi" }]);
    for (field, value) in [
        ("logit_bias", json!({ "1": 2 })),
        ("seed", json!(1)),
        ("n", json!(2)),
        ("frequency_penalty", json!(0.5)),
        ("logprobs", json!(true)),
        ("store", json!(true)),
        ("temperature", json!(1.5)),
        ("functions", json!([{ "name": "f" }])),
        ("web_search_options", json!({ "a": 1 })),
        ("a_new_field", json!("x")),
    ] {
        let mut body = json!({ "model": "m", "messages": user });
        body[field] = value;
        let problem = translated(Dialect::OpenaiChat, "anthropic", &body).unwrap_err();
        assert_eq!((problem.code, problem.errors[0].path.as_str()), (Code::Unsupported, field));
    }
    for (message, path) in [
        (json!({ "role": "user", "content": [{ "type": "video_url" }] }), "messages[0].content[0]"),
        (json!({ "role": "user", "content": "x", "name": "ann" }), "messages[0].name"),
        (json!({ "role": "function", "content": "x" }), "messages[0].role"),
    ] {
        let body = json!({ "model": "m", "messages": [message] });
        let problem = translated(Dialect::OpenaiChat, "anthropic", &body).unwrap_err();
        assert_eq!((problem.code, problem.errors[0].path.as_str()), (Code::Unsupported, path));
    }
}

#[test]
fn what_messages_have_and_chat_lacks_is_refused_by_name() {
    let user = json!([{ "role": "user", "content": "hi" }]);
    for (field, value, path) in [
        ("top_k", json!(5), "top_k"),
        ("mcp_servers", json!([{ "url": "x" }]), "mcp_servers"),
        ("tools", json!([{ "type": "web_search_20250305", "name": "s" }]), "tools[0]"),
        ("metadata", json!({ "other": "x" }), "metadata.other"),
    ] {
        let mut body = json!({ "model": "m", "max_tokens": 5, "messages": user });
        body[field] = value;
        let problem = translated(Dialect::AnthropicMessages, "openai", &body).unwrap_err();
        assert_eq!((problem.code, problem.errors[0].path.as_str()), (Code::Unsupported, path));
    }
}

#[test]
fn a_thread_of_anthropics_is_refused_so_that_its_sdks_go_on_without() {
    let mut body = json!({ "model": "m", "max_tokens": 5, "thread": { "type": "create" },
        "messages": [{ "role": "user", "content": "hi" }] });
    let parsed = |body: &Value| Inbound::parse(Dialect::AnthropicMessages, body.to_string().into());
    let problem = parsed(&body).unwrap_err();
    assert_eq!(problem.code, Code::Unsupported);
    let told = crate::codec::of(Dialect::AnthropicMessages).error_body(&problem);
    let details = json!({ "error_code": "thread_unsupported_request", "unsupported": ["thread"] });
    assert_eq!(told["error"]["details"], details);

    body["thread"] = Value::Null;
    assert!(parsed(&body).is_ok());
}

#[test]
fn a_tool_call_whose_arguments_are_no_json_is_the_callers_mistake() {
    let body = json!({ "model": "m", "messages": [{ "role": "assistant", "tool_calls": [
        { "id": "c", "type": "function", "function": { "name": "f", "arguments": "{" } }] }] });
    let problem = translated(Dialect::OpenaiChat, "anthropic", &body).unwrap_err();
    assert_eq!(problem.code, Code::InvalidRequest);
    assert_eq!(problem.errors[0].path, "messages[0].tool_calls[0].function.arguments");
}

#[test]
fn a_heartbeat_is_nothing_that_a_dialects_readers_take_for_data() {
    for dialect in Dialect::ALL {
        let heartbeat = crate::codec::of(dialect).heartbeat();
        match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses => assert!(heartbeat.starts_with(b": ")),
            Dialect::AnthropicMessages => assert!(heartbeat.starts_with(b"event: ping\n")),
            Dialect::Gemini | Dialect::BedrockConverse => assert!(heartbeat.is_empty()),
        }
    }
}
