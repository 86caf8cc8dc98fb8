//! What is said in Google's dialect is understood as it was meant.

use proptest::prelude::*;
use serde_json::{Number, json};

use super::{google, inbound};
use crate::codec::of;
use crate::dialect::Dialect::Gemini;
use crate::ir::{
    Content, Format, Given, Part, Reasoning, Request, Role, Source, Tool, ToolCall, ToolChoice,
};

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9 .,-]{0,20}"
}

fn medium() -> impl Strategy<Value = Content> {
    let source =
        |kind: &str| Source::Base64 { media_type: kind.to_owned(), data: "AAAA".to_owned() };
    prop_oneof![
        Just(Content::Image(source("image/png"))),
        Just(Content::Image(Source::Url("https://x.test/a.png".to_owned()))),
        Just(Content::Document { source: source("application/pdf"), name: None }),
        Just(Content::Audio(source("audio/wav"))),
    ]
}

fn number() -> impl Strategy<Value = Option<Given<Number>>> {
    proptest::option::of((0..100_u64).prop_map(|it| Given::new("", Number::from(it))))
}

fn part(content: Content) -> Part {
    Part::new("", content)
}

/// A question, perhaps with a call of a tool and its answer.
fn turns() -> impl Strategy<Value = Vec<(Role, Part)>> {
    let said = prop_oneof![word().prop_map(Content::Text), medium()];
    (said, word(), any::<bool>(), any::<bool>()).prop_map(|(said, result, calls, failed)| {
        let mut turns = vec![(Role::User, part(said))];
        if calls {
            let call = ToolCall {
                id: "c1".to_owned(),
                name: "look".to_owned(),
                arguments: json!({ "x": result }).as_object().cloned().unwrap_or_default(),
                signature: failed.then(|| "U0lH".to_owned()),
            };
            turns.push((Role::Assistant, part(Content::ToolCall(call))));
            let parts = vec![part(Content::Text(result))];
            let answer = Content::ToolResult { call: "c1".to_owned(), parts, failed };
            turns.push((Role::User, part(answer)));
        }
        turns
    })
}

fn reasoning() -> impl Strategy<Value = Reasoning> {
    let on = Reasoning { on: true, ..Reasoning::default() };
    prop_oneof![
        Just(Reasoning { budget: Some(2000), shown: true, ..on.clone() }),
        Just(Reasoning { effort: Some("low".to_owned()), ..on.clone() }),
        Just(Reasoning { effort: Some("high".to_owned()), shown: true, ..on }),
    ]
}

fn format() -> impl Strategy<Value = Format> {
    let schema = json!({ "type": "object", "properties": { "type": { "type": "string" } } });
    prop_oneof![Just(Format::Json), Just(Format::Schema { name: None, schema, strict: Some(true) }),]
}

fn choice() -> impl Strategy<Value = ToolChoice> {
    prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Any),
        Just(ToolChoice::Named("look".to_owned())),
    ]
}

prop_compose! {
    fn request()(
        system in proptest::option::of(word()),
        turns in turns(),
        tool in proptest::option::of(proptest::option::of(word())),
        choice in proptest::option::of(choice()),
        (temperature, top_p, top_k, seed) in (number(), number(), number(), number()),
        (frequency_penalty, presence_penalty) in (number(), number()),
        stop in proptest::option::of(word()),
        format in proptest::option::of(format()),
        reasoning in proptest::option::of(reasoning()),
    ) -> Request {
        let tools: Vec<Tool> = tool.into_iter().map(|description| Tool {
            at: String::new(),
            name: "look".to_owned(),
            description,
            schema: Some(json!({ "type": "object" })),
            strict: None,
            cache: None,
        }).collect();
        let mut request = Request {
            system: system.and_then(|it| Part::text("", &it)).into_iter().collect(),
            tool_choice: choice.filter(|_| !tools.is_empty()).map(|it| Given::new("", it)),
            tools,
            format: format.map(|it| Given::new("", it)),
            reasoning: reasoning.map(|it| Given::new("", it)),
            temperature, top_p, top_k, seed, frequency_penalty, presence_penalty,
            stop: stop.map(|it| Given::new("", vec![it])),
            ..Request::default()
        };
        for (role, part) in turns {
            request.push(role, vec![part]);
        }
        request
    }
}

/// The request without its places.
fn nowhere(mut request: Request) -> Request {
    fn forget<T>(given: &mut Option<Given<T>>) {
        if let Some(given) = given {
            given.at.clear();
        }
    }
    fn parts(parts: &mut [Part]) {
        for part in parts {
            part.at.clear();
            if let Content::ToolResult { parts: within, .. } = &mut part.content {
                nowhere_parts(within);
            }
        }
    }
    parts(&mut request.system);
    request.turns.iter_mut().for_each(|turn| parts(&mut turn.parts));
    request.tools.iter_mut().for_each(|tool| tool.at.clear());
    forget(&mut request.tool_choice);
    forget(&mut request.format);
    forget(&mut request.reasoning);
    for number in [
        &mut request.temperature,
        &mut request.top_p,
        &mut request.top_k,
        &mut request.seed,
        &mut request.frequency_penalty,
        &mut request.presence_penalty,
    ] {
        forget(number);
    }
    forget(&mut request.stop);
    request
}

fn nowhere_parts(parts: &mut [Part]) {
    for part in parts {
        part.at.clear();
    }
}

proptest! {
    #[test]
    fn a_request_survives_googles_dialect(request in request()) {
        // A model of this age takes budgets as they are; levels only stand for efforts.
        let budget = request.reasoning.as_ref().is_some_and(|it| it.value.budget.is_some());
        let model = if budget { "gemini-2.5-flash" } else { "gemini-3-flash" };
        let body = of(Gemini).encode_request(&request, &google(model), 99).unwrap();
        let inbound = inbound(Gemini, &body.into()).unwrap();
        prop_assert_eq!(inbound.max_output(), Some(99));
        let mut again = nowhere(of(Gemini).decode_request(&inbound).unwrap());
        // A call that was not Google's is marked so.
        for part in again.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            if let Content::ToolCall(call) = &mut part.content {
                call.signature.take_if(|it| it == super::super::proof::NOT_ITS_OWN);
            }
        }
        prop_assert_eq!(again, request);
    }
}
