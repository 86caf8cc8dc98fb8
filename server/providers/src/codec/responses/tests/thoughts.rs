//! Proofs of thoughts, on their way through several dialects.

use super::*;

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
