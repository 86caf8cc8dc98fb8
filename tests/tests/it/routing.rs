//! Routing through the real server: names, rankings, previews, and what is recorded of them.

use std::time::Duration;

use ralex_tests::app::{App, DIALECTS, Token, nanos, text, until};
use ralex_tests::upstream::Upstream;
use reqwest::Method;
use serde_json::{Value, json};

const HARD: &str = "Prove that this distributed lock-free consensus protocol is linearizable under \
                    Byzantine faults, with a rigorous formal proof by induction.";

/// Two models of one provider: one small and cheap, one large and dear.
async fn app() -> (App, Upstream, Token) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("scripted", "openai_compatible", &upstream, "sk-canary").await;
    app.owner.delete("models/scripted").await.ok();
    app.owner.delete("models/simulated").await;
    for (name, price, quality, speed) in [("small", "0.1", 35, 5), ("large", "30", 92, 2)] {
        let new = json!({
            "name": name, "provider": "scripted", "upstream_model": name,
            "input_price": price, "output_price": price, "quality": quality, "speed": speed,
            "supports": ["tools"], "context_window": 100_000, "max_output": 1000,
        });
        app.owner.post("models", &new).await.ok();
    }
    let token = app.token("blue").await;
    (app, upstream, token)
}

fn preview(model: &str, prompt: &str) -> Value {
    json!({ "model": model, "prompt": prompt })
}

#[tokio::test]
async fn auto_answers_in_every_dialect_and_the_call_keeps_the_reason() {
    let (app, _upstream, token) = app().await;
    for dialect in DIALECTS {
        let answer = token.client.call(dialect, "auto", "hi").await;
        assert_eq!(answer.header("x-ralex-model"), Some("small"), "{answer:?}");
        let told = answer.header("x-ralex-routing").unwrap_or_default();
        assert!(told.starts_with("model=small; via=auto; route=auto; task="), "{told}");
    }
    let hard = token.client.call(DIALECTS[0], "auto", HARD).await;
    assert_eq!(hard.header("x-ralex-model"), Some("large"), "{hard:?}");
    let id = hard.header("x-ralex-call-id").unwrap().to_owned();
    let call = app.owner.get(&format!("calls/{id}")).await.ok();
    assert_eq!((text(&call, "asked_model"), text(&call, "route")), ("auto".into(), "auto".into()));
    assert_eq!(text(&call, "model"), "large");
    assert!(call["difficulty"].as_u64().unwrap() >= 6, "{call}");
}

#[tokio::test]
async fn a_preview_tells_the_choice_and_its_price_and_calls_nothing() {
    let (app, upstream, token) = app().await;
    let told = app.owner.post("preview", &preview("auto", "secret-canary: hi")).await.ok();
    let explanation = &told["explanation"];
    assert_eq!(text(explanation, "chosen"), "small", "{told}");
    assert_eq!(explanation["candidates"].as_array().unwrap().len(), 2);
    assert!(explanation["price"]["worst_case"].is_string(), "{told}");
    let whole = json!({ "model": "best", "body": DIALECTS[1].body("best", "hi") });
    let told = token.client.post("/api/v1/orgs/default/preview", &whole).await;
    assert_eq!(told.status, 403, "a team's token may look only where it holds: {told:?}");
    assert!(upstream.requests("small").is_empty(), "nothing was sent");
    assert!(app.owner.all("calls").await.is_empty(), "nothing was recorded");
    let dump = app.database.texts("select choice::text from call where choice is not null").await;
    assert!(dump.iter().all(|text| !text.contains("secret-canary")), "{dump:?}");
}

#[tokio::test]
async fn a_route_and_an_alias_hold_from_the_next_call_on_and_are_in_the_log() {
    let (app, _upstream, token) = app().await;
    let steps = json!([
        { "when": "headers['x-ralex-tier'] == 'gold'", "pick": "order", "targets": [{ "name": "large" }] },
        { "pick": "order", "targets": [{ "name": "small" }] },
    ]);
    let new = json!({ "name": "tiers", "spec": { "steps": steps, "fallbacks": ["large"] } });
    app.owner.post("routes", &new).await.ok();
    let alias = json!({ "name": "gpt-4o-mini", "target": "tiers" });
    app.owner.post("aliases", &alias).await.ok();
    let answer = token.client.call(DIALECTS[0], "gpt-4o-mini", "hi").await;
    assert_eq!(answer.header("x-ralex-model"), Some("small"), "{answer:?}");
    let body = DIALECTS[0].body("gpt-4o-mini", "hi");
    let request = token.client.request(Method::POST, &DIALECTS[0].path("gpt-4o-mini", false));
    let gold = request.header("x-ralex-tier", "gold").json(&body);
    let gold = token.client.answered(gold).await;
    assert_eq!(gold.header("x-ralex-model"), Some("large"), "{gold:?}");
    let change =
        json!({ "spec": { "steps": [{ "pick": "order", "targets": [{ "name": "large" }] }] } });
    app.owner.patch("routes/tiers", &change).await.ok();
    let answer = token.client.call(DIALECTS[0], "gpt-4o-mini", "hi").await;
    assert_eq!(answer.header("x-ralex-model"), Some("large"), "{answer:?}");
    let wrong = json!({ "name": "bad", "spec": { "steps": [{ "when": "task.kind = 'x'", "pick": "best" }] } });
    let refused = app.owner.post("routes", &wrong).await.refused(422, "invalid_request");
    assert_eq!(refused["errors"][0]["path"], "spec.steps[0].when");
    app.owner.delete("routes/auto").await.refused(409, "conflict");
    app.owner.delete("aliases/gpt-4o-mini").await.ok();
    app.owner.delete("routes/tiers").await.ok();
    let gone = token.client.call(DIALECTS[0], "tiers", "hi").await;
    assert_eq!(gone.status, 404, "{gone:?}");
    let actions: Vec<String> =
        app.owner.all("audit").await.iter().map(|event| text(event, "action")).collect();
    for action in ["route.created", "route.updated", "route.deleted", "alias.set", "alias.deleted"]
    {
        assert!(actions.iter().any(|known| known == action), "{action} is not in {actions:?}");
    }
}

