//! Whatever is said here comes back as it was.

use proptest::prelude::*;
use serde_json::{Number, Value, json};

use super::{CODEX, inbound, whole, written};
use crate::codec::Codec;
use crate::codec::responses::Responses;
use crate::codec::tests::target;
use crate::ir::{
    Content, Delta, Finish, Format, Given, Part, Reasoning, Reply, Request, Role, Source, Tool,
    ToolCall, ToolChoice, Turn,
};
use crate::json::object as fields;
use crate::sse;
use crate::usage::Meter;

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 {}\"\\\\é\n]{1,12}"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_]{1,8}"
}

fn text() -> impl Strategy<Value = Content> {
    word().prop_map(Content::Text)
}

fn enclosed(kinds: &'static [&'static str]) -> impl Strategy<Value = Source> {
    let kind = proptest::sample::select(kinds).prop_map(str::to_owned);
    (kind, "[A-Za-z0-9+/]{4}").prop_map(|(media_type, data)| Source::Base64 { media_type, data })
}

fn elsewhere() -> impl Strategy<Value = Source> {
    prop_oneof![
        "https://x[.]test/[a-z]{1,8}".prop_map(Source::Url),
        "file-[a-z0-9]{4}".prop_map(Source::File),
    ]
}

fn image() -> impl Strategy<Value = Content> {
    prop_oneof![enclosed(&["image/png", "image/webp"]), elsewhere()].prop_map(Content::Image)
}

fn document() -> impl Strategy<Value = Content> {
    let kinds = &["application/pdf", "text/csv"];
    let named = (enclosed(kinds), name())
        .prop_map(|(source, name)| Content::Document { source, name: Some(name) });
    prop_oneof![named, elsewhere().prop_map(|source| Content::Document { source, name: None })]
}

fn part(content: impl Strategy<Value = Content>) -> impl Strategy<Value = Part> {
    content.prop_map(|content| Part::new("", content))
}

fn result() -> impl Strategy<Value = Content> {
    let parts = prop_oneof![
        part(text()).prop_map(|part| vec![part]),
        (part(text()), part(image())).prop_map(|(text, image)| vec![text, image]),
        Just(Vec::new()),
    ];
    (name(), parts).prop_map(|(call, parts)| Content::ToolResult { call, parts, failed: false })
}

fn object() -> impl Strategy<Value = crate::json::Object> {
    proptest::collection::btree_map(name(), word(), 0..3)
        .prop_map(|all| all.into_iter().map(|(key, value)| (key, json!(value))).collect())
}

fn call() -> impl Strategy<Value = Content> {
    (name(), name(), object()).prop_map(|(id, name, arguments)| {
        Content::ToolCall(ToolCall { id, name, arguments, signature: None })
    })
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let sound = enclosed(&["audio/wav", "audio/mp3"]).prop_map(Content::Audio);
    let asked = prop_oneof![4 => text(), 1 => image(), 1 => document(), 1 => sound, 2 => result()];
    let asked = proptest::collection::vec(part(asked), 1..4);
    let said = proptest::collection::vec(part(prop_oneof![text(), call()]), 1..4);
    proptest::collection::vec((asked, said), 1..4).prop_map(|rounds| {
        let turns = rounds.into_iter().flat_map(|(asked, said)| {
            [(Role::User, asked), (Role::Assistant, said)].map(|(role, parts)| Turn { role, parts })
        });
        turns.collect()
    })
}

fn given<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<Given<T>>> {
    proptest::option::of(value.prop_map(|value| Given::new("", value)))
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let tool = (proptest::option::of(word()), object(), any::<bool>());
    proptest::collection::btree_map(name(), tool, 1..4).prop_map(|tools| {
        let each = tools.into_iter().map(|(name, (description, schema, strict))| Tool {
            at: String::new(),
            name,
            description,
            schema: Some(Value::Object(schema)),
            strict: Some(strict),
            cache: None,
        });
        each.collect()
    })
}

fn number() -> impl Strategy<Value = Number> {
    (0..20_u32).prop_map(|tenths| Number::from_f64(f64::from(tenths) / 10.0).unwrap())
}

