//! Requests, in both directions.

use ralex_kernel::Code;
use serde_json::{Value, json};

use super::{carried, google, inbound, passed, target};
use crate::dialect::Dialect::{AnthropicMessages, Gemini, OpenaiChat};
use crate::inbound::{InPath, Inbound};
use crate::prepare::prepare;

fn to_messages(body: &Value) -> Value {
    carried(Gemini, body, AnthropicMessages, &target("anthropic")).unwrap()
}

fn to_gemini(body: &Value, model: &str) -> Value {
    carried(OpenaiChat, body, Gemini, &google(model)).unwrap()
}

#[test]
fn a_conversation_in_either_spelling_becomes_messages() {
    let camel = json!({
        "systemInstruction": { "parts": [{ "text": "Be brief." }] },
        "contents": [
            { "parts": [
                { "text": "What is this?" },
                { "inlineData": { "mimeType": "image/png", "data": "AAAA" } },
                { "fileData": { "mimeType": "application/pdf", "fileUri": "https://x.test/a.pdf" } },
            ] },
            { "role": "model", "parts": [
                { "text": "Let me " }, { "text": "look." },
                { "functionCall": { "name": "look", "args": { "x": 1 } }, "thoughtSignature": "R29vZ2xlcw==" },
                { "functionCall": { "name": "look", "args": {} } },
            ] },
            { "role": "function", "parts": [
                { "functionResponse": { "name": "look", "response": { "output": "a cat" } } },
                { "functionResponse": { "name": "look", "response": { "error": "too dark" } } },
            ] },
            { "role": "user", "parts": [{ "text": "So?" }] },
        ],
        "tools": [{ "functionDeclarations": [{ "name": "look", "description": "Looks.",
            "parameters": { "type": "OBJECT", "properties": { "x": { "type": "INTEGER" } } } }] }],
        "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["look"] } },
        "generationConfig": { "temperature": 0.5, "topP": 0.9, "topK": 40.0, "stopSequences": ["END"],
            "candidateCount": 1, "responseMimeType": "application/json",
            "responseSchema": { "type": "OBJECT", "propertyOrdering": ["a"] },
            "thinkingConfig": { "includeThoughts": true, "thinkingBudget": 0 } },
        "labels": { "team": "a" },
    });
    let expected = json!({
        "model": "up",
        "max_tokens": 500,
        "system": [{ "type": "text", "text": "Be brief." }],
        "messages": [
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?" },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } },
                { "type": "document", "source": { "type": "url", "url": "https://x.test/a.pdf" } },
            ] },
            { "role": "assistant", "content": [
                { "type": "text", "text": "Let me look." },
                { "type": "tool_use", "id": "call_0", "name": "look", "input": { "x": 1 } },
                { "type": "tool_use", "id": "call_1", "name": "look", "input": {} },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "call_0", "content": [{ "type": "text", "text": "a cat" }] },
                { "type": "tool_result", "tool_use_id": "call_1", "is_error": true,
                    "content": [{ "type": "text", "text": "too dark" }] },
                { "type": "text", "text": "So?" },
            ] },
        ],
        "tools": [{ "name": "look", "description": "Looks.",
            "input_schema": { "type": "object", "properties": { "x": { "type": "integer" } } } }],
        "tool_choice": { "type": "tool", "name": "look" },
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "stop_sequences": ["END"],
        "thinking": { "type": "disabled" },
        "output_config": { "format": { "type": "json_schema", "schema": { "type": "object" } } },
    });
    assert_eq!(to_messages(&camel), expected);
    assert_eq!(to_messages(&snake(&camel)), expected);
}

/// The same in `snake_case`; the keys of this test's schemas and arguments have no capitals.
fn snake(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let spelled = |key: &str| {
                let each = key.chars().map(|c| match c {
                    'A'..='Z' => format!("_{}", c.to_ascii_lowercase()),
                    c => c.to_string(),
                });
                each.collect::<String>()
            };
            fields.iter().map(|(key, value)| (spelled(key), snake(value))).collect()
        }
        Value::Array(values) => values.iter().map(snake).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[test]
