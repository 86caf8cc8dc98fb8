//! The way out, against a provider that misbehaves as it is told.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by them")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use ralex_kernel::{Code, Secret};
use ralex_providers::{
    Answer, AnswerStream, Client, Dialect, EgressPolicy, Inbound, Patience, ProviderSpec, Specs,
    Target, Timeouts, ToolUse, UpstreamError, Usage, prepare,
};
use ralex_tests::upstream::{Script, ScriptedUsage, ToolCall, Upstream};
use serde_json::{Value, json};

const CHAT: Dialect = Dialect::OpenaiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;
const COMPATIBLE: &str = "openai_compatible";
const ANTHROPIC: &str = "anthropic";
/// Both providers for both kinds of caller.
const ALL: [(Dialect, &str); 4] =
    [(CHAT, COMPATIBLE), (CHAT, ANTHROPIC), (MESSAGES, COMPATIBLE), (MESSAGES, ANTHROPIC)];
const KEY: &str = "sk-canary";
const NO_TOOLS: ToolUse =
    ToolUse { container_gigabytes: 0, code_runs: 0, file_searches: 0, grounded_answers: 0 };
const COUNTS: Usage = Usage {
    input_tokens: 11,
    output_tokens: 7,
    cache_read_tokens: 5,
    cache_write_tokens: 0,
    cache_write_1h_tokens: 0,
    audio_input_tokens: 0,
    audio_output_tokens: 0,
    reasoning_tokens: 0,
    units: 0,
    tools: NO_TOOLS,
    estimated: false,
};

fn spec(kind: &str) -> Arc<ProviderSpec> {
    Specs::built_in().unwrap().find(kind).unwrap().clone()
}

struct Fixture {
    upstream: Upstream,
    client: Client,
}

impl Fixture {
    fn new() -> Self {
        let timeouts = Timeouts {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_millis(300),
            whole: Duration::from_millis(300),
            idle: Duration::from_millis(300),
        };
        let policy = EgressPolicy::new(["127.0.0.0/8".parse().unwrap()]);
        Self {
            upstream: Upstream::start("127.0.0.1:0").unwrap(),
            client: Client::new(policy, timeouts).unwrap(),
        }
    }

    async fn call(
        &self,
        dialect: Dialect,
        kind: &str,
        body: Value,
    ) -> Result<Answer, UpstreamError> {
        let inbound = Inbound::parse(dialect, body.to_string().into()).unwrap();
        let target = Target {
            spec: spec(kind),
            base_url: Some(self.upstream.url().parse().unwrap()),
            upstream_model: "m".to_owned(),
            max_output: 100,
            patience: Patience::default(),
        };
        let prepared = prepare(&inbound, &target, 50).unwrap();
        self.client.send(&prepared, Some(&Secret::new(KEY.to_owned()))).await
    }

    async fn whole(&self, dialect: Dialect, kind: &str, body: Value) -> (Value, Usage) {
        match self.call(dialect, kind, body).await.unwrap() {
            Answer::Whole { body, usage, .. } => (serde_json::from_slice(&body).unwrap(), usage),
            Answer::Stream(_) | Answer::Raw { .. } => panic!("a plain answer was asked for"),
        }
    }

    async fn stream(&self, dialect: Dialect, kind: &str) -> AnswerStream {
        match self.call(dialect, kind, ask(true)).await.unwrap() {
            Answer::Stream(stream) => stream,
            Answer::Whole { .. } | Answer::Raw { .. } => panic!("a stream was asked for"),
        }
    }
}

fn ask(stream: bool) -> Value {
    json!({ "model": "any", "messages": [{ "role": "user", "content": "hello there" }],
        "stream": stream })
}

fn scripted() -> Script {
    Script {
        text: Some("One two three.".to_owned()),
        tool_call: Some(ToolCall {
            name: "weather".to_owned(),
            arguments: json!({ "city": "Oslo" }),
            id: None,
        }),
        usage: Some(ScriptedUsage::Counts(ralex_tests::upstream::Usage {
            input_tokens: 11,
            output_tokens: 7,
            cache_read_tokens: 5,
            ..Default::default()
        })),
        ..Script::default()
    }
}

