//! Providers that fail, and what callers notice of it: as little as can be, and all of it on record.

use std::time::Duration;

use ralex_tests::app::{App, DIALECTS, Dialect, Token, nanos, text, until};
use ralex_tests::upstream::{Script, Upstream};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);
/// A silent node is known to be dead after 30 seconds; its calls are swept within 5 more.
const SWEPT: Duration = Duration::from_secs(50);

/// Two providers with a model each, and a route that goes from the first to the second.
async fn app_with(settings: &[(&str, &str)]) -> (App, Upstream, Token) {
    let app = App::start_with(settings).await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("first", "openai_compatible", &upstream, "key-of-first").await;
    app.provider("second", "anthropic", &upstream, "key-of-second").await;
    let step = json!({ "pick": "order", "targets": [{ "name": "first" }, { "name": "second" }] });
    let route = json!({ "name": "safe", "description": "", "spec": { "steps": [step] } });
    app.owner.post("routes", &route).await.ok();
    let token = app.token("blue").await;
    (app, upstream, token)
}

fn status(status: u16) -> Script {
    Script { status: Some(status), ..Script::default() }
}

async fn story(app: &App, call: &str) -> Value {
    app.owner.get(&format!("calls/{call}")).await.ok()
}

#[tokio::test]
async fn a_provider_has_the_time_that_was_set_for_it_and_others_have_theirs() {
    let (app, upstream, token) = app_with(&[("RALEX_ATTEMPTS", "1")]).await;
    let slow = || Script { delay_first_ms: 1_500, ..Script::default() };
    upstream.script_for("first", slow());
    upstream.script_for("second", slow());
    let set = async |timeouts: Value| {
        app.owner.patch("providers/first", &json!({ "timeouts": timeouts })).await
    };
    assert_eq!(set(json!({ "answer_ms": 100 })).await.ok()["timeouts"]["answer_ms"], 100);
    let refused = set(json!({ "idle_ms": 0 })).await.refused(422, "invalid_request");
    assert_eq!(refused["errors"][0]["path"], "timeouts.idle_ms", "{refused}");
    let asked = async |model| token.client.call(Dialect::Chat, model, "Hello").await;
    assert_eq!(asked("first").await.status, 504);
    assert_eq!(asked("second").await.status, 200, "it has as long as ever");
    set(json!({})).await.ok();
    assert_eq!(asked("first").await.status, 200, "what is not set is as usual again");
}

#[tokio::test]
async fn a_route_goes_on_to_the_next_model_and_tells_the_whole_story() {
    let (app, upstream, token) = app_with(&[]).await;
    app.budget("org", "10", true).await;
    upstream.script_for("first", status(500));
    let answer = token.client.call(Dialect::Chat, "safe", "Hello there").await;
    assert_eq!(Dialect::Chat.said(&answer), "You said: Hello there");
    let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
    assert_eq!(
        (header("x-ralex-model"), header("x-ralex-provider")),
        ("second".into(), "second".into())
    );
    assert_eq!((header("x-ralex-attempts"), header("x-ralex-route")), ("3".into(), "safe".into()));
    let story = story(&app, &header("x-ralex-call-id")).await;
    assert_eq!((&story["asked_model"], &story["model"]), (&json!("safe"), &json!("second")));
    let tries: Vec<_> = story["tries"].as_array().unwrap().iter().collect();
    let told = |at: usize, field: &str| tries[at][field].clone();
    assert_eq!((told(0, "model"), told(0, "status")), (json!("first"), json!(500)));
    assert_eq!((told(1, "cause"), told(2, "cause")), (json!("retry"), json!("fallback")));
    assert_eq!((told(0, "key"), told(2, "outcome")), (json!("first"), json!("success")));
    assert!(story["choice"]["candidates"].as_array().unwrap().len() == 2, "{story}");
    assert_eq!(nanos(&story["cost"]), nanos(&json!(header("x-ralex-cost"))));
    // A stream goes on as well, in the caller's dialect.
    let mut stream = token.client.stream(Dialect::Messages, "safe", "Hello there").await;
    assert_eq!(stream.header("x-ralex-model"), Some("second"));
    let (said, ended) = Dialect::Messages.heard(stream.read_all().await);
    assert_eq!((said.as_str(), ended), ("You said: Hello there", true));
}

