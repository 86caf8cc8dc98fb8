//! The audit log: nothing changes without an entry, and no entry changes unnoticed.

mod alerts;
mod factors;
mod glass;
mod kept;
mod limits;
mod reviews;
mod search;
mod sign_on;
mod structure;
mod without;

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use ralex_tests::app::{Answer, App, Client, DIALECTS, PASSWORD, run, text, until};
use ralex_tests::upstream::Upstream;
use reqwest::Method;
use serde_json::{Value, json};

use crate::operations::operations;
use crate::passkeys;

/// Asks, and checks that exactly the entries of these actions came of it.
struct Watched {
    app: App,
    seen: BTreeSet<String>,
}

impl Watched {
    async fn count(&self, action: &str) -> usize {
        self.app.owner.all(&format!("audit?action={action}")).await.len()
    }

    async fn leaves(
        &mut self,
        operation: &str,
        path: &str,
        body: Option<Value>,
        actions: &[&str],
    ) -> Value {
        let method: Method = operation.split_once(' ').unwrap().0.parse().unwrap();
        let owner = self.app.owner.clone();
        let ask = owner.send(method, path, body.as_ref());
        self.leaves_of(operation, actions, ask).await.ok()
    }

    async fn leaves_of(
        &mut self,
        operation: &str,
        actions: &[&str],
        ask: impl Future<Output = Answer>,
    ) -> Answer {
        self.seen.insert(operation.to_owned());
        let mut before = Vec::new();
        for action in actions {
            before.push(self.count(action).await);
        }
        let answer = ask.await;
        for (action, before) in actions.iter().zip(before) {
            assert_eq!(self.count(action).await, before + 1, "{operation} leaves {action}");
        }
        answer
    }
}

#[tokio::test]
async fn every_write_leaves_its_entry() {
    let app = passkeys::start().await;
    let mut watched = Watched { app, seen: BTreeSet::new() };
    structure::structure(&mut watched).await;
    catalog(&mut watched).await;
    routing(&mut watched).await;
    guards(&mut watched).await;
    approvals(&mut watched).await;
    sinks(&mut watched).await;
    sign_on::sign_on(&mut watched).await;
    alerts::alerts(&mut watched).await;
    limits::rate_limits(&mut watched).await;
    kept::retention(&mut watched).await;
    kept::reports(&mut watched).await;
    factors::factors(&mut watched).await;
    factors::passkeys(&mut watched).await;
    factors::programs(&mut watched).await;
    glass::break_glass(&mut watched).await;
    account(&mut watched).await;
    let writes = operations()
        .into_iter()
        .filter(|operation| operation.method != Method::GET && operation.path.starts_with("/api/"));
    for operation in writes {
        let name = operation.name.as_str();
        assert!(
            watched.seen.contains(name) || without::NO_ENTRY.contains(&name),
            "{name} is not known to leave an entry"
        );
    }
}

async fn adjustments(watched: &mut Watched, budget: &str) {
    const ORG: &str = "/api/v1/orgs/{org}";
    watched.app.database.execute("update budget set created_at = '2026-01-01'").await;
    let export = "date,cost\n2026-01-02,0.5";
    let asked =
        json!({ "provider": "simulated", "format": "csv", "export": export, "apply": true });
    let op = format!("POST {ORG}/reconciliations");
    let actions = ["budget.reconciled", "usage.reconciled"];
    watched.leaves(&op, "reconciliations", Some(asked), &actions).await;
    let made = watched.app.owner.all(&format!("{budget}/adjustments")).await;
    let path = format!("{budget}/adjustments/{}/reverse", text(&made[0], "id"));
    let op = format!("POST {ORG}/budgets/{{budget}}/adjustments/{{adjustment}}/reverse");
    let why = Some(json!({ "note": "wrong" }));
    watched.leaves(&op, &path, why, &["budget.adjustment_reversed"]).await;
}

