//! How long single calls are recorded: what two people agree about, and that no sum misses what goes.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use ralex_tests::app::{App, Dialect, Person, run, text, until};
use ralex_tests::upstream::Upstream;
use serde_json::{Value, json};

use crate::retention::security;

const REQUESTS: &str = "audit/retention/requests";

/// Calls of today, and as many of so many days ago, with a budget that counts all of them.
async fn world(days: u32) -> (App, Person) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("scripted", "openai_compatible", &upstream, "sk-canary").await;
    let budget = json!({ "scope": "org", "limit": "100", "period": "total", "hard": true });
    app.owner.post("budgets", &budget).await.ok();
    let token = app.token("blue").await;
    for _ in 0..3 {
        token.client.call(Dialect::Chat, "scripted", "Hello").await;
    }
    let summed = "select coalesce(sum(calls), 0)::text from usage_sum where slice = 'time_day'";
    until("the calls are summed up", Duration::from_secs(20), async || {
        (app.database.texts(summed).await == ["3"]).then_some(())
    })
    .await;
    // As if they had been made then: the same ids but for their time, and all that names them.
    let planted = format!(
        "insert into call select * from (
             select (jsonb_populate_record(null::call, to_jsonb(c) || jsonb_build_object(
                 'id', overlay(c.id::text placing '0190' from 1 for 4),
                 'started_at', c.started_at - interval '{days} days'))).*
             from call c) as old;
         update budget_period set spent = 2 * spent"
    );
    app.database.execute(&planted).await;
    until("the old ones are summed up", Duration::from_secs(20), async || {
        (app.database.texts(summed).await == ["6"]).then_some(())
    })
    .await;
    let other = security(&app).await;
    (app, other)
}

async fn keep(app: &App, other: &Person, days: u32) {
    let ask = json!({ "kind": "retention", "class": "records", "days": days, "reason": "Tidy." });
    let asked = app.owner.post(REQUESTS, &ask).await.ok();
    assert_eq!(prune(app).await, 0, "one person's word is none");
    let path = format!("{REQUESTS}/{}/approve", text(&asked, "id"));
    other.client.post(&path, &json!({ "reason": "Agreed." })).await.ok();
}

async fn prune(app: &App) -> u64 {
    let pruned = app.owner.post("audit/retention/prune", &Value::Null).await.ok();
    pruned["records"].as_u64().unwrap()
}

/// That budgets and usage add up, as the command proves it.
async fn adds_up(app: &App, arguments: &'static [&'static str]) {
    let url = app.database.url().to_owned();
    let done = tokio::task::spawn_blocking(move || run(arguments, &[("RALEX_DATABASE_URL", &url)]));
    let done = done.await.unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
}

fn ago(days: i64) -> String {
    (Utc::now() - TimeDelta::days(days)).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[tokio::test]
async fn what_pruned_calls_cost_stays_in_budgets_and_usage() {
    let (app, other) = world(90).await;
    let usage = format!("usage?group_by=model&from={}", ago(100));
    let before = app.owner.get(&usage).await.ok();
    assert_eq!(before["total"]["calls"], 6, "{before}");
    let calls = app.owner.all("calls").await;
    let short = json!({ "kind": "retention", "class": "records", "days": 59, "reason": "x" });
    app.owner.post(REQUESTS, &short).await.refused(422, "invalid_request");
    assert_eq!(prune(&app).await, 0, "without a word everything is kept");
    keep(&app, &other, 60).await;
    assert_eq!((prune(&app).await, prune(&app).await), (3, 0));
    assert_eq!(app.owner.all("calls").await.len(), 3);
    for command in [["budgets", "verify"].as_slice(), &["usage", "rebuild"], &["budgets", "verify"]]
    {
        adds_up(&app, command).await;
        let after = app.owner.get(&usage).await.ok();
        assert_eq!((&after["rows"], &after["total"]), (&before["rows"], &before["total"]));
    }
    let shown = app.owner.get("audit/retention").await.ok();
    let class = shown["classes"].as_array().unwrap().last().unwrap();
    assert_eq!((&class["class"], &class["days"]), (&json!("records"), &json!(60)));
    assert_eq!(shown["records"]["count"], 3, "{shown}");
    let told = app.owner.all("audit?action=calls.pruned").await;
    assert_eq!((told.len(), &told[0]["record"]["detail"]["count"]), (1, &json!(3)));
    let gone = calls.iter().map(|call| text(call, "id")).find(|id| id.starts_with("0190"));
    let gone = app.owner.get(&format!("calls/{}", gone.unwrap())).await;
    gone.refused(404, "not_found");
    assert!(gone.text.contains("were pruned"), "{}", gone.text);
}

#[tokio::test]
async fn runs_go_with_their_calls_and_budgets_add_up_without_them() {
    let (app, other) = world(90).await;
    let new = json!({ "scope": "org", "limit": "9", "period": "run", "hard": true });
    let budget = text(&app.owner.post("budgets", &new).await.ok(), "id");
    let body = Dialect::Chat.body("simulated", "Hello");
    let path = Dialect::Chat.path("simulated", false);
    let request = app.token("green").await.client.request(reqwest::Method::POST, &path);
    let request = request.header("x-ralex-run", "nightly").json(&body);
    app.owner.answered(request).await.ok();
    let summed = "select coalesce(sum(calls), 0)::text from usage_sum where slice = 'time_day'";
    let all = async |count: &str| (app.database.texts(summed).await == [count]).then_some(());
    until("the call is summed up", Duration::from_secs(20), async || all("7").await).await;
    let long_ago = "interval '90 days'";
    let planted = format!(
        "insert into call select * from (
             select (jsonb_populate_record(null::call, to_jsonb(c) || jsonb_build_object(
                 'id', overlay(c.id::text placing '0191' from 1 for 4),
                 'started_at', c.started_at - {long_ago},
                 'budget_ids', array['{budget}'],
                 'budget_starts', array[(select max(starts_at) from budget_run) - {long_ago}]))).*
             from call c where c.run is not null) as old;
         insert into budget_run select org_id, starts_at - {long_ago}, ends_at - {long_ago}, name
             from budget_run;
         insert into budget_period select * from (
             select (jsonb_populate_record(null::budget_period, to_jsonb(p) || jsonb_build_object(
                 'starts_at', p.starts_at - {long_ago}, 'ends_at', p.ends_at - {long_ago}))).*
             from budget_period p where p.budget_id = '{budget}') as old"
    );
    app.database.execute(&planted).await;
    until("the old one is summed up", Duration::from_secs(20), async || all("8").await).await;
    adds_up(&app, &["budgets", "verify"]).await;
    let runs = format!("budgets/{budget}/runs");
    assert_eq!(app.owner.all(&runs).await.len(), 2);
    keep(&app, &other, 60).await;
    assert_eq!(prune(&app).await, 4);
    let left = app.owner.all(&runs).await;
    assert_eq!((left.len(), &left[0]["name"]), (1, &json!("nightly")), "{left:?}");
    adds_up(&app, &["budgets", "verify"]).await;
}

