//! Compliance reports: each kind in each format against what happened, and what a report survives.

use std::fs;
use std::time::Duration;

use ralex_tests::app::{App, Client, DIALECTS, EMAIL, run, text, until};
use ralex_tests::upstream::Upstream;
use serde_json::{Value, json};
use sqlx::Connection as _;

mod kinds;
mod mailed;

/// Stands in prompts, answers and keys, and never in a report.
const CANARY: &str = "sk-canary-4711";

/// Asks for a report and waits for it.
async fn made(client: &Client, new: &Value) -> Value {
    let asked = client.post("reports", new).await.ok();
    finished(client, &text(&asked, "id")).await
}

async fn finished(client: &Client, id: &str) -> Value {
    let path = format!("reports/{id}");
    let done = until("the report is made", Duration::from_mins(1), async || {
        let report = client.get(&path).await.ok();
        matches!(report["state"].as_str(), Some("done" | "failed")).then_some(report)
    })
    .await;
    assert_eq!(done["state"], "done", "{done}");
    done
}

/// A file of a report, whose hash is what the record and the header say.
async fn file(client: &Client, report: &Value, format: &str) -> Vec<u8> {
    let path = format!("reports/{}/download?format={format}", text(report, "id"));
    let answer = client.request(reqwest::Method::GET, &path).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{format}");
    let told = answer.headers()["x-ralex-sha256"].to_str().unwrap().to_owned();
    let content = answer.bytes().await.unwrap().to_vec();
    let known = report["files"].as_array().unwrap();
    let known = known.iter().find(|file| file["format"] == format).unwrap();
    assert_eq!(
        (known["sha256"].as_str(), known["bytes"].as_u64()),
        (Some(told.as_str()), Some(content.len() as u64))
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), &content).unwrap();
    let sum = std::process::Command::new("sha256sum").arg(folder.path().join("file")).output();
    assert!(String::from_utf8(sum.unwrap().stdout).unwrap().starts_with(&told), "{format}");
    content
}

async fn data(client: &Client, report: &Value) -> Value {
    serde_json::from_slice(&file(client, report, "json").await).unwrap()
}

/// The rows of one table of a report's JSON.
fn rows<'a>(data: &'a Value, table: &str) -> &'a Vec<Value> {
    let tables = data["tables"].as_array().unwrap();
    let found = tables.iter().find(|it| it["name"] == table);
    found.unwrap_or_else(|| panic!("no table {table} in {data}"))["rows"].as_array().unwrap()
}

/// A deployment in which something has happened.
async fn world() -> (App, Upstream) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("scripted", "openai_compatible", &upstream, CANARY).await;
    let token = app.token("blue").await;
    for _ in 0..3 {
        token.client.call(DIALECTS[0], "scripted", CANARY).await.ok();
    }
    app.owner.call(DIALECTS[0], "scripted", CANARY).await.ok();
    app.member("viewer@example.com", "viewer", "org").await;
    app.member("auditor@example.com", "auditor", "org").await;
    (app, upstream)
}

#[tokio::test]
async fn a_report_is_on_record_with_its_hashes_and_its_end() {
    let (app, _upstream) = world().await;
    let report = made(&app.owner, &json!({ "kind": "key_lifecycle" })).await;
    file(&app.owner, &report, "pdf").await;
    let id = text(&report, "id");
    app.owner.delete(&format!("reports/{id}")).await.ok();
    app.owner.get(&format!("reports/{id}")).await.refused(404, "not_found");
    let events = app.owner.all(&format!("audit?target=report:{id}")).await;
    let actions: Vec<String> = events.iter().rev().map(|it| text(it, "action")).collect();
    let expected = ["report.asked", "report.finished", "report.downloaded", "report.deleted"];
    assert_eq!(actions, expected);
    let told = &events[2]["record"]["detail"]["files"];
    assert_eq!(told, &report["files"], "the log vouches for each file");
    assert_eq!(app.database.texts("select count(*)::text from report_chunk").await, ["0"]);
}

