//! Calls of models: what comes back, what it costs, and what reaches the provider.

use std::time::Duration;

use ralex_tests::app::{App, DIALECTS, Dialect, Token, nanos, text, until};
use ralex_tests::upstream::{Script, ToolCall, Upstream};
use serde_json::{Value, json};

/// One of each wire format.
const KINDS: [&str; 5] = ["openai_compatible", "anthropic", "gemini", "bedrock", "openai"];
const KEY: &str = "sk-canary-0123456789abcdef";
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(10);

/// An app with each kind of provider, each with a model of the kind's name, and a team's token.
async fn app() -> (App, Upstream, Token) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    for kind in KINDS {
        let slug = model(kind);
        app.provider(slug, kind, &upstream, KEY).await;
    }
    let token = app.token("blue").await;
    (app, upstream, token)
}

fn model(kind: &str) -> &'static str {
    match kind {
        "anthropic" => "claude",
        "gemini" => "gemini",
        "bedrock" => "nova",
        "openai" => "gpt",
        _ => "compatible",
    }
}

/// The newest call as the API shows it.
async fn newest_call(app: &App) -> Value {
    app.owner.get("calls?limit=1").await.ok()["items"][0].clone()
}

async fn held(app: &App) -> i64 {
    app.owner.all("budgets").await.iter().map(|budget| nanos(&budget["held"])).sum()
}

#[tokio::test]
async fn the_simulated_provider_answers_in_every_dialect_plain_and_streamed() {
    let app = App::start().await;
    let token = app.token("blue").await;
    for dialect in DIALECTS {
        let answer = token.client.call(dialect, "simulated", "Hello there").await;
        assert!(dialect.said(&answer).contains("Hello there"), "{answer:?}");
        let mut stream = token.client.stream(dialect, "simulated", "Hello there").await;
        assert!(stream.header("content-type").unwrap().starts_with("text/event-stream"));
        let (said, ended) = dialect.heard(stream.read_all().await);
        assert!(said.contains("Hello there") && ended, "{}", stream.events);
    }
}

#[tokio::test]
async fn every_kind_of_provider_answers_every_dialect_plain_and_streamed() {
    let (_app, _upstream, token) = app().await;
    for dialect in DIALECTS {
        for kind in KINDS {
            let answer = token.client.call(dialect, model(kind), "Hello there").await;
            assert_eq!(dialect.said(&answer), "You said: Hello there", "{dialect:?} {kind}");
            let mut stream = token.client.stream(dialect, model(kind), "Hello there").await;
            let (said, ended) = dialect.heard(stream.read_all().await);
            let heard = (said.as_str(), ended);
            assert_eq!(heard, ("You said: Hello there", true), "{dialect:?} {kind}");
        }
    }
}

#[tokio::test]
async fn a_tool_call_passes_through_every_pair_of_dialects() {
    let (_app, upstream, token) = app().await;
    let call =
        ToolCall { name: "weather".to_owned(), arguments: json!({ "city": "Oslo" }), id: None };
    upstream.script(Script { tool_call: Some(call), ..Script::default() });
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    for kind in KINDS {
        for dialect in DIALECTS {
            let mut body = dialect.body(model(kind), "How is the weather?");
            body["tools"] = match dialect {
                Dialect::Chat => json!([{ "type": "function",
                    "function": { "name": "weather", "parameters": schema } }]),
                Dialect::Responses => {
                    json!([{ "type": "function", "name": "weather", "parameters": schema }])
                }
                Dialect::Messages => json!([{ "name": "weather", "input_schema": schema }]),
                Dialect::Gemini => json!([{ "functionDeclarations":
                    [{ "name": "weather", "parametersJsonSchema": schema }] }]),
            };
            let path = dialect.path(model(kind), false);
            let answer = token.client.post(&path, &body).await.ok();
            let called = called(dialect, &answer);
            let asked = ("weather".to_owned(), json!({ "city": "Oslo" }));
            assert_eq!(called, asked, "{dialect:?} {kind}: {answer}");
        }
    }
}