#[tokio::test]
async fn whoever_reads_single_calls_is_told_which_are_gone() {
    let (app, other) = world(90).await;
    keep(&app, &other, 60).await;
    let whole = app.owner.get(&format!("calls/export?from={}", ago(100))).await;
    assert_eq!((whole.header("x-ralex-calls"), whole.text.lines().count()), (Some("6"), 6));
    assert_eq!(whole.header("x-ralex-records-from"), None);
    assert_eq!(prune(&app).await, 3);
    let left = app.owner.get(&format!("calls/export?from={}", ago(100))).await;
    assert_eq!((left.header("x-ralex-calls"), left.text.lines().count()), (Some("3"), 3));
    assert!(left.header("x-ralex-records-from").is_some());
    let young = app.owner.get(&format!("calls/export?from={}", ago(30))).await;
    assert_eq!(young.header("x-ralex-records-from"), None, "all of those are there");
    let price = json!({ "model": "scripted", "input_price": "1" });
    let replay = |from: String| json!({ "price": price, "from": from });
    let refused = app.owner.post("usage/replay", &replay(ago(100))).await;
    refused.refused(422, "invalid_request");
    assert!(refused.text.contains("were pruned"), "{}", refused.text);
    app.owner.post("usage/replay", &replay(ago(30))).await.ok();
    let bill = |days: i64| {
        let day = (Utc::now() - TimeDelta::days(days)).format("%Y-%m-%d");
        let export = format!("date,cost\n{day},1.00\n");
        json!({ "provider": "scripted", "format": "csv", "export": export })
    };
    let refused = app.owner.post("reconciliations", &bill(95)).await;
    refused.refused(422, "invalid_request");
    assert!(refused.text.contains("were pruned"), "{}", refused.text);
    app.owner.post("reconciliations", &bill(30)).await.ok();
}

#[tokio::test]
async fn a_hold_keeps_records_and_the_database_keeps_what_is_young() {
    let (app, other) = world(50).await;
    keep(&app, &other, 60).await;
    assert_eq!(prune(&app).await, 0, "they are younger than that");
    app.database.execute("update audit_retention set days = 36").await;
    assert_eq!(prune(&app).await, 0, "nor does a word past the minimum count");
    let org = app.database.texts("select id::text from org").await.remove(0);
    let call = format!("select calls::text from call_prune('{org}', 0, '-infinity', 100)");
    let asked = app.owner.post(REQUESTS, &json!({ "kind": "hold", "reason": "Case 4711" })).await;
    let path = format!("{REQUESTS}/{}/approve", text(&asked.ok(), "id"));
    other.client.post(&path, &json!({ "reason": "Agreed." })).await.ok();
    app.owner.post("audit/retention/prune", &Value::Null).await.refused(409, "conflict");
    let refused = app.database.try_execute(&call).await.unwrap_err().to_string();
    assert!(refused.contains("are held"), "{refused}");
    app.database.execute("update audit_hold set lifted_at = now()").await;
    app.database.execute("update audit_retention set days = 30").await;
    assert_eq!(app.database.texts(&call).await, ["3"], "36 days and more are over");
    let young = "update call set started_at = now() - interval '34 days'";
    app.database.execute(young).await;
    assert_eq!(app.database.texts(&call).await, ["0"], "35 days are kept whatever was said");
    for role in ["ralex_app", "ralex_system"] {
        let sql = format!("set role {role}; delete from call");
        let refused = app.database.try_execute(&sql).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{refused}");
    }
    let refused = format!("set role ralex_app; {call}");
    let refused = app.database.try_execute(&refused).await.unwrap_err().to_string();
    assert!(refused.contains("permission denied"), "{refused}");
}