#[tokio::test]
async fn nobody_reads_in_a_report_what_they_may_not_read_without_it() {
    let (app, _upstream) = world().await;
    let viewer = app.member("other@example.com", "viewer", "org").await;
    viewer.client.get("reports").await.refused(403, "forbidden");
    let security = app.member("security@example.com", "security", "org").await;
    let register = json!({ "kind": "ai_register" });
    security.client.post("reports", &register).await.refused(403, "forbidden");
    let report = made(&app.owner, &register).await;
    let path = format!("reports/{}", text(&report, "id"));
    security.client.get(&path).await.refused(403, "forbidden");
    let download = format!("{path}/download?format=json");
    security.client.get(&download).await.refused(403, "forbidden");
    assert!(security.client.all("reports").await.is_empty(), "it is not even listed");
    let auditor = app.member("second@example.com", "auditor", "org").await;
    assert_eq!(auditor.client.all("reports").await.len(), 1);
    let health = made(&security.client, &json!({ "kind": "control_health" })).await;
    assert_eq!(health["asked_by"], "security@example.com");
    assert_eq!(security.client.all("reports").await.len(), 1);
    let sql = "select count(*)::text from report where org_id <> (select id from org limit 1)";
    assert_eq!(app.database.texts(sql).await, ["0"]);
}

#[tokio::test]
async fn what_does_not_fit_a_kind_is_refused_by_its_field() {
    let app = App::start().await;
    for (new, field) in [
        (json!({ "kind": "key_lifecycle", "filters": { "team": "x" } }), "filters.team"),
        (json!({ "kind": "data_subject" }), "filters.person"),
        (json!({ "kind": "control_health", "sample": { "size": 3 } }), "sample"),
        (json!({ "kind": "audit_extract", "sample": { "size": 501 } }), "sample.size"),
        (json!({ "kind": "control_health", "formats": ["bundle"] }), "formats"),
        (json!({ "kind": "control_health", "from": "2999-01-01T00:00:00Z" }), "from"),
    ] {
        let refused = app.owner.post("reports", &new).await.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["path"], field, "{new}");
    }
    let unknown = json!({ "kind": "data_subject", "filters": { "person": "nobody@example.com" } });
    let asked = app.owner.post("reports", &unknown).await.ok();
    let path = format!("reports/{}", text(&asked, "id"));
    let failed = until("it fails", Duration::from_secs(30), async || {
        let report = app.owner.get(&path).await.ok();
        (report["state"] == "failed").then_some(report)
    })
    .await;
    assert!(text(&failed, "failure").contains("Nobody of this"), "{failed}");
    assert_eq!(app.owner.all("audit?action=report.failed").await.len(), 1);
}

#[tokio::test]
async fn a_report_whose_server_was_killed_is_made_by_the_next_one_and_once() {
    let (mut app, _upstream) = world().await;
    // The report waits in its middle for a table that somebody holds.
    let mut lock = sqlx::PgConnection::connect(app.database.url()).await.unwrap();
    sqlx::raw_sql("begin; lock table guardrail in access exclusive mode")
        .execute(&mut lock)
        .await
        .unwrap();
    let asked = app.owner.post("reports", &json!({ "kind": "ai_register" })).await.ok();
    let path = format!("reports/{}", text(&asked, "id"));
    until("it is in its middle", Duration::from_secs(30), async || {
        let sql = "select percent::text from report where state = 'running'";
        (app.database.texts(sql).await == ["80"]).then_some(())
    })
    .await;
    app.node.kill();
    lock.close().await.unwrap();
    app.restart().await;
    let report = finished(&app.owner, path.trim_start_matches("reports/")).await;
    assert_eq!(app.database.texts("select tries::text from report").await, ["2"]);
    let told = app.owner.all("audit?action=report.finished").await;
    assert_eq!(told.len(), 1, "{told:?}");
    let register = data(&app.owner, &report).await;
    assert_eq!(register["facts"]["calls"], 4);
}