/// The tool that an answer calls, and its arguments.
fn called(dialect: Dialect, answer: &Value) -> (String, Value) {
    let found = |list: &Value, key: &str, kind: &str| {
        let items = list.as_array().into_iter().flatten();
        { items }.find(|item| item["type"] == kind || item.get(key).is_some()).cloned()
    };
    let read = |text: &Value| serde_json::from_str(text.as_str().unwrap()).unwrap();
    let (name, arguments) = match dialect {
        Dialect::Chat => {
            let choice = &answer["choices"][0];
            assert_eq!(choice["finish_reason"], "tool_calls");
            let function = choice["message"]["tool_calls"][0]["function"].clone();
            (function["name"].clone(), read(&function["arguments"]))
        }
        Dialect::Responses => {
            let call = found(&answer["output"], "call_id", "function_call").unwrap();
            (call["name"].clone(), read(&call["arguments"]))
        }
        Dialect::Messages => {
            assert_eq!(answer["stop_reason"], "tool_use");
            let used = found(&answer["content"], "input", "tool_use").unwrap();
            (used["name"].clone(), used["input"].clone())
        }
        Dialect::Gemini => {
            let parts = &answer["candidates"][0]["content"]["parts"];
            let call = found(parts, "functionCall", "").unwrap()["functionCall"].clone();
            (call["name"].clone(), call["args"].clone())
        }
    };
    (name.as_str().unwrap().to_owned(), arguments)
}

#[tokio::test]
async fn what_calls_say_they_cost_is_what_budgets_usage_and_calls_add_up_to() {
    let (app, _upstream, token) = app().await;
    let budget = app.budget("team:blue", "10", true).await;
    let mut said = 0;
    for (number, dialect) in DIALECTS.into_iter().cycle().take(12).enumerate() {
        let model = model(KINDS[number % KINDS.len()]);
        let question = "word ".repeat(number + 1);
        let cost = if number / 4 % 2 == 0 {
            let answer = token.client.call(dialect, model, &question).await;
            answer.ok();
            assert!(answer.header("x-ralex-call-id").is_some(), "{answer:?}");
            answer.header("x-ralex-cost").unwrap().to_owned()
        } else {
            let mut stream = token.client.stream(dialect, model, &question).await;
            assert!(stream.header("x-ralex-call-id").is_some());
            stream.read_all().await;
            if let Some(cost) = stream.cost() {
                cost
            } else {
                // Google's readers know no comments, so that its streams cannot tell.
                assert_eq!(dialect, Dialect::Gemini);
                text(&newest_call(&app).await, "cost")
            }
        };
        assert!(nanos(&json!(cost)) > 0, "a call is never free");
        said += nanos(&json!(cost));
    }
    let spent = app.owner.get(&format!("budgets/{budget}")).await.ok();
    assert_eq!((nanos(&spent["spent"]), nanos(&spent["held"])), (said, 0));
    for group in ["model", "team", "token", "day"] {
        let usage = app.owner.get(&format!("usage?group_by={group}")).await.ok();
        let rows = usage["rows"].as_array().unwrap();
        let sum: i64 = rows.iter().map(|row| nanos(&row["cost"])).sum();
        assert_eq!((nanos(&usage["total"]["cost"]), sum), (said, said), "by {group}");
        assert_eq!(usage["total"]["calls"], 12);
    }
    let calls = app.owner.all("calls").await;
    assert_eq!(calls.iter().map(|call| nanos(&call["cost"])).sum::<i64>(), said);
    assert!(calls.iter().all(|call| call["state"] == "success"), "{calls:?}");
}

#[tokio::test]
async fn a_call_costs_its_tokens_at_the_model_s_price() {
    let (app, upstream, token) = app().await;
    let usage = serde_json::from_value(json!({
        "usage": { "input_tokens": 101, "output_tokens": 7 },
    }));
    upstream.script(usage.unwrap());
    let answer = token.client.call(Dialect::Chat, "compatible", "Hello").await;
    // 101 × 3 and 7 × 15 dollars, for a million tokens each.
    assert_eq!(nanos(&json!(answer.header("x-ralex-cost"))), 101 * 3_000 + 7 * 15_000);
    let call = newest_call(&app).await;
    assert_eq!((&call["input_tokens"], &call["output_tokens"]), (&json!(101), &json!(7)));
    assert_eq!(call["id"], answer.header("x-ralex-call-id").unwrap());
}

