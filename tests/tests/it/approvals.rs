//! Calls that wait for a person: asked, decided, used, and what everyone is told meanwhile.

use std::time::{Duration, Instant};

use ralex_tests::app::{Answer, App, DIALECTS, Dialect, Person, Token, run, text};
use ralex_tests::upstream::{Script, Upstream};
use reqwest::Method;
use serde_json::{Value, json};

const MAIL: &str = "jane.doe@corp-mail.com";

/// An app in which a person is asked about personal data, with a team's token and an approver.
struct World {
    app: App,
    upstream: Upstream,
    token: Token,
    approver: Person,
}

impl World {
    async fn new() -> Self {
        let app = App::start().await;
        let upstream = Upstream::start("127.0.0.1:0").unwrap();
        app.provider("scripted", "openai_compatible", &upstream, "sk-canary").await;
        let token = app.token("blue").await;
        let approver = app.member("boss@example.com", "security", "org").await;
        let world = Self { app, upstream, token, approver };
        world.guard(json!({ "kind": "pack", "pack": "pii" }), "ask", "in").await.ok();
        world
    }

    async fn guard(&self, check: Value, action: &str, direction: &str) -> Answer {
        let new = json!({ "name": "Guard", "scope": "org", "check": check, "action": action,
            "direction": direction });
        self.app.owner.post("guardrails", &new).await
    }

    async fn call(&self, question: &str) -> Answer {
        self.token.client.call(Dialect::Chat, "scripted", question).await
    }

    /// The approval that a call waits for.
    async fn asked(&self, question: &str) -> String {
        let answer = self.call(question).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        answer.header("x-ralex-approval").unwrap().to_owned()
    }

    async fn decide(&self, id: &str, verdict: &str) -> Answer {
        let body = json!({ "reason": "the customer agreed" });
        self.approver.client.post(&format!("approvals/{id}/{verdict}"), &body).await
    }

    fn sent(&self) -> usize {
        self.upstream.requests("scripted").len()
    }

    async fn call_of(&self, answer: &Answer) -> Value {
        let id = answer.header("x-ralex-call-id").unwrap();
        self.app.owner.get(&format!("calls/{id}")).await.ok()
    }
}

#[tokio::test]
async fn a_call_that_a_person_has_to_approve_is_told_so_in_every_dialect_and_reaches_no_one() {
    let world = World::new().await;
    let question = format!("Write to {MAIL}");
    for dialect in DIALECTS {
        for answer in [
            world.token.client.call(dialect, "scripted", &question).await,
            world.token.client.call(dialect, "scripted", &question).await,
        ] {
            let said = dialect.refusal(&answer, 400);
            let id = answer.header("x-ralex-approval").unwrap();
            assert!(said.contains(id) && said.contains("pii.email"), "{dialect:?}: {said}");
            assert!(!said.contains("jane"), "{said}");
            assert_eq!(answer.header("x-should-retry"), Some("false"));
        }
        let streamed = world.token.client.stream(dialect, "scripted", &question).await;
        assert_eq!(streamed.status, 400, "{dialect:?}");
    }
    assert_eq!(world.sent(), 0);
    let waiting = world.approver.client.all("approvals?state=pending").await;
    assert_eq!(waiting.len(), 2 * DIALECTS.len(), "once for each, however often it is asked");
    let shown = &waiting[0];
    assert_eq!((text(shown, "asker"), text(shown, "scope")), ("blue".into(), "team:blue".into()));
    assert_eq!(text(&shown["rules"][0], "rule"), "pii.email");
    assert!(text(&shown["excerpts"][0], "text").contains("Write to [email]"), "{shown}");
    let stored = "select count(*)::text from approval where approval::text like '%jane%'";
    assert_eq!(world.app.database.texts(stored).await, ["0"]);
    let call = world.app.owner.get(&format!("calls/{}", text(shown, "call"))).await.ok();
    assert_eq!(
        (text(&call, "state"), text(&call, "problem")),
        ("refused".into(), "approval_required".into())
    );
}

