//! Service accounts: one budget, one place in the record, whichever token a program shows.

use std::time::Duration;

use ralex_tests::app::{Answer, App, Dialect, Shell, Token, nanos, text, until};
use ralex_tests::upstream::Upstream;
use serde_json::{Value, json};

/// A model at the scripted provider, and a service account at home in a team.
async fn app() -> (App, Upstream, String) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    app.team("blue").await;
    let new = json!({ "slug": "nightly", "name": "Nightly", "team": "blue" });
    let made = app.owner.post("service-accounts", &new).await.ok();
    (app, upstream, text(&made, "id"))
}

async fn its_token(app: &App, name: &str) -> Token {
    app.token_of(&json!({ "name": name, "service_account": "nightly" })).await
}

async fn ask(token: &Token) -> Answer {
    token.client.call(Dialect::Messages, "claude", "Hello").await
}

#[tokio::test]
async fn all_its_tokens_spend_from_one_budget_and_nobody_elses_do() {
    let (app, _upstream, id) = app().await;
    let (first, second) = (its_token(&app, "first").await, its_token(&app, "second").await);
    let of_team = app.token_of(&json!({ "name": "team", "team": "blue" })).await;
    let new = json!({ "scope": "service_account:nightly", "period": "total", "limit": "10",
        "hard": true });
    let made = app.owner.post("budgets", &new).await.ok();
    assert_eq!(
        (text(&made, "scope").as_str(), &made["scope_name"]),
        ("service_account:nightly", &json!("Nightly"))
    );
    let budget = format!("budgets/{}", text(&made, "id"));
    for token in [&first, &second, &of_team] {
        ask(token).await.ok();
    }
    let calls = app.owner.all("calls").await;
    let cost = |name: &str| nanos(&calls.iter().find(|it| it["token"] == name).unwrap()["cost"]);
    assert!(calls.iter().all(|it| (it["token"] == "team") == it["service_account"].is_null()));
    let exported = app.owner.get("calls/export?service_account=nightly&format=csv").await;
    assert_eq!(exported.text.matches(",nightly,").count(), 2, "{exported:?}");
    let both = cost("first") + cost("second");
    assert!(both > 0 && cost("team") > 0);
    let settled = until("both are settled", Duration::from_secs(10), async || {
        let shown = app.owner.get(&budget).await.ok();
        (nanos(&shown["spent"]) == both && nanos(&shown["held"]) == 0).then_some(shown)
    })
    .await;

    // From now on nothing is left for any of its tokens.
    app.owner.patch(&budget, &json!({ "limit": settled["spent"] })).await.ok();
    for token in [&first, &second] {
        let refused = ask(token).await;
        assert_eq!(refused.status, 402, "{refused:?}");
        assert!(refused.text.contains("service_account:nightly"), "{refused:?}");
    }
    ask(&of_team).await.ok();

    // The calls of both are its own in the usage, and in a forecast and a replay of its budget.
    let usage = app.owner.get("usage?group_by=service_account").await.ok();
    let rows = usage["rows"].as_array().unwrap();
    let own = rows.iter().find(|row| row["key"] == "nightly").unwrap();
    assert_eq!(
        (nanos(&own["cost"]), &own["calls"], &own["name"]),
        (both, &json!(2), &json!("Nightly"))
    );
    assert!(rows.iter().any(|row| row["name"] == "No service account"), "{rows:?}");
    for reference in ["nightly", id.as_str()] {
        let narrowed = app.owner.get(&format!("usage?service_account={reference}")).await.ok();
        assert_eq!(nanos(&narrowed["total"]["cost"]), both);
    }
    let foretold = app.owner.get(&format!("{budget}/forecast")).await.ok();
    assert_eq!(nanos(&foretold["spent"]), both);
    let tried = json!({ "budget": { "scope": "service_account:nightly", "period": "total",
        "limit": "0.000001", "hard": true } });
    let replayed = app.owner.post("usage/replay", &tried).await.ok();
    assert_eq!((&replayed["calls"], &replayed["refused"]), (&json!(2), &json!(2)), "{replayed}");
}