#[tokio::test]
async fn a_schedule_reports_each_period_once_and_makes_up_for_what_was_missed() {
    let app = App::start().await;
    let new = json!({ "name": "Monthly", "kind": "control_health", "every": "month", "day": 2,
        "hour": 6, "time_zone": "Europe/Berlin", "recipients": ["audit@example.com"] });
    let schedule = app.owner.post("report-schedules", &new).await.ok();
    app.owner.post("report-schedules", &new).await.refused(409, "already_exists");
    let person = json!({ "name": "x", "kind": "data_subject", "every": "week", "day": 1, "hour": 1,
        "filters": { "person": EMAIL } });
    app.owner.post("report-schedules", &person).await.refused(422, "invalid_request");
    // As if no server had run for nearly three months.
    let missed = "update report_schedule set next_at = next_at - interval '3 months'";
    app.database.execute(missed).await;
    let reports = until("all are made", Duration::from_mins(1), async || {
        let reports = app.owner.all("reports").await;
        let done = reports.iter().filter(|it| it["state"] == "done").count();
        (done == 3).then_some(reports)
    })
    .await;
    let mut spans: Vec<_> = reports.iter().map(|it| (text(it, "from"), text(it, "to"))).collect();
    spans.sort();
    assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0), "one after another: {spans:?}");
    assert!(reports.iter().all(|it| it["schedule"] == schedule["id"]), "{reports:?}");
    // Told again of the same period, it does nothing.
    let again = "update report_schedule set next_at = next_at - interval '1 month'";
    app.database.execute(again).await;
    until("it asks no more", Duration::from_secs(30), async || {
        let sql = "select (next_at > now())::text from report_schedule";
        (app.database.texts(sql).await == ["true"]).then_some(())
    })
    .await;
    assert_eq!(app.owner.all("reports").await.len(), 3);
    let listed = app.owner.get("report-schedules").await.ok();
    assert_eq!(listed["mail"], false);
    let told = until("what became of the mail", Duration::from_secs(30), async || {
        let reports = app.owner.all("reports").await;
        reports.iter().all(|it| it["mail"] == "failed").then_some(reports)
    })
    .await;
    assert!(text(&told[0], "mail_failure").contains("No mail server"), "{told:?}");
}

#[tokio::test]
async fn a_schedule_whose_maker_lost_the_right_makes_nothing() {
    let app = App::start().await;
    let auditor = app.member("auditor@example.com", "auditor", "org").await;
    let new = json!({ "name": "Weekly", "kind": "access_review", "every": "week", "day": 1,
        "hour": 6 });
    auditor.client.post("report-schedules", &new).await.ok();
    app.owner.delete(&format!("members/{}", auditor.id)).await.ok();
    app.database.execute("update report_schedule set next_at = now()").await;
    let failed = until("it fails", Duration::from_secs(30), async || {
        let report = app.owner.all("reports").await.into_iter().next()?;
        (report["state"] == "failed").then_some(report)
    })
    .await;
    assert!(text(&failed, "failure").contains("may no longer read"), "{failed}");
}

#[tokio::test]
async fn coverage_says_what_is_so_and_what_is_not_provided() {
    let (app, _upstream) = world().await;
    made(&app.owner, &json!({ "kind": "access_review", "formats": ["csv"] })).await;
    let shown = app.owner.get("compliance/frameworks").await.ok();
    let all: Vec<&Value> = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|it| it["controls"].as_array().unwrap())
        .collect();
    assert!(all.len() > 40, "{}", all.len());
    let check = |clause: &str, name: &str| {
        let control = all.iter().find(|it| it["clause"] == clause).unwrap();
        let checks = control["checks"].as_array().unwrap();
        let found = checks.iter().find(|it| it["name"] == name);
        found.unwrap_or_else(|| panic!("{control}"))["state"].clone()
    };
    assert_eq!(check("A1.2", "Backups and restore drills"), "not_provided");
    assert_eq!(check("CC6.1", "Single sign-on"), "attention", "no provider is set up");
    assert_eq!(check("CC6.1", "Multi-factor authentication"), "attention", "nobody has any");
    assert_eq!(check("CC6.1", "Wall between organisations"), "good");
    assert_eq!(check("A.8.17", "Clock against the database"), "good");
    assert_eq!(check("164.316(b)(2)(i)", "Retention of the audit log"), "good");
    assert_eq!(check("A.8.15", "Copies of the audit log"), "attention");
    let review = all.iter().find(|it| it["clause"] == "CC6.3").unwrap();
    assert!(review["reports"][0]["newest"].is_string(), "{review}");
    let sql = "insert into audit_retention (org_id, class, days) select id, 'calls', 100 from org";
    app.database.execute(sql).await;
    let shown = app.owner.get("compliance/frameworks").await.ok().to_string();
    assert!(shown.contains("kept for 100 days. At least 2192 days are asked for."), "{shown}");
}

/// What `ralex audit verify` says of a file of a report, with the key that the report names.
fn verdict(report: &Value, content: &[u8]) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, content).unwrap();
    let key = text(report, "key");
    let arguments = ["audit", "verify", "--key", &key, path.to_str().unwrap(), "--json"];
    let output = run(&arguments, &[]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}