/// All bytes, the final usage, and the error that ended it.
async fn drain(mut stream: AnswerStream) -> (String, Option<Usage>, Option<UpstreamError>) {
    let (mut bytes, mut usage) = (Vec::new(), None);
    while let Some(item) = stream.next().await {
        match item {
            Ok(chunk) => {
                bytes.extend_from_slice(&chunk.bytes);
                usage = chunk.usage.or(usage);
            }
            Err(error) => return (String::from_utf8(bytes).unwrap(), usage, Some(error)),
        }
    }
    (String::from_utf8(bytes).unwrap(), usage, None)
}

/// The JSON of every event.
fn events(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter_map(|data| serde_json::from_str(data).ok()).collect()
}

/// Text, name of the called tool, its arguments, and why it ended.
fn gathered(dialect: Dialect, events: &[Value]) -> (String, String, String, String) {
    let (mut text, mut name, mut arguments, mut end) = Default::default();
    let add = |to: &mut String, value: &Value| to.push_str(value.as_str().unwrap_or_default());
    for event in events {
        match dialect {
            Dialect::OpenaiChat => {
                let choice = &event["choices"][0];
                let function = &choice["delta"]["tool_calls"][0]["function"];
                add(&mut text, &choice["delta"]["content"]);
                add(&mut name, &function["name"]);
                add(&mut arguments, &function["arguments"]);
                add(&mut end, &choice["finish_reason"]);
            }
            Dialect::AnthropicMessages => {
                add(&mut text, &event["delta"]["text"]);
                add(&mut name, &event["content_block"]["name"]);
                add(&mut arguments, &event["delta"]["partial_json"]);
                add(&mut end, &event["delta"]["stop_reason"]);
            }
            other => panic!("{other:?} is not asked for here"),
        }
    }
    (text, name, arguments, end)
}