#[tokio::test]
async fn an_open_circuit_is_seen_and_kept_by_a_second_node() {
    let (app, upstream, token) = app_with(&[("RALEX_ATTEMPTS", "1")]).await;
    let second = app.second().await;
    upstream.script_for("first", status(503));
    for _ in 0..5 {
        token.client.call(Dialect::Chat, "first", "Hello").await;
    }
    let there = app.owner.at(&second);
    until("the second node knew", SOON, async || {
        let report = there.get("health").await.ok();
        let circuits = report["circuits"].as_array().unwrap();
        let open = circuits.iter().any(|it| it["kind"] == "model" && it["name"] == "first");
        // The last of the five ends a moment later.
        let mut providers = report["providers"].as_array().unwrap().iter();
        let failed = &providers.find(|it| it["provider"] == "first").unwrap()["failed"];
        (open && *failed == 5).then_some(())
    })
    .await;
    // The first page does not call well what is left alone.
    let overview = there.get("overview").await.ok();
    let items = overview["health"].as_array().unwrap();
    let well = |name: &str| items.iter().find(|it| it["name"] == name).unwrap()["ok"].clone();
    assert_eq!((well("provider:first"), well("provider:second")), (json!(false), json!(true)));
    // Within a second the other node leaves it alone too, where there is another.
    let client = token.client.at(&second);
    until("the second node left it alone", SOON, async || {
        let answer = client.call(Dialect::Chat, "safe", "Hello").await;
        (answer.header("x-ralex-model") == Some("second")
            && answer.header("x-ralex-attempts") == Some("1"))
        .then_some(())
    })
    .await;
    let before = upstream.requests("first").len();
    for _ in 0..5 {
        Dialect::Chat.said(&client.call(Dialect::Chat, "safe", "Hello").await);
    }
    assert_eq!(upstream.requests("first").len(), before, "nobody asks it");
}

#[tokio::test]
async fn a_server_killed_between_two_tries_leaves_no_call_unsettled_and_no_money_lost() {
    let (mut app, upstream, token) = app_with(&[]).await;
    let budget = app.budget("org", "10", true).await;
    // The first cuts its answer, so that it may have cost something; the second never answers.
    upstream.script_for("first", Script { cut_after: Some(0), ..Script::default() });
    upstream.script_for("second", Script { stall_after: Some(0), ..Script::default() });
    let client = token.client.clone();
    let call = tokio::spawn(async move {
        let body = Dialect::Chat.body("safe", "Hello");
        let request = client.request(Method::POST, "/v1/chat/completions").json(&body);
        client.try_answered(request).await.is_ok()
    });
    until("the second was asked", SOON, async || {
        (!upstream.requests("second").is_empty()).then_some(())
    })
    .await;
    app.node.kill();
    call.await.unwrap();
    app.restart().await;
    until("the lost call was swept", SWEPT, async || {
        let shown = app.owner.get(&format!("budgets/{budget}")).await.ok();
        (nanos(&shown["held"]) == 0).then_some(())
    })
    .await;
    let calls = app.owner.all("calls").await;
    assert_eq!((calls.len(), &calls[0]["state"]), (1, &json!("lost")), "{calls:?}");
    assert_eq!(calls[0]["cost"], calls[0]["held"]);
    let extended = app.owner.all("audit?action=call.extended").await;
    assert!(!extended.is_empty(), "each further try was held for before it went out");
    let url = app.database.url();
    let found = ralex_tests::app::run(&["budgets", "verify"], &[("RALEX_DATABASE_URL", url)]);
    assert!(found.status.success(), "{found:?}");
}

#[tokio::test]
async fn kept_answers_are_given_again_to_the_same_team_alone() {
    let (app, upstream, blue) = app_with(&[]).await;
    let red = app.token("red").await;
    let set = json!({ "mode": "all", "ttl_seconds": 60 });
    let set = app.owner.send(Method::PUT, "cache", Some(&set)).await.ok();
    assert_eq!(set["mode"], "all");
    let from = async |token: &Token| {
        let answer = token.client.call(Dialect::Chat, "first", "What is new?").await;
        (
            answer.header("x-ralex-cache").unwrap().to_owned(),
            nanos(&json!(answer.header("x-ralex-cost"))),
        )
    };
    let (first, cost) = from(&blue).await;
    assert!(first == "miss" && cost > 0);
    assert_eq!(from(&blue).await, ("hit".to_owned(), 0));
    assert_eq!(from(&red).await.0, "miss");
    assert_eq!(upstream.requests("first").len(), 2);
    let cache = app.owner.get("cache").await.ok();
    assert_eq!((&cache["hits"], nanos(&cache["saved"])), (&json!(1), cost));
    app.owner.delete("cache").await;
    assert_eq!(from(&blue).await.0, "miss");
    let refused = json!({ "mode": "all", "ttl_seconds": 0 });
    app.owner.send(Method::PUT, "cache", Some(&refused)).await.refused(422, "invalid_request");
}

