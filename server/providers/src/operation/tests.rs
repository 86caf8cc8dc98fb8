//! What operations become on their way, and what they cost.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use proptest::prelude::*;
use ralex_kernel::{Code, Problem};
use serde_json::{Value, json};

use super::{Arrived, Form, Kept, Pass, answer, prepare_operation, units};
use crate::answer::Answer;
use crate::dialect::{Dialect, Operation};
use crate::error::UpstreamError;
use crate::inbound::{InPath, Inbound};
use crate::prepare::{Prepared, Target};
use crate::relay::{Progress, Relay};
use crate::spec::Specs;
use crate::sse;
use crate::usage::{Meter, Usage};

fn target(kind: &str) -> Target {
    let spec = Arc::clone(Specs::built_in().unwrap().find(kind).unwrap());
    let base = spec.base_url.clone().or_else(|| "https://x.test".parse().ok());
    Target {
        spec,
        base_url: base,
        upstream_model: "up".to_owned(),
        max_output: 1000,
        patience: crate::Patience::default(),
    }
}

fn asked(operation: Operation, body: &Value) -> Inbound {
    Inbound::parse_operation(operation, body.to_string().into(), Some("application/json")).unwrap()
}

fn sent(operation: Operation, kind: &str, body: &Value) -> Result<Prepared, Problem> {
    prepare_operation(&asked(operation, body), &target(kind))
}

fn sent_body(operation: Operation, kind: &str, body: &Value) -> Value {
    serde_json::from_slice(&sent(operation, kind, body).unwrap().body).unwrap()
}

fn answered(prepared: &Prepared, answer: &Value) -> (Value, Usage) {
    let answer = super::operated(prepared, answer.to_string().into(), None).unwrap();
    let Answer::Whole { body, usage, .. } = answer else { panic!("{answer:?}") };
    (serde_json::from_slice(&body).unwrap(), usage)
}

const KIND: &str = "multipart/form-data; boundary=\"b0\"";