fn a_chat_conversation_with_tools_becomes_contents() {
    let body = json!({
        "model": "m",
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?" },
                { "type": "image_url", "image_url": { "url": "https://x.test/a.webp?s=1" } },
                { "type": "input_audio", "input_audio": { "data": "AAAA", "format": "wav" } },
            ] },
            { "role": "assistant", "tool_calls": [
                { "id": "gemini_abc_0", "type": "function", "function": { "name": "look", "arguments": "{\"x\":1}" },
                    "extra_content": { "google": { "thought_signature": "U0lH" } } },
                { "id": "c2", "type": "function", "function": { "name": "see", "arguments": "" } },
            ] },
            { "role": "tool", "tool_call_id": "gemini_abc_0", "content": "a cat" },
            { "role": "tool", "tool_call_id": "c2", "content": "{\"seen\":true}" },
        ],
        "tools": [
            { "type": "function", "function": { "name": "look", "parameters": { "type": "object" }, "strict": true } },
            { "type": "function", "function": { "name": "see" } },
        ],
        "seed": 7, "presence_penalty": 0.1, "stop": "END", "user": "u1", "reasoning_effort": "low",
        "response_format": { "type": "json_schema", "json_schema": { "name": "a", "schema": { "type": "object" } } },
    });
    assert_eq!(
        to_gemini(&body, "gemini-3-flash"),
        json!({
            "systemInstruction": { "parts": [{ "text": "Be brief." }] },
            "contents": [
                { "role": "user", "parts": [
                    { "text": "What is this?" },
                    { "fileData": { "mimeType": "image/webp", "fileUri": "https://x.test/a.webp?s=1" } },
                    { "inlineData": { "mimeType": "audio/wav", "data": "AAAA" } },
                ] },
                { "role": "model", "parts": [
                    { "functionCall": { "name": "look", "args": { "x": 1 } }, "thoughtSignature": "U0lH" },
                    { "functionCall": { "id": "c2", "name": "see", "args": {} } },
                ] },
                { "role": "user", "parts": [
                    { "functionResponse": { "name": "look", "response": { "output": "a cat" } } },
                    { "functionResponse": { "id": "c2", "name": "see", "response": { "seen": true } } },
                ] },
            ],
            "tools": [{ "functionDeclarations": [
                { "name": "look", "parametersJsonSchema": { "type": "object" } }, { "name": "see" },
            ] }],
            "toolConfig": { "functionCallingConfig": { "mode": "VALIDATED" } },
            "generationConfig": {
                "maxOutputTokens": 500, "seed": 7, "presencePenalty": 0.1, "stopSequences": ["END"],
                "responseMimeType": "application/json", "responseJsonSchema": { "type": "object" },
                "thinkingConfig": { "thinkingLevel": "LOW" },
            },
        })
    );
}

#[test]
fn only_models_that_demand_a_proof_are_told_that_a_call_was_not_theirs() {
    let call = |id| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let body = json!({ "model": "m", "messages": [
        { "role": "user", "content": "x" },
        { "role": "assistant", "tool_calls": [call("a"), call("b")] },
    ] });
    let proof = |model, index: usize| {
        to_gemini(&body, model)["contents"][1]["parts"][index].get("thoughtSignature").cloned()
    };
    assert_eq!(proof("gemini-3-pro-preview", 0), Some(json!("skip_thought_signature_validator")));
    assert_eq!(proof("gemini-3-pro-preview", 1), None);
    assert_eq!(proof("gemini-2.5-flash", 0), None);
}

