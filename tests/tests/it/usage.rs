//! Usage, what is likely to come of it, and its exports, as people and scripts meet them.

use std::collections::BTreeSet;
use std::time::Duration;

use ralex_tests::app::{App, Dialect, nanos, run, text, until};
use ralex_tests::upstream::Upstream;
use reqwest::Method;
use serde_json::{Value, json};

async fn busy() -> App {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("scripted", "openai_compatible", &upstream, "sk-canary").await;
    for (team, calls) in [("blue", 3), ("red", 1)] {
        let token = app.token(team).await;
        for _ in 0..calls {
            token.client.call(Dialect::Chat, "scripted", "Hello").await;
        }
    }
    app
}

fn sum(rows: &Value) -> i64 {
    rows.as_array().unwrap().iter().map(|row| nanos(&row["cost"])).sum()
}

/// What a command says that asks with a token of the owner's.
async fn shell(app: &App, arguments: &[&str]) -> String {
    let token = app.owner.secret();
    let url = app.owner.url().to_owned();
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let ask = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&arguments, &[("RALEX_URL", &url), ("RALEX_TOKEN", &token)])
    };
    let output = tokio::task::spawn_blocking(ask).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn usage_is_the_same_before_and_after_it_is_summed_up() {
    let app = busy().await;
    let fresh = app.owner.get("usage?group_by=team").await.ok();
    assert_eq!(fresh["total"]["calls"], 4, "{fresh}");
    let database = &app.database;
    let summed_up = "select coalesce(sum(calls), 0)::text from usage_sum where slice = 'time_day'";
    let four = async || (database.texts(summed_up).await == ["4"]).then_some(());
    until("four calls are summed up", Duration::from_secs(20), four).await;
    let later = app.owner.get("usage?group_by=team").await.ok();
    assert_eq!((&later["rows"], &later["total"]), (&fresh["rows"], &fresh["total"]));
    let calls = app.owner.all("calls").await;
    assert_eq!(sum(&later["rows"]), calls.iter().map(|call| nanos(&call["cost"])).sum::<i64>());
    for by in ["model", "provider", "project", "user", "token", "task_type", "day", "hour"] {
        let usage = app.owner.get(&format!("usage?group_by={by}&team=blue")).await.ok();
        assert_eq!(
            (usage["total"]["calls"].clone(), sum(&usage["rows"])),
            (json!(3), nanos(&usage["total"]["cost"])),
            "{by}"
        );
    }
    let refused = app.owner.get("usage?team=green").await;
    assert_eq!(
        (refused.status, refused.problem()["errors"][0]["path"].clone()),
        (422, json!("team"))
    );
}

#[tokio::test]
async fn every_call_is_exported_once_as_lines_or_as_a_table() {
    let app = busy().await;
    let lines = app.owner.get("calls/export").await;
    assert_eq!(lines.header("x-ralex-calls"), Some("4"));
    let exported: Vec<Value> =
        lines.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: BTreeSet<String> = exported.iter().map(|call| text(call, "id")).collect();
    let listed = app.owner.all("calls").await;
    assert_eq!(ids, listed.iter().map(|call| text(call, "id")).collect());
    let cost = |calls: &[Value]| calls.iter().map(|call| nanos(&call["cost"])).sum::<i64>();
    assert_eq!(cost(&exported), cost(&listed));
    let table = app.owner.get("calls/export?format=csv&team=red").await.text;
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.starts_with("id,started_at,"), "{table}");
    let table = app.owner.get("usage?format=csv&group_by=team&series=day").await.text;
    assert!(table.starts_with("key,name,calls,") && table.lines().count() == 3, "{table}");
    assert!(table.contains("\r\nblue,blue,3,0,0,"), "{table}");
}

