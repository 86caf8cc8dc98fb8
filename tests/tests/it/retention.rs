//! How long the audit log is kept: what two people agree about, what is pruned, and that nothing
//! else is missing afterwards.

use std::fs;
use std::time::Duration;

use ralex_tests::app::{App, Person, run, text, until};
use serde_json::{Value, json};

const REQUESTS: &str = "audit/retention/requests";

/// Events of a kind from so many days ago, as the server would have written them then.
pub async fn plant(app: &App, action: &str, days: u32, count: u32) {
    let sql = format!(
        r#"insert into audit_event (org_id, id, occurred_at, actor_kind, action, outcome, leaf)
           select org, id, at, 'system', '{action}', 'success', convert_to(format(
               '{{"action":"{action}","actor":{{"credential_id":null,"credential_kind":"internal","id":null,"kind":"system"}},"address":null,"detail":{{}},"event_id":"%s","occurred_at":"%s","org":"%s","outcome":"success","request":null,"schema_version":1,"target":null}}',
               id, to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), org), 'utf8')
           from (select o.id as org, gen_random_uuid() as id,
                        date_trunc('microseconds', now()) - interval '{days} days' as at
                 from org o, generate_series(1, {count}) limit {count}) as planted"#
    );
    app.database.execute(&sql).await;
}

/// Somebody who counts beside the owner: whoever made an account lately may have its password.
pub async fn security(app: &App) -> Person {
    let person = app.member("security@example.com", "security", "org").await;
    app.database.execute("update app_user set made_at = made_at - interval '8 days'").await;
    person
}

/// One asks, the other approves.
pub async fn agree(app: &App, other: &Person, ask: Value) -> Value {
    let asked = app.owner.post(REQUESTS, &ask).await.ok();
    let path = format!("{REQUESTS}/{}/approve", text(&asked, "id"));
    other.client.post(&path, &json!({ "reason": "Agreed." })).await.ok()
}

pub async fn prune(app: &App) -> Value {
    app.owner.post("audit/retention/prune", &Value::Null).await.ok()
}

/// Waits until all that is recorded by now may be pruned as far as proofs go.
pub async fn anchored(app: &App) {
    until("the log is anchored", Duration::from_secs(30), async || {
        let head = app.owner.get("audit/checkpoint").await;
        let head = (head.status == 200).then(|| head.ok())?;
        let shown = app.owner.get("audit/retention").await.ok();
        (head["pending"] == 0 && shown["prunable_below"] == head["tree_size"]).then_some(())
    })
    .await;
}

pub async fn bundle(app: &App) -> String {
    app.owner.get("audit/export?format=jsonl").await.text
}

