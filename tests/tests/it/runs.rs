//! Budgets per run over the API: an agent that goes in circles stops, and nobody else does.

use ralex_tests::app::{Answer, App, Dialect, Token, nanos, text};
use ralex_tests::upstream::Upstream;
use reqwest::Method;
use serde_json::{Value, json};

/// A model that answers with ten tokens at most, a hundred dollars for a million of them.
async fn app(limit: &str) -> (App, Upstream, Token, String) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let models = app.owner.all("models").await;
    let id = models.iter().find(|it| it["name"] == "claude").unwrap()["id"].as_str().unwrap();
    let change = json!({ "max_output": 4_000, "context_window": 100_000, "input_price": "1",
        "output_price": "100" });
    app.owner.patch(&format!("models/{id}"), &change).await.ok();
    let token = app.token("blue").await;
    let new = json!({ "scope": "team:blue", "period": "run", "limit": limit, "hard": true });
    let budget = text(&app.owner.post("budgets", &new).await.ok(), "id");
    (app, upstream, token, budget)
}

async fn ask(token: &Token, most: u32, headers: &[(&str, &str)]) -> Answer {
    let mut body = Dialect::Messages.body("claude", "Hello");
    body["max_tokens"] = json!(most);
    let path = Dialect::Messages.path("claude", false);
    let mut request = token.client.request(Method::POST, &path).json(&body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    token.client.answered(request).await
}

async fn runs(app: &App, budget: &str) -> Vec<Value> {
    app.owner.all(&format!("budgets/{budget}/runs")).await
}

#[tokio::test]
async fn a_run_that_has_spent_its_part_stops_and_no_other_does() {
    // A call of a hundred tokens costs a cent at most.
    let (app, _upstream, token, budget) = app("0.02").await;
    let circling = [("x-ralex-run", "circling")];
    let mut answered = 0;
    let refused = loop {
        let answer = ask(&token, 100, &circling).await;
        if answer.status != 200 {
            break answer;
        }
        answered += 1;
        assert!(answered < 1_000, "nothing stops it");
    };
    assert!(answered > 0 && refused.status == 402, "{answered}: {refused:?}");
    assert!(refused.text.contains("per-run budget of team:blue"), "{refused:?}");
    ask(&token, 100, &[("x-ralex-run", "another")]).await.ok();
    ask(&token, 100, &[]).await.ok();

    let listed = runs(&app, &budget).await;
    let names: Vec<_> = listed.iter().map(|run| text(run, "name")).collect();
    assert_eq!(names, ["another", "circling"]);
    assert_eq!((&listed[1]["team"], &listed[1]["refused"]), (&json!("blue"), &json!(1)));
    assert!(nanos(&listed[1]["spent"]) > nanos(&listed[0]["spent"]));
    let shown = app.owner.get(&format!("budgets/{budget}")).await.ok();
    assert_eq!(shown["run"], "circling");
    assert_eq!(nanos(&shown["spent"]), nanos(&listed[1]["spent"]));
    let calls = app.owner.all("calls?run=circling").await;
    assert_eq!(calls.len(), answered + 1);
    assert!(calls.iter().all(|call| call["run"] == "circling"));
    let exported = app.owner.get("calls/export?format=csv").await;
    assert!(exported.text.contains(",another,"), "{exported:?}");

    app.owner.patch(&format!("budgets/{budget}"), &json!({ "limit": "1" })).await.ok();
    ask(&token, 100, &circling).await.ok();
}

#[tokio::test]
async fn coding_agents_need_no_header_of_ours_and_wrong_ones_are_told() {
    let (app, _upstream, token, budget) = app("5").await;
    ask(&token, 100, &[("x-claude-code-session-id", "0199-claude")]).await.ok();
    ask(&token, 100, &[("session_id", "0199-codex")]).await.ok();
    ask(&token, 100, &[("x-ralex-run", "mine"), ("session_id", "0199-codex")]).await.ok();
    let long = "x".repeat(129);
    ask(&token, 100, &[("session_id", &long)]).await.ok();
    let refused = ask(&token, 100, &[("x-ralex-run", &long)]).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.text.contains("x-ralex-run"), "{refused:?}");
    let listed = runs(&app, &budget).await;
    let names: Vec<_> = listed.iter().map(|run| text(run, "name")).collect();
    assert_eq!(names, ["mine", "0199-codex", "0199-claude"]);
}

#[tokio::test]
async fn what_means_nothing_for_runs_is_said() {
    let (app, _upstream, token, budget) = app("5").await;
    ask(&token, 100, &[("x-ralex-run", "one")]).await.ok();
    let until = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let more = json!({ "amount": "1", "until": until, "reason": "why" });
    let refused = app.owner.post(&format!("budgets/{budget}/increase"), &more).await;
    assert!(refused.status == 409 && refused.text.contains("limit"), "{refused:?}");
    let refused = app.owner.get(&format!("budgets/{budget}/forecast")).await;
    assert!(refused.status == 409 && refused.text.contains("no end"), "{refused:?}");
    let trial =
        json!({ "budget": { "scope": "org", "period": "run", "limit": "1", "hard": true } });
    let refused = app.owner.post("usage/replay", &trial).await;
    assert!(refused.status == 422 && refused.text.contains("period"), "{refused:?}");
    for (new, field) in [
        (json!({ "scope": "org", "period": "run", "limit": "1", "hard": true, "days": 3 }), "days"),
        (
            json!({ "scope": "org", "period": "run", "limit": "1", "hard": true, "carry_over": true }),
            "carry_over",
        ),
    ] {
        let refused = app.owner.post("budgets", &new).await;
        assert!(refused.status == 422 && refused.text.contains(field), "{refused:?}");
    }
}
