//! Budgets of one model or provider, of the last days, and such that carry over, as somebody who sets
//! and meets them sees them.

use ralex_tests::app::{App, Dialect, nanos, text};
use ralex_tests::upstream::{Script, Upstream};
use serde_json::{Value, json};

/// A new daily budget of a team.
fn of(only: Value, limit: &str) -> Value {
    let mut new = json!({ "scope": "team:blue", "period": "day", "limit": limit, "hard": true });
    new.as_object_mut().unwrap().extend(only.as_object().unwrap().clone());
    new
}

#[tokio::test]
async fn a_model_s_budget_lets_its_calls_go_on_to_another_model_and_the_story_says_why() {
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
    for (wrong, path) in [
        (of(json!({ "model": "nothing" }), "1"), "model"),
        (of(json!({ "provider": "nobody" }), "1"), "provider"),
        (of(json!({ "model": "first", "provider": "first" }), "1"), "provider"),
        (of(json!({ "model": "first", "degrade_at": 20 }), "1"), "degrade_at"),
    ] {
        let refused = app.owner.post("budgets", &wrong).await.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["path"], path, "{refused}");
    }
    let tight = app.owner.post("budgets", &of(json!({ "model": "first" }), "0.000001")).await.ok();
    let wide = app.owner.post("budgets", &of(json!({ "provider": "second" }), "5")).await.ok();
    assert_eq!((&tight["model"], &wide["provider"]), (&json!("first"), &json!("second")));
    let made = app.owner.all("audit?action=budget.created").await;
    assert!(made.iter().any(|it| it["record"].to_string().contains("\"model\":\"first\"")));

    // A model that is called by its name has no other to go to, and the refusal says what is short.
    let answer = token.client.call(Dialect::Chat, "first", "Hello").await;
    let said = Dialect::Chat.refusal(&answer, 402);
    assert!(said.contains("daily budget of team:blue for the model first"), "{said}");
    // A route goes on.
    let answer = token.client.call(Dialect::Chat, "safe", "Hello there").await;
    assert_eq!(Dialect::Chat.said(&answer), "You said: Hello there");
    assert_eq!(answer.header("x-ralex-model"), Some("second"));
    assert!(upstream.requests("first").is_empty());
    let call = answer.header("x-ralex-call-id").unwrap().to_owned();
    let story = app.owner.get(&format!("calls/{call}")).await.ok();
    let (tries, cost) = (story["tries"].as_array().unwrap(), nanos(&story["cost"]));
    let note = "the daily budget of team:blue for the model first has not enough left";
    assert_eq!(
        (&tries[0]["outcome"], text(&tries[0], "note")),
        (&json!("budget_exhausted"), note.to_owned())
    );
    assert_eq!((&tries[1]["model"], &story["attempts"]), (&json!("second"), &json!(1)));

    // A fallback is paid where it went, and what was tried before where that was tried.
    let by_id =
        async |budget: &Value| app.owner.get(&format!("budgets/{}", text(budget, "id"))).await.ok();
    assert_eq!(nanos(&by_id(&wide).await["spent"]), cost);
    assert_eq!(by_id(&tight).await["refused"], json!(2), "one call, and one that went elsewhere");
    app.owner
        .patch(&format!("budgets/{}", text(&tight, "id")), &json!({ "limit": "5" }))
        .await
        .ok();
    upstream.script_for("first", Script { status: Some(500), ..Script::default() });
    token.client.call(Dialect::Chat, "safe", "Hello again").await.ok();
    let [tight, wide] = [by_id(&tight).await, by_id(&wide).await];
    assert_eq!([nanos(&tight["spent"]), nanos(&tight["held"])], [0, 0], "a refusal costs nothing");
    assert!(nanos(&wide["spent"]) > cost && nanos(&wide["held"]) == 0, "{wide}");
    let all = app.owner.all("budgets").await;
    let all = all.iter().find(|it| it["scope"] == "org").unwrap();
    assert_eq!(nanos(&all["spent"]), nanos(&wide["spent"]));
}

#[tokio::test]
async fn a_rolling_budget_and_one_that_carries_over_hold_and_show_what_they_have() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let token = app.token("blue").await;
    for (wrong, path) in [
        (json!({ "period": "rolling" }), "days"),
        (json!({ "period": "rolling", "days": 367 }), "days"),
        (json!({ "period": "day", "days": 3 }), "days"),
        (json!({ "period": "rolling", "days": 3, "carry_over": true }), "carry_over"),
        (json!({ "period": "total", "carry_over": true }), "carry_over"),
        (json!({ "period": "day", "carry_over_at_most": "1" }), "carry_over_at_most"),
    ] {
        let refused =
            app.owner.post("budgets", &of(wrong, "5")).await.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["path"], path, "{refused}");
    }
    let rolling = json!({ "period": "rolling", "days": 30, "time_zone": "Europe/Oslo" });
    let rolling = app.owner.post("budgets", &of(rolling, "5")).await.ok();
    let carrying = json!({ "period": "week", "carry_over": true, "carry_over_at_most": "2" });
    let carrying = app.owner.post("budgets", &of(carrying, "5")).await.ok();
    let time = |it: &Value, field: &str| text(it, field).parse::<chrono::DateTime<chrono::Utc>>();
    let window =
        time(&rolling, "period_ends_at").unwrap() - time(&rolling, "period_starts_at").unwrap();
    assert!((719..=721).contains(&window.num_hours()), "30 days, of which one may be longer");
    assert_eq!((nanos(&carrying["carried"]), &carrying["carry_over"]), (0, &json!(true)));

    let answer = token.client.call(Dialect::Chat, "claude", "Hello").await;
    answer.ok();
    for budget in [&rolling, &carrying] {
        let path = format!("budgets/{}", text(budget, "id"));
        let cost = nanos(&json!(answer.header("x-ralex-cost").unwrap()));
        let shown = app.owner.get(&path).await.ok();
        let spent = nanos(&shown["spent"]);
        assert!(spent >= cost && spent % cost == 0, "{shown}");
        let tight = json!({ "limit": "0.000001" });
        app.owner.patch(&path, &tight).await.refused(409, "limit_below_spent");
        let more = chrono::Utc::now() + chrono::TimeDelta::minutes(30);
        let more = json!({ "amount": "1", "until": more, "reason": "The launch" });
        let raised = app.owner.post(&format!("{path}/increase"), &more).await.ok();
        assert_eq!(text(&raised["increase"], "amount"), "1");
        app.owner.delete(&format!("{path}/increase")).await.ok();
        app.owner
            .patch(&path, &json!({ "limit": ralex_kernel::Money::nanos(spent).to_string() }))
            .await
            .ok();
        let refused = token.client.call(Dialect::Chat, "claude", "Hello").await;
        let said = Dialect::Chat.refusal(&refused, 402);
        let name = if budget["days"].is_null() { "weekly" } else { "rolling" };
        assert!(said.contains(&format!("The {name} budget of team:blue")), "{said}");
        app.owner.patch(&path, &json!({ "limit": "5" })).await.ok();
        token.client.call(Dialect::Chat, "claude", "Hello").await.ok();
        app.owner.delete(&path).await.ok();
        token.client.call(Dialect::Chat, "claude", "Hello").await.ok();
    }
}
