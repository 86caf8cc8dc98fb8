//! Budgets: what fits passes, what does not fit is refused, and no sum is ever off.

use futures_util::future::join_all;
use ralex_tests::app::{App, DIALECTS, Dialect, Token, nanos, text};
use ralex_tests::upstream::{Script, ScriptedUsage, Upstream};
use serde_json::json;

/// What one call of these tests holds at most, in nano-dollars: found out, not computed here.
async fn worst_case(app: &App, token: &Token) -> i64 {
    let answer = token.client.call(Dialect::Chat, "claude", "Hello").await;
    answer.ok();
    let call = answer.header("x-ralex-call-id").unwrap();
    nanos(&app.owner.get(&format!("calls/{call}")).await.ok()["held"])
}

async fn app() -> (App, Upstream, Token) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let token = app.token("blue").await;
    (app, upstream, token)
}

fn dollars(nanos: i64) -> String {
    ralex_kernel::Money::nanos(nanos).to_string()
}

#[tokio::test]
async fn a_spent_hard_budget_refuses_in_each_dialect_and_sends_nothing() {
    let (app, upstream, token) = app().await;
    app.budget("team:blue", "0.000001", true).await;
    let before = upstream.requests("claude").len();
    for dialect in DIALECTS {
        let answer = token.client.call(dialect, "claude", "Hello").await;
        let said = dialect.refusal(&answer, 402);
        assert!(said.to_lowercase().contains("budget"), "{said}");
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        let stream = token.client.stream(dialect, "claude", "Hello").await;
        assert_eq!(stream.status, 402);
    }
    assert_eq!(upstream.requests("claude").len(), before);
    let refused = app.owner.all("audit?action=call.refused").await;
    let expected = 2 * DIALECTS.len();
    assert_eq!(refused.len(), expected, "{refused:?}");
    for entry in &refused {
        assert_eq!(entry["outcome"], "denied");
        let detail = entry["record"].to_string();
        assert!(detail.contains("budget_exhausted"), "{detail}");
    }
    let shown = &app.owner.all("budgets").await[0];
    assert_eq!(
        (shown["refused"].as_u64(), nanos(&shown["held"])),
        (u64::try_from(expected).ok(), 0),
        "{shown}"
    );
    let calls = app.owner.all("calls?state=refused").await;
    assert!(calls.iter().all(|call| nanos(&call["cost"]) == 0) && calls.len() == expected);
}

#[tokio::test]
async fn a_soft_budget_lets_calls_pass_and_tells_of_thresholds() {
    let (app, _upstream, token) = app().await;
    let budget = app.budget("team:blue", "0.000001", false).await;
    for _ in 0..2 {
        Dialect::Chat.said(&token.client.call(Dialect::Chat, "claude", "Hello").await);
    }
    let shown = app.owner.get(&format!("budgets/{budget}")).await.ok();
    assert!(nanos(&shown["spent"]) > nanos(&shown["limit"]), "{shown}");
    let told = app.owner.all("audit?action=budget.threshold_crossed").await;
    let mut percents: Vec<_> =
        told.iter().map(|entry| entry["record"]["detail"]["percent"].as_u64().unwrap()).collect();
    percents.sort_unstable();
    let told_once = percents.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(told_once && percents.last() == Some(&100), "{percents:?}");
}

#[tokio::test]
async fn a_limit_cannot_be_set_below_what_is_spent() {
    let (app, _upstream, token) = app().await;
    let budget = app.budget("org", "10", true).await;
    Dialect::Chat.said(&token.client.call(Dialect::Chat, "claude", "Hello").await);
    let path = format!("budgets/{budget}");
    let refused = app.owner.patch(&path, &json!({ "limit": "0.000000001" })).await;
    refused.refused(409, "limit_below_spent");
    let shown = app.owner.get(&path).await.ok();
    assert_eq!(nanos(&shown["limit"]), 10_000_000_000);
    let spent = text(&shown, "spent");
    let lowered = app.owner.patch(&path, &json!({ "limit": spent })).await.ok();
    assert_eq!(lowered["limit"], shown["spent"]);
    let answer = token.client.call(Dialect::Chat, "claude", "Hello").await;
    Dialect::Chat.refusal(&answer, 402);
}