async fn catalog(watched: &mut Watched) {
    const ORG: &str = "/api/v1/orgs/{org}";
    let provider =
        json!({ "slug": "mine", "kind": "openai_compatible", "base_url": "http://127.0.0.1:1/v1" });
    let op = format!("POST {ORG}/providers");
    watched.leaves(&op, "providers", Some(provider), &["provider.created"]).await;
    let op = format!("PATCH {ORG}/providers/{{provider}}");
    let change = json!({ "enabled": false });
    watched.leaves(&op, "providers/mine", Some(change), &["provider.updated"]).await;
    let model = json!({
        "name": "mine", "provider": "mine", "upstream_model": "x", "input_price": "1",
        "output_price": "1", "context_window": 100, "max_output": 10,
    });
    let op = format!("POST {ORG}/models");
    watched.leaves(&op, "models", Some(model), &["model.created"]).await;
    let op = format!("PATCH {ORG}/models/{{model}}");
    let change = json!({ "input_price": "2" });
    watched.leaves(&op, "models/mine", Some(change), &["model.updated"]).await;
    let op = format!("DELETE {ORG}/models/{{model}}");
    watched.leaves(&op, "models/mine", None, &["model.deleted"]).await;
    let secret = json!({ "name": "key", "provider": "mine", "value": "sk-one" });
    let op = format!("POST {ORG}/secrets");
    let made = watched.leaves(&op, "secrets", Some(secret), &["secret.created"]).await;
    let path = format!("secrets/{}", text(&made, "id"));
    let op = format!("POST {ORG}/secrets/{{secret}}/versions");
    let next = Some(json!({ "value": "sk-two" }));
    watched.leaves(&op, &format!("{path}/versions"), next, &["secret.rotated"]).await;
    let op = format!("PATCH {ORG}/secrets/{{secret}}");
    let change = Some(json!({ "weight": 2 }));
    watched.leaves(&op, &path, change, &["secret.updated"]).await;
    let op = format!("DELETE {ORG}/secrets/{{secret}}");
    watched.leaves(&op, &path, None, &["secret.deleted"]).await;
    let op = format!("DELETE {ORG}/providers/{{provider}}");
    watched.leaves(&op, "providers/mine", None, &["provider.deleted"]).await;
}

async fn routing(watched: &mut Watched) {
    const ORG: &str = "/api/v1/orgs/{org}";
    let step = json!({ "pick": "order", "targets": [{ "name": "simulated" }] });
    let route = json!({ "name": "mine", "spec": { "steps": [step] } });
    let op = format!("POST {ORG}/routes");
    watched.leaves(&op, "routes", Some(route), &["route.created"]).await;
    let op = format!("PATCH {ORG}/routes/{{route}}");
    let change = Some(json!({ "enabled": false }));
    watched.leaves(&op, "routes/mine", change, &["route.updated"]).await;
    let op = format!("DELETE {ORG}/routes/{{route}}");
    watched.leaves(&op, "routes/mine", None, &["route.deleted"]).await;
    let alias = Some(json!({ "name": "short", "target": "simulated" }));
    watched.leaves(&format!("POST {ORG}/aliases"), "aliases", alias, &["alias.set"]).await;
    let op = format!("PATCH {ORG}/aliases/{{alias}}");
    let change = Some(json!({ "target": "auto" }));
    watched.leaves(&op, "aliases/short", change, &["alias.set"]).await;
    let op = format!("DELETE {ORG}/aliases/{{alias}}");
    watched.leaves(&op, "aliases/short", None, &["alias.deleted"]).await;
    let rules = Some(json!({ "rules": { "banned": ["simulated"] } }));
    let op = format!("PUT {ORG}/preferences");
    watched.leaves(&op, "preferences", rules, &["routing.preference_set"]).await;
    let settings = Some(json!({ "explore_percent": 5.0 }));
    let op = format!("PUT {ORG}/routing");
    watched.leaves(&op, "routing", settings, &["routing.settings_changed"]).await;
}

async fn guards(watched: &mut Watched) {
    const ORG: &str = "/api/v1/orgs/{org}";
    let check = json!({ "kind": "topic", "phrases": ["project zephyr"] });
    let new = json!({ "name": "Zephyr", "scope": "org", "check": check, "action": "flag",
        "direction": "in" });
    let op = format!("POST {ORG}/guardrails");
    let made = watched.leaves(&op, "guardrails", Some(new), &["guardrail.created"]).await;
    let path = format!("guardrails/{}", text(&made, "id"));
    let op = format!("PATCH {ORG}/guardrails/{{guardrail}}");
    let change = Some(json!({ "enabled": false }));
    watched.leaves(&op, &path, change, &["guardrail.updated"]).await;
    let op = format!("DELETE {ORG}/guardrails/{{guardrail}}");
    watched.leaves(&op, &path, None, &["guardrail.deleted"]).await;
    let cache = Some(json!({ "mode": "off", "ttl_seconds": 60 }));
    watched.leaves(&format!("PUT {ORG}/cache"), "cache", cache, &["cache.configured"]).await;
    watched.leaves(&format!("DELETE {ORG}/cache"), "cache", None, &["cache.cleared"]).await;
}