#[test]
fn thinking_is_asked_for_as_the_model_takes_it() {
    let thinking = |effort: &str, model| {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }],
            "reasoning_effort": effort });
        to_gemini(&body, model)["generationConfig"].get("thinkingConfig").cloned()
    };
    assert_eq!(thinking("high", "gemini-2.5-flash"), Some(json!({ "thinkingBudget": 24_576 })));
    assert_eq!(thinking("none", "gemini-2.5-flash"), Some(json!({ "thinkingBudget": 0 })));
    assert_eq!(thinking("none", "gemini-2.5-pro"), Some(json!({ "thinkingBudget": 128 })));
    assert_eq!(thinking("none", "gemini-2.0-flash"), None);
    assert_eq!(thinking("minimal", "gemini-3-flash"), Some(json!({ "thinkingLevel": "MINIMAL" })));
    assert_eq!(thinking("xhigh", "gemini-3.1-pro"), Some(json!({ "thinkingLevel": "HIGH" })));
}

#[test]
fn an_image_in_a_result_stands_where_the_model_looks() {
    let body = json!({ "model": "m", "max_tokens": 5, "messages": [
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "f", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "content": [
            { "type": "text", "text": "here" },
            { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AA" } },
        ] }] },
    ] });
    let parts = |model| {
        let body = carried(AnthropicMessages, &body, Gemini, &google(model)).unwrap();
        body["contents"][1]["parts"].clone()
    };
    let image = json!({ "inlineData": { "mimeType": "image/png", "data": "AA" } });
    let result = json!({ "id": "t", "name": "f", "response": { "output": "here" } });
    assert_eq!(parts("gemini-2.5-pro"), json!([{ "functionResponse": result }, image]));
    let mut whole = result;
    whole["parts"] = json!([image]);
    assert_eq!(parts("gemini-3-pro"), json!([{ "functionResponse": whole }]));
}

#[test]
fn a_picture_in_the_alphabet_of_addresses_becomes_one_that_others_read() {
    let carried = |data: &str| {
        let part = json!({ "inlineData": { "mimeType": "image/png", "data": data } });
        let body = json!({ "contents": [{ "parts": [part] }] });
        to_messages(&body)["messages"][0]["content"][0]["source"]["data"].clone()
    };
    assert_eq!(carried("-_8="), "+/8=");
    assert_eq!(carried("-_8"), "+/8=");
    assert_eq!(carried("+/8="), "+/8=");
}

#[test]
fn another_vendors_thought_comes_back_with_its_proof() {
    let proof = super::super::proof::thinking("S+/=");
    let sealed = super::super::proof::sealed("x");
    let body = json!({ "contents": [
        { "role": "user", "parts": [{ "text": "hi" }] },
        { "role": "model", "parts": [{ "text": "I ", "thought": true }] },
        { "role": "model", "parts": [{ "text": "think", "thought": true }] },
        { "role": "model", "parts": [{ "text": "", "thought": true, "thoughtSignature": proof }] },
        { "role": "model", "parts": [
            { "text": "", "thought": true, "thoughtSignature": sealed },
            { "text": "Google thinks", "thought": true, "thoughtSignature": "R29vZ2xlcw==" },
            { "text": "Hello" },
        ] },
        { "role": "model", "parts": [{ "text": " you" }] },
        { "role": "model", "parts": [{ "text": "" }] },
        { "role": "user", "parts": [{ "text": "again" }] },
    ] });
    assert_eq!(
        to_messages(&body)["messages"][1]["content"],
        json!([
            { "type": "thinking", "thinking": "I think", "signature": "S+/=" },
            { "type": "redacted_thinking", "data": "x" },
            { "type": "text", "text": "Hello you" },
        ])
    );
}