fn request() -> impl Strategy<Value = Request> {
    let choice = prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Any),
        name().prop_map(ToolChoice::Named),
    ];
    let schema = (name(), object(), any::<bool>()).prop_map(|(name, schema, strict)| {
        let (name, schema, strict) = (Some(name), Value::Object(schema), Some(strict));
        Format::Schema { name, schema, strict }
    });
    let effort = proptest::sample::select(&["minimal", "low", "high"][..]);
    let reasoning = (effort, any::<bool>()).prop_map(|(effort, shown)| Reasoning {
        on: true,
        effort: Some(effort.to_owned()),
        budget: None,
        shown,
    });
    let spoken = (proptest::option::of(part(text())), turns(), tools(), any::<bool>());
    let tuned = (given(number()), given(number()), given(name()), given(word()));
    let formed = given(prop_oneof![Just(Format::Json), schema]);
    (spoken, tuned, given(choice), given(any::<bool>()), formed, given(reasoning)).prop_map(
        |(spoken, tuned, tool_choice, parallel_tools, format, reasoning)| {
            let (system, turns, tools, streamed) = spoken;
            let (temperature, top_p, verbosity, user) = tuned;
            Request {
                system: system.into_iter().collect(),
                turns,
                tools,
                tool_choice,
                parallel_tools,
                format,
                reasoning,
                temperature,
                top_p,
                verbosity,
                user,
                streamed,
                ..Request::default()
            }
        },
    )
}

/// Without the places, which are another dialect's.
fn placeless(mut request: Request) -> Request {
    fn strip(part: &mut Part) {
        part.at.clear();
        if let Content::ToolResult { parts, .. } = &mut part.content {
            parts.iter_mut().for_each(strip);
        }
    }
    fn bare<T>(given: &mut Option<Given<T>>) {
        if let Some(given) = given {
            given.at.clear();
        }
    }
    request.system.iter_mut().for_each(strip);
    request.turns.iter_mut().flat_map(|turn| &mut turn.parts).for_each(strip);
    request.tools.iter_mut().for_each(|tool| tool.at.clear());
    bare(&mut request.tool_choice);
    bare(&mut request.parallel_tools);
    bare(&mut request.format);
    bare(&mut request.reasoning);
    bare(&mut request.temperature);
    bare(&mut request.top_p);
    bare(&mut request.verbosity);
    bare(&mut request.user);
    request
}

/// What a model may answer to Codex: texts and thoughts that follow each other are one.
fn answer() -> impl Strategy<Value = Vec<Content>> {
    let call = |name: &'static str, arguments: crate::json::Object| {
        let (id, name) = ("call_1".to_owned(), name.to_owned());
        Content::ToolCall(ToolCall { id, name, arguments, signature: None })
    };
    let content = prop_oneof![
        text(),
        word().prop_map(Content::Refusal),
        (word(), proptest::option::of("openai:rs:[a-zA-Z0-9]{1,8}"))
            .prop_map(|(text, signature)| Content::Thinking { text, signature }),
        "openai:rs:[a-zA-Z0-9]{1,8}".prop_map(Content::Sealed),
        object().prop_map(move |arguments| call("exec_command", arguments)),
        object().prop_map(move |arguments| call("multi_agent_v1__close_agent", arguments)),
        object().prop_map(move |arguments| call("tool_search", arguments)),
        word().prop_map(move |input| call("apply_patch", fields([("input", json!(input))]))),
    ];
    proptest::collection::vec(content, 1..6).prop_map(|mut contents| {
        contents.dedup_by(|a, b| {
            let repeats = !matches!(a, Content::ToolCall(_) | Content::Sealed(_));
            repeats && std::mem::discriminant(a) == std::mem::discriminant(b)
        });
        contents
    })
}

fn finish(contents: &[Content]) -> Finish {
    let calls = contents.iter().any(|content| matches!(content, Content::ToolCall(_)));
    if calls { Finish::ToolCalls } else { Finish::Stop }
}

/// The steps of an answer, its texts in pieces of so many characters.
fn steps(contents: &[Content], size: usize) -> Vec<Delta> {
    let pieces = |text: &str, delta: fn(String) -> Delta| -> Vec<Delta> {
        let characters: Vec<char> = text.chars().collect();
        characters.chunks(size).map(|piece| delta(piece.iter().collect())).collect()
    };
    let mut deltas = vec![Delta::Start { id: Some("resp_x".to_owned()), model: "m".to_owned() }];
    for content in contents {
        match content {
            Content::Text(text) => deltas.extend(pieces(text, Delta::Text)),
            Content::Refusal(text) => deltas.extend(pieces(text, Delta::Refusal)),
            Content::Thinking { text, signature } => {
                deltas.extend(pieces(text, Delta::Thinking));
                deltas.extend(signature.clone().map(Delta::Signature));
            }
            Content::Sealed(data) => deltas.push(Delta::Sealed(data.clone())),
            Content::ToolCall(call) => {
                let (id, name) = (call.id.clone(), call.name.clone());
                deltas.push(Delta::Call { id, name, signature: None });
                let arguments = Value::Object(call.arguments.clone()).to_string();
                deltas.extend(pieces(&arguments, Delta::Arguments));
            }
            other => panic!("{other:?} is no part of an answer"),
        }
    }
    deltas.push(Delta::Finish(finish(contents)));
    deltas
}