async fn approvals(watched: &mut Watched) {
    const ORG: &str = "/api/v1/orgs/{org}";
    let set = json!({ "pending_minutes": 60, "approved_minutes": 60, "denied_minutes": 60,
        "once": true, "excerpts": true });
    let op = format!("PUT {ORG}/approvals/settings");
    watched.leaves(&op, "approvals/settings", Some(set), &["approval.configured"]).await;
    let check = json!({ "kind": "topic", "phrases": ["may I please"] });
    let ask = json!({ "name": "Asks", "scope": "org", "check": check, "action": "ask",
        "direction": "in" });
    watched.app.owner.post("guardrails", &ask).await.ok();
    let token = watched.app.token("green").await;
    let boss = watched.app.member("boss@example.com", "security", "org").await;
    for (verdict, action) in [("approve", "approval.approved"), ("deny", "approval.denied")] {
        let question = format!("May I please {verdict}?");
        let asked = token.client.call(DIALECTS[0], "some-model", &question).await;
        let path = format!("approvals/{}/{verdict}", asked.header("x-ralex-approval").unwrap());
        let op = format!("POST {ORG}/approvals/{{approval}}/{verdict}");
        let client = boss.client.clone();
        let reason = json!({ "reason": "why" });
        let decide = async move { client.post(&path, &reason).await };
        watched.leaves_of(&op, &[action], decide).await.ok();
    }
    assert_eq!(watched.count("approval.asked").await, 2);
}

async fn sinks(watched: &mut Watched) {
    const SINKS: &str = "/api/v1/orgs/{org}/audit/sinks";
    // Nobody listens there: what counts is what is set.
    let new = json!({ "name": "SIEM", "kind": "webhook", "url": "http://127.0.0.1:9/hook" });
    let op = format!("POST {SINKS}");
    let made = watched.leaves(&op, "audit/sinks", Some(new), &["sink.created"]).await;
    let path = format!("audit/sinks/{}", text(&made, "id"));
    for (verb, more, body, action) in [
        ("PATCH", "", Some(json!({ "batch_size": 7 })), "sink.updated"),
        ("POST", "/test", None, "sink.tested"),
        ("POST", "/resume", Some(json!({ "reason": "why" })), "sink.resumed"),
        ("POST", "/secret", Some(json!({})), "sink.secret_changed"),
        ("DELETE", "", None, "sink.deleted"),
    ] {
        let op = format!("{verb} {SINKS}/{{sink}}{more}");
        watched.leaves(&op, &format!("{path}{more}"), body, &[action]).await;
    }
}

async fn account(watched: &mut Watched) {
    const ME: &str = "/api/v1/me";
    let owner = watched.app.owner.clone();
    let anonymous = watched.app.anonymous();
    let email = ralex_tests::app::EMAIL;
    let op = "POST /api/v1/me/tokens";
    let session = anonymous.in_session(&anonymous.session(email, PASSWORD).await);
    let new = json!({ "name": "mine" });
    let ask = session.post("/api/v1/me/tokens", &new);
    let made = watched.leaves_of(op, &["personal_token.created"], ask).await.ok();
    let path = format!("{ME}/tokens/{}", text(&made, "id"));
    let nothing = json!({});
    let rotate = format!("{path}/rotate");
    let ask = session.post(&rotate, &nothing);
    let op = "POST /api/v1/me/tokens/{token}/rotate";
    watched.leaves_of(op, &["token.rotated"], ask).await.ok();
    let op = "DELETE /api/v1/me/tokens/{token}/former";
    watched.leaves(op, &format!("{path}/former"), None, &["token.former_ended"]).await;
    let op = "DELETE /api/v1/me/tokens/{token}";
    watched.leaves(op, &path, None, &["personal_token.revoked"]).await;

    let made = session.post("/api/v1/me/tokens", &new).await.ok();
    let found = json!([{ "token": made["token"] }]);
    let ask = anonymous.post("/api/v1/tokens/leaked", &found);
    watched.leaves_of("POST /api/v1/tokens/leaked", &["token.leaked"], ask).await.ok();

    let login = json!({ "email": email, "password": PASSWORD });
    let ask = anonymous.post("/api/v1/auth/login", &login);
    let answer = watched.leaves_of("POST /api/v1/auth/login", &["session.opened"], ask).await;
    answer.ok();
    let cookie = answer.cookie();
    let sessions = owner.all("/api/v1/me/sessions").await;
    let path = format!("{ME}/sessions/{}", text(&sessions[0], "id"));
    let name = Some(json!({ "name": "Laptop" }));
    let op = "PATCH /api/v1/me/sessions/{session}";
    watched.leaves(op, &path, name.clone(), &["session.named"]).await;
    watched.leaves("PATCH /api/v1/me", ME, name, &["account.renamed"]).await;
    let op = "DELETE /api/v1/me/sessions/{session}";
    watched.leaves(op, &path, None, &["session.ended"]).await;
    owner.delete("/api/v1/me/sessions").await.ok();
    anonymous.session(email, PASSWORD).await;
    let (op, path) = ("DELETE /api/v1/me/sessions", format!("{ME}/sessions"));
    watched.leaves(op, &path, None, &["session.ended"]).await;
    let cookie = match anonymous.answered(with_cookie(&anonymous, "/api/v1/me", &cookie)).await {
        answer if answer.status == 200 => cookie,
        _ => anonymous.session(email, PASSWORD).await,
    };
    let logout = anonymous.request(Method::POST, "/api/v1/auth/logout").header("cookie", cookie);
    let ask = anonymous.answered(logout);
    watched.leaves_of("POST /api/v1/auth/logout", &["session.ended"], ask).await.ok();

    let wrong = json!({ "email": email, "password": "not-the-password" });
    let ask = anonymous.post("/api/v1/auth/login", &wrong);
    watched.leaves_of("POST /api/v1/auth/login", &["login.failed"], ask).await;
    let change = json!({ "current": PASSWORD, "new": "another-long-password" });
    let op = "POST /api/v1/auth/password";
    watched.leaves(op, "/api/v1/auth/password", Some(change), &["password.changed"]).await;
}