#[tokio::test]
async fn an_approved_call_passes_once_as_it_was_and_its_record_names_the_approval() {
    let world = World::new().await;
    let question = format!("Write to {MAIL}");
    let id = world.asked(&question).await;
    let decided = world.decide(&id, "approve").await.ok();
    assert_eq!(
        (text(&decided, "state"), text(&decided, "decided_by")),
        ("approved".into(), "boss@example.com".into())
    );
    world.asked(&format!("{question} now")).await;
    let answer = world.call(&question).await;
    assert_eq!(Dialect::Chat.said(&answer), format!("You said: {question}"));
    let call = world.call_of(&answer).await;
    let noted = &call["guardrails"][0];
    assert_eq!((text(noted, "action"), text(noted, "approval")), ("ask".into(), id.clone()));
    assert_ne!(world.asked(&question).await, id, "once");
    let used = world.approver.client.get(&format!("approvals/{id}")).await.ok();
    assert_eq!(
        (text(&used, "state"), text(&used, "used_call")),
        ("used".into(), text(&call, "id"))
    );
    let log = world.app.owner.all("audit?action=call.opened").await;
    assert_eq!(text(&log[0]["record"]["detail"], "approval"), id, "{}", log[0]);
    let metrics = world.app.anonymous().get("/metrics").await;
    assert!(metrics.text.contains("ralex_approvals_total{event=\"used\"} 1"));
}

#[tokio::test]
async fn a_denied_call_is_refused_with_the_reason() {
    let world = World::new().await;
    let question = format!("Write to {MAIL}");
    let id = world.asked(&question).await;
    world.decide(&id, "deny").await.ok();
    world.decide(&id, "approve").await.refused(409, "conflict");
    let answer = world.call(&question).await;
    let said = Dialect::Chat.refusal(&answer, 400);
    assert!(said.contains("the customer agreed") && said.contains(&id), "{said}");
    assert_eq!(answer.json()["error"]["code"], "approval_denied");
    assert_eq!((world.sent(), answer.header("x-should-retry")), (0, Some("false")));
}

#[tokio::test]
async fn a_change_of_the_rules_takes_what_was_approved_under_the_old_ones() {
    let world = World::new().await;
    let question = format!("Write to {MAIL}");
    let id = world.asked(&question).await;
    world.decide(&id, "approve").await.ok();
    // Anything else that changes in the organisation leaves it as it is.
    world.app.team("red").await;
    let topic = json!({ "kind": "topic", "phrases": ["project zephyr"] });
    let made = world.guard(topic, "flag", "in").await.ok();
    assert_ne!(world.asked(&question).await, id);
    world.app.owner.delete(&format!("guardrails/{}", text(&made, "id"))).await;
    assert_eq!(world.call(&question).await.status, 200, "the rules are again those that asked");
}

#[tokio::test]
async fn a_call_that_gets_no_answer_gives_its_approval_back() {
    let world = World::new().await;
    let question = format!("Write to {MAIL}");
    let id = world.asked(&question).await;
    world.decide(&id, "approve").await.ok();
    let budget = world.app.budget("org", "0.000001", true).await;
    assert_eq!(world.call(&question).await.status, 402);
    let back = world.approver.client.get(&format!("approvals/{id}")).await.ok();
    assert_eq!(text(&back, "state"), "approved", "{back}");
    world.app.owner.delete(&format!("budgets/{budget}")).await;
    assert_eq!(world.call(&question).await.status, 200);
}

#[tokio::test]
async fn whoever_asks_or_made_the_token_does_not_decide_and_sees_no_excerpt() {
    let world = World::new().await;
    let id = world.asked(&format!("Write to {MAIL}")).await;
    let approve = format!("approvals/{id}/approve");
    let reason = json!({ "reason": "mine" });
    world.app.owner.post(&approve, &reason).await.refused(403, "forbidden");
    let developer = world.app.member("dev@example.com", "developer", "team:blue").await;
    developer.client.post(&approve, &reason).await.refused(403, "forbidden");
    let seen = developer.client.get(&format!("approvals/{id}")).await.ok();
    assert!(seen["excerpts"].is_null() && seen["may_decide"] == false, "{seen}");
    assert_eq!(developer.client.all("approvals").await.len(), 1);
    let empty = world.approver.client.post(&approve, &json!({ "reason": "  " })).await;
    empty.refused(422, "invalid_request");
    let lead = world.app.member("lead@example.com", "team_admin", "team:blue").await;
    lead.client.post(&approve, &reason).await.ok();
}

