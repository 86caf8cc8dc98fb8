//! The audit log sent on: to a receiver that listens, fails, refuses one record, and comes back.

mod bucket;
pub mod collector;
mod kinds;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use ralex_tests::app::{App, EMAIL, PASSWORD, run, text, until};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

/// A delivery as it came.
struct Delivery {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    status: u16,
}

impl Delivery {
    fn events(&self) -> Vec<Value> {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Default)]
struct Manner {
    /// Answers so to everything, where it is set.
    status: Option<u16>,
    /// Refuses whatever has this in it.
    refuses: Option<String>,
}

/// Somebody's endpoint, on a port of this machine.
#[derive(Clone)]
struct Receiver {
    url: String,
    came: Arc<Mutex<Vec<Delivery>>>,
    manner: Arc<Mutex<Manner>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks/audit", listener.local_addr().unwrap());
        let receiver = Self { url, came: Arc::default(), manner: Arc::default() };
        let served = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                served.serve(stream.unwrap());
            }
        });
        receiver
    }

    fn serve(&self, mut stream: std::net::TcpStream) {
        let (mut text, mut part) = (Vec::new(), [0; 4_096]);
        let head = loop {
            let read = stream.read(&mut part).unwrap_or(0);
            if read == 0 {
                return;
            }
            text.extend_from_slice(&part[..read]);
            if let Some(end) = text.windows(4).position(|it| it == b"\r\n\r\n") {
                break end;
            }
        };
        let lines = String::from_utf8_lossy(&text[..head]).into_owned();
        let headers: BTreeMap<_, _> = lines
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().unwrap();
        let mut body = text.split_off(head + 4);
        while body.len() < length {
            let read = stream.read(&mut part).unwrap();
            body.extend_from_slice(&part[..read]);
        }
        let status = {
            let manner = self.manner.lock();
            let refused = manner
                .refuses
                .as_ref()
                .is_some_and(|it| body.windows(it.len()).any(|window| window == it.as_bytes()));
            manner.status.unwrap_or(if refused { 422 } else { 204 })
        };
        self.came.lock().push(Delivery { headers, body, status });
        let answer =
            format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).ok();
    }

    fn set(&self, status: Option<u16>, refuses: Option<&str>) {
        *self.manner.lock() = Manner { status, refuses: refuses.map(str::to_owned) };
    }

    /// The places of what it took, in the order in which it came.
    fn taken(&self) -> Vec<u64> {
        let came = self.came.lock();
        let taken = came.iter().filter(|delivery| delivery.status < 300);
        let events = taken.flat_map(Delivery::events);
        events.filter_map(|event| event["subject"].as_str()?.parse().ok()).collect()
    }

    fn has(&self, text: &str) -> bool {
        self.came.lock().iter().any(|it| String::from_utf8_lossy(&it.body).contains(text))
    }

    fn count(&self) -> usize {
        self.came.lock().len()
    }
}

async fn holds(what: &str, ask: impl AsyncFn() -> bool) {
    until(what, Duration::from_secs(30), async || ask().await.then_some(())).await;
}

async fn add(app: &App, receiver: &Receiver) -> (String, Vec<u8>) {
    let new = json!({ "name": "SIEM", "kind": "webhook", "url": receiver.url, "batch_size": 4, "flush_seconds": 0 });
    let made = app.owner.post("audit/sinks", &new).await.ok();
    let secret = text(&made, "secret");
    let secret = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    (text(&made, "id"), secret)
}

async fn sink(app: &App, id: &str) -> Value {
    app.owner.get(&format!("audit/sinks/{id}")).await.ok()
}

/// How much is signed, once all that is recorded by now is.
async fn signed(app: &App) -> u64 {
    until("all is signed", Duration::from_secs(30), async || {
        let head = app.owner.get("audit/checkpoint").await;
        let head = (head.status == 200).then(|| head.ok())?;
        (head["pending"] == 0).then(|| head["tree_size"].as_u64().unwrap())
    })
    .await
}