#[tokio::test]
async fn what_it_does_is_its_own_in_the_log_and_disabled_it_does_nothing() {
    let (app, _upstream, id) = app().await;
    let token = its_token(&app, "first").await;
    ask(&token).await.ok();
    let actor = format!("service_account:{id}");
    let said = until("its call is in the log", Duration::from_secs(10), async || {
        let found = app.owner.all(&format!("audit?actor={actor}&action=call.closed")).await;
        found.into_iter().next()
    })
    .await;
    assert_eq!((&said["actor"], &said["actor_name"]), (&json!(actor), &json!("Nightly")));
    assert_eq!(said["record"]["actor"]["credential_id"], json!(token.id), "{said}");
    let table = app.owner.get(&format!("audit/export?format=csv&actor={actor}")).await;
    assert!(table.text.contains(",Nightly,"), "{table:?}");

    let off = app.owner.patch("service-accounts/nightly", &json!({ "disabled": true })).await.ok();
    assert!(off["disabled_at"].is_string(), "{off}");
    let stopped = async || (ask(&token).await.status == 401).then_some(());
    until("it stopped", Duration::from_secs(1), stopped).await;
    let listed = app.owner.all("tokens?service_account=nightly").await;
    assert_eq!(listed[0]["stopped"], "disabled", "{listed:?}");
    let new = json!({ "name": "more", "service_account": "nightly" });
    assert_eq!(app.owner.post("tokens", &new).await.status, 422);
    app.owner.patch("service-accounts/nightly", &json!({ "disabled": false })).await.ok();
    ask(&token).await.ok();
    let listed = app.owner.all("tokens?service_account=nightly").await;
    assert!(listed[0].get("stopped").is_none(), "{listed:?}");
    let events = app.owner.all(&format!("audit?target=service_account:{id}")).await;
    assert_eq!(events.len(), 3, "made, disabled, enabled: {events:?}");
}

#[tokio::test]
async fn a_team_sees_and_makes_its_own_only() {
    let (app, _upstream, _) = app().await;
    app.team("red").await;
    let reds = app.member("red@example.com", "team_admin", "team:red").await;
    let blues = app.member("blue@example.com", "team_admin", "team:blue").await;
    assert_eq!(reds.client.get("service-accounts/nightly").await.status, 403);
    assert_eq!(reds.client.get("service-accounts/nothing").await.status, 403);
    assert_eq!(blues.client.get("service-accounts/nightly").await.ok()["team"], "blue");
    assert_eq!(blues.client.all("service-accounts?team=blue").await.len(), 1);
    let of_blue = json!({ "slug": "more", "name": "More", "team": "blue" });
    assert_eq!(reds.client.post("service-accounts", &of_blue).await.status, 403);
    let token = json!({ "name": "more", "service_account": "nightly" });
    assert_eq!(reds.client.post("tokens", &token).await.status, 403);
    let own = blues.client.post("tokens", &token).await.ok();
    let listed = blues.client.all("tokens?service_account=nightly").await;
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &own["id"]));
    assert_eq!(
        (&listed[0]["service_account"], &listed[0]["team"]),
        (&json!("nightly"), &json!("blue"))
    );
    let gone = app.owner.delete("teams/blue").await;
    assert!(gone.status == 409 && gone.text.contains("1 service accounts"), "{gone:?}");
}

#[tokio::test]
async fn it_is_managed_from_a_command_line() {
    let app = App::start().await;
    app.team("blue").await;
    let shell = Shell::of(&app);
    let done = async |line: &str| shell.done(line).await;
    let made = done("service-accounts create nightly --team blue --json").await;
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!((&made["slug"], &made["name"]), (&json!("nightly"), &json!("nightly")));
    let token = done("tokens create november --service-account nightly --expires-in-days 90").await;
    assert!(token.starts_with("rlx_svc_"), "{token}");
    let models = app.with(&token).get("/v1/models").await;
    assert_eq!(models.status, 200, "{models:?}");
    done("service-account rename nightly --name Report").await;
    let listed = done("service-accounts list").await;
    assert!(listed.contains("Report") && listed.contains("enabled"), "{listed}");
    assert!(done("service-accounts disable nightly").await.contains("disabled"));
    assert!(done("service-accounts show nightly").await.contains("disabled"));
    let listed = done("token list --service-account nightly").await;
    assert!(listed.contains("its account is disabled") && !listed.contains("works"), "{listed}");
    assert!(done("service-accounts enable nightly").await.contains("enabled"));
    let listed = done("token list --service-account nightly").await;
    assert!(listed.contains("nightly of blue") && listed.contains("works"), "{listed}");
    let id = listed.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    done(&format!("tokens revoke {id}")).await;
    assert!(done("tokens list").await.contains("revoked"));
    let (code, said) = shell.says("tokens create x --service-account nothing").await;
    assert!(code == 1 && said.contains("no service account"), "{said}");
    assert_eq!(shell.says("tokens create x").await.0, 3);
    assert_eq!(shell.says("service-accounts create Not_a_slug --team blue").await.0, 3);
}