#[tokio::test]
async fn whoever_was_shown_a_secret_of_the_token_does_not_decide_about_what_it_asks() {
    let world = World::new().await;
    let app = &world.app;
    let lead = app.member("lead@example.com", "team_admin", "team:blue").await;
    let rotate = format!("tokens/{}/rotate", world.token.id);
    let rotated = lead.client.post(&rotate, &json!({ "overlap_seconds": 0 })).await.ok();
    // Somebody else's rotation takes no knowledge away.
    let asked = async |secret: &str| {
        let (client, question) = (app.with(secret), format!("Write to {MAIL}"));
        let answer = client.call(Dialect::Chat, "scripted", &question).await;
        answer.header("x-ralex-approval").unwrap().to_owned()
    };
    let id = asked(&text(&rotated, "token")).await;
    app.owner.post(&rotate, &json!({ "overlap_seconds": 0 })).await.ok();
    let approve = |id: &str| format!("approvals/{id}/approve");
    let reason = json!({ "reason": "mine" });
    lead.client.post(&approve(&id), &reason).await.refused(403, "forbidden");
    let seen = lead.client.get(&format!("approvals/{id}")).await.ok();
    assert!(seen["excerpts"].is_null() && seen["may_decide"] == false, "{seen}");
    app.owner.post(&approve(&id), &reason).await.refused(403, "forbidden");
    world.approver.client.post(&approve(&id), &reason).await.ok();

    // Nor does who made the program that made the token.
    let new = json!({ "slug": "maker", "name": "Maker", "team": "blue" });
    lead.client.post("service-accounts", &new).await.ok();
    let binding = json!({ "subject": "service_account:maker", "role": "team_admin",
        "scope": "team:blue" });
    app.owner.post("bindings", &binding).await.ok();
    let new = json!({ "name": "p", "service_account": "maker" });
    let program = lead.client.post("tokens", &new).await.ok();
    let program = app.with(&text(&program, "token"));
    let made = program.post("tokens", &json!({ "name": "q", "team": "blue" })).await.ok();
    let id = asked(&text(&made, "token")).await;
    lead.client.post(&approve(&id), &reason).await.refused(403, "forbidden");
    world.approver.client.post(&approve(&id), &reason).await.ok();
}

#[tokio::test]
async fn the_token_that_asked_waits_for_the_decision_and_goes_on() {
    let world = World::new().await;
    let question = format!("Write to {MAIL}");
    let id = world.asked(&question).await;
    let path = format!("/api/v1/orgs/default/approvals/{id}");
    let client = &world.token.client;
    let waiting = format!("{path}?wait_seconds=40");
    let (seen, ()) = tokio::join!(client.get(&waiting), async {
        let waiting = world.approver.client.get("approvals/waiting").await.ok();
        assert_eq!(waiting, json!({ "waiting": 1 }));
        world.decide(&id, "approve").await.ok();
    });
    let seen = seen.ok();
    assert_eq!(
        (text(&seen, "state"), text(&seen, "reason")),
        ("approved".into(), "the customer agreed".into())
    );
    assert_eq!(world.call(&question).await.status, 200);
    let waiting = world.approver.client.get("approvals/waiting").await.ok();
    assert_eq!(waiting, json!({ "waiting": 0 }));
    client.get(&format!("{path}?wait_seconds=51")).await.refused(422, "invalid_request");
    let other = world.app.token("red").await;
    other.client.get(&path).await.refused(403, "forbidden");
    client.get("/api/v1/orgs/default/approvals").await.refused(403, "forbidden");
}

#[tokio::test]
async fn a_server_that_is_asked_to_end_does_not_wait_for_those_who_wait() {
    let mut world = World::new().await;
    let id = world.asked(&format!("Write to {MAIL}")).await;
    let client = world.approver.client.clone();
    let waiting =
        tokio::spawn(async move { client.get(&format!("approvals/{id}?wait_seconds=40")).await });
    // Its request is under way when a later one has been answered.
    world.approver.client.get("approvals/waiting").await.ok();
    let began = Instant::now();
    world.app.node.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    waiting.abort();
}

