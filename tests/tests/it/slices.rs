//! Streams for which a budget has not enough left at once: they are held for as they come, and end
//! properly where there is no more.

use std::time::Duration;

use ralex_tests::app::{App, DIALECTS, Dialect, Token, nanos, until};
use ralex_tests::upstream::{Script, Upstream};
use serde_json::{Value, json};

/// Words of an answer, each a token or so.
fn words(many: usize) -> String {
    let ten = "one two three four five six seven eight nine ten".split(' ').collect::<Vec<_>>();
    ten.iter().cycle().take(many).copied().collect::<Vec<_>>().join(" ")
}

/// A model of up to 4,000 tokens of output, a hundred dollars for a million of them.
async fn app() -> (App, Upstream) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    model(&app, &upstream, "claude", &[]).await;
    (app, upstream)
}

async fn model(app: &App, upstream: &Upstream, name: &str, supports: &[&str]) -> String {
    app.provider(name, "anthropic", upstream, "sk-canary").await;
    let models = app.owner.all("models").await;
    let id = models.iter().find(|it| it["name"] == name).unwrap()["id"].as_str().unwrap();
    let change = json!({ "max_output": 4_000, "context_window": 100_000, "input_price": "1",
        "output_price": "100", "supports": supports });
    app.owner.patch(&format!("models/{id}"), &change).await.ok();
    id.to_owned()
}

async fn route(app: &App, name: &str, models: [&str; 2]) {
    let targets = models.map(|name| json!({ "name": name }));
    let step = json!({ "pick": "order", "targets": targets });
    let route = json!({ "name": name, "description": "", "spec": { "steps": [step] } });
    app.owner.post("routes", &route).await.ok();
}

fn streamed(dialect: Dialect, model: &str) -> Value {
    let mut body = dialect.streamed(model, "Tell me a long story");
    let most = json!(4_000);
    match dialect {
        Dialect::Gemini => body["generationConfig"] = json!({ "maxOutputTokens": most }),
        Dialect::Responses => body["max_output_tokens"] = most,
        Dialect::Chat => body["max_completion_tokens"] = most,
        Dialect::Messages => body["max_tokens"] = most,
    }
    body
}

/// The status, all that was said, and the call.
async fn told(token: &Token, dialect: Dialect) -> (u16, String, Option<String>) {
    told_by(token, dialect, "claude").await
}

async fn told_by(token: &Token, dialect: Dialect, model: &str) -> (u16, String, Option<String>) {
    let request = token.client.request(reqwest::Method::POST, &dialect.path(model, true));
    let answer = request.json(&streamed(dialect, model)).send().await.unwrap();
    let status = answer.status().as_u16();
    let call = answer.headers().get("x-ralex-call-id").map(|id| id.to_str().unwrap().to_owned());
    let text = answer.text().await.unwrap();
    (status, text, call)
}

#[tokio::test]
async fn an_answer_that_does_not_fit_at_once_is_held_for_as_it_comes() {
    let (app, upstream) = app().await;
    let token = app.token("blue").await;
    // All 4,000 tokens would need 0.40 dollars.
    let budget = app.budget("org", "0.2", true).await;
    let script = Script { text: Some(words(600)), ..Script::default() };
    for dialect in DIALECTS {
        upstream.script_for("claude", script.clone());
        let (status, text, call) = told(&token, dialect).await;
        assert_eq!(status, 200, "{text}");
        assert!(text.contains("nine") && !text.contains("x-ralex-end"), "{dialect:?}: {text}");
        let story = until("it is settled", Duration::from_secs(5), async || {
            let story = app.owner.get(&format!("calls/{}", call.clone().unwrap())).await.ok();
            (story["state"] == "success").then_some(story)
        })
        .await;
        assert!(story["output_tokens"].as_u64().unwrap() >= 600, "{story}");
        let raised = json!({ "limit": ralex_kernel::Money::nanos(
            nanos(&app.owner.get(&format!("budgets/{budget}")).await.ok()["spent"]) + 200_000_000
        ).to_string() });
        app.owner.patch(&format!("budgets/{budget}"), &raised).await.ok();
    }
    let extended = app.owner.all("audit?action=call.extended").await;
    assert!(extended.len() >= DIALECTS.len(), "each needed more than its first slice");
    let budget = app.owner.get(&format!("budgets/{budget}")).await.ok();
    assert_eq!((nanos(&budget["held"]), &budget["refused"]), (0, &json!(0)), "{budget}");
}

