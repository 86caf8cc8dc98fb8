//! What each kind says, against what happened.

use ralex_tests::app::{EMAIL, PASSWORD, text};
use serde_json::{Value, json};

use super::{CANARY, data, file, made, rows, verdict, world};

#[tokio::test]
async fn every_kind_is_had_in_every_format_and_holds_no_secret() {
    let (app, _upstream) = world().await;
    for kind in [
        "access_review",
        "key_lifecycle",
        "audit_extract",
        "ai_register",
        "control_health",
        "data_subject",
    ] {
        let mut new = json!({ "kind": kind });
        if kind == "data_subject" {
            new["filters"] = json!({ "person": EMAIL });
        }
        let report = made(&app.owner, &new).await;
        let read = data(&app.owner, &report).await;
        let tables = read["tables"].as_array().unwrap();
        let count: u64 = tables.iter().map(|it| it["count"].as_u64().unwrap()).sum();
        assert_eq!(report["rows"], count, "{kind}");
        let csv = String::from_utf8(file(&app.owner, &report, "csv").await).unwrap();
        for table in tables {
            let head = format!("{},{} rows\r\n", text(table, "title"), table["count"]);
            assert!(csv.contains(&head), "{kind}: {head} in {csv}");
        }
        let pdf = file(&app.owner, &report, "pdf").await;
        let pdf = String::from_utf8_lossy(&pdf).into_owned();
        assert!(pdf.starts_with("%PDF-"), "{kind}");
        assert!(pdf.contains(&text(&report, "root")), "{kind}: the PDF names the root");
        assert!(pdf.contains(&format!("tree size {}", report["tree_size"])), "{kind}");
        let known = report["files"].as_array().unwrap();
        let hash = known.iter().find(|it| it["format"] == "json").unwrap();
        assert!(pdf.contains(&text(hash, "sha256")), "{kind}: and the hash of the JSON");
        let all = format!("{read}{csv}{pdf}");
        assert!(!all.contains(CANARY) && !all.contains("rlx_"), "{kind}");
    }
}

#[tokio::test]
async fn an_access_review_holds_everybody_and_names_who_gave_each_right() {
    let (app, _upstream) = world().await;
    let session = app.anonymous().session(EMAIL, PASSWORD).await;
    let narrowed = json!({ "name": "narrow", "models": ["elsewhere", "scripted"] });
    app.anonymous().in_session(&session).post("/api/v1/me/tokens", &narrowed).await.ok();
    let report = made(&app.owner, &json!({ "kind": "access_review" })).await;
    let read = data(&app.owner, &report).await;
    let people = rows(&read, "people");
    let found = |email: &str| people.iter().find(|it| it["email"] == email).unwrap();
    assert_eq!(people.len(), 3);
    assert_eq!(found(EMAIL)["privileged"], true);
    assert_eq!(found("viewer@example.com")["privileged"], false);
    assert!(found("viewer@example.com")["last_login_at"].is_string());
    let truth = app.database.texts("select id::text from binding order by 1").await;
    let rights = rows(&read, "rights");
    let mut ids: Vec<String> = rights.iter().map(|it| text(it, "id")).collect();
    ids.sort();
    assert_eq!(ids, truth, "the population is complete");
    let given = rights.iter().find(|it| it["subject"] == "viewer@example.com").unwrap();
    assert_eq!(given["given_by"], EMAIL);
    let index = given["event_index"].as_u64().unwrap();
    let event = app.owner.all("audit?action=role.bound").await;
    assert!(event.iter().any(|it| it["index"] == index), "{given}");
    let tokens = "select (select count(*) from token)::text || ' ' || count(*) from personal_token";
    let truth = app.database.texts(tokens).await.remove(0);
    let kinds = |kind: &str| rows(&read, "tokens").iter().filter(|it| it["kind"] == kind).count();
    assert_eq!(format!("{} {}", kinds("team"), kinds("personal")), truth);
    let narrow = rows(&read, "tokens").iter().find(|it| it["name"] == "narrow").unwrap();
    assert_eq!(narrow["models"], "scripted, 1 that is not here");
    let narrowed = json!({ "kind": "access_review", "filters": { "team": "blue" } });
    let read = data(&app.owner, &made(&app.owner, &narrowed).await).await;
    assert_eq!(read["filters"], json!({ "team": "blue" }));
}