#[test]
fn what_google_has_and_others_lack_is_refused_by_name() {
    let user = json!([{ "role": "user", "parts": [{ "text": "hi" }] }]);
    for (field, value, path) in [
        ("cachedContent", json!("cachedContents/1"), "cachedContent"),
        ("tools", json!([{ "googleSearch": { "x": 1 } }]), "tools[0].googleSearch"),
        ("tools", json!([{ "code_execution": { "x": 1 } }]), "tools[0].code_execution"),
        (
            "safetySettings",
            json!([{ "category": "A", "threshold": "BLOCK_LOW_AND_ABOVE" }]),
            "safetySettings[0].threshold",
        ),
        ("generationConfig", json!({ "candidateCount": 2 }), "generationConfig.candidateCount"),
        (
            "generation_config",
            json!({ "response_logprobs": true }),
            "generation_config.response_logprobs",
        ),
        (
            "generationConfig",
            json!({ "responseModalities": ["IMAGE"] }),
            "generationConfig.responseModalities",
        ),
        (
            "generationConfig",
            json!({ "responseMimeType": "text/x.enum" }),
            "generationConfig.responseMimeType",
        ),
        ("toolConfig", json!({ "retrievalConfig": { "a": 1 } }), "toolConfig.retrievalConfig"),
        (
            "contents",
            json!([{ "parts": [{ "executableCode": { "code": "1" } }] }]),
            "contents[0].parts[0]",
        ),
        (
            "contents",
            json!([{ "parts": [{ "inlineData": { "mimeType": "video/mp4", "data": "A" } }] }]),
            "contents[0].parts[0].inlineData.mimeType",
        ),
        ("a_new_field", json!("x"), "a_new_field"),
    ] {
        let mut body = json!({ "contents": user });
        body[field] = value;
        let problem = carried(Gemini, &body, OpenaiChat, &target("openai")).unwrap_err();
        assert_eq!(
            (problem.code, problem.errors[0].path.as_str()),
            (Code::Unsupported, path),
            "{body}"
        );
    }
}

/// Tools that are only switched on have an empty object, which elsewhere says nothing.
#[test]
fn a_tool_that_google_runs_is_refused_also_where_it_has_no_settings() {
    let body =
        json!({ "contents": [{ "parts": [{ "text": "x" }] }], "tools": [{ "googleSearch": {} }] });
    let problem = carried(Gemini, &body, OpenaiChat, &target("openai")).unwrap_err();
    assert_eq!(problem.errors[0].path, "tools[0].googleSearch");
}

#[test]
fn the_callers_mistakes_are_named_by_their_paths() {
    let said = json!([{ "parts": [{ "text": "x" }] }]);
    for (body, path) in [
        (json!({}), "contents"),
        (json!({ "contents": [] }), "contents"),
        (json!({ "contents": "hi" }), "contents"),
        (json!({ "contents": [7] }), "contents[0]"),
        (json!({ "contents": [{ "parts": "x" }] }), "contents[0].parts"),
        (
            json!({ "contents": [{ "role": "bot", "parts": [{ "text": "x" }] }] }),
            "contents[0].role",
        ),
        (json!({ "contents": [{ "parts": [{ "text": 1 }] }] }), "contents[0].parts[0].text"),
        (json!({ "contents": [{ "parts": [{}] }] }), "contents[0].parts[0]"),
        (
            json!({ "contents": [{ "parts": [{ "functionResponse": { "name": "f" } }] }] }),
            "contents[0].parts[0].functionResponse.name",
        ),
        (
            json!({ "contents": said, "generationConfig": { "maxOutputTokens": 0 } }),
            "generationConfig.maxOutputTokens",
        ),
        (
            json!({ "contents": said, "generation_config": { "max_output_tokens": "9" } }),
            "generation_config.max_output_tokens",
        ),
        (
            json!({ "contents": said, "generationConfig": { "candidateCount": 9 } }),
            "generationConfig.candidateCount",
        ),
        (
            json!({ "contents": said, "generationConfig": {}, "generation_config": {} }),
            "generation_config",
        ),
        (
            json!({ "contents": said, "toolConfig": { "functionCallingConfig": { "mode": "SOME" } } }),
            "toolConfig.functionCallingConfig.mode",
        ),
    ] {
        let problem = carried(Gemini, &body, OpenaiChat, &target("openai")).unwrap_err();
        assert_eq!(problem.code, Code::InvalidRequest, "{body}");
        assert_eq!(problem.errors[0].path, path, "{body}");
    }
}

