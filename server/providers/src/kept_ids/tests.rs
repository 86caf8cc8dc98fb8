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

#[test]
fn what_was_made_past_the_gateway_is_refused_by_its_name() {
    use Dialect::{AnthropicMessages, BedrockConverse, Gemini, OpenaiChat, OpenaiResponses};
    let with = |mut body: Value, more: Value| {
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let said = json!({ "messages": [{ "role": "user", "content": "Hi" }], "max_tokens": 9 });
    let tool = |tool: Value| json!({ "tools": [tool] });
    let custom = json!({ "skills": [{ "type": "custom", "skill_id": "skill_1" }] });
    let own = json!({ "type": "system_assigned_managed_identity" });
    let shown = |url: &str| {
        json!({ "messages": [{ "role": "user", "content": [
            { "type": "image_url", "image_url": { "url": url } }] }] })
    };
    let file = |uri: &str| {
        json!({ "contents": [{ "role": "user", "parts": [
            { "fileData": { "mimeType": "video/mp4", "fileUri": uri } }] }] })
    };
    let s3 = json!([{ "role": "user", "content": [{ "video": { "format": "mp4",
        "source": { "s3Location": { "uri": "s3://finance/q3.mp4" } } } }] }]);
    let hi = json!({ "input": "Hi" });
    let contents = json!({ "contents": [{ "parts": [{ "text": "Hi" }] }] });
    for (dialect, body, field) in [
        (OpenaiResponses, with(hi.clone(), json!({ "conversation": "conv_1" })), "conversation"),
        (OpenaiResponses, with(hi.clone(), json!({ "prompt": { "id": "pmpt_1" } })), "prompt"),
        (
            OpenaiResponses,
            with(hi.clone(), tool(json!({ "type": "file_search", "vector_store_ids": ["vs_1"] }))),
            "vector_store_ids",
        ),
        (
            OpenaiResponses,
            with(
                hi,
                tool(json!({ "type": "shell", "environment": { "type": "container_auto",
                "skills": [{ "type": "skill_reference", "skill_id": "skill_1" }] } })),
            ),
            "skill_id",
        ),
        (AnthropicMessages, with(said.clone(), json!({ "container": custom })), "skill_id"),
        (
            OpenaiChat,
            with(
                said.clone(),
                json!({ "data_sources": [{ "type": "azure_search",
                "parameters": {}, "authentication": own }] }),
            ),
            "authentication",
        ),
        (OpenaiChat, shown("gs://finance/q3.png"), "url"),
        (
            OpenaiChat,
            with(said, json!({ "extra_body": { "google": { "cached_content": "c/1" } } })),
            "cached_content",
        ),
        (
            Gemini,
            with(contents.clone(), json!({ "cachedContent": "cachedContents/1" })),
            "cachedContent",
        ),
        (
            Gemini,
            with(
                contents.clone(),
                tool(json!({ "fileSearch": { "fileSearchStoreNames": ["s/1"] } })),
            ),
            "fileSearchStoreNames",
        ),
        (
            Gemini,
            with(
                contents,
                tool(json!({ "retrieval": { "vertexAiSearch": { "datastore": "d" } } })),
            ),
            "vertexAiSearch",
        ),
        (Gemini, file("gs://finance/q3.mp4"), "fileUri"),
        (Gemini, file("https://generativelanguage.googleapis.com/v1beta/files/a"), "fileUri"),
        (BedrockConverse, json!({ "messages": s3 }), "uri"),
    ] {
        let problem = refused(dialect, &body);
        assert_eq!(problem.code, Code::Unsupported, "{body}");
        assert_eq!(problem.errors[0].path, field, "{body}");
    }
    for link in ["https://x.test/a.mp4", "https://youtube.test/watch?v=generativelanguage"] {
        assert!(named(Gemini, &file(link)).is_empty());
    }
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
