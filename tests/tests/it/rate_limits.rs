//! Rate limits as who sets and who meets them sees them, on one server and on two.

use std::sync::Arc;
use std::time::Duration;

use ralex_tests::app::{App, Dialect, nanos, text, until};
use ralex_tests::upstream::{Script, Upstream};
use serde_json::{Value, json};
use tokio::task::JoinSet;

fn limit(scope: &str, measure: &str, amount: u64) -> Value {
    json!({ "scope": scope, "measure": measure, "amount": amount, "window_seconds": 3600 })
}

#[tokio::test]
async fn calls_beyond_a_limit_are_refused_in_the_caller_s_own_words_and_cost_nothing() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let token = app.token("blue").await;
    let budget = app.budget("org", "10", true).await;
    for (wrong, path) in [
        (limit("org", "requests", 0), "amount"),
        (limit("team:nobody", "requests", 1), "scope"),
        (json!({ "scope": "org", "measure": "tokens", "amount": 5, "model": "none" }), "model"),
        (
            json!({ "scope": "org", "measure": "tokens", "amount": 5, "window_seconds": 0 }),
            "window_seconds",
        ),
    ] {
        let refused = app.owner.post("rate-limits", &wrong).await.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["path"], path, "{refused}");
    }
    let made = app.owner.post("rate-limits", &limit("team:blue", "requests", 3)).await.ok();
    let path = format!("rate-limits/{}", text(&made, "id"));
    for left in ["2", "1", "0"] {
        let answer = token.client.call(Dialect::Messages, "claude", "Hello").await;
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("3"));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(left));
        answer.ok();
    }
    let spent = nanos(&app.owner.get(&format!("budgets/{budget}")).await.ok()["spent"]);
    for dialect in [Dialect::Chat, Dialect::Messages, Dialect::Responses] {
        let refused = token.client.call(dialect, "claude", "Hello").await;
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((3_500..=3_700).contains(&wait), "{wait}");
        let said = dialect.refusal(&refused, 429);
        assert!(said.contains("team:blue for 3 requests in 3600 s is reached"), "{said}");
    }
    assert_eq!(upstream.requests("claude").len(), 3);
    let budget = app.owner.get(&format!("budgets/{budget}")).await.ok();
    assert_eq!((nanos(&budget["spent"]), nanos(&budget["held"])), (spent, 0));
    let shown = until("the refusals are counted", Duration::from_secs(5), async || {
        let shown = app.owner.get(&path).await.ok();
        (shown["refused"] == json!(3)).then_some(shown)
    })
    .await;
    assert_eq!((&shown["used"], shown["last_refused_at"].is_string()), (&json!(3), true));

    app.owner.patch(&path, &json!({ "amount": 4 })).await.ok();
    token.client.call(Dialect::Messages, "claude", "Hello").await.ok();
    app.owner.delete(&path).await.ok();
    app.owner.get(&path).await.refused(404, "not_found");
    token.client.call(Dialect::Messages, "claude", "Hello").await.ok();
    for action in ["created", "updated", "deleted"] {
        let events = app.owner.all(&format!("audit?action=rate_limit.{action}")).await;
        assert_eq!(events.len(), 1, "{action}");
    }
}

#[tokio::test]
async fn a_limit_of_tokens_counts_what_calls_may_write_and_then_what_they_wrote() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let token = app.token("blue").await;
    app.budget("org", "10", true).await;
    let made = app.owner.post("rate-limits", &limit("org", "output_tokens", 150)).await.ok();
    let path = format!("rate-limits/{}", text(&made, "id"));
    let body = |most: u64| {
        let said = json!([{ "role": "user", "content": "Hello" }]);
        json!({ "model": "claude", "messages": said, "max_tokens": most })
    };
    // Each may write a hundred and writes a few, so one after another they fit.
    for _ in 0..5 {
        token.client.post("/v1/chat/completions", &body(100)).await.ok();
    }
    until("what nobody used goes back", Duration::from_secs(5), async || {
        let used = app.owner.get(&path).await.ok()["used"].as_u64().unwrap();
        (used == 5 * 3).then_some(used)
    })
    .await;
    app.owner.patch(&path, &json!({ "amount": 99 })).await.ok();
    let refused = token.client.post("/v1/chat/completions", &body(100)).await;
    let said = Dialect::Chat.refusal(&refused, 429);
    assert!(said.contains("more than the rate limit of org for 99 output tokens"), "{said}");
    assert_eq!(refused.header("retry-after"), None, "waiting would not help");
}

#[tokio::test]
async fn a_route_goes_on_to_another_model_where_one_has_no_room() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    for name in ["first", "second"] {
        app.provider(name, "openai_compatible", &upstream, "sk-canary").await;
    }
    let step = json!({ "pick": "order", "targets": [{ "name": "first" }, { "name": "second" }] });
    let route = json!({ "name": "safe", "description": "", "spec": { "steps": [step] } });
    app.owner.post("routes", &route).await.ok();
    let token = app.token("blue").await;
    app.budget("org", "10", true).await;
    let mut tight = limit("org", "requests", 1);
    tight.as_object_mut().unwrap().insert("model".into(), json!("first"));
    app.owner.post("rate-limits", &tight).await.ok();
    let models = async |times: usize| {
        let mut models = Vec::new();
        for _ in 0..times {
            let answer = token.client.call(Dialect::Chat, "safe", "Hello").await;
            models.push(answer.header("x-ralex-model").unwrap().to_owned());
        }
        models
    };
    assert_eq!(models(3).await, ["first", "second", "second"]);
    let refused = token.client.call(Dialect::Chat, "first", "Hello").await;
    let said = Dialect::Chat.refusal(&refused, 429);
    assert!(said.contains("org for the model first for 1 requests"), "{said}");
    // A fallback counts where it goes too.
    let mut other = limit("org", "requests", 2);
    other.as_object_mut().unwrap().insert("provider".into(), json!("second"));
    app.owner.post("rate-limits", &other).await.ok();
    upstream.script_for("first", Script { status: Some(500), ..Script::default() });
    let all = app.owner.all("rate-limits").await;
    let first = all.iter().find(|it| it["model"] == "first").unwrap();
    app.owner
        .patch(&format!("rate-limits/{}", text(first, "id")), &json!({ "amount": 9 }))
        .await
        .ok();
    assert_eq!(models(2).await, ["second", "second"]);
    let failed = token.client.call(Dialect::Chat, "safe", "Hello").await;
    let said = Dialect::Chat.refusal(&failed, 502);
    assert!(
        said.contains("second was not asked: the limit of org for the provider second"),
        "{said}"
    );
}

#[tokio::test]
async fn two_servers_let_no_more_through_than_one_would() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let token = Arc::new(app.token("blue").await);
    app.budget("org", "10", true).await;
    app.owner.post("rate-limits", &limit("team:blue", "requests", 40)).await.ok();
    let second = app.second().await;
    let other = Arc::new(token.client.at(&second));
    let mut racing = JoinSet::new();
    for caller in 0..80 {
        let (token, other) = (Arc::clone(&token), Arc::clone(&other));
        racing.spawn(async move {
            let client = if caller % 2 == 0 { &token.client } else { &*other };
            client.call(Dialect::Messages, "claude", "Hello").await.status
        });
    }
    let all = racing.join_all().await;
    let through = all.iter().filter(|status| **status == 200).count();
    assert!(all.iter().all(|status| [200, 429].contains(status)), "{all:?}");
    assert!((36..=40).contains(&through), "{through} of 40");
    assert_eq!(upstream.requests("claude").len(), through);
}
