//! What becomes of other dialects' requests here, and of this one's there.

use super::*;

/// A request of another dialect for an upstream of this one.
fn carried(dialect: Dialect, body: &Value) -> Value {
    let inbound = Inbound::parse(dialect, body.to_string().into()).unwrap();
    let request = of(dialect).decode_request(&inbound).unwrap();
    Value::Object(Responses.encode_request(&request, &target("openai"), 77).unwrap())
}

fn function() -> Value {
    json!({ "type": "object", "properties": { "x": { "type": "integer" } } })
}

#[test]
fn a_chat_conversation_becomes_a_response() {
    let body = carried(
        Dialect::OpenaiChat,
        &json!({
            "model": "m",
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": [
                    { "type": "text", "text": "What is this?" },
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
                    { "type": "file", "file": { "file_data": "data:application/pdf;base64,BBBB", "filename": "a.pdf" } },
                    { "type": "input_audio", "input_audio": { "data": "CCCC", "format": "wav" } },
                ] },
                { "role": "assistant", "content": "I look.", "tool_calls": [
                    { "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{\"x\":1}" } },
                ] },
                { "role": "tool", "tool_call_id": "c1", "content": "a cat" },
                { "role": "user", "content": "So?" },
            ],
            "tools": [{ "type": "function", "function": { "name": "look", "description": "Looks.", "parameters": function() } }],
            "tool_choice": { "type": "function", "function": { "name": "look" } },
            "parallel_tool_calls": false, "temperature": 0.5, "top_p": 0.9, "user": "u1",
            "max_completion_tokens": 77, "reasoning_effort": "high", "verbosity": "low", "stream": true,
            "response_format": { "type": "json_schema", "json_schema": { "name": "a", "schema": { "type": "object" }, "strict": true } },
        }),
    );
    assert_eq!(
        body,
        json!({
            "model": "up",
            "instructions": "Be brief.",
            "input": [
                { "type": "message", "role": "user", "content": [
                    { "type": "input_text", "text": "What is this?" },
                    { "type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA" },
                    { "type": "input_file", "file_data": "data:application/pdf;base64,BBBB", "filename": "a.pdf" },
                    { "type": "input_audio", "input_audio": { "data": "CCCC", "format": "wav" } },
                ] },
                { "type": "message", "role": "assistant", "content": [
                    { "type": "output_text", "text": "I look.", "annotations": [] },
                ] },
                { "type": "function_call", "call_id": "c1", "name": "look", "arguments": "{\"x\":1}" },
                { "type": "function_call_output", "call_id": "c1", "output": "a cat" },
                { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "So?" }] },
            ],
            "tools": [{ "type": "function", "name": "look", "description": "Looks.", "parameters": function(), "strict": false }],
            "tool_choice": { "type": "function", "name": "look" },
            "parallel_tool_calls": false, "temperature": 0.5, "top_p": 0.9, "user": "u1",
            "max_output_tokens": 77, "store": false, "stream": true,
            "reasoning": { "effort": "high" },
            "include": ["reasoning.encrypted_content"],
            "text": {
                "format": { "type": "json_schema", "name": "a", "schema": { "type": "object" }, "strict": true },
                "verbosity": "low",
            },
        })
    );
}

#[test]
fn messages_become_a_response() {
    let body = carried(
        Dialect::AnthropicMessages,
        &json!({
            "model": "m",
            "max_tokens": 77,
            "system": [{ "type": "text", "text": "Be brief." }, { "type": "text", "text": "Be kind." }],
            "messages": [
                { "role": "user", "content": [
                    { "type": "document", "source": { "type": "url", "url": "https://x.test/a.pdf" } },
                    { "type": "text", "text": "What is this?", "cache_control": { "type": "ephemeral" } },
                ] },
                { "role": "assistant", "content": [
                    { "type": "thinking", "thinking": "hm", "signature": "Eq" },
                    { "type": "redacted_thinking", "data": "openai:rs_1:gAAA" },
                    { "type": "tool_use", "id": "t1", "name": "look", "input": { "x": 1 } },
                ] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [
                        { "type": "text", "text": "too dark" },
                        { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } },
                    ] },
                ] },
            ],
            "tools": [{ "name": "look", "input_schema": function() }],
            "tool_choice": { "type": "any" },
            "thinking": { "type": "enabled", "budget_tokens": 4000 },
            "metadata": { "user_id": "u1" },
        }),
    );
    assert_eq!(
        body,
        json!({
            "model": "up",
            "instructions": "Be brief.\n\nBe kind.",
            "input": [
                { "type": "message", "role": "user", "content": [
                    { "type": "input_file", "file_url": "https://x.test/a.pdf" },
                    { "type": "input_text", "text": "What is this?" },
                ] },
                { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA" },
                { "type": "function_call", "call_id": "t1", "name": "look", "arguments": "{\"x\":1}" },
                { "type": "function_call_output", "call_id": "t1", "output": [
                    { "type": "input_text", "text": "The tool failed:" },
                    { "type": "input_text", "text": "too dark" },
                    { "type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA" },
                ] },
            ],
            "tools": [{ "type": "function", "name": "look", "parameters": function(), "strict": false }],
            "tool_choice": "required",
            "max_output_tokens": 77,
            "store": false,
            "reasoning": { "effort": "medium", "summary": "auto" },
            "include": ["reasoning.encrypted_content"],
            "user": "u1",
        })
    );
}

#[test]
fn a_response_becomes_a_chat_conversation() {
    let body = sent(
        "openai_compatible",
        &json!({
            "model": "m",
            "instructions": "Be brief.",
            "input": [
                { "role": "developer", "content": "Be kind." },
                { "role": "user", "content": [
                    { "type": "input_text", "text": "What is this?" },
                    { "type": "input_image", "detail": "low", "image_url": "https://x.test/a.png" },
                ] },
                { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA" },
                { "type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
                    { "type": "output_text", "text": "I look.", "annotations": [], "logprobs": [] },
                ] },
                { "type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "look", "input": "here" },
                { "type": "custom_tool_call_output", "call_id": "c1", "output": "a cat" },
            ],
            "tools": [{ "type": "custom", "name": "look", "description": "Looks.", "format": { "type": "text" } }],
            "tool_choice": { "type": "custom", "name": "look" },
            "text": { "format": { "type": "json_object" }, "verbosity": "low" },
            "reasoning": { "effort": "low", "summary": "auto" },
            "user": "u1", "safety_identifier": "u2", "stream": true, "max_output_tokens": 77,
        }),
    );
    assert_eq!(
        body.unwrap(),
        json!({
            "model": "up",
            "messages": [
                { "role": "system", "content": "Be brief.\n\nBe kind." },
                { "role": "user", "content": [
                    { "type": "text", "text": "What is this?" },
                    { "type": "image_url", "image_url": { "url": "https://x.test/a.png" } },
                ] },
                { "role": "assistant", "content": "I look.", "tool_calls": [
                    { "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{\"input\":\"here\"}" } },
                ] },
                { "role": "tool", "tool_call_id": "c1", "content": "a cat" },
            ],
            "max_tokens": 77,
            "stream": true,
            "stream_options": { "include_usage": true },
            "tools": [{ "type": "function", "function": { "name": "look", "description": "Looks.", "parameters": {
                "type": "object",
                "properties": { "input": { "type": "string", "description": "The whole input, as plain text." } },
                "required": ["input"],
                "additionalProperties": false,
            } } }],
            "tool_choice": { "type": "function", "function": { "name": "look" } },
            "response_format": { "type": "json_object" },
            "verbosity": "low",
            "reasoning_effort": "low",
            "user": "u2",
        })
    );
}