#[tokio::test]
async fn a_budgets_end_is_foretold_and_what_if_is_asked() {
    let app = busy().await;
    let new = json!({ "scope": "team:blue", "period": "month", "limit": "10", "hard": true });
    let budget = text(&app.owner.post("budgets", &new).await.ok(), "id");
    let path = format!("budgets/{budget}/forecast");
    let known = app.owner.get(&path).await.ok();
    assert_eq!((&known["limit"], &known["history_hours"]), (&json!("10"), &json!(0)));
    assert!(known.get("expected").is_none(), "an hour is no history: {known}");
    // Four weeks of a hundred dollars a day, as if they had been.
    let database = &app.database;
    database
        .execute(
            "insert into call (org_id, id, node_id, team_id, model, provider, upstream_model, dialect,
                 streamed, state, input_price, output_price, cache_read_price, cache_write_price, held,
                 budget_ids, budget_starts, cost, started_at, settled_at)
             select o.id, gen_random_uuid(), gen_random_uuid(), t.id, 'scripted', 'scripted', 'gpt',
                 'openai_chat', false, 'success', 0, 0, 0, 0, 0, '{}', '{}', 100000000000 / 24,
                 now() - make_interval(hours => h), now()
             from org o join team t on t.org_id = o.id and t.slug = 'blue',
                 generate_series(1, 28 * 24) as h",
        )
        .await;
    let known = app.owner.get(&path).await.ok();
    assert_eq!(known["expected"]["passes_limit"], 1.0, "{known}");
    assert!(nanos(&known["expected"]["middle"]) >= nanos(&known["spent"]), "{known}");
    let what_if = app.owner.get(&format!("{path}?limit=1000000")).await.ok();
    assert_eq!(
        (&what_if["limit"], &what_if["expected"]["passes_limit"]),
        (&json!("1000000"), &json!(0.0))
    );
    assert_eq!(app.owner.get(&format!("{path}?limit=0")).await.status, 422);
    let all = app.owner.get("usage/forecast?team=blue").await.ok();
    assert!(nanos(&all["spent"]) > 0 && all["ahead"].as_array().unwrap().len() > 1, "{all}");
    // One hour of a thousand dollars among those of four.
    database
        .execute("update call set cost = 1000000000000 where id = (select id from call where cost > 1000000000 order by started_at desc offset 2 limit 1)")
        .await;
    let found = app.owner.get("usage/anomalies?group_by=team").await.ok();
    let told = &found["items"][0];
    assert_eq!(
        (told["key"].clone(), found["items"].as_array().unwrap().len()),
        (json!("blue"), 1),
        "{found}"
    );
    assert!(nanos(&told["cost"]) > nanos(&told["threshold"]), "{told}");
    assert_eq!(app.owner.get("usage/anomalies?group_by=day").await.status, 422);
    let said = shell(&app, &["usage", "forecast", "--budget", &budget]).await;
    assert!(said.contains("passes the limit"), "{said}");
    let said = shell(&app, &["usage", "report", "--by", "team"]).await;
    assert!(said.contains("blue") && said.contains("In all"), "{said}");
    let said = shell(&app, &["usage", "anomalies", "--by", "team"]).await;
    assert!(said.contains("blue") && said.contains("$1000"), "{said}");
    let said = shell(&app, &["usage", "calls", "--team", "red", "--format", "csv"]).await;
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[tokio::test]
async fn tags_of_a_call_are_kept_with_it_and_sum_up_its_cost() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("scripted", "openai_compatible", &upstream, "sk-canary").await;
    let token = app.token("blue").await;
    let ask = async |tags: &str| {
        let path = Dialect::Chat.path("scripted", false);
        let body = Dialect::Chat.body("scripted", "Hello");
        let request = token.client.request(Method::POST, &path).json(&body);
        token.client.answered(request.header("x-ralex-tags", tags)).await
    };
    ask("nightly, feature=\"search\\, nightly").await.ok();
    ask("nightly").await.ok();
    ask("").await.ok();
    let usage = app.owner.get("usage?group_by=tag").await.ok();
    let rows: Vec<_> =
        usage["rows"].as_array().unwrap().iter().map(|row| text(row, "key")).collect();
    assert_eq!(rows, ["nightly", "feature=\"search\\"], "{usage}");
    assert_eq!((&usage["rows"][0]["calls"], &usage["total"]["calls"]), (&json!(2), &json!(3)));
    let only = app.owner.get("usage?tag=nightly").await.ok();
    assert_eq!(only["total"]["calls"], 2, "{only}");
    let first = app.owner.all("calls").await.pop().unwrap();
    assert_eq!(first["tags"], json!(["nightly", "feature=\"search\\"]));
    let tagged = async |tag: &str| app.owner.all(&format!("calls?tag={tag}")).await.len();
    assert_eq!((tagged("nightly").await, tagged("night").await), (2, 0));
    for tags in ["x".repeat(65), "a,b,c,d,e,f,g,h,i,j,k".to_owned()] {
        let refused = ask(&tags).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.text.contains("x-ralex-tags"), "{refused:?}");
    }
}