/// What the steps say, put together again; of proofs only what the vendor sealed.
fn gathered(deltas: &[Delta]) -> Vec<Content> {
    let proof = |proof: &str| Some(proof.rsplit(':').next().unwrap_or_default().to_owned());
    let mut contents: Vec<Content> = Vec::new();
    let mut arguments = String::new();
    for delta in deltas {
        match (delta, contents.last_mut()) {
            (Delta::Text(piece), Some(Content::Text(text)))
            | (Delta::Refusal(piece), Some(Content::Refusal(text)))
            | (Delta::Thinking(piece), Some(Content::Thinking { text, signature: None })) => {
                text.push_str(piece);
            }
            (Delta::Text(piece), _) => contents.push(Content::Text(piece.clone())),
            (Delta::Refusal(piece), _) => contents.push(Content::Refusal(piece.clone())),
            (Delta::Thinking(piece), _) => {
                contents.push(Content::Thinking { text: piece.clone(), signature: None });
            }
            (Delta::Signature(sealed), Some(Content::Thinking { signature, .. })) => {
                *signature = proof(sealed);
            }
            (Delta::Sealed(data), _) => {
                contents.push(Content::Sealed(proof(data).unwrap_or_default()));
            }
            (Delta::Call { id, name, .. }, _) => {
                arguments.clear();
                contents.push(Content::ToolCall(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: crate::json::Object::new(),
                    signature: None,
                }));
            }
            (Delta::Arguments(piece), Some(Content::ToolCall(call))) => {
                arguments.push_str(piece);
                call.arguments = serde_json::from_str(&arguments).unwrap_or_default();
            }
            (Delta::Start { .. } | Delta::Ping | Delta::Finish(_), _) => {}
            (delta, last) => panic!("{delta:?} after {last:?}"),
        }
    }
    contents
}

fn timeless(mut response: Value) -> Value {
    response["created_at"] = json!(0);
    response["completed_at"] = json!(0);
    response
}

proptest! {
    #[test]
    fn a_request_comes_back_as_it_was(request in request()) {
        let body = Responses.encode_request(&request, &target("openai"), 99).unwrap();
        let back = Responses.decode_request(&inbound(&Value::Object(body))).unwrap();
        prop_assert_eq!(placeless(back), request);
    }

    #[test]
    fn an_answer_comes_back_as_it_was(contents in answer()) {
        let asked = inbound(&serde_json::from_str(CODEX).unwrap());
        let parts = contents.iter().map(|it| Part::new("", it.clone())).collect();
        let reply = Reply {
            id: Some("resp_x".to_owned()),
            model: "m".to_owned(),
            parts,
            finish: finish(&contents),
        };
        let back = Responses.decode_reply(&whole(&reply, &asked)).unwrap();
        prop_assert_eq!(&back.finish, &reply.finish);
        let said: Vec<_> = back.parts.into_iter().map(|part| part.content).collect();
        prop_assert_eq!(gathered(&steps(&said, 99)), gathered(&steps(&contents, 99)));
    }

    #[test]
    fn a_stream_says_the_same_however_it_is_cut(
        contents in answer(),
        size in 1..20_usize,
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
    ) {
        let asked = inbound(&serde_json::from_str(CODEX).unwrap());
        let (bytes, events) = written(&asked, &steps(&contents, size));
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut lines = sse::Decoder::default();
        let mut decoder = Responses.decoder(Meter::new(asked.clone()));
        let mut deltas = Vec::new();
        for piece in cuts.windows(2) {
            lines.push(&bytes[piece[0]..piece[1]]);
            while let Some(event) = lines.event().unwrap() {
                decoder.event(&event, &mut deltas).unwrap();
            }
        }
        prop_assert_eq!(gathered(&deltas), gathered(&steps(&contents, 99)));
        prop_assert_eq!(deltas.last(), Some(&Delta::Finish(finish(&contents))));

        // The last event is the answer that would have come whole.
        let parts = contents.iter().map(|it| Part::new("", it.clone())).collect();
        let (id, model) = (Some("resp_x".to_owned()), "m".to_owned());
        let reply = Reply { id, model, parts, finish: finish(&contents) };
        let last = timeless(events.last().unwrap()["response"].clone());
        prop_assert_eq!(last, timeless(Value::Object(whole(&reply, &asked))));
        let numbers: Vec<_> =
            events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
        prop_assert!(numbers.iter().copied().eq(0..events.len() as u64), "{:?}", numbers);
    }
}
