//! Requests, and the tools in them.

use super::*;
use crate::codec::responses::tools::joined;

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
}

#[test]
fn what_codex_says_of_its_calls_is_understood() {
    let mut body: Value = serde_json::from_str(CODEX_LATER).unwrap();
    body["text"] = Value::Null;
    let request = Responses.decode_request(&inbound(&body)).unwrap();
    let parts = || request.turns.iter().flat_map(|turn| &turn.parts);
    let calls = parts().filter_map(|part| match &part.content {
        Content::ToolCall(call) => Some((call.name.as_str(), call.signature.as_deref())),
        _ => None,
    });
    assert!(calls.eq([
        ("exec_command", Some("Cg==")),
        ("apply_patch", Some("Cg==")),
        ("tool_search", Some("Cg==")),
        ("multi_agent_v1__close_agent", Some("Cg==")),
    ]));
    let thoughts = parts().filter(|part| {
        matches!(&part.content, Content::Thinking { text, signature }
            if text == "I think" && signature.as_deref() == Some("Eqx"))
    });
    assert_eq!(thoughts.count(), 4);
    let found = parts().find_map(|part| match &part.content {
        Content::ToolResult { call, parts, .. } if call == "toolu_tool_search" => Some(parts),
        _ => None,
    });
    let names = "multi_agent_v1__close_agent, multi_agent_v1__resume_agent";
    let told = format!("These tools can be called now: {names}");
    assert_eq!(found.unwrap()[0].content, Content::Text(told));
    assert!(request.tools.iter().any(|tool| tool.name == "multi_agent_v1__resume_agent"));
}

#[test]
fn the_outline_of_a_response_names_its_question_and_its_tools() {
    let outline = inbound(&serde_json::from_str(CODEX_LATER).unwrap()).outline();
    assert_eq!(outline.last_user, "do it");
    assert!(outline.system.starts_with("You are Codex"), "{}", outline.system);
    assert_eq!(outline.tools, ["exec_command", "apply_patch", "tool_search", "web_search"]);
    let outline = inbound(&serde_json::from_str(CODEX).unwrap()).outline();
    assert_eq!(outline.tools.last().unwrap(), "resume_agent");
    assert_eq!(outline.tool_results, 1);
}

#[test]
fn a_long_name_within_a_namespace_is_cut_and_stays_its_own() {
    let long = "n".repeat(60);
    let (one, two) = (joined(Some(&long), "first"), joined(Some(&long), "second"));
    assert!(one.len() <= 64 && two.len() <= 64 && one != two, "{one} {two}");
    assert_eq!(joined(Some("mcp__x__"), "go"), "mcp__x__go");
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