#[test]
fn between_google_and_google_only_a_missing_maximum_is_added() {
    for (text, expected) in [
        (
            r#"{ "contents":[{"parts":[{"text":"x"}]}] , "x_new": 1.10 }"#,
            r#"{ "contents":[{"parts":[{"text":"x"}]}] , "x_new": 1.10 ,"generationConfig":{"maxOutputTokens":500}}"#,
        ),
        (
            r#"{"contents":[{"parts":[]}],"generation_config":{ "topP" : 0.10 }}"#,
            r#"{"contents":[{"parts":[]}],"generation_config":{ "topP" : 0.10 ,"maxOutputTokens":500}}"#,
        ),
        (
            r#"{"generationConfig":{ },"contents":[{"parts":[]}]}"#,
            r#"{"generationConfig":{ "maxOutputTokens":500},"contents":[{"parts":[]}]}"#,
        ),
        (
            r#"{"generationConfig":null,"contents":[{"parts":[]}]}"#,
            r#"{"generationConfig":{"maxOutputTokens":500},"contents":[{"parts":[]}]}"#,
        ),
        (
            r#"{"contents":[{"parts":[]}],"generationConfig":{"max_output_tokens":null,"a":1}}"#,
            r#"{"contents":[{"parts":[]}],"generationConfig":{"max_output_tokens":500,"a":1}}"#,
        ),
        (
            r#"{"contents":[{"parts":[]}],"generationConfig":{"maxOutputTokens":7},"model":"models/asked"}"#,
            r#"{"contents":[{"parts":[]}],"generationConfig":{"maxOutputTokens":7},"model":"models/gemini-2.5-flash"}"#,
        ),
    ] {
        assert_eq!(passed(text).unwrap(), expected);
    }
}

#[test]
fn what_another_vendor_thought_does_not_reach_google() {
    let proof = super::super::proof::thinking("S");
    let text = json!({ "contents": [
        { "role": "user", "parts": [{ "text": "hi" }] },
        { "role": "model", "parts": [{ "text": "hm", "thought": true, "thoughtSignature": proof }] },
        { "role": "model", "parts": [
            { "text": "", "thought_signature": proof },
            { "functionCall": { "name": "f" }, "thoughtSignature": "U0lH" },
        ] },
    ], "generationConfig": { "maxOutputTokens": 5 } });
    let sent: Value = serde_json::from_str(&passed(&text.to_string()).unwrap()).unwrap();
    assert_eq!(
        sent["contents"],
        json!([
            { "role": "user", "parts": [{ "text": "hi" }] },
            { "role": "model", "parts": [{ "functionCall": { "name": "f" }, "thoughtSignature": "U0lH" }] },
        ])
    );
}

#[test]
fn a_maximum_that_stands_twice_is_refused_however_it_is_spelled() {
    for config in [
        r#"{"maxOutputTokens":9000,"maxOutputTokens":5}"#,
        r#"{"maxOutputTokens":9000,"maxOutput\u0054okens":5}"#,
        r#"{"max_output_tokens":9000,"maxOutputTokens":5}"#,
    ] {
        let text = format!(r#"{{"contents":[{{"parts":[]}}],"generationConfig":{config}}}"#);
        assert_eq!(passed(&text).unwrap_err().code, Code::InvalidRequest, "{config}");
    }
}

#[test]
fn the_address_names_the_model_and_the_manner() {
    let body = json!({ "contents": [{ "parts": [{ "text": "x" }] }] });
    let path = InPath { model: Some("asked".to_owned()), streamed: Some(true) };
    let streamed = Inbound::parse_at(Gemini, body.to_string().into(), path).unwrap();
    for (inbound, address) in [
        (inbound(Gemini, &body).unwrap(), "/v1beta/models/gemini-3-flash:generateContent"),
        (streamed, "/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse"),
    ] {
        let target = crate::prepare::Target {
            base_url: Some("https://generativelanguage.googleapis.com".parse().unwrap()),
            ..google("gemini-3-flash")
        };
        let url = prepare(&inbound, &target, 9).unwrap().url.unwrap();
        assert!(url.as_str().ends_with(address), "{url}");
    }
}
