//! What-if over calls that were made.

use ralex_tests::app::{App, Dialect, nanos, text};
use ralex_tests::upstream::Upstream;
use serde_json::{Value, json};

fn budget(limit: &str) -> Value {
    json!({ "budget": { "scope": "team:blue", "period": "day", "limit": limit, "hard": true } })
}

#[tokio::test]
async fn a_budget_a_limit_and_a_price_are_tried_on_past_calls_and_nothing_is_changed() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let token = app.token("blue").await;
    app.budget("org", "10", true).await;
    for _ in 0..5 {
        token.client.call(Dialect::Messages, "claude", "Hello").await.ok();
    }
    let replay = async |body: &Value| app.owner.post("usage/replay", body).await.ok();

    // What was in force changes nothing, and one that nothing fits refuses all.
    let wide = replay(&budget("10")).await;
    let counts =
        |it: &Value| ["calls", "passed", "refused", "cut"].map(|field| it[field].as_u64().unwrap());
    assert_eq!(counts(&wide), [5, 5, 0, 0], "{wide}");
    let cost = nanos(&wide["cost"]);
    assert!(cost > 0 && nanos(&wide["cost_then"]) == cost, "{wide}");
    assert_eq!(nanos(&wide["periods"][0]["spent"]), cost);
    let calls = app.owner.all("calls").await;
    assert_eq!(cost, calls.iter().map(|call| nanos(&call["cost"])).sum::<i64>());
    let tight = replay(&budget("0.00000001")).await;
    assert_eq!((counts(&tight), nanos(&tight["cost_then"])), ([5, 0, 5, 0], 0), "{tight}");
    assert_eq!(text(&tight["most"][0], "team"), "blue");
    assert!(tight["first_refused_at"].is_string());

    let limit = json!({ "rate_limit": { "scope": "org", "measure": "requests", "amount": 2,
        "window_seconds": 3600 } });
    assert_eq!(counts(&replay(&limit).await), [5, 2, 3, 0]);
    let free = json!({ "price": { "model": "claude", "input_price": "0", "output_price": "0" } });
    assert_eq!(nanos(&replay(&free).await["cost_then"]), 0);
    let other = json!({ "price": { "model": "another", "input_price": "0" } });
    assert_eq!(counts(&replay(&other).await), [0, 0, 0, 0]);

    assert_eq!(app.owner.all("budgets").await.len(), 1, "nothing was made");
    assert!(app.owner.all("rate-limits").await.is_empty());
    for (wrong, path) in [
        (json!({}), "budget"),
        (json!({ "budget": budget("1")["budget"], "price": free["price"] }), "budget"),
        (json!({ "price": { "model": "claude" } }), "price"),
        (budget("0"), "limit"),
        (json!({ "rate_limit": { "scope": "galaxy", "measure": "tokens", "amount": 1 } }), "scope"),
    ] {
        let refused = app.owner.post("usage/replay", &wrong).await.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["path"], path, "{refused}");
    }
}