/// What `ralex audit verify` says of a bundle, and of one that came before it.
fn verdict(bundle: &str, before: Option<&str>) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let (file, older) = (folder.path().join("new"), folder.path().join("old"));
    fs::write(&file, bundle).unwrap();
    fs::write(&older, before.unwrap_or_default()).unwrap();
    let mut arguments = vec!["audit", "verify", file.to_str().unwrap(), "--json"];
    if before.is_some() {
        arguments.extend(["--since", older.to_str().unwrap()]);
    }
    let output = run(&arguments, &[]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

pub const CALLS: &str = "call.refused";

#[tokio::test]
async fn nothing_changes_before_a_second_person_agrees() {
    let app = App::start().await;
    let other = security(&app).await;
    let viewer = app.member("viewer@example.com", "viewer", "org").await;
    plant(&app, CALLS, 100, 5).await;
    anchored(&app).await;
    assert_eq!(prune(&app).await["count"], 0, "without a word everything is kept");
    let short = json!({ "kind": "retention", "class": "calls", "days": 29, "reason": "Tidy." });
    app.owner.post(REQUESTS, &short).await.refused(422, "invalid_request");
    let keep = json!({ "kind": "retention", "class": "calls", "days": 30, "reason": "Tidy." });
    viewer.client.post(REQUESTS, &keep).await.refused(403, "forbidden");
    let asked = app.owner.post(REQUESTS, &keep).await.ok();
    assert_eq!((&asked["state"], &asked["may_approve"]), (&json!("pending"), &json!(false)));
    assert_eq!(prune(&app).await["count"], 0, "one person's word is none");
    let path = |verb: &str| format!("{REQUESTS}/{}/{verb}", text(&asked, "id"));
    let reason = json!({ "reason": "Agreed." });
    app.owner.post(&path("approve"), &reason).await.refused(403, "forbidden");
    viewer.client.post(&path("approve"), &reason).await.refused(403, "forbidden");
    let shown = other.client.get("audit/retention").await.ok();
    assert_eq!(shown["requests"][0]["may_approve"], true, "{shown}");
    other.client.post(&path("approve"), &reason).await.ok();
    other.client.post(&path("approve"), &reason).await.refused(409, "conflict");
    other.client.post(&path("deny"), &reason).await.refused(409, "conflict");
    assert_eq!(prune(&app).await["count"], 5);
    assert_eq!(prune(&app).await["count"], 0);
    let told = app.owner.all("audit?action=audit.retention_changed").await;
    assert_eq!(told[0]["record"]["detail"]["what"]["days"], 30, "{told:?}");
    assert_eq!(text(&told[0]["record"]["detail"], "asked_by"), ralex_tests::app::EMAIL);
    let two = "update audit_request set state = 'pending', decided_by = null, decided_at = null;
        update audit_request set state = 'approved', decided_by = asked_by, decided_at = now()";
    let refused = app.database.try_execute(two).await.unwrap_err().to_string();
    assert!(refused.contains("audit_request_two_people"), "{refused}");
}

#[tokio::test]
async fn a_hold_stops_pruning_until_two_people_lift_it() {
    let app = App::start().await;
    let other = security(&app).await;
    plant(&app, CALLS, 100, 3).await;
    agree(
        &app,
        &other,
        json!({ "kind": "retention", "class": "calls", "days": 60, "reason": "x" }),
    )
    .await;
    agree(&app, &other, json!({ "kind": "hold", "reason": "Case 4711" })).await;
    anchored(&app).await;
    let refused = app.owner.post("audit/retention/prune", &Value::Null).await;
    refused.refused(409, "conflict");
    let held = app.owner.get("audit/retention").await.ok()["holds"][0].clone();
    assert_eq!(held["reason"], "Case 4711");
    // Whoever comes past the server is told the same by the database.
    let org = "select id::text from org";
    let org = app.database.texts(org).await.remove(0);
    let sql = format!("select audit_prune('{org}', array[0, 1, 2])");
    let refused = app.database.try_execute(&sql).await.unwrap_err().to_string();
    assert!(refused.contains("is held"), "{refused}");
    let lift = json!({ "kind": "lift", "hold": held["id"], "reason": "Closed." });
    let asked = other.client.post(REQUESTS, &lift).await.ok();
    let path = format!("{REQUESTS}/{}/approve", text(&asked, "id"));
    let reason = json!({ "reason": "Agreed." });
    other.client.post(&path, &reason).await.refused(403, "forbidden");
    app.owner.post("audit/retention/prune", &Value::Null).await.refused(409, "conflict");
    app.owner.post(&path, &reason).await.ok();
    assert_eq!(prune(&app).await["count"], 3);
    app.owner.post(REQUESTS, &lift).await.refused(422, "invalid_request");
}

#[tokio::test]
async fn what_a_sink_has_yet_to_send_and_what_is_young_stays() {
    let app = App::start().await;
    let other = security(&app).await;
    plant(&app, CALLS, 100, 4).await;
    plant(&app, CALLS, 35, 4).await;
    plant(&app, "team.created", 100, 4).await;
    agree(
        &app,
        &other,
        json!({ "kind": "retention", "class": "calls", "days": 60, "reason": "x" }),
    )
    .await;
    anchored(&app).await;
    let dead = json!({ "name": "Dead", "kind": "webhook", "url": "http://127.0.0.1:9/" });
    let dead = text(&app.owner.post("audit/sinks", &dead).await.ok(), "id");
    assert_eq!(prune(&app).await["count"], 0, "it has got nothing yet");
    app.owner.delete(&format!("audit/sinks/{dead}")).await.ok();
    assert_eq!(prune(&app).await["count"], 4, "only what is older than its class is kept");
    let left = app.owner.all(&format!("audit?action={CALLS}")).await;
    assert_eq!(left.len(), 4);
    assert_eq!(app.owner.all("audit?action=team.created").await.len(), 4);
    for sql in [
        "delete from audit_event",
        "update audit_event set action = 'x'",
        "truncate audit_event cascade",
    ] {
        let refused = app.database.try_execute(sql).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn a_pruned_log_verifies_and_still_shows_what_somebody_took() {
    let app = App::start().await;
    let other = security(&app).await;
    plant(&app, CALLS, 100, 30).await;
    plant(&app, "team.created", 100, 1).await;
    plant(&app, CALLS, 100, 30).await;
    agree(
        &app,
        &other,
        json!({ "kind": "retention", "class": "calls", "days": 60, "reason": "x" }),
    )
    .await;
    anchored(&app).await;
    let before = bundle(&app).await;
    assert_eq!(verdict(&before, None).0, Some(0));
    assert_eq!(prune(&app).await["count"], 60);
    let checked = app.owner.post("audit/verify", &Value::Null).await.ok();
    assert_eq!(checked["good"], true, "{checked}");
    assert!(text(&checked, "summary").contains("Of 60 only the hash is left"), "{checked}");
    let after = bundle(&app).await;
    let (code, said) = verdict(&after, None);
    assert_eq!((code, &said["pruned"]), (Some(0), &json!(60)), "{said}");
    assert!(text(&said, "reason").contains("60 were pruned"), "{said}");
    assert_eq!(verdict(&after, Some(&before)).0, Some(0), "it continues the one before");
    let told = app.owner.all("audit?action=audit.pruned").await;
    let detail = &told[0]["record"]["detail"];
    assert_eq!((&detail["count"], detail["ranges"].as_array().unwrap().len()), (&json!(60), 2));
    let csv = app.owner.get("audit/export?format=ocsf").await;
    assert_eq!(csv.header("x-ralex-events").unwrap(), csv.text.lines().count().to_string());
    let kept = app.owner.all("audit?action=team.created").await.remove(0);
    let proof = format!("audit/events/{}/proof", text(&kept, "id"));
    app.owner.get(&proof).await.ok();
    let index = kept["index"].as_u64().unwrap();
    // Somebody with all rights takes one more, as retention would.
    app.database
        .execute("alter table audit_event disable trigger append_only; delete from audit_event where action = 'team.created'; alter table audit_event enable trigger append_only")
        .await;
    let checked = app.owner.post("audit/verify", &Value::Null).await.ok();
    assert_eq!((&checked["good"], &checked["first_bad_index"]), (&json!(false), &json!(index)));
    let (code, said) = verdict(&bundle(&app).await, None);
    assert_eq!((code, &said["first_bad_index"]), (Some(1), &json!(index)), "{said}");
}

#[tokio::test]
async fn an_account_that_who_asked_has_made_and_a_right_that_is_gone_lift_no_hold() {
    let app = App::start().await;
    let other = security(&app).await;
    agree(&app, &other, json!({ "kind": "hold", "reason": "Case 4711" })).await;
    let held = app.owner.get("audit/retention").await.ok()["holds"][0]["id"].clone();
    let lift = json!({ "kind": "lift", "hold": held, "reason": "Closed." });
    let path = |asked: &Value, verb: &str| format!("{REQUESTS}/{}/{verb}", text(asked, "id"));
    let reason = json!({ "reason": "Agreed." });

    // Whoever asks has seen the first password of this account.
    let puppet = app.member("puppet@example.com", "security", "org").await;
    let asked = app.owner.post(REQUESTS, &lift).await.ok();
    let refused = puppet.client.post(&path(&asked, "approve"), &reason).await;
    let refused = refused.refused(403, "forbidden");
    assert!(text(&refused, "detail").contains("7 days"), "{refused}");
    let seen = puppet.client.get("audit/retention").await.ok();
    assert_eq!(seen["requests"][0]["may_approve"], false, "{seen}");

    // A token that gives less than its person has decides about nothing.
    let less = json!({ "name": "less", "permissions": ["audit.retain", "audit.read", "org.read"] });
    let session = app.anonymous();
    let session = session.in_session(&session.session(&other.email, &other.password).await);
    let less = session.post("/api/v1/me/tokens", &less).await.ok();
    let less = app.with(&text(&less, "token"));
    for verb in ["approve", "deny"] {
        less.post(&path(&asked, verb), &reason).await.refused(403, "forbidden");
    }

    // Who asked may not any more.
    let gone = puppet.client.post(REQUESTS, &lift).await.ok();
    app.owner.delete(&format!("members/{}", puppet.id)).await.ok();
    let refused = other.client.post(&path(&gone, "approve"), &reason).await;
    let refused = refused.refused(409, "conflict");
    assert!(text(&refused, "detail").starts_with("Whoever asked"), "{refused}");
    assert_eq!(app.owner.get("audit/retention").await.ok()["holds"][0]["id"], held);
    other.client.post(&path(&asked, "approve"), &reason).await.ok();
    assert_eq!(app.owner.get("audit/retention").await.ok()["holds"], json!([]));
}