#[tokio::test]
async fn the_command_line_lists_decides_and_waits() {
    let world = World::new().await;
    let (yes, no) = (format!("Write to {MAIL}"), format!("Call {MAIL}"));
    let (asked, denied) = (world.asked(&yes).await, world.asked(&no).await);
    let (boss, ci) = (world.approver.client.secret(), world.token.secret.clone());
    let url = world.app.node.url().to_owned();
    let ralex = async |token: &str, arguments: &[&str]| {
        let (url, token) = (url.clone(), token.to_owned());
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        let run = move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(&arguments, &[("RALEX_URL", &url), ("RALEX_TOKEN", &token)])
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        let told = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        (output.status.code().unwrap(), told[0].clone(), told[1].clone())
    };
    let (code, listed, _) = ralex(&boss, &["approvals", "list"]).await;
    assert!(code == 0 && listed.contains(&asked) && listed.contains("pii.email"), "{listed}");
    let late = ralex(&ci, &["approvals", "wait", &asked, "--timeout", "1"]).await;
    assert!(late.0 == 4 && late.1.contains("pending"), "{late:?}");
    let own = ["approvals", "approve", &asked, "--reason", "fine"];
    let refused = ralex(&ci, &own).await;
    assert!(refused.0 == 1 && refused.1.is_empty() && !refused.2.is_empty(), "{refused:?}");
    let wait = ["approvals", "wait", &asked];
    let (waited, approved) = tokio::join!(ralex(&ci, &wait), ralex(&boss, &own));
    assert!(approved.0 == 0 && approved.1.contains("approved"), "{approved:?}");
    assert!(waited.0 == 0 && waited.1.contains("fine"), "{waited:?}");
    assert_eq!(world.call(&yes).await.status, 200);
    let deny = ["approvals", "deny", &denied, "--reason", "no"];
    assert_eq!(ralex(&boss, &deny).await.0, 0);
    let (code, json, _) = ralex(&ci, &["approvals", "wait", &denied, "--json"]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, text(&json, "state")), (2, "denied".into()));
    let (code, shown, _) = ralex(&boss, &["approvals", "show", &asked]).await;
    assert!(code == 0 && shown.contains("used"), "{shown}");
    assert_eq!(ralex("rlx_svc_nonsense", &["approvals", "list"]).await.0, 1);
    assert_eq!(ralex(&boss, &["approvals", "show", "nonsense"]).await.0, 3);
    let none = run(&["approvals", "list"], &[("RALEX_URL", url.as_str())]);
    assert!(String::from_utf8(none.stderr).unwrap().contains("RALEX_TOKEN"));
}

#[tokio::test]
async fn an_answer_that_a_person_would_be_asked_about_is_stopped() {
    let world = World::new().await;
    let both = json!({ "kind": "pack", "pack": "pii" });
    world.guard(both, "ask", "both").await.ok();
    let said = format!("Write to {MAIL}");
    world.upstream.script(Script { text: Some(said), ..Script::default() });
    let answer = world.call("Whom do I write to?").await;
    Dialect::Chat.refusal(&answer, 400);
    assert_eq!(answer.json()["error"]["code"], "guardrail_blocked");
    let out = world.guard(json!({ "kind": "pack", "pack": "pii" }), "ask", "out").await;
    let problem = out.refused(422, "invalid_request");
    assert_eq!(problem["errors"][0]["path"], "action");
}

#[tokio::test]
async fn settings_hold_for_what_is_asked_next() {
    let world = World::new().await;
    let usual = world.app.owner.get("approvals/settings").await.ok();
    assert_eq!((&usual["once"], &usual["pending_minutes"]), (&json!(true), &json!(480)));
    let set = json!({ "pending_minutes": 5, "approved_minutes": 5, "denied_minutes": 0,
        "once": false, "excerpts": false });
    let answer = world.app.owner.send(Method::PUT, "approvals/settings", Some(&set)).await;
    assert_eq!(answer.ok(), set);
    let question = format!("Write to {MAIL}");
    let id = world.asked(&question).await;
    let shown = world.approver.client.get(&format!("approvals/{id}")).await.ok();
    assert!(shown["excerpts"].is_null(), "{shown}");
    world.decide(&id, "approve").await.ok();
    for _ in 0..3 {
        assert_eq!(world.call(&question).await.status, 200);
    }
    let used = world.approver.client.get(&format!("approvals/{id}")).await.ok();
    assert_eq!((text(&used, "state"), &used["uses"]), ("approved".into(), &json!(3)));
}
