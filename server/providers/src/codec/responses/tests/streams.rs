//! Events.

use super::*;

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
