//! The audit log sent to a collector of syslog and to a store of objects: all of it, in order, to
//! whom it is meant for only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ralex_tests::app::{App, EMAIL, PASSWORD, run, text};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::bucket::{Bucket, REGION};
use super::collector::{Authority, Collector};
use super::{holds, signed, sink};

async fn add(app: &App, new: Value) -> String {
    text(&app.owner.post("audit/sinks", &new).await.ok(), "id")
}

fn syslog(url: &str, ca: &Authority) -> Value {
    json!({ "name": "SIEM", "kind": "syslog", "url": url, "ca_pem": ca.pem(), "batch_size": 3,
        "flush_seconds": 0 })
}

fn store(bucket: &Bucket, id: &str, secret: &str) -> Value {
    json!({ "name": "Archive", "kind": "s3", "url": bucket.url(), "region": REGION,
        "batch_size": 4, "flush_seconds": 0,
        "credential": { "access_key_id": id, "secret_access_key": secret } })
}

async fn why(app: &App, id: &str) -> String {
    holds("it fails", async || sink(app, id).await["state"] == "failing").await;
    text(&sink(app, id).await, "failure")
}

#[tokio::test]
async fn a_collector_gets_every_record_over_tls_though_it_breaks_off_meanwhile() {
    let app = App::start().await;
    let authority = Authority::new("one");
    let collector = Collector::start(&authority, None);
    *collector.breaks.lock() = 2;
    let id = add(&app, syslog(&collector.url(), &authority)).await;
    for team in ["one", "two\u{2028}x"] {
        app.owner.post("teams", &json!({ "slug": &team[..3], "name": team })).await.ok();
    }
    let size = signed(&app).await;
    holds("all came", async || collector.indexes().last().copied() >= size.checked_sub(1)).await;
    let mut indexes = collector.indexes();
    indexes.dedup();
    assert!(indexes.iter().copied().eq(0..indexes.len() as u64), "{indexes:?}");
    for message in collector.messages() {
        assert!(message.starts_with("<110>1 2") && !message.contains(['\n', '\u{2028}']));
    }
    let tested = app.owner.post(&format!("audit/sinks/{id}/test"), &Value::Null).await.ok();
    assert_eq!(tested["delivered"], true, "{tested}");
    assert!(collector.messages().iter().any(|it| it.contains(" audit.test - ")));
    let change = json!({ "format": "cef" });
    app.owner.patch(&format!("audit/sinks/{id}"), &change).await.ok();
    app.team("later").await;
    let cef = async || collector.messages().iter().any(|it| it.contains(" - CEF:0|Ralex|"));
    holds("the form changes from there on", cef).await;
}

#[tokio::test]
async fn a_collector_with_a_certificate_that_nobody_vouches_for_gets_nothing() {
    let app = App::start().await;
    let (authority, other) = (Authority::new("one"), Authority::new("other"));
    let collector = Collector::start(&authority, None);
    let strange = add(&app, syslog(&collector.url(), &other)).await;
    let reason = why(&app, &strange).await;
    assert!(reason.starts_with("Its certificate is not accepted: UnknownIssuer"), "{reason}");
    // The right authority, and another name than the certificate's.
    let url = format!("tls://127.0.0.1:{}", collector.port);
    let change = json!({ "url": url, "ca_pem": authority.pem() });
    app.owner.patch(&format!("audit/sinks/{strange}"), &change).await.ok();
    let named = async || why(&app, &strange).await.contains("not valid for name");
    holds("the name is looked at", named).await;
    assert!(collector.messages().is_empty());
    let change = json!({ "url": collector.url() });
    app.owner.patch(&format!("audit/sinks/{strange}"), &change).await.ok();
    holds("now it gets them", async || collector.indexes().len() > 3).await;
    assert_eq!(collector.indexes()[0], 0, "nothing was left out meanwhile");
    let public = json!({ "name": "Public", "kind": "syslog", "url": collector.url() });
    let tested = add(&app, public).await;
    let tested = app.owner.post(&format!("audit/sinks/{tested}/test"), &Value::Null).await.ok();
    assert_eq!(tested["delivered"], false, "no public authority vouches for it: {tested}");
}

#[tokio::test]
async fn a_collector_that_asks_for_a_certificate_is_shown_one_that_can_be_changed() {
    let app = App::start().await;
    let (authority, clients) = (Authority::new("one"), Authority::new("other"));
    let collector = Collector::start(&authority, Some(&clients));
    let id = add(&app, syslog(&collector.url(), &authority)).await;
    // TLS 1.3 tells it once the handshake is over: a record on its way may meet a closed connection
    // before that is read, and then one of the next tries is told.
    holds("it says that a certificate is asked for", async || {
        why(&app, &id).await.contains("CertificateRequired")
    })
    .await;
    assert!(collector.messages().is_empty());
    let path = format!("audit/sinks/{id}/secret");
    let (own, other) = (clients.vouch("ralex"), clients.vouch("other"));
    let mixed = json!({ "client_certificate": own.certificate, "client_key": other.key });
    app.owner.post(&path, &mixed).await.refused(422, "invalid_request");
    let right = json!({ "client_certificate": own.certificate, "client_key": own.key });
    let shown = app.owner.post(&path, &right).await.ok();
    assert_eq!(text(&shown, "credential").len(), 64, "{shown}");
    let size = signed(&app).await;
    holds("all came", async || collector.indexes().last().copied() >= size.checked_sub(1)).await;
    let stored = app.database.texts("select encode(sealed_secret, 'escape') from audit_sink").await;
    assert!(!stored[0].contains("BEGIN"), "the key is kept sealed");
    let told = app.owner.all("audit?action=sink.secret_changed").await;
    assert_eq!(told[0]["record"]["detail"]["credential"], shown["credential"], "{told:?}");
}