#[tokio::test]
async fn a_key_lifecycle_counts_versions_uses_and_denials() {
    let (app, _upstream) = world().await;
    let viewer = app.member("curious@example.com", "viewer", "org").await;
    viewer.client.get("secrets").await.refused(403, "forbidden");
    let secret = text(&app.owner.all("secrets").await[0], "id");
    let path = format!("secrets/{secret}/versions");
    app.owner.post(&path, &json!({ "value": "sk-canary-4711-next" })).await.ok();
    let read = data(&app.owner, &made(&app.owner, &json!({ "kind": "key_lifecycle" })).await).await;
    let key = &rows(&read, "keys")[0];
    assert_eq!((&key["version"], &key["calls"]), (&json!(2), &json!(4)), "{key}");
    assert_eq!(read["facts"]["rotations"], 1);
    let actions: Vec<String> = rows(&read, "changes").iter().map(|it| text(it, "action")).collect();
    assert_eq!(actions, ["secret.created", "secret.rotated"]);
    assert_eq!(rows(&read, "denials").len(), 1);
    assert!(rows(&read, "sealing").len() >= 3, "{read}");
    assert!(!read.to_string().contains(CANARY));
}

#[tokio::test]
async fn an_extract_is_what_its_bundle_proves() {
    let (app, _upstream) = world().await;
    let new = json!({ "kind": "audit_extract", "filters": { "action": "member.*" } });
    let report = made(&app.owner, &new).await;
    let read = data(&app.owner, &report).await;
    let events = rows(&read, "events");
    let truth = app.owner.all("audit?action=member.*").await;
    let mut ids: Vec<String> = truth.iter().map(|it| text(it, "id")).collect();
    ids.reverse();
    assert_eq!(events.iter().map(|it| text(it, "event")).collect::<Vec<_>>(), ids);
    let bundle = file(&app.owner, &report, "bundle").await;
    let (code, said) = verdict(&report, &bundle);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said["tree_size"], read["facts"]["tree_size"], "{said}");
    let known = report["files"].as_array().unwrap().iter().find(|it| it["format"] == "bundle");
    assert_eq!(read["facts"]["bundle_sha256"], known.unwrap()["sha256"]);
    let mut altered = String::from_utf8(bundle).unwrap();
    altered = altered.replacen("\"member.added\"", "\"member.addet\"", 1);
    assert_eq!(verdict(&report, altered.as_bytes()).0, Some(1), "and shows a changed letter");
}

#[tokio::test]
async fn a_sample_can_be_drawn_again_and_each_of_it_is_proved() {
    let (app, _upstream) = world().await;
    let new = |seed: Option<&str>| {
        let to = "2999-01-01T00:00:00Z";
        let mut sample = json!({ "size": 2 });
        if let Some(seed) = seed {
            sample["seed"] = json!(seed);
        }
        let filters = json!({ "action": "call.opened" });
        json!({ "kind": "audit_extract", "to": to, "filters": filters, "sample": sample })
    };
    let ids = |read: &Value| -> Vec<String> {
        rows(read, "events").iter().map(|it| text(it, "event")).collect()
    };
    let report = made(&app.owner, &new(None)).await;
    let seed = text(&report["sample"], "seed");
    assert_eq!((&report["population"], seed.len()), (&json!(4), 16), "{report}");
    let first = data(&app.owner, &report).await;
    assert_eq!(first["sample"], json!({ "size": 2, "seed": seed, "population": 4 }));
    let again = data(&app.owner, &made(&app.owner, &new(Some(&seed))).await).await;
    assert_eq!(ids(&first), ids(&again));
    // As docs/src/reports.md tells it, with nothing of ours.
    let truth = app.owner.all("audit?action=call.opened").await;
    let lots = truth.iter().map(|it| {
        let id = text(it, "id");
        (sha256(&format!("{seed}\n{id}")), id)
    });
    let mut lots: Vec<_> = lots.collect();
    lots.sort();
    let mut selected: Vec<String> = lots.into_iter().take(2).map(|(_, id)| id).collect();
    selected.sort();
    let mut told = ids(&first);
    told.sort();
    assert_eq!(told, selected);
    for proof in first["receipts"].as_array().unwrap() {
        let (code, said) = verdict(&report, text(proof, "receipt").as_bytes());
        assert_eq!(code, Some(0), "{said}");
    }
}