fn with_cookie(client: &Client, path: &str, cookie: &str) -> reqwest::RequestBuilder {
    client.request(Method::GET, path).header("cookie", cookie)
}

#[tokio::test]
async fn every_call_is_recorded_before_and_after_and_every_denial_once() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let token = app.token("blue").await;
    let answer = token.client.call(DIALECTS[0], "claude", "My secret question").await;
    answer.ok();
    let call = format!("call:{}", answer.header("x-ralex-call-id").unwrap());
    for (action, outcome) in [("call.opened", "intent"), ("call.closed", "success")] {
        let entries = app.owner.all(&format!("audit?action={action}")).await;
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!(
            (&entries[0]["target"], &entries[0]["outcome"]),
            (&json!(call), &json!(outcome))
        );
        assert_eq!(entries[0]["actor"], format!("token:{}", token.id));
        assert!(!entries[0].to_string().contains("My secret question"));
    }
    let viewer = app.member("viewer@example.com", "viewer", "org").await;
    viewer
        .client
        .post("teams", &json!({ "slug": "x", "name": "X" }))
        .await
        .refused(403, "forbidden");
    let denied = until("the denial is recorded", Duration::from_secs(2), async || {
        let entries = app.owner.all("audit?action=access.denied").await;
        (!entries.is_empty()).then_some(entries)
    })
    .await;
    assert_eq!(denied[0]["actor"], format!("user:{}", viewer.id), "{denied:?}");
    let by_name = app.owner.all("audit?actor=viewer@example.com").await;
    assert!(by_name.iter().any(|entry| entry["action"] == "access.denied"), "{by_name:?}");
}

/// An app with some entries, and its whole bundle.
async fn exported() -> (App, String) {
    let app = App::start().await;
    for number in 0..12 {
        app.team(&format!("team-{number}")).await;
    }
    until("all is in the tree", Duration::from_secs(10), async || {
        let entries = app.owner.all("audit").await;
        entries.iter().all(|entry| entry["index"].is_u64()).then_some(())
    })
    .await;
    let export = app.owner.get("audit/export?format=jsonl").await;
    export_is_whole(&export);
    let text = export.text.clone();
    (app, text)
}

#[track_caller]
fn export_is_whole(export: &Answer) {
    assert_eq!(export.status, 200, "{export:?}");
    let events = export.text.lines().filter(|line| line.contains("\"event\":")).count();
    assert_eq!(export.header("x-ralex-events"), Some(events.to_string().as_str()));
    assert!(export.header("content-disposition").unwrap().contains(".jsonl"));
}

