//! What requests name, and what answers tell.

use serde_json::json;

use super::*;
use crate::usage::Meter;

fn inbound(dialect: Dialect, body: &Value) -> Inbound {
    Inbound::parse_at(
        dialect,
        body.to_string().into(),
        crate::inbound::InPath { model: Some("m".to_owned()), streamed: None },
    )
    .unwrap()
}

fn named(dialect: Dialect, body: &Value) -> Vec<String> {
    inbound(dialect, body).kept_ids().unwrap().into_iter().map(str::to_owned).collect()
}

fn refused(dialect: Dialect, body: &Value) -> Problem {
    inbound(dialect, body).kept_ids().expect_err(&body.to_string())
}

#[test]
fn a_response_names_the_answer_the_items_and_the_containers_that_it_goes_on_from() {
    let body = json!({ "previous_response_id": "resp_1", "conversation": null,
    "tools": [
        { "type": "code_interpreter", "container": "cntr_1" },
        { "type": "code_interpreter", "container": { "type": "auto" } },
        { "type": "shell", "environment": { "type": "container_reference", "container_id": "cntr_2" } }],
    "input": [
        { "type": "item_reference", "id": "msg_1" },
        { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "" },
        { "type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "sealed" },
        { "type": "reasoning", "id": "rs_3", "content": [{ "type": "reasoning_text", "text": "t" }] },
        { "type": "reasoning", "id": "rs_translated_0", "summary": [] },
        { "type": "image_generation_call", "id": "ig_1" },
        { "type": "image_generation_call", "id": "ig_2", "result": "iVBOR" },
        { "type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_3", "code": "1" },
        { "type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": true },
        { "type": "function_call", "id": "fc_1", "call_id": "c", "name": "f",
            "arguments": "{\"container\":\"mine\"}" },
        { "role": "assistant", "content": [{ "type": "output_text", "text": "container",
            "annotations": [{ "type": "container_file_citation", "container_id": "cntr_9",
                "file_id": "cfile_9" }] }] }] });
    let mut found = named(Dialect::OpenaiResponses, &body);
    found.sort();
    let all = ["cntr_1", "cntr_2", "cntr_3", "ig_1", "mcpr_1", "msg_1", "resp_1", "rs_1"]
        .map(str::to_owned);
    assert_eq!(found, all);
    assert!(inbound(Dialect::OpenaiResponses, &body).file_ids().is_empty());
}

#[test]
fn messages_name_containers_and_chats_name_sound() {
    let said = json!([{ "role": "user", "content": "Hi" }]);
    let of = |container: Value| {
        let body = json!({ "messages": said, "max_tokens": 9, "container": container });
        named(Dialect::AnthropicMessages, &body)
    };
    assert_eq!(of(json!("container_1")), ["container_1"]);
    let skills = json!([{ "type": "anthropic", "skill_id": "xlsx", "version": "latest" }]);
    assert_eq!(of(json!({ "id": "container_2", "skills": skills })), ["container_2"]);
    assert!(of(Value::Null).is_empty() && of(json!({ "skills": skills })).is_empty());
    let chat = json!({ "messages": [{ "role": "user", "content": "Hi" },
        { "role": "assistant", "audio": { "id": "audio_1" } }],
        "audio": { "voice": "alloy", "format": "wav" } });
    assert_eq!(named(Dialect::OpenaiChat, &chat), ["audio_1"]);
}

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn tool(tool: &Value) -> Value {
    json!({ "tools": [tool] })
}

fn assert_refused(dialect: Dialect, body: &Value, field: &str) {
    let problem = refused(dialect, body);
    assert_eq!(problem.code, Code::Unsupported, "{body}");
    assert_eq!(problem.errors[0].path, field, "{body}");
}

#[test]
fn what_was_made_past_the_gateway_is_refused_by_its_name() {
    let store = tool(&json!({ "type": "file_search", "vector_store_ids": ["vs_1"] }));
    let skill = json!([{ "type": "skill_reference", "skill_id": "skill_1" }]);
    let shell = json!({ "type": "shell",
        "environment": { "type": "container_auto", "skills": skill } });
    for (more, field) in [
        (json!({ "conversation": "conv_1" }), "conversation"),
        (json!({ "prompt": { "id": "pmpt_1" } }), "prompt"),
        (store, "vector_store_ids"),
        (tool(&shell), "skill_id"),
    ] {
        assert_refused(Dialect::OpenaiResponses, &with(json!({ "input": "Hi" }), &more), field);
    }
    let said = json!({ "messages": [{ "role": "user", "content": "Hi" }], "max_tokens": 9 });
    let custom =
        json!({ "container": { "skills": [{ "type": "custom", "skill_id": "skill_1" }] } });
    assert_refused(Dialect::AnthropicMessages, &with(said.clone(), &custom), "skill_id");
    let data = |how: Value| {
        let data = json!([{ "type": "azure_search", "parameters": { "authentication": how } }]);
        json!({ "data_sources": data })
    };
    let own = json!({ "type": "system_assigned_managed_identity" });
    let theirs = with(said.clone(), &data(json!({ "type": "api_key", "key": "k" })));
    assert!(named(Dialect::OpenaiChat, &theirs).is_empty());
    let cached = json!({ "extra_body": { "google": { "cached_content": "cachedContents/1" } } });
    for (more, field) in [
        (data(own), "data_sources"),
        (data(Value::Null), "data_sources"),
        (cached, "cached_content"),
    ] {
        assert_refused(Dialect::OpenaiChat, &with(said.clone(), &more), field);
    }
}

#[test]
fn what_is_read_with_the_organisation_s_own_key_is_refused_by_its_name() {
    let contents = json!({ "contents": [{ "parts": [{ "text": "Hi" }] }] });
    let files = json!({ "fileSearch": { "fileSearchStoreNames": ["s/1"] } });
    let found = json!({ "retrieval": { "vertexAiSearch": { "datastore": "d" } } });
    for (more, field) in [
        (json!({ "cachedContent": "cachedContents/1" }), "cachedContent"),
        (tool(&files), "fileSearchStoreNames"),
        (tool(&found), "vertexAiSearch"),
    ] {
        assert_refused(Dialect::Gemini, &with(contents.clone(), &more), field);
    }
    let file = |uri: &str| {
        json!({ "contents": [{ "role": "user", "parts": [
            { "fileData": { "mimeType": "video/mp4", "fileUri": uri } }] }] })
    };
    for link in [
        "gs://finance/q3.mp4",
        "https://generativelanguage.googleapis.com/v1beta/files/a",
        "files/a",
    ] {
        assert_refused(Dialect::Gemini, &file(link), "fileUri");
    }
    for link in ["https://x.test/a.mp4", "https://youtube.test/watch?v=generativelanguage"] {
        assert!(named(Dialect::Gemini, &file(link)).is_empty());
    }
    let shown = json!({ "messages": [{ "role": "user", "content": [
        { "type": "image_url", "image_url": { "url": "gs://finance/q3.png" } }] }] });
    assert_refused(Dialect::OpenaiChat, &shown, "url");
    let s3 = json!({ "messages": [{ "role": "user", "content": [{ "video": { "format": "mp4",
        "source": { "s3Location": { "uri": "s3://finance/q3.mp4" } } } }] }] });
    assert_refused(Dialect::BedrockConverse, &s3, "uri");
}

#[test]
fn what_a_callers_own_tools_are_called_with_is_left_alone() {
    let schema = json!({ "type": "object", "properties": { "container": { "type": "string" } },
        "container": "x", "skill_id": "x" });
    let gemini = json!({
        "tools": [{ "functionDeclarations": [
            { "name": "f", "parameters": schema, "parametersJsonSchema": schema }] }],
        "contents": [
            { "role": "model", "parts": [{ "functionCall": { "name": "f",
                "args": { "container": "c", "cachedContent": "x", "uri": "gs://mine" } } }] },
            { "role": "user", "parts": [{ "functionResponse": { "name": "f",
                "response": { "container": "c", "skill_id": "x" } } }] }] });
    assert!(named(Dialect::Gemini, &gemini).is_empty());
    let converse = json!({
        "toolConfig": { "tools": [{ "toolSpec": { "name": "f", "inputSchema": { "json": schema } } }] },
        "messages": [
            { "role": "user", "content": [{ "text": "Hi" }] },
            { "role": "assistant", "content": [{ "toolUse": { "toolUseId": "t", "name": "f",
                "input": { "container": "c" } } }] },
            { "role": "user", "content": [{ "toolResult": { "toolUseId": "t",
                "content": [{ "json": { "container": "c" } }] } }] }] });
    assert!(named(Dialect::BedrockConverse, &converse).is_empty());
    let messages = json!({ "max_tokens": 9, "tools": [
        { "name": "f", "input_schema": schema, "input_examples": [{ "container": "c" }] }],
        "messages": [{ "role": "assistant", "content": [{ "type": "tool_use", "id": "t",
            "name": "f", "input": { "container": "c" } }] }] });
    assert!(named(Dialect::AnthropicMessages, &messages).is_empty());
}

/// What a call's meter knows after these events or this answer.
fn learnt(dialect: Dialect, asked: &Value, told: &[Value]) -> Vec<String> {
    let meter = Meter::new(inbound(dialect, asked));
    for event in told {
        meter.keeps(dialect, event.as_object().unwrap());
    }
    meter.kept()
}

#[test]
fn answers_tell_what_is_kept_whole_or_in_events() {
    let ran = json!({ "type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1" });
    let whole = json!({ "id": "resp_1", "object": "response",
        "output": [ran, { "type": "message", "id": "msg_1", "content": [] }] });
    let events = [
        json!({ "type": "response.created", "response": { "id": "resp_1", "output": [] } }),
        json!({ "type": "response.output_item.added", "item": ran }),
        json!({ "type": "response.output_item.done", "item": ran }),
        json!({ "type": "response.output_item.done", "item": { "type": "message", "id": "msg_1" } }),
        json!({ "type": "response.completed", "response": whole }),
    ];
    let asked = json!({ "input": "Hi" });
    let all = ["resp_1", "ci_1", "cntr_1", "msg_1"];
    assert_eq!(learnt(Dialect::OpenaiResponses, &asked, std::slice::from_ref(&whole)), all);
    assert_eq!(learnt(Dialect::OpenaiResponses, &asked, &events), all);
    let not_stored = json!({ "input": "Hi", "store": false });
    assert_eq!(learnt(Dialect::OpenaiResponses, &not_stored, &events), ["cntr_1"]);
    let chat = json!({ "messages": [{ "role": "user", "content": "Hi" }] });
    let meter = Meter::new(inbound(Dialect::OpenaiChat, &chat));
    meter.keeps(Dialect::OpenaiResponses, whole.as_object().unwrap());
    assert!(meter.kept().is_empty(), "the caller of a translated answer never saw the ids");
    let container = json!({ "id": "container_1", "expires_at": "2026-11-21T00:00:00Z" });
    let asked = json!({ "messages": [{ "role": "user", "content": "Hi" }], "max_tokens": 9 });
    for told in [
        json!({ "type": "message", "id": "msg_1", "container": container }),
        json!({ "type": "message_start", "message": { "id": "msg_1", "container": container } }),
        json!({ "type": "message_delta", "delta": { "container": container } }),
    ] {
        assert_eq!(learnt(Dialect::AnthropicMessages, &asked, &[told]), ["container_1"]);
    }
    for part in ["message", "delta"] {
        let told = json!({ "choices": [{ part: { "audio": { "id": "audio_1" } } }] });
        assert_eq!(learnt(Dialect::OpenaiChat, &chat, &[told]), ["audio_1"]);
    }
}