fn form(parts: &[(&str, &[u8])]) -> Bytes {
    let mut body = Vec::new();
    for (head, said) in parts {
        let head = format!("--b0\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        body.extend([head.as_bytes(), said, b"\r\n"].concat());
    }
    body.extend(b"--b0--\r\n");
    body.into()
}

fn wav(seconds: u32) -> Vec<u8> {
    let mut head = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    head.extend(16_000u32.to_le_bytes());
    head.extend(32_000u32.to_le_bytes());
    head.extend(2u16.to_le_bytes());
    head.resize(44, 0);
    head.resize(usize::try_from(32_000 * seconds).unwrap(), 0);
    head
}

#[test]
fn only_the_models_name_changes_in_json() {
    let text = r#" {"input": ["a"],"model":"m" , "x":1.10}"#;
    let kind = Some("application/json; charset=utf-8");
    let inbound = Inbound::parse_operation(Operation::Embeddings, text.into(), kind).unwrap();
    let prepared = prepare_operation(&inbound, &target("openai")).unwrap();
    assert_eq!(prepared.body, r#" {"input": ["a"],"model":"up" , "x":1.10}"#);
    assert_eq!(prepared.url.unwrap().as_str(), "https://api.openai.com/v1/embeddings");
    let azure = prepare_operation(&inbound, &target("azure_openai_deployments")).unwrap();
    assert_eq!(
        azure.url.unwrap().as_str(),
        "https://x.test/openai/deployments/up/embeddings?api-version=2024-10-21"
    );
}

#[test]
fn only_the_models_name_changes_in_a_form() {
    let sound = wav(3);
    let parts = |model: &'static [u8]| {
        form(&[
            ("name=\"file\"; filename=\"a \\\"b\\\".wav\"\r\nContent-Type: audio/wav", &sound),
            ("name=model", model),
            ("name=\"prompt\"", b"a --b0 is no end"),
            ("name=\"timestamp_granularities[]\"", b"word"),
            ("name=\"timestamp_granularities[]\"", b"segment"),
        ])
    };
    let inbound =
        Inbound::parse_operation(Operation::Transcriptions, parts(b"m"), Some(KIND)).unwrap();
    assert_eq!((inbound.model(), inbound.worst_units()), ("m", 3));
    let prepared = prepare_operation(&inbound, &target("openai")).unwrap();
    assert_eq!(prepared.body, parts(b"up"));
    assert_eq!(inbound.manner().content_type.as_deref(), Some(KIND));
    let changed = inbound.with_texts(|_, text| (text != "m").then(|| format!("{text}!"))).unwrap();
    let changed = changed.unwrap();
    assert_eq!(changed.body()["prompt"], "a --b0 is no end!");
    assert_eq!(changed.worst_units(), 3);
}

#[test]
fn a_form_that_could_be_read_in_two_ways_is_refused() {
    let file: (&str, &[u8]) = ("name=\"file\"; filename=\"a.mp3\"", b"x");
    let model: (&str, &[u8]) = ("name=\"model\"", b"m");
    let whole = form(&[file, model]);
    for (body, kind) in [
        (form(&[file, model, model]), KIND),
        (form(&[model]), KIND),
        (form(&[file]), KIND),
        (whole.slice(..whole.len() - 8), KIND),
        (whole.clone(), "multipart/form-data"),
        (whole.clone(), "multipart/form-data; boundary=other"),
        (form(&[file, ("x=\"model\"", b"m")]), KIND),
    ] {
        let refused = Inbound::parse_operation(Operation::Transcriptions, body, Some(kind));
        assert_eq!(refused.unwrap_err().code, Code::InvalidRequest);
    }
    assert!(Inbound::parse_operation(Operation::Transcriptions, whole, Some(KIND)).is_ok());
}

fn heard(bytes: &[u8]) -> (u64, u64) {
    let body = form(&[("name=\"file\"; filename=\"a\"", bytes), ("name=\"model\"", b"m")]);
    let inbound = Inbound::parse_operation(Operation::Transcriptions, body, Some(KIND)).unwrap();
    (units::units(&inbound).likely, inbound.worst_units())
}

#[test]
fn the_length_of_sound_is_never_underestimated_from_a_head_that_lies() {
    assert_eq!(heard(&wav(3)), (3, 3));
    let mut silent = wav(3);
    silent[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(heard(&silent), (24, 128), "it is counted as what nobody knows");
    let mut flac = b"fLaC\0\0\0\x22".to_vec();
    flac.extend([0; 10]);
    flac.extend(((16_000u64 << 44) + 48_000).to_be_bytes());
    flac.resize(2_000, 0);
    assert_eq!(heard(&flac), (4, 4));
    flac.resize(9_000_000, 0);
    assert_eq!(heard(&flac).1, 12_000);
    assert_eq!(heard(&[b"ID3".as_slice(), &[0; 15_997]].concat()), (2, 16));
}

proptest! {
    #[test]
    fn no_form_makes_it_panic_and_what_is_read_is_in_it(
        parts in proptest::collection::vec("(--b0|\r\n|\r\n--b0|--|: |;|name=\"|\"|filename|[a-z]{1,4}|\\\\|Content-Disposition: form-data; name=)", 0..40),
    ) {
        let raw = Bytes::from(format!("--b0\r\n{}", parts.concat()));
        if let Ok((form, body, spans)) = Form::read(&raw, KIND) {
            for file in &form.files {
                prop_assert!(raw.get(file.span.clone()).is_some());
            }
            for (name, span) in &spans {
                let said = std::str::from_utf8(&raw[span.clone()]).unwrap();
                let last = spans.iter().rfind(|(other, _)| other == name).unwrap();
                prop_assert!(last.1 != *span || body[name] == said);
            }
        }
    }

    #[test]
    fn a_form_is_read_as_it_was_written(
        texts in proptest::collection::hash_map("[a-z]{1,8}", "\\PC{0,30}", 1..5),
    ) {
        let heads: Vec<(String, String)> =
            texts.iter().map(|(name, said)| (format!("name=\"{name}\""), said.clone())).collect();
        let parts: Vec<(&str, &[u8])> =
            heads.iter().map(|(head, said)| (head.as_str(), said.as_bytes())).collect();
        prop_assume!(texts.values().all(|said| !said.contains("--b0")));
        let (_, body, _) = Form::read(&form(&parts), KIND).unwrap();
        for (name, said) in &texts {
            prop_assert_eq!(body[name].as_str(), Some(said.as_str()));
        }
    }
}

#[test]
fn images_are_changed_and_varied_at_the_price_of_made_ones() {
    let body = form(&[
        ("name=\"image[]\"; filename=\"a.png\"", b"x"),
        ("name=\"model\"", b"m"),
        ("name=\"prompt\"", b"p"),
        ("name=\"n\"", b"3"),
    ]);
    let inbound = Inbound::parse_operation(Operation::ImageEdits, body, Some(KIND)).unwrap();
    let prepared = prepare_operation(&inbound, &target("openai")).unwrap();
    assert_eq!(prepared.url.as_ref().unwrap().path(), "/v1/images/edits");
    assert_eq!((inbound.worst_units(), inbound.answers()), (3, 3));
    let form_of_one = inbound.input_tokens();
    let (_, used) = answered(&prepared, &json!({ "data": [{}, {}, {}] }));
    assert_eq!((used.units, used.output_tokens), (3, 0));

    let body = json!({ "model": "m", "prompt": "p", "stream": true,
        "images": [{ "image_url": "https://x.test/a.png" }], "mask": { "file_id": "file-1" } });
    let inbound = asked(Operation::ImageEdits, &body);
    assert!(inbound.streamed());
    assert!(inbound.input_tokens() > form_of_one, "a mask is an image too");
    let body = form(&[("name=\"image\"; filename=\"a.png\"", b"x"), ("name=\"model\"", b"m")]);
    let inbound = Inbound::parse_operation(Operation::ImageVariations, body, Some(KIND)).unwrap();
    let prepared = prepare_operation(&inbound, &target("openai")).unwrap();
    assert_eq!(prepared.url.unwrap().path(), "/v1/images/variations");
    for (operation, body, path) in [
        (Operation::ImageEdits, json!({ "model": "m", "prompt": "p" }), "image"),
        (Operation::ImageEdits, json!({ "model": "m", "image": "data:" }), "prompt"),
        (Operation::ImageVariations, json!({ "model": "m", "image": "data:" }), "image"),
    ] {
        let refused = Inbound::parse_operation(operation, body.to_string().into(), None);
        assert_eq!(refused.unwrap_err().errors[0].path, path);
    }
}

#[test]
fn what_is_not_offered_is_refused_by_name() {
    let body = json!({ "model": "m", "input": "x" });
    for (operation, kind) in [
        (Operation::Embeddings, "anthropic"),
        (Operation::Speech, "mistral"),
        (Operation::Moderations, "jina"),
    ] {
        let problem = sent(operation, kind, &body).unwrap_err();
        assert_eq!(problem.code, Code::Unsupported);
        assert!(problem.detail.contains(operation.as_str()), "{}", problem.detail);
    }
    for (operation, body, path) in [
        (Operation::Embeddings, json!({ "model": "m" }), "input"),
        (Operation::Rerank, json!({ "model": "m", "query": "q" }), "documents"),
        (Operation::Images, json!({ "model": "m", "prompt": "p", "n": 99 }), "n"),
        (Operation::Speech, json!({ "input": "x" }), "model"),
    ] {
        let refused = Inbound::parse_operation(operation, body.to_string().into(), None);
        assert_eq!(refused.unwrap_err().errors[0].path, path);
    }
}

#[test]
fn what_is_kept_is_reached_below_its_own_address_only() {
    let kept = |method, below, query| {
        let kept = Kept { method, below, query };
        Inbound::parse_kept(Operation::Files, Dialect::OpenaiChat, kept, Bytes::new(), None)
    };
    let inbound = kept("GET", "/file-1/content", Some("limit=2")).unwrap();
    let prepared = prepare_operation(&inbound, &target("openai")).unwrap();
    let url = prepared.url.unwrap();
    assert_eq!(url.as_str(), "https://api.openai.com/v1/files/file-1/content?limit=2");
    assert_eq!((inbound.manner().method.as_str(), &inbound.manner().content_type), ("GET", &None));
    for below in ["/../fine_tuning", "/a//b", "/..", "a", "/a%2fb", "/a?b", "/a#b", "//evil.test"] {
        assert_eq!(kept("GET", below, None).unwrap_err().code, Code::NotFound, "{below}");
    }
    // Another family's files are none that this caller could read.
    let problem = prepare_operation(&inbound, &target("anthropic")).unwrap_err();
    assert_eq!(problem.code, Code::Unsupported);
}

#[test]
fn a_conversation_is_counted_here_where_the_provider_cannot_be_asked() {
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hello world" }] });
    let there = sent(Operation::CountTokens, "anthropic", &body).unwrap();
    assert_eq!(there.url.unwrap().path(), "/v1/messages/count_tokens");
    let here = sent(Operation::CountTokens, "openai", &body).unwrap();
    assert_eq!(here.url, None);
    let Answer::Whole { body, usage, .. } = super::count_here(&here.inbound) else { panic!() };
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert!(body["input_tokens"].as_u64().is_some_and(|count| count > 2), "{body}");
    assert_eq!(usage, Usage::default());
}

#[test]
fn a_ranking_is_asked_for_in_the_providers_words() {
    let plain = json!({ "model": "m", "query": "q", "documents": ["a", "b"], "top_n": 1 });
    let renamed =
        |name: &str| json!({ "model": "up", "query": "q", "documents": ["a", "b"], name: 1 });
    for (kind, name) in [("cohere", "top_n"), ("jina", "top_n"), ("voyage", "top_k")] {
        assert_eq!(sent_body(Operation::Rerank, kind, &plain), renamed(name), "{kind}");
    }
    let wrapped = json!({ "model": "m", "query": "q", "documents": [{ "text": "a" }, "b"],
        "top_k": 1, "return_documents": true, "truncation": true });
    assert_eq!(sent_body(Operation::Rerank, "cohere", &wrapped), renamed("top_n"));
    let mut jina = renamed("top_n");
    jina["return_documents"] = json!(true);
    assert_eq!(sent_body(Operation::Rerank, "jina", &wrapped), jina);
    for (field, value) in [
        ("max_tokens_per_doc", json!(9)),
        ("rank_fields", json!(["x"])),
        ("truncation", json!(false)),
    ] {
        let mut body = wrapped.clone();
        body[field] = value;
        let problem = sent(Operation::Rerank, "jina", &body).unwrap_err();
        assert_eq!((problem.code, problem.errors[0].path.as_str()), (Code::Unsupported, field));
    }
    let image = json!({ "model": "m", "query": "q", "documents": [{ "image": "u" }] });
    let problem = sent(Operation::Rerank, "voyage", &image).unwrap_err();
    assert_eq!(problem.errors[0].path, "documents[0].image");
}

#[test]
fn a_ranking_is_answered_in_the_callers_words() {
    let plain = json!({ "model": "m", "query": "q", "documents": ["a", "b"],
        "return_documents": true });
    let voyage = json!({ "model": "m", "query": "q", "documents": ["a", "b"], "top_k": 2,
        "return_documents": true });
    let of_cohere = json!({ "id": "1", "results": [{ "index": 1, "relevance_score": 0.9 }],
        "meta": { "billed_units": { "search_units": 2 } } });
    let of_voyage = json!({ "object": "list", "model": "v", "usage": { "total_tokens": 7 },
        "data": [{ "index": 1, "relevance_score": 0.9, "document": "b" }] });
    let of_jina = json!({ "model": "j", "usage": { "total_tokens": 7 },
        "results": [{ "index": 1, "relevance_score": 0.9, "document": { "text": "b" } }] });
    let ask = |kind, body: &Value| sent(Operation::Rerank, kind, body).unwrap();

    let (said, usage) = answered(&ask("cohere", &plain), &of_cohere);
    assert_eq!(said["results"], of_jina["results"]);
    assert_eq!((usage.units, usage.input_tokens, usage.estimated), (2, 0, false));
    let (said, usage) = answered(&ask("voyage", &plain), &of_voyage);
    assert_eq!(said["results"], of_jina["results"]);
    assert_eq!((usage.input_tokens, usage.estimated), (7, false));
    let (said, _) = answered(&ask("jina", &voyage), &of_jina);
    assert_eq!(said["data"], of_voyage["data"]);
    let (said, _) = answered(&ask("jina", &plain), &of_jina);
    assert_eq!(said, of_jina, "what is in the caller's words already passes untouched");
    let (said, _) = answered(&ask("voyage", &voyage), &of_voyage);
    assert_eq!(said, of_voyage);
}

#[test]
fn searches_count_long_documents_several_times() {
    let body = |documents: usize, words: usize| {
        let documents = vec!["word ".repeat(words); documents];
        asked(Operation::Rerank, &json!({ "model": "m", "query": "q", "documents": documents }))
    };
    assert_eq!(units::units(&body(100, 10)).likely, 1);
    assert_eq!(units::units(&body(101, 10)).likely, 2);
    assert_eq!(units::units(&body(100, 700)).likely, 2);
    let inbound = body(3, 10);
    assert!(inbound.worst_units() >= units::units(&inbound).likely);
    assert!(inbound.counted_tokens() >= 33, "the query counts with each document");
}

#[test]
fn what_was_used_is_read_in_each_of_its_forms() {
    let speech = json!({ "model": "m", "input": "héllo", "voice": "v" });
    assert_eq!(asked(Operation::Speech, &speech).worst_units(), 5);
    let embeddings = json!({ "model": "m", "input": [[1, 2, 3], [4]] });
    let prepared = sent(Operation::Embeddings, "openai", &embeddings).unwrap();
    assert_eq!(prepared.inbound.input_tokens(), 4);
    for (usage, tokens) in [
        (json!({ "prompt_tokens": 8, "total_tokens": 8 }), 8),
        (json!({ "total_tokens": 9 }), 9),
        (Value::Null, 4),
    ] {
        let (_, used) = answered(&prepared, &json!({ "data": [], "usage": usage }));
        assert_eq!((used.input_tokens, used.estimated), (tokens, usage.is_null()));
    }
    let images = json!({ "model": "m", "prompt": "p", "n": 2 });
    let prepared = sent(Operation::Images, "openai", &images).unwrap();
    let (_, used) = answered(
        &prepared,
        &json!({ "data": [{}, {}], "usage": {
        "input_tokens": 50, "output_tokens": 100, "total_tokens": 150,
        "input_tokens_details": { "text_tokens": 10, "image_tokens": 40 } } }),
    );
    assert_eq!((used.units, used.input_tokens, used.output_tokens), (2, 50, 100));
    let (_, used) = answered(&prepared, &json!({ "data": [{}] }));
    assert_eq!((used.units, used.estimated), (1, false));

    let sound = wav(3);
    let body = form(&[("name=\"file\"; filename=\"a\"", &sound), ("name=\"model\"", b"m")]);
    let inbound = Inbound::parse_operation(Operation::Transcriptions, body, Some(KIND)).unwrap();
    let prepared = prepare_operation(&inbound, &target("openai")).unwrap();
    for (answer, units, heard, estimated) in [
        (json!({ "text": "x", "usage": { "type": "duration", "seconds": 2 } }), 2, 0, false),
        (json!({ "text": "x", "duration": 2.2 }), 3, 0, false),
        (json!({ "text": "x", "duration": "2.2" }), 3, 0, false),
        (
            json!({ "text": "x", "usage": { "type": "tokens", "input_tokens": 14,
                "input_token_details": { "text_tokens": 4, "audio_tokens": 10 },
                "output_tokens": 5, "total_tokens": 19 } }),
            3,
            10,
            false,
        ),
        (json!({ "text": "x" }), 3, 51, true),
    ] {
        let (_, used) = answered(&prepared, &answer);
        let got = (used.units, used.audio_input_tokens, used.estimated);
        assert_eq!(got, (units, heard, estimated), "{answer}");
    }
}

#[tokio::test]
async fn sound_passes_as_it_arrives_and_ends_with_its_usage() {
    let body = json!({ "model": "m", "input": "hello", "voice": "v" });
    let prepared = sent(Operation::Speech, "openai", &body).unwrap();
    let parts = [Ok(Bytes::from_static(b"\xff\xfb")), Ok(Bytes::from_static(b"more"))];
    let arrived = |parts: Vec<_>| Arrived {
        content_type: "audio/mpeg".to_owned(),
        arriving: stream::iter(parts).boxed(),
        idle: Duration::from_secs(1),
    };
    let answer = answer::raw(&prepared, arrived(parts.to_vec()), None).unwrap();
    let Answer::Raw { content_type, body } = answer else { panic!("{answer:?}") };
    assert_eq!(content_type, "audio/mpeg");
    let chunks: Vec<_> = body.map(Result::unwrap).collect().await;
    assert_eq!(chunks.len(), 3);
    assert_eq!(chunks[2].usage.unwrap().units, 5);
    let cut = vec![Ok(Bytes::from_static(b"x")), Err(UpstreamError::Cut)];
    let answer = answer::raw(&prepared, arrived(cut), None).unwrap();
    let Answer::Raw { body, .. } = answer else { panic!("{answer:?}") };
    let chunks: Vec<_> = body.collect().await;
    assert_eq!(chunks.last().unwrap(), &Err(UpstreamError::Cut));
}

#[test]
fn events_pass_on_and_the_last_one_tells_what_was_used() {
    let body = json!({ "model": "m", "prompt": "p", "stream": true });
    let inbound = asked(Operation::Images, &body);
    assert!(inbound.streamed());
    let meter = Meter::new(inbound.clone());
    let mut relay = Pass::new(meter.clone(), &inbound);
    assert!(meter.usage().estimated);
    let mut out = Vec::new();
    let events = "event: a\ndata: {\"type\":\"image_generation.partial_image\"}\n\n\
        data: {\"type\":\"image_generation.completed\",\"usage\":{\"input_tokens\":3,\"output_tokens\":9,\"total_tokens\":12}}\n\n";
    let mut decoder = sse::Decoder::default();
    decoder.push(events.as_bytes());
    assert_eq!(Pass::new(meter.clone(), &inbound).end(&mut out), Err(UpstreamError::Cut));
    while let Some(event) = decoder.event().unwrap() {
        assert_eq!(relay.event(&event, &mut out), Ok(Progress::Going));
    }
    assert_eq!(relay.end(&mut out), Ok(()));
    assert_eq!(out, events.as_bytes());
    let usage = meter.usage();
    assert_eq!((usage.units, usage.output_tokens, usage.estimated), (1, 9, false));
}

#[test]
fn the_address_may_name_the_model_of_a_count() {
    let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] });
    let path = InPath { model: Some("g".to_owned()), streamed: None };
    let inbound = Inbound::parse_operation_at(
        Operation::CountTokens,
        Dialect::Gemini,
        body.to_string().into(),
        None,
        path,
    )
    .unwrap();
    let prepared = prepare_operation(&inbound, &target("gemini")).unwrap();
    assert_eq!(prepared.url.unwrap().path(), "/v1beta/models/up:countTokens");
    let sent: Value = serde_json::from_slice(&prepared.body).unwrap();
    assert_eq!(sent["generateContentRequest"]["contents"], body["contents"]);
}

#[test]
fn embeddings_are_asked_of_google_in_its_form_and_answered_in_the_callers() {
    let body = json!({ "model": "m", "input": ["a", "b"] });
    let prepared = sent(Operation::Embeddings, "gemini", &body).unwrap();
    assert_eq!(prepared.url.as_ref().unwrap().path(), "/v1beta/models/up:batchEmbedContents");
    let answer = json!({ "embeddings": [{ "values": [1.5] }, { "values": [2.5] }],
        "usageMetadata": { "promptTokenCount": 6 } });
    let (said, usage) = answered(&prepared, &answer);
    assert_eq!(said["data"][1]["embedding"], json!([2.5]));
    assert_eq!((said["usage"]["total_tokens"].as_u64(), usage.input_tokens), (Some(6), 6));
}