#[tokio::test]
async fn a_store_gets_every_record_once_as_the_text_that_is_in_the_tree() {
    let app = App::start().await;
    let bucket = Bucket::start("AKIDEXAMPLE", "se/cr+et");
    // It stores these and says that it did not: the same object is sent once more.
    *bucket.lies.lock() = 2;
    let id = add(&app, store(&bucket, "AKIDEXAMPLE", "se/cr+et")).await;
    let size = signed(&app).await;
    let all = async || bucket.lines().len() as u64 >= size;
    holds("all came", all).await;
    holds("the cursor follows", async || sink(&app, &id).await["state"] == "active").await;
    assert!(!bucket.again.lock().is_empty(), "what was there already was not written again");
    for (index, line) in bucket.lines().iter().enumerate() {
        let read: Value = serde_json::from_str(line).unwrap();
        assert_eq!(read["index"], index, "{line}");
        let event = line.split_once(",\"event\":").unwrap().1.strip_suffix('}').unwrap();
        let leaf = Sha256::new().chain_update([0]).chain_update(event).finalize();
        assert_eq!(read["hash"], STANDARD.encode(leaf), "{line}");
    }
    let names: Vec<String> = bucket.objects.lock().keys().cloned().collect();
    assert!(names[0].starts_with("/logs/ralex/0"), "{names:?}");
    assert!(names[0].contains("/000000000000-0000000000"), "{names:?}");
    let shown = sink(&app, &id).await;
    assert_eq!(shown["credential"], "AKIDEXAMPLE");
    assert!(!shown.to_string().contains("se/cr+et"));
    *bucket.old.lock() = true;
    let tested = app.owner.post(&format!("audit/sinks/{id}/test"), &Value::Null).await.ok();
    assert_eq!(tested["delivered"], true, "a store that knows no condition: {tested}");
}

#[tokio::test]
async fn a_key_that_the_store_takes_no_more_is_changed_and_nothing_is_missing() {
    let app = App::start().await;
    let bucket = Bucket::start("AKIDNEW", "new");
    let id = add(&app, store(&bucket, "AKIDOLD", "old")).await;
    let reason = why(&app, &id).await;
    assert!(reason.contains("403: InvalidAccessKeyId"), "{reason}");
    let path = format!("audit/sinks/{id}/secret");
    let half = json!({ "access_key_id": "AKIDNEW" });
    app.owner.post(&path, &half).await.refused(422, "invalid_request");
    // From the command line, where the secret comes from a file.
    let cookie = app.anonymous().session(EMAIL, PASSWORD).await;
    let request =
        app.anonymous().request(Method::POST, "/api/v1/me/tokens").header("cookie", cookie);
    let made = app.anonymous().answered(request.json(&json!({ "name": "cli" }))).await.ok();
    let token = text(&made, "token");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "new\n").unwrap();
    let file = file.to_str().unwrap();
    let arguments = ["audit", "sinks", "--url", app.node.url(), "rotate", &id, "--access-key-id"];
    let arguments = [&arguments[..], &["AKIDNEW", "--secret-access-key-file", file]].concat();
    let output = run(&arguments, &[("RALEX_TOKEN", &token)]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("AKIDNEW"), "{output:?}");
    let size = signed(&app).await;
    holds("all came", async || bucket.lines().len() as u64 >= size).await;
    let first: Value = serde_json::from_str(&bucket.lines()[0]).unwrap();
    assert_eq!(first["index"], 0);
}

#[tokio::test]
async fn no_kind_of_sink_reaches_into_the_operators_network() {
    let app = App::start_with(&[("RALEX_EGRESS_ALLOW", "")]).await;
    let key = json!({ "access_key_id": "A", "secret_access_key": "b" });
    for (kind, url) in [
        ("syslog", "tls://127.0.0.1:6514"),
        ("syslog", "tls://[::1]"),
        ("syslog", "tls://2130706433"),
        ("syslog", "tls://169.254.169.254:80"),
        ("syslog", "https://siem.example/"),
        ("s3", "https://169.254.169.254/bucket"),
        ("s3", "http://minio.example/bucket"),
        ("s3", "https://minio.example/bu%2fcket"),
    ] {
        let mut new = json!({ "name": "x", "kind": kind, "url": url });
        if kind == "s3" {
            new["credential"] = key.clone();
            new["region"] = json!("us-east-1");
        }
        let answer = app.owner.post("audit/sinks", &new).await;
        assert_eq!(answer.status, 422, "{url}: {}", answer.text);
    }
    let id = add(&app, json!({ "name": "x", "kind": "syslog", "url": "tls://localhost" })).await;
    let tested = app.owner.post(&format!("audit/sinks/{id}/test"), &Value::Null).await.ok();
    assert!(text(&tested, "detail").contains("not public"), "{tested}");
}
