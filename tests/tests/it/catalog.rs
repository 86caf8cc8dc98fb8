//! Kinds of providers, models and their prices, as whoever provisions them meets them.

use ralex_tests::app::{App, Dialect, nanos, text};
use ralex_tests::upstream::Upstream;
use serde_json::{Value, json};

/// The first call that was made, as the API shows it now.
async fn first_call(app: &App) -> Value {
    app.owner.all("calls").await.pop().unwrap()
}

#[tokio::test]
async fn a_call_keeps_the_price_that_it_was_made_at() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("scripted", "openai_compatible", &upstream, "sk-canary").await;
    let token = app.token("blue").await;
    token.client.call(Dialect::Chat, "scripted", "Hello").await;
    let before = first_call(&app).await;
    let dearer = json!({ "input_price": "1000", "output_price": "1000" });
    let changed = app.owner.patch("models/scripted", &dearer).await.ok();
    assert_eq!(changed["price_version"], 2, "{changed}");
    token.client.call(Dialect::Chat, "scripted", "Hello").await;
    let after = first_call(&app).await;
    assert_eq!(text(&before, "id"), text(&after, "id"));
    assert_eq!(before["cost"], after["cost"], "what was paid does not change");
    let newest = app.owner.get("calls?limit=1").await.ok()["items"][0].clone();
    assert!(nanos(&newest["cost"]) > nanos(&before["cost"]), "{newest}");
    for (call, version) in [(&before, 1), (&newest, 2)] {
        let call = app.owner.get(&format!("calls/{}", text(call, "id"))).await.ok();
        assert_eq!(call["prices"]["version"], version, "{call}");
    }
    let versions = app.owner.all("models/scripted/prices").await;
    let told: Vec<_> = versions
        .iter()
        .map(|price| {
            (price["version"].clone(), text(price, "input_price"), price["current"].clone())
        })
        .collect();
    assert_eq!((told[0].clone(), told.len()), ((json!(2), "1000".to_owned(), json!(true)), 2));
    assert_eq!(text(&versions[0], "set_by"), ralex_tests::app::EMAIL);
}

#[tokio::test]
async fn what_the_catalogue_knows_can_be_added_and_found() {
    let app = App::start().await;
    let kinds = app.owner.all("catalog/providers").await;
    let mistral = kinds.iter().find(|kind| kind["kind"] == "mistral").unwrap();
    assert_eq!(text(mistral, "base_url"), "https://api.mistral.ai/v1");
    let wrong = json!({ "slug": "x", "kind": "mystral" });
    let refused = app.owner.post("providers", &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(refused.problem()["errors"][0]["message"].to_string().contains("mistral"));
    app.owner.post("providers", &json!({ "slug": "eu", "kind": "mistral" })).await.ok();
    let known = app.owner.all("catalog?kind=mistral&operation=embeddings").await;
    assert!(!known.is_empty());
    for model in &known {
        assert_eq!(model["operations"], json!(["embeddings"]), "{model}");
    }
    let codestral = app.owner.all("catalog?q=CODESTRAL-2508").await.remove(0);
    let new = json!({
        "name": "coder", "provider": "eu", "upstream_model": codestral["name"],
        "input_price": codestral["input_price"], "output_price": codestral["output_price"],
        "context_window": codestral["context_window"], "max_output": codestral["max_output"],
    });
    let model = app.owner.post("models", &new).await.ok();
    assert_eq!(model["supports"], codestral["supports"]);
    assert_eq!(model["residency"], json!(["eu"]));
    let found = app.owner.all("models?supports=tools&provider=eu").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let off = app.owner.patch("models/coder", &json!({ "enabled": false, "quality": null })).await;
    assert_eq!(off.ok()["quality"], Value::Null);
    assert_eq!(app.owner.all("models?enabled=false").await.len(), 1);
}

#[tokio::test]
async fn a_key_is_given_a_share_and_limits() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("scripted", "openai_compatible", &upstream, "sk-canary").await;
    let id = text(&app.owner.all("secrets").await[0], "id");
    let limits = json!({ "weight": 3, "requests_per_minute": 60 });
    let limited = app.owner.patch(&format!("secrets/{id}"), &limits).await.ok();
    assert_eq!((&limited["weight"], &limited["requests_per_minute"]), (&json!(3), &json!(60)));
    assert!(!limited.to_string().contains("canary"));
    let wrong = app.owner.patch(&format!("secrets/{id}"), &json!({ "weight": 101 })).await;
    assert_eq!(wrong.status, 422);
    let actions = app.owner.all("audit?action=secret.updated").await;
    assert_eq!(actions.len(), 1, "{actions:?}");
}
