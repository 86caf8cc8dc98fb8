//! Requests as they reach an upstream, and its answers as they come back, over a real socket.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use ralex_kernel::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Client;
use crate::answer::{Answer, AnswerStream};
use crate::dialect::{Dialect, Operation};
use crate::egress::EgressPolicy;
use crate::error::UpstreamError;
use crate::event_stream;
use crate::inbound::Inbound;
use crate::operation::{Kept, prepare_operation};
use crate::patience::{Patience, Timeouts};
use crate::prepare::{Prepared, Target, prepare};
use crate::spec::Specs;
use crate::usage::Usage;

mod careless;
mod parts;

/// What the upstream got.
struct Got {
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }
}

/// An upstream that answers one request.
async fn upstream(answer: Vec<u8>) -> (String, JoinHandle<Got>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut got = Vec::new();
        let head = loop {
            let mut part = [0; 4096];
            let length = socket.read(&mut part).await.unwrap();
            got.extend_from_slice(&part[..length]);
            if let Some(end) = got.windows(4).position(|it| it == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let body = got.split_off(head);
        let mut got = Got { head: String::from_utf8(got).unwrap(), body };
        let length = got.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut rest = vec![0; length - got.body.len()];
        socket.read_exact(&mut rest).await.unwrap();
        got.body.extend(rest);
        socket.write_all(&answer).await.unwrap();
        socket.shutdown().await.unwrap();
        got
    });
    (address, served)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn target(kind: &str, address: &str, model: &str) -> Target {
    Target {
        spec: Arc::clone(Specs::built_in().unwrap().find(kind).unwrap()),
        base_url: Some(address.parse().unwrap()),
        upstream_model: model.to_owned(),
        max_output: 1000,
        patience: Patience::default(),
    }
}

async fn send(prepared: &Prepared, key: &str) -> Result<Answer, UpstreamError> {
    let policy = EgressPolicy::new(["127.0.0.0/8".parse().unwrap()]);
    let client = Client::new(policy, Timeouts::default()).unwrap();
    client.send(prepared, Some(&Secret::new(key.to_owned()))).await
}

async fn collect(mut stream: AnswerStream) -> (Vec<u8>, Usage) {
    let (mut bytes, mut usage) = (Vec::new(), None);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.unwrap();
        bytes.extend_from_slice(&chunk.bytes);
        usage = chunk.usage;
    }
    (bytes, usage.unwrap())
}

fn frame(name: &str, said: &Value) -> Bytes {
    event_stream::write(name, &said.to_string())
}

fn question(streamed: bool) -> Inbound {
    let body = json!({ "model": "m", "stream": streamed, "max_tokens": 9,
        "messages": [{ "role": "user", "content": "Hi" }] });
    Inbound::parse(Dialect::OpenaiChat, body.to_string().into()).unwrap()
}

const MODEL: &str = "us.anthropic.claude-sonnet-4-6-v1:0";
const KEY: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG:token:eu-west-1";

#[tokio::test]
async fn a_stream_of_bedrock_is_asked_for_with_a_signature_and_read_from_its_frames() {
    let events = [
        frame("messageStart", &json!({ "role": "assistant" })),
        frame(
            "contentBlockDelta",
            &json!({ "contentBlockIndex": 0, "delta": { "text": "Hello" } }),
        ),
        frame("contentBlockStop", &json!({ "contentBlockIndex": 0 })),
        frame("messageStop", &json!({ "stopReason": "end_turn" })),
        frame("metadata", &json!({ "usage": { "inputTokens": 3, "outputTokens": 1 } })),
    ];
    let kind = "content-type: application/vnd.amazon.eventstream";
    let (address, served) = upstream(answer("200 OK", kind, &events.concat())).await;
    let prepared = prepare(&question(true), &target("bedrock", &address, MODEL), 500).unwrap();
    let Answer::Stream(stream) = send(&prepared, KEY).await.unwrap() else { panic!() };
    let (said, usage) = collect(stream).await;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains(r#""content":"Hello""#), "{said}");
    assert!(said.ends_with("data: [DONE]\n\n"), "{said}");
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.estimated), (3, 1, false));

    let got = served.await.unwrap();
    let path = "POST /model/us.anthropic.claude-sonnet-4-6-v1%3A0/converse-stream HTTP/1.1";
    assert_eq!(got.head.lines().next(), Some(path));
    let proof = got.header("authorization").unwrap();
    assert!(proof.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{proof}");
    let signed = "/eu-west-1/bedrock/aws4_request, \
                  SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=";
    assert!(proof.contains(signed), "{proof}");
    assert_eq!(got.header("x-amz-security-token"), Some("token"));
    assert!(!got.head.contains("K7MDENG"), "a secret key is never shown");
    let body: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(body["inferenceConfig"]["maxTokens"], 9);
}

#[tokio::test]
async fn a_provider_with_less_time_is_given_up_sooner() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    for (streamed, patience) in [
        (false, Patience { answer_ms: Some(20), ..Patience::default() }),
        (true, Patience { first_byte_ms: Some(20), ..Patience::default() }),
    ] {
        let target = Target { patience, ..target("openai_compatible", &address, "m") };
        let prepared = prepare(&question(streamed), &target, 500).unwrap();
        let failed = send(&prepared, "sk-1").await.unwrap_err();
        assert!(matches!(failed, UpstreamError::Timeout), "{failed:?}");
    }
}