fn sha256(text: &str) -> String {
    let command = format!("printf '%s' '{text}' | sha256sum");
    let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

#[tokio::test]
async fn the_register_counts_every_call_once() {
    let (app, _upstream) = world().await;
    let report = made(&app.owner, &json!({ "kind": "ai_register" })).await;
    let read = data(&app.owner, &report).await;
    assert_eq!(read["facts"]["calls"], 4);
    let cost = app.database.texts("select sum(cost)::text from call").await.remove(0);
    let told: f64 = text(&read["facts"], "cost").parse().unwrap();
    assert!((told * 1e9 - cost.parse::<f64>().unwrap()).abs() < 0.5, "{told} {cost}");
    let systems = rows(&read, "systems");
    assert_eq!(systems.iter().map(|it| it["calls"].as_i64().unwrap()).sum::<i64>(), 4);
    let team = systems.iter().find(|it| it["team"] == "blue").unwrap();
    assert_eq!((&team["system"], &team["calls"]), (&json!("token blue"), &json!(3)));
    assert_eq!(team["owner"], EMAIL);
    let narrowed = json!({ "kind": "ai_register", "filters": { "team": "blue" } });
    let read = data(&app.owner, &made(&app.owner, &narrowed).await).await;
    assert_eq!(read["facts"]["calls"], 3);
}

#[tokio::test]
async fn a_data_subject_pack_holds_what_is_kept_of_one_person_and_of_no_other() {
    let (app, _upstream) = world().await;
    let new = json!({ "kind": "data_subject", "filters": { "person": EMAIL } });
    let read = data(&app.owner, &made(&app.owner, &new).await).await;
    assert_eq!(read["facts"]["email"], EMAIL);
    assert_eq!((rows(&read, "calls").len(), rows(&read, "sessions").len()), (1, 1));
    assert_eq!(rows(&read, "roles")[0]["role"], "owner");
    let new = json!({ "kind": "data_subject", "filters": { "person": "viewer@example.com" } });
    let read = data(&app.owner, &made(&app.owner, &new).await).await;
    assert_eq!(rows(&read, "calls").len(), 0);
    let actions: Vec<String> = rows(&read, "events").iter().map(|it| text(it, "action")).collect();
    for action in ["member.added", "role.bound", "session.opened", "password.changed"] {
        assert!(actions.iter().any(|it| it == action), "{action} in {actions:?}");
    }
    assert!(!read.to_string().contains("auditor@example.com"), "{read}");
}

#[tokio::test]
async fn control_health_verifies_the_log_and_the_books_and_counts_failures() {
    let (app, _upstream) = world().await;
    app.budget("org", "100", true).await;
    let wrong = json!({ "email": EMAIL, "password": "wrong-password" });
    app.anonymous().post("/api/v1/auth/login", &wrong).await.refused(401, "invalid_login");
    let read =
        data(&app.owner, &made(&app.owner, &json!({ "kind": "control_health" })).await).await;
    let facts = &read["facts"];
    assert_eq!((&facts["log_good"], &facts["books_off"]), (&json!(true), &json!(0)), "{facts}");
    assert_eq!(facts["failed_logins"], 1);
    let checks = rows(&read, "checks");
    let state = |name: &str| checks.iter().find(|it| it["check"] == name).unwrap()["state"].clone();
    assert_eq!(state("Audit log signed"), "good");
    assert_eq!(state("Wall between organisations"), "good");
    assert_eq!(state("Single sign-on"), "attention");
    assert_eq!(state("Copies of the audit log"), "attention");
}

#[tokio::test]
async fn a_table_runs_nothing_in_a_spreadsheet() {
    let (app, _upstream) = world().await;
    let new = json!({ "name": "=cmd|' /C calc'!A0", "team": "blue" });
    app.owner.post("tokens", &new).await.ok();
    let report = made(&app.owner, &json!({ "kind": "access_review" })).await;
    let csv = String::from_utf8(file(&app.owner, &report, "csv").await).unwrap();
    assert!(csv.contains("'=cmd|") && !csv.contains("\n=cmd|"), "{csv}");
    let read = data(&app.owner, &report).await;
    assert!(rows(&read, "tokens").iter().any(|it| it["name"] == "=cmd|' /C calc'!A0"));
}