/// Waits until it took so many, one after the other and none left out but those.
async fn until_taken(receiver: &Receiver, size: u64, but: &[u64]) {
    let last = size.checked_sub(1);
    holds("everything is taken", async || receiver.taken().last().copied() >= last).await;
    let mut taken = receiver.taken();
    taken.dedup();
    let (first, last) = (taken[0], taken[taken.len() - 1]);
    let expected: Vec<u64> = (first..=last).filter(|index| !but.contains(index)).collect();
    assert_eq!(taken, expected);
}

#[tokio::test]
async fn every_record_reaches_the_receiver_signed_and_in_order() {
    let app = App::start().await;
    for team in ["one", "two", "three"] {
        app.team(team).await;
    }
    let receiver = Receiver::start();
    let (id, secret) = add(&app, &receiver).await;
    until_taken(&receiver, 6, &[]).await;
    assert_eq!(receiver.taken()[0], 0);
    app.team("four").await;
    holds("the last team is told of", async || receiver.has("\"four\"")).await;
    for delivery in receiver.came.lock().iter() {
        let header = |name: &str| delivery.headers[name].clone();
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
        mac.update(&delivery.body);
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(header("webhook-signature"), signature);
        assert!(header("content-type").starts_with("application/cloudevents-batch+json"));
        assert!((1..=4).contains(&delivery.events().len()));
    }
    let shown = sink(&app, &id).await;
    assert_eq!((&shown["state"], &shown["secret"]), (&json!("active"), &Value::Null), "{shown}");
    let stored = app.database.texts("select encode(sealed_secret, 'hex') from audit_sink").await;
    assert!(!stored[0].contains(&hex::encode(&secret)), "the secret is kept sealed");
    let tested = app.owner.post(&format!("audit/sinks/{id}/test"), &Value::Null).await.ok();
    assert_eq!(tested["delivered"], true, "{tested}");
}