#[tokio::test]
async fn an_answer_ends_properly_where_the_money_ends_and_what_was_said_is_kept_and_paid() {
    let (app, upstream) = app().await;
    let token = app.token("blue").await;
    let budget = app.budget("org", "0.07", true).await;
    let path = format!("budgets/{budget}");
    let script = Script { text: Some(words(3_000)), ..Script::default() };
    for dialect in DIALECTS {
        upstream.script_for("claude", script.clone());
        let (status, text, call) = told(&token, dialect).await;
        assert_eq!(status, 200, "{text}");
        let end = match dialect {
            Dialect::Chat => r#""finish_reason":"length""#,
            Dialect::Messages => r#""stop_reason":"max_tokens""#,
            Dialect::Responses => r#""reason":"max_output_tokens""#,
            Dialect::Gemini => r#""finishReason":"MAX_TOKENS""#,
        };
        assert!(text.contains(end), "{dialect:?}: {}", &text[text.len() - 1_000..]);
        assert_eq!(text.contains("x-ralex-end a budget"), dialect != Dialect::Gemini);
        let (said, _) = dialect.heard(&text);
        assert!(said.starts_with("one two") && said.len() > 500, "{dialect:?}: {said}");
        let story = until("it is settled", Duration::from_secs(5), async || {
            let story = app.owner.get(&format!("calls/{}", call.clone().unwrap())).await.ok();
            (story["state"] == "success").then_some(story)
        })
        .await;
        let tokens = story["output_tokens"].as_u64().unwrap();
        assert!((300..700).contains(&tokens), "{dialect:?}: {tokens}");
        let shown = app.owner.get(&path).await.ok();
        let (spent, limit) = (nanos(&shown["spent"]), nanos(&shown["limit"]));
        assert!(spent <= limit && nanos(&shown["held"]) == 0, "{shown}");
        assert!(spent >= nanos(&story["cost"]) && nanos(&story["cost"]) > 30_000_000, "{story}");
        let raised = ralex_kernel::Money::nanos(spent + 70_000_000).to_string();
        app.owner.patch(&path, &json!({ "limit": raised })).await.ok();
    }
    // What has not even room for its beginning is refused, and so is what can only be had whole.
    let spent = nanos(&app.owner.get(&path).await.ok()["spent"]);
    let tight = ralex_kernel::Money::nanos(spent + 40_000_000).to_string();
    app.owner.patch(&path, &json!({ "limit": tight })).await.ok();
    assert_eq!(told(&token, Dialect::Chat).await.0, 402);
    let whole = json!({ "model": "claude", "max_tokens": 4_000,
        "messages": [{ "role": "user", "content": "Hello" }] });
    let refused = token.client.post("/v1/chat/completions", &whole).await;
    Dialect::Chat.refusal(&refused, 402);
    assert_eq!(app.owner.get(&path).await.ok()["refused"], json!(2));
}

#[tokio::test]
async fn a_model_that_thinks_silently_stands_in_only_where_all_of_its_answer_fits() {
    let (app, upstream) = app().await;
    model(&app, &upstream, "twin", &[]).await;
    model(&app, &upstream, "thinker", &["reasoning"]).await;
    route(&app, "plain", ["claude", "twin"]).await;
    route(&app, "deep", ["claude", "thinker"]).await;
    let token = app.token("blue").await;
    let budget = app.budget("org", "0.2", true).await;
    upstream.script_for("claude", Script { status: Some(500), ..Script::default() });
    let (status, text, _) = told_by(&token, Dialect::Chat, "plain").await;
    assert_eq!(status, 200, "in slices, like the one it stands in for: {text}");
    let begun = upstream.counts().begun;
    let (status, text, call) = told_by(&token, Dialect::Chat, "deep").await;
    assert_eq!((status, upstream.counts().begun - begun), (502, 2), "{text}");
    let story = app.owner.get(&format!("calls/{}", call.unwrap())).await.ok();
    let passed = &story["tries"].as_array().unwrap()[2];
    assert_eq!(
        (&passed["model"], &passed["outcome"]),
        (&json!("thinker"), &json!("budget_exhausted"))
    );
    // With enough for all of it, it is asked.
    let raised = json!({ "limit": "2" });
    app.owner.patch(&format!("budgets/{budget}"), &raised).await.ok();
    assert_eq!(told_by(&token, Dialect::Chat, "deep").await.0, 200);
}