#[tokio::test]
async fn a_key_reaches_its_provider_and_nothing_else() {
    let app = App::start_with(&[("RALEX_LOG", "debug")]).await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    for kind in KINDS {
        app.provider(model(kind), kind, &upstream, KEY).await;
    }
    let token = app.token("blue").await;
    for script in [
        Script::default(),
        // A careless provider that quotes the key.
        Script { status: Some(401), message: Some(format!("bad key {KEY}")), ..Script::default() },
        Script { status: Some(500), error: Some(json!(KEY)), ..Script::default() },
    ] {
        upstream.script(script);
        for kind in KINDS {
            for dialect in DIALECTS {
                let answer = token.client.call(dialect, model(kind), "Hello").await;
                assert!(!format!("{answer:?}").contains(KEY), "{answer:?}");
                let mut stream = token.client.stream(dialect, model(kind), "Hello").await;
                assert!(!stream.read_all().await.contains(KEY), "{}", stream.events);
            }
        }
    }
    let header = |model: &str, name: &str| {
        let request = upstream.requests(model).pop().unwrap();
        request.headers.get(name).cloned()
    };
    assert_eq!(header("compatible", "authorization"), Some(format!("Bearer {KEY}")));
    assert_eq!(header("claude", "x-api-key"), Some(KEY.to_owned()));
    assert_eq!(header("claude", "authorization"), None);
    for model in ["claude", "compatible"] {
        let sent = format!("{:?}", upstream.requests(model));
        assert!(!sent.contains("rlx_"), "a caller's own token was passed on");
    }
    let places = ["secrets", "providers", "calls", "audit", "audit/export", "overview", "/metrics"];
    for place in places {
        assert!(!app.owner.get(place).await.text.contains(KEY), "{place} shows the key");
    }
    assert!(!app.node.log().contains(KEY), "the log shows the key");
    assert!(!app.node.log().contains(&token.secret), "the log shows a token");
    let tables =
        "select table_name::text from information_schema.tables where table_schema = 'public'";
    for table in app.database.texts(tables).await {
        let rows = app.database.texts(&format!("select t::text from {table} t")).await.concat();
        assert!(!rows.contains(KEY), "the table {table} holds the key");
        assert!(!rows.contains(&token.secret), "the table {table} holds a token");
    }
}