#[tokio::test]
async fn of_sixty_calls_at_once_as_many_pass_as_fit() {
    let (app, upstream, token) = app().await;
    let most = worst_case(&app, &token).await;
    let budget = app.budget("team:blue", &dollars(most * 10), true).await;
    let path = format!("budgets/{budget}");
    // Calls wait at the provider, so that none is settled before all have asked.
    upstream.script(Script { delay_first_ms: 2_000, ..Script::default() });
    let watch = async {
        loop {
            let shown = app.owner.get(&path).await.ok();
            let used = nanos(&shown["spent"]) + nanos(&shown["held"]);
            assert!(used <= nanos(&shown["limit"]), "{shown}");
        }
    };
    let calls = join_all((0..60).map(|_| token.client.call(Dialect::Chat, "claude", "Hello")));
    let answers = tokio::select! {
        answers = calls => answers,
        () = watch => return,
    };
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(passed, 10);
    assert!(answers.iter().all(|answer| [200, 402].contains(&answer.status)), "{answers:?}");
    let said: i64 = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| nanos(&json!(answer.header("x-ralex-cost"))))
        .sum();
    let shown = app.owner.get(&path).await.ok();
    assert_eq!((nanos(&shown["spent"]), nanos(&shown["held"])), (said, 0), "{shown}");
}

#[tokio::test]
async fn two_nodes_cannot_spend_the_same_money_twice() {
    let (app, upstream, token) = app().await;
    let most = worst_case(&app, &token).await;
    let second = app.second().await;
    let budget = app.budget("org", &dollars(most * 5), true).await;
    // The other node takes the new budget up within a second.
    let there = token.client.at(&second);
    upstream.script(Script { delay_first_ms: 3_000, ..Script::default() });
    ralex_tests::app::until("both nodes know it", std::time::Duration::from_secs(2), async || {
        let shown = app.owner.at(&second).get(&format!("budgets/{budget}")).await;
        (shown.status == 200).then_some(())
    })
    .await;
    let clients = [&token.client, &there];
    let calls = (0..40).map(|number| clients[number % 2].call(Dialect::Chat, "claude", "Hello"));
    let answers = join_all(calls).await;
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(passed, 5);
    let shown = app.owner.get(&format!("budgets/{budget}")).await.ok();
    assert!(nanos(&shown["spent"]) <= nanos(&shown["limit"]), "{shown}");
}

#[tokio::test]
async fn every_scope_counts_its_own_calls() {
    let (app, _upstream, token) = app().await;
    let project = json!({ "slug": "web", "name": "Web", "team": "blue" });
    app.owner.post("projects", &project).await.ok();
    let inside = json!({ "name": "web", "team": "blue", "project": "web" });
    let inside = app.token_of(&inside).await;
    let outside = app.token("red").await;
    let mut budgets = Vec::new();
    for scope in ["org", "team:blue", "project:web", &format!("token:{}", token.id)] {
        budgets.push(app.budget(scope, "10", true).await);
    }
    let mut costs = [0; 3];
    for (client, cost) in [&token, &inside, &outside].into_iter().zip(&mut costs) {
        let answer = client.client.call(Dialect::Messages, "claude", "Hello").await;
        *cost = nanos(&json!(answer.header("x-ralex-cost")));
    }
    let [own, project, other] = costs;
    let expected = [own + project + other, own + project, project, own];
    for (budget, expected) in budgets.iter().zip(expected) {
        let shown = app.owner.get(&format!("budgets/{budget}")).await.ok();
        assert_eq!(nanos(&shown["spent"]), expected, "{shown}");
    }
    // The tightest one decides.
    let tight = app.budget(&format!("token:{}", inside.id), "0.000001", true).await;
    let answer = inside.client.call(Dialect::Messages, "claude", "Hello").await;
    Dialect::Messages.refusal(&answer, 402);
    let shown = app.owner.get(&format!("budgets/{}", budgets[0])).await.ok();
    assert_eq!((nanos(&shown["spent"]), nanos(&shown["held"])), (expected[0], 0));
    app.owner.delete(&format!("budgets/{tight}")).await.ok();
    Dialect::Messages.said(&inside.client.call(Dialect::Messages, "claude", "Hello").await);
}