#[tokio::test]
async fn a_shadow_is_asked_although_its_answer_is_kept_and_its_answer_is_not_kept_for_others() {
    let (app, upstream, token) = app_with(&[]).await;
    let set = json!({ "mode": "all", "ttl_seconds": 60 });
    app.owner.send(Method::PUT, "cache", Some(&set)).await.ok();
    let step = json!({ "pick": "order", "targets": [{ "name": "first" }] });
    let shadow = json!({ "model": "second", "percent": 100 });
    let spec = json!({ "steps": [step], "shadow": shadow });
    app.owner
        .post("routes", &json!({ "name": "tried", "description": "", "spec": spec }))
        .await
        .ok();
    let from = async |model: &str, question: &str| {
        let answer = token.client.call(Dialect::Chat, model, question).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.header("x-ralex-cache").unwrap().to_owned()
    };
    // The shadow's model has a kept answer to the question itself.
    assert_eq!(from("second", "What is new?").await, "miss");
    assert_eq!(from("second", "What is new?").await, "hit");
    assert_eq!(from("tried", "What is new?").await, "miss");
    let shadowed = async |times: usize| {
        let asked = async || (upstream.requests("second").len() == times).then_some(());
        until("the shadow was asked", SOON, asked).await;
    };
    shadowed(2).await;
    // The caller gets a kept answer, the shadow is tried all the same.
    assert_eq!(from("tried", "What is new?").await, "hit");
    shadowed(3).await;
    assert_eq!(upstream.requests("first").len(), 1);
    // What a shadow answered is nobody's answer.
    assert_eq!(from("tried", "And what is old?").await, "miss");
    shadowed(4).await;
    let settled = async || {
        let calls = app.owner.all("calls").await;
        let done = |call: &&Value| call["model"] == "second" && call["state"] == "success";
        (calls.iter().filter(done).count() == 5).then_some(())
    };
    until("the shadows' calls were settled", SOON, settled).await;
    assert_eq!(from("second", "And what is old?").await, "miss");
}

/// A route that goes to a better model where these signals show.
async fn careful(app: &App, on: &[&str]) {
    app.budget("org", "10", true).await;
    app.owner.patch("models/first", &json!({ "quality": 1 })).await.ok();
    app.owner.patch("models/second", &json!({ "quality": 10 })).await.ok();
    let step = json!({ "pick": "order", "targets": [{ "name": "first" }, { "name": "second" }] });
    let escalation = json!({ "on": on, "most": 1, "worth": "100" });
    let spec = json!({ "steps": [step], "escalation": escalation });
    app.owner
        .post("routes", &json!({ "name": "careful", "description": "", "spec": spec }))
        .await
        .ok();
}