#[tokio::test]
async fn a_secret_is_changed_without_a_delivery_that_the_receiver_cannot_check() {
    let app = App::start().await;
    let receiver = Receiver::start();
    let (id, old) = add(&app, &receiver).await;
    until_taken(&receiver, 3, &[]).await;
    let path = format!("audit/sinks/{id}/secret");
    let key = json!({ "access_key_id": "A", "secret_access_key": "b" });
    app.owner.post(&path, &key).await.refused(422, "invalid_request");
    let made = app.owner.post(&path, &json!({})).await.ok();
    let new = STANDARD.decode(text(&made, "secret").strip_prefix("whsec_").unwrap()).unwrap();
    assert_ne!(old, new);
    assert!(made["previous_until"].is_string(), "{made}");
    app.team("after").await;
    holds("it is told of", async || receiver.has("\"after\"")).await;
    let came = receiver.came.lock();
    let last = came.last().unwrap();
    let signatures: Vec<&str> = last.headers["webhook-signature"].split(' ').collect();
    for secret in [new, old] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        let (name, time) = (&last.headers["webhook-id"], &last.headers["webhook-timestamp"]);
        mac.update(format!("{name}.{time}.").as_bytes());
        mac.update(&last.body);
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert!(signatures.contains(&signature.as_str()), "{signatures:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_and_misses_nothing_though_the_server_dies() {
    let mut app = App::start().await;
    let receiver = Receiver::start();
    receiver.set(Some(503), None);
    let (id, _) = add(&app, &receiver).await;
    holds("it was tried twice", async || receiver.count() >= 2).await;
    let shown = sink(&app, &id).await;
    assert_eq!((&shown["state"], &shown["next_index"]), (&json!("failing"), &json!(0)), "{shown}");
    assert!(text(&shown, "failure").contains("503"), "{shown}");
    app.node.kill();
    receiver.set(None, None);
    app.restart().await;
    app.team("later").await;
    until_taken(&receiver, signed(&app).await, &[]).await;
    holds("the cursor follows", async || sink(&app, &id).await["state"] == "active").await;
}

#[tokio::test]
async fn what_is_refused_for_good_parks_the_sink_until_a_person_leaves_it_out() {
    let app = App::start().await;
    let receiver = Receiver::start();
    receiver.set(None, Some("\"poison\""));
    for team in ["one", "two", "poison", "three"] {
        app.team(team).await;
    }
    let (id, _) = add(&app, &receiver).await;
    holds("it is parked", async || sink(&app, &id).await["state"] == "parked").await;
    let parked = sink(&app, &id).await;
    let index = parked["next_index"].as_u64().unwrap();
    assert!(text(&parked, "failure").contains("422"), "{parked}");
    assert_eq!(receiver.taken().last().copied(), index.checked_sub(1), "all before it was taken");
    let before = receiver.count();
    app.team("four").await;
    let told = app.owner.all("audit?action=sink.parked").await;
    assert_eq!(told[0]["record"]["detail"]["index"], index, "{told:?}");
    let path = format!("audit/sinks/{id}/resume");
    let wrong = json!({ "skip": index + 1, "reason": "The receiver cannot read it." });
    app.owner.post(&path, &wrong).await.refused(422, "invalid_request");
    app.owner
        .post(&path, &json!({ "skip": index, "reason": " " }))
        .await
        .refused(422, "invalid_request");
    assert_eq!(receiver.count(), before, "nothing is sent while it is parked");
    let right = json!({ "skip": index, "reason": "The receiver cannot read it." });
    app.owner.post(&path, &right).await.ok();
    until_taken(&receiver, signed(&app).await, &[index]).await;
    let told = app.owner.all("audit?action=sink.skipped").await;
    assert_eq!(told[0]["record"]["detail"]["index"], index, "{told:?}");
}

#[tokio::test]
async fn no_sink_reaches_into_the_operators_network() {
    let app = App::start_with(&[("RALEX_EGRESS_ALLOW", "")]).await;
    for url in
        ["http://127.0.0.1:9/", "https://169.254.169.254/", "https://[::1]/", "http://example.com/"]
    {
        let new = json!({ "name": "SIEM", "kind": "webhook", "url": url });
        let answer = app.owner.post("audit/sinks", &new).await;
        assert_eq!(answer.status, 422, "{url}: {}", answer.text);
    }
    // A name is resolved only when it is sent to.
    let new = json!({ "name": "SIEM", "kind": "webhook", "url": "https://localhost/" });
    let made = app.owner.post("audit/sinks", &new).await.ok();
    let path = format!("audit/sinks/{}/test", text(&made, "id"));
    let tested = app.owner.post(&path, &Value::Null).await.ok();
    assert_eq!(tested["delivered"], false);
    assert!(text(&tested, "detail").contains("not public"), "{tested}");
}

#[tokio::test]
async fn the_command_line_exports_in_every_form_and_goes_on_where_it_ended() {
    let app = App::start().await;
    app.team("blue").await;
    let cookie = app.anonymous().session(EMAIL, PASSWORD).await;
    let request =
        app.anonymous().request(Method::POST, "/api/v1/me/tokens").header("cookie", cookie);
    let made = app.anonymous().answered(request.json(&json!({ "name": "cli" }))).await.ok();
    let token = text(&made, "token");
    let export = |more: &[&str]| {
        let arguments = [&["audit", "export", "--url", app.node.url()], more].concat();
        let output = run(&arguments, &[("RALEX_TOKEN", &token)]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (format, start) in [
        ("ocsf", "{\"category_uid\":"),
        ("cef", "CEF:0|Ralex|"),
        ("syslog", "<110>1 "),
        ("cloudevents", "{\"specversion\":\"1.0\""),
    ] {
        let path = format!("audit/export?format={format}");
        let answer = app.owner.get(&path).await;
        let count: usize = answer.header("x-ralex-events").unwrap().parse().unwrap();
        assert_eq!(answer.text.lines().count(), count, "{format}");
        assert!(answer.text.lines().all(|line| line.starts_with(start)), "{}", answer.text);
        let rest = app.owner.get(&format!("{path}&after={}", count - 3)).await;
        let two: Vec<_> = answer.text.lines().skip(count - 2).collect();
        assert_eq!(rest.text.lines().take(2).collect::<Vec<_>>(), two, "{format}");
    }
    let cef = export(&["--format", "cef", "--action", "team.created"]);
    assert_eq!(cef.lines().count(), 1, "{cef}");
    app.owner.get("audit/export?format=jsonl&after=1").await.refused(422, "invalid_request");
}
