//! No key in it: neither one that this test knows, nor a digest or a seal that the database has.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ralex_tests::app::{App, Dialect, EMAIL, PASSWORD, text};
use ralex_tests::upstream::Upstream;
use serde_json::{Value, json};

use super::{Taken, digest};
use crate::operators::make;

const KEY: &str = "sk-export-canary-0123456789abcdef";
const CLIENT_SECRET: &str = "client-secret-canary-98765";

/// An organisation with every kind of secret there is, and those that can be known.
async fn filled(app: &App, upstream: &Upstream) -> Vec<String> {
    app.provider("scripted", "openai_compatible", upstream, KEY).await;
    let token = app.token("blue").await;
    assert_eq!(token.client.call(Dialect::Chat, "scripted", "Hello").await.status, 200);
    let owner = &app.owner;
    let rotated = owner.post(&format!("tokens/{}/rotate", token.id), &json!({})).await.ok();
    let account = json!({ "slug": "job", "name": "Job", "team": "blue" });
    owner.post("service-accounts", &account).await.ok();
    let of_job = app.token_of(&json!({ "name": "job", "service_account": "job" })).await;
    owner.send(reqwest::Method::PUT, "scim", Some(&json!({ "enabled": true }))).await.ok();
    let scim = owner.post("scim/tokens", &json!({ "name": "Corp" })).await.ok();
    let provider = json!({ "slug": "corp", "name": "Corp", "issuer": "https://idp.example",
        "client_id": "ralex", "client_secret": CLIENT_SECRET });
    owner.post("sso/providers", &provider).await.ok();
    let sink = json!({ "name": "SIEM", "kind": "webhook", "url": "https://siem.example/", "enabled": false });
    let sink = owner.post("audit/sinks", &sink).await;
    let hook = json!({ "kind": "webhook", "to": "https://hooks.example/x" });
    let rule = owner.post("alert-rules", &json!({ "name": "Ops", "channels": [hook] })).await.ok();
    let cookie = app.anonymous().session(EMAIL, PASSWORD).await;
    let session = app.anonymous().in_session(&cookie);
    let totp = session.post("/api/v1/auth/totp", &json!({})).await.ok();
    let mut known = vec![
        KEY.to_owned(),
        CLIENT_SECRET.to_owned(),
        PASSWORD.to_owned(),
        token.secret.clone(),
        text(&rotated, "token"),
        of_job.secret.clone(),
        text(&scim, "token"),
        app.owner.secret(),
        cookie.split('=').nth(1).unwrap().to_owned(),
        text(&totp, "secret"),
        text(&rule["channels"][0], "secret"),
    ];
    if sink.status < 300 {
        known.push(text(&sink.json(), "secret"));
    }
    known
}

/// What the database holds in the columns that the archive says it withholds.
async fn stored(app: &App, withheld: &Value) -> Vec<(String, String)> {
    let columns = "select c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, null)
         from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace
           and a.attnum > 0 and not a.attisdropped and format_type(a.atttypid, null) in ('bytea', 'text')";
    let mut found = Vec::new();
    for column in app.database.texts(columns).await {
        let (name, kind) = column.split_once(' ').unwrap();
        let (table, field) = name.split_once('.').unwrap();
        let listed = !withheld[table].is_null() || !withheld[name].is_null();
        // The bundle of the log has what is hashed, and the hashes.
        let in_log = table.starts_with("audit_") && !["wrapped", "sealed"].contains(&field);
        let is_text = kind == "text" && !["password_hash", "fingerprint"].contains(&field);
        if !listed || in_log || is_text {
            continue;
        }
        let as_text =
            if kind == "bytea" { format!("encode({field}, 'hex')") } else { field.to_owned() };
        let all = format!("select {as_text} from {table} where {field} is not null");
        found.extend(app.database.texts(&all).await.into_iter().map(|it| (name.to_owned(), it)));
    }
    found
}

/// A secret in every form in which it could be written.
fn forms(bytes: &[u8]) -> Vec<String> {
    vec![
        hex::encode(bytes),
        hex::encode(bytes).to_uppercase(),
        STANDARD.encode(bytes),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE_NO_PAD.encode(bytes),
    ]
}

fn holds(files: &BTreeMap<String, Vec<u8>>, needle: &str) -> Option<String> {
    let found = files
        .iter()
        .find(|(_, bytes)| bytes.windows(needle.len()).any(|window| window == needle.as_bytes()));
    found.map(|(path, _)| path.clone())
}

#[tokio::test]
async fn no_secret_is_in_it_and_nothing_of_anybody_else() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    let known = filled(&app, &upstream).await;
    let acme = make(&app, "acme", "eve@example.com").await;
    let team = json!({ "slug": "crimson", "name": "Crimson" });
    acme.owner.post("/api/v1/orgs/acme/teams", &team).await.ok();
    let files = Taken::by(&app.owner, "export", &json!({})).await.files();
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    for secret in &known {
        assert!(secret.len() >= 16, "{secret}");
        for form in
            [vec![secret.clone(), digest(secret.as_bytes())], forms(secret.as_bytes())].concat()
        {
            assert_eq!(holds(&files, &form), None, "{secret} as {form}");
        }
    }
    let stored = stored(&app, &manifest["withheld"]).await;
    let kinds: BTreeSet<_> = stored.iter().map(|(name, _)| name.as_str()).collect();
    for expected in [
        "token.digest",
        "token.former_digest",
        "secret_version.blob",
        "session.digest",
        "app_user.password_hash",
        "org_key.wrapped",
        "totp.secret",
        "scim_token.digest",
        "sso_provider.sealed_secret",
        "personal_token.digest",
        "secret_version.fingerprint",
        "alert_channel.sealed_secret",
        "audit_subject_key.wrapped",
    ] {
        assert!(kinds.contains(expected), "the test has none of {expected}: {kinds:?}");
    }
    // What the log recorded of a provider's key, it says to everybody who may read it.
    let tables: BTreeMap<_, _> =
        files.clone().into_iter().filter(|(path, _)| path.starts_with("tables/")).collect();
    for (name, value) in stored.iter().filter(|(_, value)| value.len() >= 12) {
        let all = match hex::decode(value) {
            Ok(bytes) => forms(&bytes),
            Err(_) => vec![value.clone()],
        };
        let places = if name == "secret_version.fingerprint" { &tables } else { &files };
        for form in all {
            assert_eq!(holds(places, &form), None, "{name}");
        }
    }
    for other in [acme.id.as_str(), "crimson", "eve@example.com"] {
        assert_eq!(holds(&files, other), None, "{other} is another organisation's");
    }
    let theirs = Taken::by(&acme.owner, "/api/v1/orgs/acme/export", &json!({})).await.files();
    assert!(holds(&theirs, "crimson").is_some());
    assert_eq!(holds(&theirs, "scripted"), None);
    assert_eq!(holds(&theirs, EMAIL), None);
}