#[tokio::test]
async fn a_budget_needs_a_scope_that_there_is_and_a_sensible_limit() {
    let app = App::start().await;
    let new = |scope: &str, limit: serde_json::Value| json!({ "scope": scope, "period": "month", "limit": limit, "hard": true });
    for body in [
        new("team:nowhere", json!("1")),
        new("planet", json!("1")),
        new("org", json!("0")),
        new("org", json!("-1")),
        new("org", json!("1.0000000001")),
        new("org", json!("1e3")),
        new("org", json!(1)),
        new("org", json!("99999999999999")),
    ] {
        let answer = app.owner.post("budgets", &body).await;
        assert!([404, 422].contains(&answer.status), "{body}: {answer:?}");
        answer.problem();
    }
    assert!(app.owner.all("budgets").await.is_empty());
}

#[tokio::test]
async fn what_ralex_counts_by_itself_costs_no_more_than_was_held_and_what_is_told_costs_what_it_is()
{
    let (app, upstream, token) = app().await;
    // Far more than was asked for, so that the count of it passes what is held for the call.
    let words: Vec<String> = (0..2_000).map(|at| format!("word{at} ")).collect();
    let uncounted = Script {
        chunks: Some(words),
        usage: Some(ScriptedUsage::Word("none".to_owned())),
        ..Script::default()
    };
    let cut = Script { cut_after: Some(1_900), ..uncounted.clone() };
    for (script, streamed, state) in
        [(uncounted.clone(), false, "success"), (uncounted, true, "success"), (cut, true, "error")]
    {
        upstream.script(script);
        if streamed {
            token.client.stream(Dialect::Chat, "claude", "Hello").await.read_all().await;
        } else {
            token.client.call(Dialect::Chat, "claude", "Hello").await.ok();
        }
        let call = app.owner.get("calls?limit=1").await.ok()["items"][0].clone();
        assert_eq!((&call["state"], &call["estimated"]), (&json!(state), &json!(true)), "{call}");
        assert_eq!(nanos(&call["cost"]), nanos(&call["held"]), "{call}");
    }
    let usage = serde_json::from_value(json!({ "usage": { "output_tokens": 50_000 } }));
    upstream.script(usage.unwrap());
    token.client.call(Dialect::Chat, "claude", "Hello").await.ok();
    let call = app.owner.get("calls?limit=1").await.ok()["items"][0].clone();
    assert_eq!(
        (nanos(&call["cost"]), &call["estimated"]),
        (50_000 * 15_000, &json!(false)),
        "{call}"
    );
    assert!(nanos(&call["cost"]) > nanos(&call["held"]), "{call}");
}

#[tokio::test]
async fn an_increase_lets_calls_pass_until_it_is_ended() {
    let (app, _upstream, token) = app().await;
    let most = worst_case(&app, &token).await;
    let budget = app.budget("team:blue", "0.000000001", true).await;
    let call = || token.client.call(Dialect::Chat, "claude", "Hello");
    Dialect::Chat.refusal(&call().await, 402);
    let path = format!("budgets/{budget}/increase");
    let more = json!({
        "amount": dollars(most * 2), "until": "2999-01-01T00:00:00Z", "reason": "The launch",
    });
    let given = app.owner.post(&path, &more).await.ok();
    assert_eq!((nanos(&given["limit"]), &given["increase"]["reason"]), (1, &more["reason"]));
    Dialect::Chat.said(&call().await);
    let ended = app.owner.delete(&path).await.ok();
    assert!(ended.get("increase").is_none() && nanos(&ended["spent"]) > 1, "{ended}");
    Dialect::Chat.refusal(&call().await, 402);
    app.owner.delete(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_budget_by_the_hour_by_a_fiscal_year_or_of_a_person_is_set_and_shown() {
    let app = App::start().await;
    let people = app.owner.all("members").await;
    let owner = &people[0]["user"];
    let of = format!("user:{}", text(owner, "email"));
    let new = json!({
        "scope": of, "period": "year", "limit": "5", "hard": true,
        "year_start": { "month": 4, "day": 6 }, "degrade_at": 20,
    });
    let made = app.owner.post("budgets", &new).await.ok();
    assert_eq!(made["scope"], format!("user:{}", text(owner, "id")));
    assert_eq!((&made["scope_name"], &made["degrade_at"]), (&owner["name"], &json!(20)));
    assert!(text(&made, "period_starts_at").contains("-04-06T00:00:00"), "{made}");
    let hourly = json!({ "scope": "org", "period": "hour", "limit": "5", "hard": false });
    let made = app.owner.post("budgets", &hourly).await.ok();
    assert!(text(&made, "period_ends_at").ends_with(":00:00Z"), "{made}");
}