#[tokio::test]
async fn a_provider_with_its_own_time_to_connect_is_reached_and_a_pause_ends_its_stream() {
    let begun = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        assert!(socket.read(&mut [0; 4096]).await.unwrap() > 0);
        let told = answer("200 OK", "content-type: text/event-stream", begun);
        socket.write_all(&told).await.unwrap();
        // Nothing more is said, and nothing is closed, until the other side has gone.
        while socket.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {}
    });
    let patience = Patience { connect_ms: Some(4321), idle_ms: Some(20), ..Patience::default() };
    let target = Target { patience, ..target("openai_compatible", &address, "m") };
    let prepared = prepare(&question(true), &target, 500).unwrap();
    let Answer::Stream(mut stream) = send(&prepared, "sk-1").await.unwrap() else { panic!() };
    assert!(stream.next().await.unwrap().is_ok());
    let failed = stream.next().await.unwrap().unwrap_err();
    assert!(matches!(failed, UpstreamError::Timeout), "{failed:?}");
    drop(stream);
    served.await.unwrap();
}

#[tokio::test]
async fn a_refusal_of_bedrock_is_told_in_its_words() {
    let headers =
        "content-type: application/json\r\nx-amzn-errortype: ValidationException:http://x";
    let body = br#"{"message":"The provided model identifier is invalid."}"#;
    let (address, served) = upstream(answer("400 Bad Request", headers, body)).await;
    let prepared = prepare(&question(false), &target("bedrock", &address, MODEL), 500).unwrap();
    let Err(UpstreamError::Status(refusal)) = send(&prepared, "ABSKkey").await else { panic!() };
    assert_eq!(refusal.kind.as_deref(), Some("ValidationException"));
    assert_eq!(
        (refusal.status, refusal.message.as_str()),
        (400, "The provided model identifier is invalid.")
    );
    assert_eq!(served.await.unwrap().header("authorization"), Some("Bearer ABSKkey"));
}

#[tokio::test]
async fn a_form_arrives_as_it_was_but_for_the_model() {
    let form = |model: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n\
             --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\
             Content-Type: audio/mpeg\r\n\r\nID3\r\n--b--\r\n"
        )
    };
    let kind = "multipart/form-data; boundary=b";
    let inbound =
        Inbound::parse_operation(Operation::Transcriptions, form("m").into(), Some(kind)).unwrap();
    let json = r#"{"text":"Hi","usage":{"type":"duration","seconds":7}}"#;
    let told = answer("200 OK", "content-type: application/json", json.as_bytes());
    let (address, served) = upstream(told).await;
    let prepared = prepare_operation(&inbound, &target("openai", &address, "whisper-1")).unwrap();
    let Answer::Whole { body, usage, .. } = send(&prepared, "sk-1").await.unwrap() else {
        panic!()
    };
    assert_eq!((body, usage.units), (Bytes::from_static(json.as_bytes()), 7));
    let got = served.await.unwrap();
    assert_eq!(got.head.lines().next(), Some("POST /v1/audio/transcriptions HTTP/1.1"));
    assert_eq!(got.header("content-type"), Some(kind));
    assert_eq!(String::from_utf8(got.body).unwrap(), form("whisper-1"));
}

#[tokio::test]
async fn sound_comes_back_with_its_type() {
    let body = json!({ "model": "m", "input": "hello", "voice": "v" }).to_string();
    let inbound = Inbound::parse_operation(Operation::Speech, body.into(), None).unwrap();
    let told = answer("200 OK", "content-type: audio/mpeg", b"\xff\xfbsound");
    let (address, served) = upstream(told).await;
    let prepared = prepare_operation(&inbound, &target("openai", &address, "tts-1")).unwrap();
    let Answer::Raw { content_type, body } = send(&prepared, "sk-1").await.unwrap() else {
        panic!()
    };
    let (bytes, usage) = collect(body).await;
    assert_eq!((content_type.as_str(), bytes.as_slice()), ("audio/mpeg", &b"\xff\xfbsound"[..]));
    assert_eq!(usage.units, 5);
    served.await.unwrap();
}

#[tokio::test]
async fn a_kept_file_is_deleted_without_a_body() {
    let kept = Kept { method: "DELETE", below: "/file-1", query: None };
    let inbound =
        Inbound::parse_kept(Operation::Files, Dialect::OpenaiChat, kept, Bytes::new(), None);
    let json = r#"{"id":"file-1","deleted":true}"#;
    let told = answer("200 OK", "content-type: application/json", json.as_bytes());
    let (address, served) = upstream(told).await;
    let prepared = prepare_operation(&inbound.unwrap(), &target("openai", &address, "")).unwrap();
    let Answer::Whole { body, usage, .. } = send(&prepared, "sk-1").await.unwrap() else {
        panic!()
    };
    assert_eq!((body, usage), (Bytes::from_static(json.as_bytes()), Usage::default()));
    let got = served.await.unwrap();
    assert_eq!(got.head.lines().next(), Some("DELETE /v1/files/file-1 HTTP/1.1"));
    assert_eq!((got.header("content-type"), got.header("content-length")), (None, None));
}
