//! Erasure of a person: their key is destroyed when two people agree, nobody can read afterwards
//! what it sealed, and everything that was proven before is proven after.

mod elsewhere;

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ralex_tests::app::{Answer, App, Client, Dialect, Person, run, text, until};
use ralex_tests::upstream::Upstream;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::retention::security;

const EMAIL: &str = "zoe.canary@example.com";
const ADDRESS: &str = "203.0.113.77";
const REQUESTS: &str = "audit/retention/requests";

async fn start() -> (App, Person) {
    let app = App::start_with(&[("RALEX_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let other = security(&app).await;
    (app, other)
}

/// Does something from the canary's address.
async fn from_there(client: &Client, method: Method, path: &str, body: &Value) -> Value {
    let request = client.request(method, path).header("x-forwarded-for", ADDRESS);
    client.answered(request.json(body)).await.ok()
}

/// One who leaves traces: logged in from the address, made a call from there, was written to.
async fn canary(app: &App) -> (Person, String) {
    let person = app.member(EMAIL, "owner", "org").await;
    let rule = json!({ "name": "Hers",
        "channels": [{ "kind": "email", "to": EMAIL }] });
    let rule = from_there(&person.client, Method::POST, "alert-rules", &rule).await;
    let body = Dialect::Chat.body("paid", "Hello");
    let path = Dialect::Chat.path("paid", false);
    from_there(&person.client, Method::POST, &path, &body).await;
    let login = json!({ "email": EMAIL, "password": "wrong" });
    let request = app.owner.request(Method::POST, "/api/v1/auth/login");
    let request = request.header("x-forwarded-for", ADDRESS).json(&login);
    app.owner.answered(request).await.refused(401, "invalid_login");
    let user = format!("user:{}", person.id);
    let passkey = format!(
        "insert into passkey (id, user_id, credential_id, credential, name, created_at)
         values (gen_random_uuid(), '{}', '\\x01', '{{}}', 'phone of {EMAIL}', now())",
        person.id
    );
    app.database.execute(&passkey).await;
    app.owner.delete(&format!("alert-rules/{}", text(&rule, "id"))).await.ok();
    (person, user)
}

/// Every table in which a text stands, readable, or as bytes, or as base64 of a disclosure.
async fn tables_with(app: &App, needle: &str) -> Vec<String> {
    let tables = "select table_name::text from information_schema.tables
        where table_schema = 'public' and table_type = 'BASE TABLE' order by 1";
    let mut found = Vec::new();
    for table in app.database.texts(tables).await {
        let sql = format!(
            "select '{table}' from \"{table}\" t
             where t::text ilike '%{needle}%'
                or t::text ilike '%' || encode(convert_to('{needle}', 'utf8'), 'hex') || '%' limit 1"
        );
        found.extend(app.database.texts(&sql).await);
    }
    found
}

async fn ask(app: &App, who: &str, reason: &str) -> Answer {
    let new = json!({ "kind": "erasure", "person": who, "reason": reason });
    app.owner.post(REQUESTS, &new).await
}

async fn approve(client: &Client, asked: &Value) -> Answer {
    let path = format!("{REQUESTS}/{}/approve", text(asked, "id"));
    client.post(&path, &json!({ "reason": "Agreed." })).await
}

struct Files {
    folder: TempDir,
    bundle: String,
    disclosures: String,
}

/// What an auditor takes away: the bundle, and what its commitments are about.
async fn taken(app: &App) -> Files {
    let bundle = app.owner.get("audit/export?format=jsonl").await.text;
    let disclosures = app.owner.get("audit/export?format=disclosures").await.text;
    Files { folder: tempfile::tempdir().unwrap(), bundle, disclosures }
}

impl Files {
    fn verdict(&self, disclosures: &str) -> (Option<i32>, Value) {
        let path = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("bundle"), &self.bundle).unwrap();
        fs::write(path("told"), disclosures).unwrap();
        let arguments =
            ["audit", "verify", &path("bundle"), "--disclosures", &path("told"), "--json"];
        let output = run(&arguments, &[]);
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
    }

    /// All that the disclosures say.
    fn told(&self) -> String {
        let lines = self.disclosures.lines().skip(1);
        let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let all = lines.flat_map(|line| line["disclosures"].as_array().unwrap().clone());
        let plain = all.map(|it| URL_SAFE_NO_PAD.decode(it.as_str().unwrap()).unwrap());
        plain.map(|it| String::from_utf8(it).unwrap() + "\n").collect()
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, of which every step needs those before")]
async fn nobody_reads_what_was_erased_and_all_proofs_stay() {
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    let (app, other) = start().await;
    app.provider("paid", "openai", &upstream, "sk-canary").await;
    let (person, user) = canary(&app).await;
    let seen =
        async |client: &Client, action: &str| client.all(&format!("audit?action={action}")).await;
    let opened = seen(&app.owner, "call.opened").await.remove(0);
    assert_eq!(opened["record"]["address"], ADDRESS, "{opened}");
    let failed = seen(&app.owner, "login.failed").await.remove(0);
    assert_eq!(
        (&failed["record"]["address"], text(&failed, "target")),
        (&json!(ADDRESS), user.clone())
    );
    let rule = seen(&app.owner, "alert_rule.created").await.remove(0);
    assert_eq!(rule["record"]["detail"]["channels"], json!([format!("email {EMAIL}")]));
    let csv = app.owner.get("audit/export?format=csv").await.text;
    assert!(csv.contains(ADDRESS) && csv.contains(EMAIL));
    // The log itself holds none of it, and never did.
    let leaves = "select convert_from(leaf, 'utf8') from audit_event";
    let leaves = app.database.texts(leaves).await.join("\n");
    assert!(!leaves.contains(EMAIL) && !leaves.contains(ADDRESS) && leaves.contains("{\"...\":\""));

    let before = taken(&app).await;
    let (code, said) = before.verdict(&before.disclosures);
    assert_eq!(code, Some(0), "{said}");
    assert!(said["disclosed"]["values"].as_u64().unwrap() > 5, "{said}");
    assert!(before.told().contains(EMAIL) && before.told().contains(ADDRESS));
    let forged = URL_SAFE_NO_PAD.encode("[\"c2FsdA\",\"198.51.100.1\"]");
    let line = before.disclosures.lines().nth(1).unwrap();
    let wrong: Value = serde_json::from_str(line).unwrap();
    let invented = json!({ "index": wrong["index"], "disclosures": [forged] }).to_string();
    let (code, said) = before.verdict(&before.disclosures.replacen(line, &invented, 1));
    assert_eq!((code, &said["first_bad_index"]), (Some(1), &wrong["index"]), "{said}");
    assert!(text(&said, "reason").contains("wrong, or invented"), "{said}");
    let proof = format!("audit/events/{}/receipt", text(&opened, "id"));
    let receipt = app.owner.get(&proof).await.text;

    ask(&app, EMAIL, "She asked for it.").await.refused(409, "conflict");
    app.owner.delete(&format!("members/{}", &user[5..])).await.ok();
    ask(&app, EMAIL, &format!("{EMAIL} asked.")).await.refused(422, "invalid_request");
    ask(&app, "nobody@example.com", "Who?").await.refused(422, "invalid_request");
    let asked = ask(&app, EMAIL, "She asked for it.").await.ok();
    approve(&app.owner, &asked).await.refused(403, "forbidden");
    let waiting = other.client.get("audit/retention").await.ok()["requests"][0].clone();
    assert_eq!((text(&waiting, "person"), &waiting["may_approve"]), (EMAIL.into(), &json!(true)));
    let erased = approve(&other.client, &asked).await.ok();
    assert_eq!((&erased["state"], &erased["person"]), (&json!("approved"), &json!(user)));
    approve(&other.client, &asked).await.refused(409, "conflict");

    // All tables, and whoever holds the vault's keys.
    for needle in [EMAIL, "zoe.canary"] {
        assert_eq!(tables_with(&app, needle).await, [""; 0], "{needle}");
    }
    // That counts who fails to log in from a network, whoever it is.
    assert_eq!(tables_with(&app, ADDRESS).await, ["throttle"]);
    let keys = "select count(*)::text from audit_subject_key where destroyed_at is not null and wrapped is null";
    assert_eq!(app.database.texts(keys).await, ["2"]);
    let second = app.second().await;
    for client in [&app.owner, &app.owner.at(&second)] {
        let opened = seen(client, "call.opened").await.remove(0);
        assert_eq!(opened["record"]["address"], "[erased]", "{opened}");
        let rule = seen(client, "alert_rule.created").await.remove(0);
        assert_eq!(rule["record"]["detail"]["channels"], json!(["[erased]"]));
        for format in ["csv", "ocsf", "cef", "syslog", "cloudevents", "jsonl", "disclosures"] {
            let export = client.get(&format!("audit/export?format={format}")).await;
            assert_eq!(export.status, 200, "{format}");
            assert!(!export.text.contains(EMAIL) && !export.text.contains(ADDRESS), "{format}");
        }
    }
    person.client.get("teams").await.refused(401, "unauthenticated");
    let after = taken(&app).await;
    let (code, said) = after.verdict(&after.disclosures);
    assert_eq!(code, Some(0), "{said}");
    assert!(said["disclosed"]["of"].as_u64() > said["disclosed"]["values"].as_u64(), "{said}");
    assert!(!after.told().contains(EMAIL) && !after.told().contains(ADDRESS));
    // What left before still proves what it proved.
    assert_eq!(before.verdict(&before.disclosures).0, Some(0));
    assert_eq!(app.owner.post("audit/verify", &Value::Null).await.ok()["good"], true);
    let again = app.owner.get(&proof).await.text;
    let leaf =
        |receipt: &str| receipt.lines().find(|it| it.starts_with("extra ")).map(str::to_owned);
    assert_eq!(leaf(&again), leaf(&receipt));

    let certificate = app.owner.get(&format!("audit/erasures/{}", text(&asked, "id"))).await.ok();
    assert_eq!(format!("user:{}", text(&certificate, "person")), user);
    assert_eq!(certificate["account"], "removed");
    let keys = certificate["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "{certificate}");
    assert!(keys.iter().all(|key| key["disclosures"].as_u64().unwrap() > 0), "{keys:?}");
    let file = after.folder.path().join("receipt");
    fs::write(&file, text(&certificate, "receipt")).unwrap();
    let key = text(&certificate, "key");
    let output = run(&["audit", "verify", file.to_str().unwrap(), "--key", &key, "--json"], &[]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(text(&said, "text").contains("\"action\":\"audit.person_erased\""), "{said}");
    ask(&app, &user, "Once more.").await.refused(409, "conflict");
}

#[tokio::test]
async fn a_hold_wins_over_erasure_and_says_so() {
    let (app, other) = start().await;
    let user = app.member(EMAIL, "viewer", "org").await.id;
    app.owner.delete(&format!("members/{user}")).await.ok();
    let asked = ask(&app, &user, "She asked for it.").await.ok();
    let hold = json!({ "kind": "hold", "reason": "Case 4711" });
    let hold = app.owner.post(REQUESTS, &hold).await.ok();
    approve(&other.client, &hold).await.ok();
    let refused = approve(&other.client, &asked).await;
    assert!(refused.text.contains("Case 4711"), "{}", refused.text);
    refused.refused(409, "conflict");
    ask(&app, &user, "She asked again.").await.refused(409, "conflict");
    assert!(!tables_with(&app, EMAIL).await.is_empty(), "all of it is still there");
    let kept = "select count(*)::text from audit_subject_key where wrapped is null";
    assert_eq!(app.database.texts(kept).await, ["0"]);
    let held = app.owner.get("audit/retention").await.ok()["holds"][0]["id"].clone();
    let lift = json!({ "kind": "lift", "hold": held, "reason": "Closed." });
    let lift = other.client.post(REQUESTS, &lift).await.ok();
    approve(&app.owner, &lift).await.ok();
    approve(&other.client, &asked).await.ok();
    assert_eq!(tables_with(&app, EMAIL).await, [""; 0]);
}