#[tokio::test]
async fn an_answer_that_is_not_good_enough_is_paid_and_a_better_model_answers() {
    let (app, upstream, token) = app_with(&[]).await;
    careful(&app, &["truncation", "caller"]).await;
    let cut = Script { finish_reason: Some("length".to_owned()), ..Script::default() };
    upstream.script_for("first", cut);
    let answer = token.client.call(Dialect::Chat, "careful", "Why is the sky blue?").await;
    assert_eq!(answer.header("x-ralex-model"), Some("second"), "{answer:?}");
    let story = story(&app, answer.header("x-ralex-call-id").unwrap()).await;
    let told = |at: usize, field: &str| story["tries"][at][field].clone();
    assert_eq!((told(0, "outcome"), told(1, "cause")), (json!("escalated"), json!("escalation")));
    let sum = nanos(&told(0, "cost")) + nanos(&told(1, "cost"));
    assert!(nanos(&told(0, "cost")) > 0, "{story}");
    assert_eq!(nanos(&json!(answer.header("x-ralex-cost"))), sum);
    // Where the better one fails, the first answer is given after all.
    upstream.script_for("second", status(400));
    let answer = token.client.call(Dialect::Chat, "careful", "Why is the sky blue?").await;
    assert_eq!(answer.header("x-ralex-model"), Some("first"), "{answer:?}");
    // A caller who is not content begins with the better one.
    upstream.script_for("first", Script::default());
    upstream.script_for("second", Script::default());
    let body = Dialect::Chat.body("careful", "Why is the sky blue?");
    let request = || token.client.request(Method::POST, "/v1/chat/completions").json(&body);
    let content = token.client.answered(request()).await;
    assert_eq!(content.header("x-ralex-model"), Some("first"));
    let again = token.client.answered(request().header("x-ralex-escalate", "true")).await;
    assert_eq!(again.header("x-ralex-model"), Some("second"));
}

#[tokio::test]
async fn a_stream_that_says_nothing_is_set_aside_and_after_one_that_was_cut_a_better_model_goes_on()
{
    let (app, upstream, token) = app_with(&[]).await;
    careful(&app, &["refusal", "truncation", "empty"]).await;
    let ending = |text: Option<&str>, reason: &str| Script {
        text: text.map(str::to_owned),
        finish_reason: Some(reason.to_owned()),
        ..Script::default()
    };
    let turn = async |session: &str| {
        let body = Dialect::Chat.streamed("careful", "Why is the sky blue?");
        let request = token.client.request(Method::POST, "/v1/chat/completions").json(&body);
        let answer = token.client.answered(request.header("x-ralex-session", session)).await;
        (answer.header("x-ralex-model").unwrap().to_owned(), answer)
    };
    // Nothing of these has gone out when they show what they are.
    for reason in ["stop", "content_filter"] {
        upstream.script_for("first", ending(Some(""), reason));
        let (model, answer) = turn("a").await;
        assert_eq!(model, "second", "{reason}: {answer:?}");
        let story = story(&app, answer.header("x-ralex-call-id").unwrap()).await;
        assert_eq!(story["tries"][0]["outcome"], "escalated", "{story}");
        assert_eq!(story["tries"][1]["cause"], "escalation", "{story}");
    }
    // This one has, so the session's next turn begins better, and the one after it as always.
    upstream.script_for("first", ending(None, "length"));
    assert_eq!(turn("a").await.0, "first");
    upstream.script_for("first", Script::default());
    assert_eq!(turn("b").await.0, "first");
    assert_eq!((turn("a").await.0, turn("a").await.0), ("second".to_owned(), "first".to_owned()));
}

#[tokio::test]
async fn a_team_s_calls_are_as_urgent_as_its_preferences_say_unless_they_say_so_themselves() {
    let (app, _upstream, token) = app_with(&[]).await;
    let priority = async |header: Option<&str>| {
        let dialect = DIALECTS[0];
        let request = token.client.request(Method::POST, &dialect.path("first", false));
        let request = request.json(&dialect.body("first", "hi"));
        let request = match header {
            Some(named) => request.header("x-ralex-priority", named),
            None => request,
        };
        let answer = token.client.answered(request).await;
        text(&story(&app, answer.header("x-ralex-call-id").unwrap()).await, "priority")
    };
    let set = async |rules: &Value| app.owner.send(Method::PUT, "preferences", Some(rules)).await;
    assert_eq!(priority(None).await, "normal");
    let rules = json!({ "rules": { "priority": "low" } });
    set(&rules).await.ok();
    assert_eq!((priority(None).await, priority(Some("high")).await), ("low".into(), "high".into()));
    let team = app.owner.all("teams").await.into_iter().find(|team| team["slug"] == "blue");
    let nearer = json!({ "team": team.unwrap()["id"], "rules": { "priority": "high" } });
    set(&nearer).await.ok();
    assert_eq!((priority(None).await, priority(Some("low")).await), ("high".into(), "low".into()));
    let wrong = json!({ "rules": { "priority": "urgent" } });
    assert_eq!(set(&wrong).await.status, 422);
    let log = app.owner.all("audit?action=routing.preference_set").await;
    assert!(log[0]["record"].to_string().contains("priority"), "{log:?}");
}