#[tokio::test]
async fn the_report_counts_calls_and_compares_with_simpler_ways() {
    let (app, _upstream, token) = app().await;
    for question in ["hi", "hello", HARD] {
        token.client.call(DIALECTS[0], "large", question).await.ok();
    }
    let report = until("the calls are counted", Duration::from_secs(5), async || {
        let report = app.owner.get("reports/routing").await.ok();
        (report["calls"] == 3).then_some(report)
    })
    .await;
    let names: Vec<String> =
        report["lines"].as_array().unwrap().iter().map(|line| text(line, "name")).collect();
    assert_eq!(names, ["best_single", "mix", "dearest"]);
    let suggestion = &report["suggestions"][0];
    assert_eq!(
        (text(suggestion, "from"), text(suggestion, "to")),
        ("large".into(), "small".into())
    );
    assert_eq!(suggestion["calls"], 2, "{report}");
    let wrong = app.owner.get("reports/routing?from=2026-02-01&to=2026-01-01").await;
    wrong.refused(422, "invalid_request");
}

#[tokio::test]
async fn near_the_limit_of_a_budget_calls_go_to_a_cheaper_model_before_they_are_refused() {
    let (app, _upstream, token) = app().await;
    let steps = json!([
        { "when": "budget_left_percent < 20", "pick": "order", "targets": [{ "name": "small" }] },
        { "pick": "order", "targets": [{ "name": "large" }] },
    ]);
    let new = json!({ "name": "frugal", "spec": { "steps": steps } });
    app.owner.post("routes", &new).await.ok();
    let budget = app.budget("team:blue", "10", true).await;
    let answers = async |model: &str| {
        let answer = token.client.call(DIALECTS[0], model, HARD).await;
        answer.header("x-ralex-model").unwrap_or("nobody").to_owned()
    };
    assert_eq!((answers("frugal").await, answers("auto").await), ("large".into(), "large".into()));
    // A tenth is left: more than the small model can cost, and less than the large one can.
    let limit = async |of: &dyn Fn(i64) -> i64| {
        let spent = nanos(&app.owner.get(&format!("budgets/{budget}")).await.ok()["spent"]);
        let limit = ralex_kernel::Money::nanos(of(spent)).to_string();
        app.owner.patch(&format!("budgets/{budget}"), &json!({ "limit": limit })).await.ok();
    };
    limit(&|spent| spent + spent / 9).await;
    assert_eq!((answers("frugal").await, answers("auto").await), ("small".into(), "small".into()));
    let auto = &app.owner.all("calls").await[0];
    let auto = app.owner.get(&format!("calls/{}", text(auto, "id"))).await.ok();
    let left_out = &auto["choice"]["left_out"][0];
    assert_eq!((text(left_out, "model"), text(left_out, "why")), ("large".into(), "budget".into()));
    let refused = token.client.call(DIALECTS[0], "large", HARD).await;
    DIALECTS[0].refusal(&refused, 402);
    limit(&|spent| spent).await;
    // What is over is told by the hold, and so stands on record.
    let refused = token.client.call(DIALECTS[0], "auto", HARD).await;
    DIALECTS[0].refusal(&refused, 402);
    let refused = app.owner.all("calls?state=refused").await;
    assert_eq!(text(&refused[0], "asked_model"), "auto", "{refused:?}");
}

#[tokio::test]
async fn a_budget_that_runs_low_leaves_dear_models_out_and_the_call_says_why() {
    let (app, _upstream, token) = app().await;
    let new = json!({
        "scope": "team:blue", "period": "total", "limit": "1000", "hard": false, "degrade_at": 50,
    });
    let budget = text(&app.owner.post("budgets", &new).await.ok(), "id");
    let call = || token.client.call(DIALECTS[0], "auto", HARD);
    assert_eq!(call().await.header("x-ralex-model"), Some("large"));
    // All of it is spent now; a soft budget refuses nobody for that.
    let path = format!("budgets/{budget}");
    app.owner.patch(&path, &json!({ "limit": "0.000000001" })).await.ok();
    let frugal = call().await;
    assert_eq!(frugal.header("x-ralex-model"), Some("small"));
    let id = frugal.header("x-ralex-call-id").unwrap().to_owned();
    let left_out = &app.owner.get(&format!("calls/{id}")).await.ok()["choice"]["left_out"][0];
    assert_eq!(text(left_out, "model"), "large");
    assert_eq!(text(left_out, "why"), "degraded");
    assert!(text(left_out, "detail").contains("a budget of team:blue has less than 50 % left"));
    // A model that a caller names is not left out.
    let named = token.client.call(DIALECTS[0], "large", HARD).await;
    assert_eq!(named.header("x-ralex-model"), Some("large"));
    app.owner.patch(&path, &json!({ "degrade_at": 0 })).await.ok();
    assert_eq!(call().await.header("x-ralex-model"), Some("large"));
}