/// What `ralex audit verify` says of a text, with no server and no database.
fn verdict(bundle: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.jsonl");
    fs::write(&file, bundle).unwrap();
    let output = run(&["audit", "verify", file.to_str().unwrap()], &[]);
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn an_export_verifies_offline_and_every_change_of_it_is_named() {
    let (_app, bundle) = exported().await;
    let (code, said) = verdict(&bundle);
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<&str> = bundle.lines().collect();
    let leaf = lines.iter().position(|line| line.starts_with("{\"index\":7,")).unwrap();
    let tampered = |lines: Vec<String>, what: &str, first: u64| {
        let (code, said) = verdict(&(lines.join("\n") + "\n"));
        assert_eq!(code, Some(1), "{what}: {said}");
        assert!(said.contains(&format!("first bad index {first} ")), "{what}: {said}");
    };
    let own = || lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();

    let mut changed = own();
    changed[leaf] = lines[leaf].replacen("team-", "teem-", 1);
    assert_ne!(changed[leaf], lines[leaf]);
    tampered(changed, "one byte", 7);
    let mut missing = own();
    missing.remove(leaf);
    tampered(missing, "a line is missing", 7);
    let mut swapped = own();
    swapped.swap(leaf, leaf + 1);
    tampered(swapped, "two lines are swapped", 7);
    let mut twice = own();
    twice.insert(leaf, lines[leaf].to_owned());
    tampered(twice, "a line stands twice", 8);

    let (code, said) = verdict(&(lines[..lines.len() - 1].join("\n") + "\n"));
    assert!(matches!(code, Some(1 | 2)), "the last line is missing: {said}");
    let output = run(&["audit", "verify", "/no/such/file"], &[]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[tokio::test]
async fn no_single_changed_byte_goes_unnoticed() {
    let (_app, bundle) = exported().await;
    // Every part of every kind of line, at some distance from each other.
    for at in (0..bundle.len()).step_by(bundle.len() / 60) {
        let mut bytes = bundle.clone().into_bytes();
        bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        let (code, said) = verdict(&changed);
        assert!(code != Some(0), "byte {at} ({:?}): {said}", &bundle[at..=at]);
    }
}

#[tokio::test]
async fn a_key_noted_earlier_refuses_a_log_signed_by_another() {
    let (_app, bundle) = exported().await;
    let (_other, foreign) = exported().await;
    let key = |bundle: &str| -> String {
        let manifest: Value = serde_json::from_str(bundle.lines().next().unwrap()).unwrap();
        manifest["keys"][0].as_str().unwrap().to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.jsonl");
    fs::write(&file, &bundle).unwrap();
    let file = file.to_str().unwrap();
    let own = run(&["audit", "verify", file, "--key", &key(&bundle)], &[]);
    assert_eq!(own.status.code(), Some(0), "{own:?}");
    let other = run(&["audit", "verify", file, "--key", &key(&foreign)], &[]);
    assert_ne!(other.status.code(), Some(0), "{other:?}");
}

#[tokio::test]
async fn a_table_for_people_has_a_row_for_every_entry() {
    let (app, _bundle) = exported().await;
    let entries = app.owner.all("audit?action=team.created").await.len();
    let table = app.owner.get("audit/export?format=csv&action=team.created").await;
    assert!(table.header("content-type").unwrap().starts_with("text/csv"));
    assert_eq!(table.text.lines().count(), entries + 1, "{}", table.text);
    app.owner.post("teams", &json!({ "slug": "evil", "name": "=cmd|' /C calc'!A0" })).await.ok();
    let table = app.owner.get("audit/export?format=csv").await;
    let harmless = !table.text.contains(",=cmd") && !table.text.contains(",\"=cmd");
    assert!(harmless, "{}", table.text);
    let filtered = app.owner.get("audit/export?format=jsonl&action=team.created").await;
    let (code, said) = verdict(&filtered.text);
    assert_eq!(code, Some(0), "a filtered bundle verifies as well: {said}");
}

#[tokio::test]
async fn what_someone_with_the_database_changes_is_found_by_the_server() {
    let (app, _bundle) = exported().await;
    let good = app.owner.post("audit/verify", &Value::Null).await.ok();
    assert_eq!(good["good"], true, "{good}");
    for table in ["audit_event", "audit_leaf"] {
        // Their own guard stands until someone with the database in hands removes it.
        let change = format!("delete from {table}");
        assert!(app.database.try_execute(&change).await.is_err(), "{table} lets go of entries");
    }
    app.database
        .execute(
            "alter table audit_event disable trigger all;
             update audit_event set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'team-3', 'team-x'), 'UTF8')
                where convert_from(leaf, 'UTF8') like '%team-3%'",
        )
        .await;
    let bad = app.owner.post("audit/verify", &Value::Null).await.ok();
    assert_eq!(bad["good"], false, "{bad}");
    assert!(bad["first_bad_index"].is_u64(), "{bad}");
    let export = app.owner.get("audit/export").await;
    let (code, said) = verdict(&export.text);
    assert_ne!(code, Some(0), "{said}");
}