#[tokio::test]
async fn a_plain_answer_with_a_tool_call_arrives_in_the_callers_dialect() {
    let fixture = Fixture::new();
    fixture.upstream.script(scripted());
    for (dialect, kind) in ALL {
        let (body, usage) = fixture.whole(dialect, kind, ask(false)).await;
        assert_eq!(usage, COUNTS, "{dialect:?} {kind:?}");
        match dialect {
            Dialect::OpenaiChat => {
                let choice = &body["choices"][0];
                assert_eq!(choice["message"]["content"], "One two three.");
                let function = &choice["message"]["tool_calls"][0]["function"];
                assert_eq!(function["arguments"], r#"{"city":"Oslo"}"#);
                assert_eq!(choice["finish_reason"], "tool_calls");
                assert_eq!(body["usage"]["prompt_tokens"], 16);
                assert_eq!(body["object"], "chat.completion");
            }
            Dialect::AnthropicMessages => {
                assert_eq!(body["content"][0]["text"], "One two three.");
                assert_eq!(body["content"][1]["input"], json!({ "city": "Oslo" }));
                assert_eq!(body["stop_reason"], "tool_use");
                assert_eq!(body["usage"]["input_tokens"], 11);
                assert_eq!(body["usage"]["cache_read_input_tokens"], 5);
                assert_eq!(body["type"], "message");
            }
            other => panic!("{other:?} is not asked for here"),
        }
    }
}

#[tokio::test]
async fn a_streamed_answer_with_a_tool_call_arrives_in_the_callers_dialect() {
    let fixture = Fixture::new();
    fixture.upstream.script(scripted());
    for (dialect, kind) in ALL {
        let (text, usage, error) = drain(fixture.stream(dialect, kind).await).await;
        assert_eq!((usage, error), (Some(COUNTS), None), "{dialect:?} {kind:?} {text}");
        let events = events(&text);
        let (said, name, arguments, end) = gathered(dialect, &events);
        assert_eq!((said.as_str(), name.as_str()), ("One two three.", "weather"));
        assert_eq!(arguments, r#"{"city":"Oslo"}"#);
        match dialect {
            Dialect::OpenaiChat => {
                assert_eq!(end, "tool_calls");
                assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
                let usage_chunks = events.iter().filter(|event| event["usage"].is_object()).count();
                assert_eq!(usage_chunks, 0, "the caller did not ask for it");
            }
            Dialect::AnthropicMessages => {
                assert_eq!(end, "tool_use");
                let kinds: Vec<_> = events.iter().map(|event| &event["type"]).collect();
                assert_eq!(kinds.first().unwrap(), &"message_start");
                assert_eq!(kinds.last().unwrap(), &"message_stop");
                let starts = kinds.iter().filter(|kind| **kind == "content_block_start").count();
                let stops = kinds.iter().filter(|kind| **kind == "content_block_stop").count();
                assert_eq!((starts, stops), (2, 2));
            }
            other => panic!("{other:?} is not asked for here"),
        }
    }
}

#[tokio::test]
async fn a_caller_that_asks_for_usage_gets_it_once() {
    let fixture = Fixture::new();
    fixture.upstream.script(scripted());
    for kind in [COMPATIBLE, ANTHROPIC] {
        let mut body = ask(true);
        body["stream_options"] = json!({ "include_usage": true });
        let Answer::Stream(stream) = fixture.call(CHAT, kind, body).await.unwrap() else {
            panic!()
        };
        let (text, _, _) = drain(stream).await;
        let events = events(&text);
        let told: Vec<_> = events.iter().filter(|event| event["usage"].is_object()).collect();
        assert_eq!(told.len(), 1, "{kind:?}");
        assert_eq!(told[0]["usage"]["completion_tokens"], 7);
        assert_eq!(told[0]["choices"], json!([]));
    }
}

#[tokio::test]
async fn between_equal_dialects_the_bytes_are_the_providers() {
    let fixture = Fixture::new();
    fixture.upstream.script(scripted());
    let http = reqwest::Client::new();
    for (dialect, kind, path) in
        [(CHAT, COMPATIBLE, "/v1/chat/completions"), (MESSAGES, ANTHROPIC, "/v1/messages")]
    {
        let (text, _, _) = drain(fixture.stream(dialect, kind).await).await;
        let sent = fixture.upstream.requests("m").pop().unwrap();
        let direct = http
            .post(fixture.upstream.url() + path)
            .body(sent.raw)
            .header("anthropic-version", "1");
        let direct = direct.send().await.unwrap().text().await.unwrap();
        let without_id = |text: &str| {
            let words = text.split('"').filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let usage_chunk = |event: &&str| !event.contains(r#""choices":[]"#);
        let direct: String = direct.split_inclusive("\n\n").filter(usage_chunk).collect();
        // It was Ralex that asked for usage, so the caller sees nothing of it, not even that there
        // is none yet.
        let direct = direct.replace(r#","usage":null"#, "");
        assert_eq!(without_id(&text), without_id(&direct), "{dialect:?}");
    }
}

#[tokio::test]
async fn the_provider_gets_its_key_and_not_the_callers_headers() {
    let fixture = Fixture::new();
    for (kind, header, value) in [
        (COMPATIBLE, "authorization", format!("Bearer {KEY}")),
        (ANTHROPIC, "x-api-key", KEY.to_owned()),
    ] {
        fixture.whole(CHAT, kind, ask(false)).await;
        let request = fixture.upstream.requests("m").pop().unwrap();
        assert_eq!(request.headers.get(header), Some(&value));
        assert_eq!(request.body["max_tokens"], 50, "a missing maximum is added");
    }
}

#[tokio::test]
async fn a_provider_that_tells_no_usage_is_counted() {
    let fixture = Fixture::new();
    let usage = Some(ScriptedUsage::Word("none".to_owned()));
    fixture.upstream.script(Script { usage, ..scripted() });
    for (dialect, kind) in ALL {
        let (_, usage) = fixture.whole(dialect, kind, ask(false)).await;
        assert!(usage.estimated && usage.output_tokens > 3 && usage.input_tokens > 2, "{usage:?}");
        let (_, usage, error) = drain(fixture.stream(dialect, kind).await).await;
        let usage = usage.unwrap();
        assert_eq!(error, None);
        assert!(usage.estimated && usage.output_tokens > 3 && usage.input_tokens > 2, "{usage:?}");
    }
}

#[tokio::test]
async fn what_goes_wrong_has_its_own_name_for_every_pair() {
    let fixture = Fixture::new();
    let none = Script::default;
    let cases: [(&str, bool, Script, Code); 9] = [
        ("cut", true, Script { cut_after: Some(2), ..scripted() }, Code::UpstreamUnavailable),
        ("cut plain", false, Script { cut_after: Some(0), ..none() }, Code::UpstreamUnavailable),
        ("stall", true, Script { stall_after: Some(1), ..scripted() }, Code::UpstreamTimeout),
        ("late", true, Script { delay_first_ms: 5000, ..none() }, Code::UpstreamTimeout),
        ("late plain", false, Script { stall_after: Some(0), ..none() }, Code::UpstreamTimeout),
        ("malformed", true, Script { malformed: true, ..scripted() }, Code::UpstreamMalformed),
        ("malformed plain", false, Script { malformed: true, ..none() }, Code::UpstreamMalformed),
        (
            "limited",
            true,
            Script { status: Some(429), retry_after: Some(7), ..none() },
            Code::UpstreamRateLimited,
        ),
        (
            "failed in the stream",
            true,
            Script { error_after: Some(1), ..scripted() },
            Code::UpstreamError,
        ),
    ];
    for (name, streamed, script, code) in cases {
        fixture.upstream.script(script);
        for (dialect, kind) in ALL {
            let error = match fixture.call(dialect, kind, ask(streamed)).await {
                Ok(Answer::Stream(stream)) => drain(stream).await.2.expect(name),
                Ok(Answer::Whole { .. } | Answer::Raw { .. }) => {
                    panic!("{name}: there is an answer")
                }
                Err(error) => error,
            };
            // Anthropic says "overloaded", which is a kind of unavailable.
            let overloaded =
                error.code() == Code::UpstreamUnavailable && name.starts_with("failed");
            assert!(error.code() == code || overloaded, "{name} {dialect:?} {kind:?}: {error:?}");
            if code == Code::UpstreamRateLimited {
                assert_eq!(error.to_problem().retry_after, Some(7));
            }
        }
    }
}

#[tokio::test]
async fn what_was_produced_is_known_when_a_stream_fails() {
    let fixture = Fixture::new();
    fixture.upstream.script(Script { cut_after: Some(2), ..scripted() });
    for (dialect, kind) in ALL {
        let mut stream = fixture.stream(dialect, kind).await;
        let meter = stream.meter();
        while let Some(Ok(_)) = stream.next().await {}
        let usage = stream.usage_so_far();
        assert!(usage.estimated && usage.output_tokens >= 2 && usage.input_tokens > 0, "{usage:?}");
        drop(stream);
        assert_eq!(meter.usage(), usage);
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_ends_the_providers_work() {
    let fixture = Fixture::new();
    fixture.upstream.script(Script { stall_after: Some(1), ..scripted() });
    let mut stream = fixture.stream(CHAT, COMPATIBLE).await;
    stream.next().await.unwrap().unwrap();
    drop(stream);
    let started = Instant::now();
    while fixture.upstream.counts().canceled == 0 {
        assert!(started.elapsed() < Duration::from_secs(1), "the provider still works");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_finished_stream_leaves_its_connection_for_the_next_call() {
    let fixture = Fixture::new();
    for _ in 0..5 {
        let (_, usage, error) = drain(fixture.stream(CHAT, COMPATIBLE).await).await;
        assert_eq!(error, None);
        assert!(!usage.unwrap().estimated);
    }
    assert_eq!(fixture.upstream.counts().canceled, 0);
    assert_eq!(fixture.upstream.counts().ended, 5);
}

#[tokio::test]
async fn an_address_inside_is_refused_before_anything_is_sent() {
    let fixture = Fixture::new();
    let client = Client::new(EgressPolicy::default(), Timeouts::default()).unwrap();
    let inbound = Inbound::parse(CHAT, Bytes::from(ask(false).to_string())).unwrap();
    let port = fixture.upstream.url().rsplit(':').next().unwrap().to_owned();
    for base in [
        format!("http://127.0.0.1:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("https://localhost:{port}"),
        format!("https://[::ffff:127.0.0.1]:{port}"),
    ] {
        let target = Target {
            spec: spec(COMPATIBLE),
            base_url: Some(base.parse().unwrap()),
            upstream_model: "m".to_owned(),
            max_output: 10,
            patience: Patience::default(),
        };
        let prepared = prepare(&inbound, &target, 10).unwrap();
        let error = client.send(&prepared, None).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Egress(_)), "{base}: {error:?}");
    }
    assert_eq!(fixture.upstream.counts().begun, 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let fixture = Fixture::new();
    let inbound = Inbound::parse(CHAT, ask(false).to_string().into()).unwrap();
    let target = Target {
        spec: spec(COMPATIBLE),
        base_url: Some("http://127.0.0.1:1".parse().unwrap()),
        upstream_model: "m".to_owned(),
        max_output: 10,
        patience: Patience::default(),
    };
    let prepared = prepare(&inbound, &target, 10).unwrap();
    let error = fixture.client.send(&prepared, None).await.unwrap_err();
    assert_eq!(error, UpstreamError::Unreachable);
}