#[tokio::test]
async fn a_provider_in_trouble_is_told_in_the_caller_s_dialect_and_costs_nothing() {
    let (app, upstream, token) = app().await;
    app.budget("org", "10", true).await;
    let status = |status| Script { status: Some(status), ..Script::default() };
    let limited = Script { retry_after: Some(7), ..status(429) };
    let malformed = Script { malformed: true, ..Script::default() };
    let cases = [
        (limited, 429, "upstream_rate_limited"),
        (status(500), 502, "upstream_error"),
        (status(401), 502, "upstream_error"),
        (status(503), 502, "upstream_unavailable"),
        (malformed, 502, "upstream_malformed"),
        (Script { cut_after: Some(0), ..Script::default() }, 502, "upstream_unavailable"),
    ];
    for (script, status, code) in cases {
        upstream.script(script.clone());
        for dialect in DIALECTS {
            for kind in KINDS {
                let answer = token.client.call(dialect, model(kind), "Hello").await;
                dialect.refusal(&answer, status);
                assert!(answer.header("x-ralex-call-id").is_some(), "{answer:?}");
                let waits = answer.header("retry-after");
                assert_eq!(waits, script.retry_after.map(|_| "7"), "{answer:?}");
                let call = newest_call(&app).await;
                assert_eq!((&call["state"], &call["problem"]), (&json!("error"), &json!(code)));
                if script.status.is_some() {
                    assert_eq!(nanos(&call["cost"]), 0, "{call}");
                }
            }
        }
    }
    assert_eq!(held(&app).await, 0);
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_with_the_dialect_s_error_and_is_paid_as_far_as_it_came() {
    let (app, upstream, token) = app().await;
    app.budget("org", "10", true).await;
    let chunks = Some(vec!["one ".to_owned(), "two ".to_owned(), "three ".to_owned()]);
    for script in [
        Script { cut_after: Some(2), chunks: chunks.clone(), ..Script::default() },
        Script { error_after: Some(2), chunks: chunks.clone(), ..Script::default() },
        Script { malformed: true, chunks, ..Script::default() },
    ] {
        upstream.script(script.clone());
        for dialect in DIALECTS {
            for kind in KINDS {
                let mut stream = token.client.stream(dialect, model(kind), "Hello").await;
                let (said, ended) = dialect.heard(stream.read_all().await);
                assert!(said.starts_with("one ") && !ended, "{script:?} {}", stream.events);
                assert!(stream.events.contains("\"error\""), "{script:?} {}", stream.events);
                let call = newest_call(&app).await;
                assert_eq!(call["state"], "error", "{call}");
                assert!(nanos(&call["cost"]) > 0, "{call}");
            }
        }
    }
    assert_eq!(held(&app).await, 0);
}

#[tokio::test]
async fn a_caller_who_hangs_up_stops_the_provider_and_pays_what_came() {
    let (app, upstream, token) = app().await;
    app.budget("org", "10", true).await;
    let chunks = vec!["one ".to_owned(), "two ".to_owned()];
    upstream.script(Script { chunks: Some(chunks), stall_after: Some(2), ..Script::default() });
    for (number, dialect) in DIALECTS.into_iter().enumerate() {
        let mut stream = token.client.stream(dialect, "compatible", "Hello").await;
        stream.read_until("two ").await;
        assert!(held(&app).await > 0);
        drop(stream);
        let canceled = u64::try_from(number).unwrap() + 1;
        until("the provider saw the end", SOON, async || {
            (upstream.counts().canceled == canceled).then_some(())
        })
        .await;
        let call = until("the call settled", SOON, async || {
            let call = newest_call(&app).await;
            (call["state"] != "open").then_some(call)
        })
        .await;
        assert_eq!(call["state"], "canceled", "{call}");
        assert!(call["output_tokens"].as_u64() > Some(0), "{call}");
        let (cost, most) = (nanos(&call["cost"]), nanos(&call["held"]));
        assert!(0 < cost && cost < most, "{call}");
        assert_eq!(held(&app).await, 0);
    }
}

#[tokio::test]
async fn a_caller_who_does_not_wait_for_a_plain_answer_stops_the_provider_too() {
    let (app, upstream, token) = app().await;
    app.budget("org", "10", true).await;
    upstream.script(Script { delay_first_ms: 60_000, ..Script::default() });
    let client = token.client.clone();
    let call = tokio::spawn(async move { client.call(Dialect::Chat, "claude", "Hello").await });
    until("the provider was asked", LATER, async || (upstream.counts().begun == 1).then_some(()))
        .await;
    call.abort();
    until("the provider saw the end", SOON, async || {
        (upstream.counts().canceled == 1).then_some(())
    })
    .await;
    until("the call settled", SOON, async || {
        (newest_call(&app).await["state"] == "canceled").then_some(())
    })
    .await;
    assert_eq!(held(&app).await, 0);
}

#[tokio::test]
async fn a_slow_first_token_is_waited_for() {
    let (_app, upstream, token) = app().await;
    upstream.script(Script { delay_first_ms: 1_500, ..Script::default() });
    let mut stream = token.client.stream(Dialect::Chat, "claude", "Hello").await;
    let (said, ended) = Dialect::Chat.heard(stream.read_all().await);
    assert_eq!((said.as_str(), ended), ("You said: Hello", true));
}

#[tokio::test]
async fn what_may_not_be_called_is_refused_before_anything_is_sent() {
    let (app, upstream, token) = app().await;
    let only = json!({ "name": "one", "team": "blue", "models": ["claude"] });
    let only = app.token_of(&only).await;
    let past = json!({ "name": "past", "team": "blue", "expires_at": "2020-01-01T00:00:00Z" });
    let past = app.owner.post("tokens", &past).await;
    assert!(past.status == 422 || past.status == 201, "{past:?}");
    for dialect in DIALECTS {
        let unknown = token.client.call(dialect, "no-such-model", "Hello").await;
        assert!(dialect.refusal(&unknown, 404).contains("no-such-model"));
        let barred = only.client.call(dialect, "compatible", "Hello").await;
        assert!(dialect.refusal(&barred, 403).contains("compatible"));
        dialect.said(&only.client.call(dialect, "claude", "Hello").await);
        if past.status == 201 {
            let expired = app.with(&text(&past.json(), "token"));
            dialect.refusal(&expired.call(dialect, "claude", "Hello").await, 401);
        }
    }
    assert!(upstream.requests("compatible").is_empty());
    let seen = |answer: Value| -> Vec<String> {
        answer["data"].as_array().unwrap().iter().map(|model| text(model, "id")).collect()
    };
    assert_eq!(seen(only.client.get("/v1/models").await.ok()), ["claude"]);
    let all = seen(token.client.get("/v1/models").await.ok());
    assert!(
        ["claude", "compatible", "simulated"].iter().all(|name| all.iter().any(|it| it == name))
    );
}

#[tokio::test]
async fn a_revoked_token_stops_on_every_node_within_a_second() {
    let (app, _upstream, token) = app().await;
    let second = app.second().await;
    let there = token.client.at(&second);
    Dialect::Chat.said(&there.call(Dialect::Chat, "claude", "Hello").await);
    app.owner.delete(&format!("tokens/{}", token.id)).await.ok();
    for client in [&token.client, &there] {
        let refused = until("the token stopped", SOON, async || {
            let answer = client.call(Dialect::Chat, "claude", "Hello").await;
            (answer.status != 200).then_some(answer)
        })
        .await;
        Dialect::Chat.refusal(&refused, 401);
    }
}

#[tokio::test]
async fn two_nodes_share_keys_models_and_spend() {
    let (app, _upstream, token) = app().await;
    let second = app.second().await;
    let budget = app.budget("org", "10", true).await;
    let mut said = 0;
    for client in [&token.client, &token.client.at(&second)] {
        let answer = until("the node knows the budget", SOON, async || {
            Some(client.call(Dialect::Chat, "claude", "Hello").await)
        })
        .await;
        said += nanos(&json!(answer.header("x-ralex-cost")));
    }
    for client in [&app.owner, &app.owner.at(&second)] {
        until("both nodes show the same spend", SOON, async || {
            let shown = client.get(&format!("budgets/{budget}")).await.ok();
            (nanos(&shown["spent"]) == said && nanos(&shown["held"]) == 0).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn no_provider_can_be_where_it_could_reach_into_the_network() {
    let app = App::start_with(&[("RALEX_EGRESS_ALLOW", "127.0.0.8/32")]).await;
    for address in [
        "http://169.254.169.254/latest",
        "http://127.0.0.1:9999/v1",
        "http://2130706433/v1",
        "http://0x7f.1/v1",
        "http://10.0.0.1/v1",
        "http://192.168.1.1/v1",
        "http://[::1]/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://[fd00::1]/v1",
        "http://0.0.0.0/v1",
        "http://100.64.0.1/v1",
        "http://user:password@example.com/v1",
        "ftp://example.com/v1",
        "file:///etc/passwd",
    ] {
        let new = json!({ "slug": "inside", "kind": "openai_compatible", "base_url": address });
        let answer = app.owner.post("providers", &new).await;
        let problem = answer.problem();
        assert_eq!(answer.status, 422, "{address}: {problem}");
    }
    let new = |slug: &str, address: &str| json!({ "slug": slug, "kind": "openai_compatible", "base_url": address });
    app.owner.post("providers", &new("ok", "http://127.0.0.8/v1")).await.ok();
    let change = json!({ "base_url": "http://169.254.169.254/" });
    assert_eq!(app.owner.patch("providers/ok", &change).await.status, 422);

    // What a name means is known only when it is asked, so this one is refused at the call.
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    let address = upstream.url().replace("127.0.0.1", "localhost");
    app.owner.post("providers", &new("named", &address)).await.ok();
    app.model("named", "named").await;
    let token = app.token("blue").await;
    let answer = token.client.call(Dialect::Chat, "named", "Hello").await;
    Dialect::Chat.refusal(&answer, 422);
    assert_eq!(newest_call(&app).await["problem"], "egress_refused");
    assert_eq!(upstream.counts().begun, 0);
}

#[tokio::test]
async fn a_provider_s_new_origin_never_gets_the_old_key() {
    let (app, upstream, token) = app().await;
    let other = Upstream::start("127.0.0.1:0").unwrap();
    Dialect::Chat.said(&token.client.call(Dialect::Chat, "claude", "Hello").await);
    app.owner.patch("providers/claude", &json!({ "base_url": other.url() })).await.ok();
    let refused = token.client.call(Dialect::Chat, "claude", "Hello").await;
    Dialect::Chat.refusal(&refused, 503);
    assert!(other.requests("claude").is_empty());
    assert_eq!(upstream.requests("claude").len(), 1);
    let secrets = app.owner.all("secrets").await;
    let detached = secrets.iter().find(|secret| secret["provider_slug"] == "claude").unwrap();
    assert_eq!(detached["state"], "detached");
}
