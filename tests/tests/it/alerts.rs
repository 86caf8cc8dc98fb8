//! Alerts: each raised once, told once to whom a rule names, and never lost.

mod cli;
mod hook;
mod mail;
pub mod post_office;
mod rules;

use std::time::Duration;

use ralex_tests::app::{App, DIALECTS, Token, text, until};
use ralex_tests::upstream::Upstream;
use serde_json::{Value, json};

use hook::Hook;
use post_office::PostOffice;

const FROM: &str = "Ralex <ralex@example.com>";

/// A deployment with a mail server, a webhook, a model and a team with a token.
struct World {
    app: App,
    office: PostOffice,
    hook: Hook,
    token: Token,
    _upstream: Upstream,
}

impl World {
    async fn new() -> Self {
        let (office, hook) = (PostOffice::start(), Hook::start());
        let app = App::start_with(&[
            ("RALEX_SMTP_URL", &office.url()),
            ("RALEX_SMTP_TLS", "off"),
            ("RALEX_MAIL_FROM", FROM),
        ])
        .await;
        let upstream = Upstream::start("127.0.0.1:0").unwrap();
        app.provider("scripted", "openai_compatible", &upstream, "sk-canary").await;
        let token = app.token("blue").await;
        Self { app, office, hook, token, _upstream: upstream }
    }

    /// A rule with both channels, and the secret that signs for the webhook.
    async fn rule(&self, more: Value) -> (String, String) {
        let mut new = json!({ "name": "Ops", "channels": [
            { "kind": "email", "to": "ops@example.com" },
            { "kind": "webhook", "to": self.hook.url },
        ] });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.app.owner.post("alert-rules", &new).await.ok();
        (text(&made, "id"), text(&made["channels"][1], "secret"))
    }

    /// Spends something of every budget there is, and tells what it cost.
    async fn call(&self) -> String {
        let answer = self.token.client.call(DIALECTS[0], "scripted", "Hello").await;
        answer.ok();
        answer.header("x-ralex-cost").unwrap().to_owned()
    }

    async fn budget(&self, scope: &str, limit: &str) -> String {
        let new = json!({ "scope": scope, "period": "month", "limit": limit, "hard": false });
        text(&self.app.owner.post("budgets", &new).await.ok(), "id")
    }

    async fn about(&self, budget: &str) -> Vec<Value> {
        self.app.owner.all(&format!("alerts?subject=budget:{budget}")).await
    }
}

async fn holds(what: &str, ask: impl AsyncFn() -> bool) {
    until(what, Duration::from_secs(40), async || ask().await.then_some(())).await;
}

fn states(alert: &Value) -> Vec<&str> {
    let deliveries = alert["deliveries"].as_array().unwrap();
    deliveries.iter().map(|it| it["state"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_threshold_is_told_once_on_each_channel_though_two_servers_look() {
    let world = World::new().await;
    let other = world.app.second().await;
    let (_, secret) = world.rule(json!({})).await;
    let first = world.budget("org", "0.000001").await;
    world.call().await;
    holds("it is told", async || {
        world.office.letters().len() == 1 && world.hook.taken().len() == 1
    })
    .await;
    // What is told later shows that nothing else of the first was on its way.
    let second = world.budget("team:blue", "0.000001").await;
    for _ in 0..3 {
        world.call().await;
    }
    holds("the second is told", async || {
        world.office.letters().len() >= 2 && world.hook.taken().len() >= 2
    })
    .await;
    for budget in [&first, &second] {
        let alerts = world.about(budget).await;
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        let alert = &alerts[0];
        assert_eq!(
            (&alert["severity"], &alert["kind"]),
            (&json!("critical"), &json!("budget.threshold"))
        );
        holds("it is noted", async || states(&world.about(budget).await[0]) == ["sent", "sent"])
            .await;
        let title = text(alert, "title");
        assert!(title.starts_with("100% of the monthly budget of "), "{title}");
        let letters = world.office.came();
        let own: Vec<_> =
            letters.iter().filter(|it| it.headers["subject"].contains(&title)).collect();
        assert_eq!(own.len(), 1, "{letters:?}");
        assert_eq!(
            (own[0].to.as_slice(), own[0].from.as_str()),
            (&["ops@example.com".to_owned()][..], "ralex@example.com")
        );
        assert!(own[0].text.contains("Look at who spends it in Usage"), "{}", own[0].text);
        let posted = world.hook.came();
        let own: Vec<_> = posted.iter().filter(|it| it.body["data"]["id"] == alert["id"]).collect();
        assert_eq!(own.len(), 1, "{posted:?}");
        assert!(own[0].is_signed_by(&secret), "{:?}", own[0]);
        assert_eq!(own[0].body["type"], "alert.raised");
        // The event that it comes from is in the log.
        let event = format!("audit?target=budget:{budget}&action=budget.threshold_crossed");
        let events = world.app.owner.all(&event).await;
        assert!(events.iter().any(|event| event["id"] == alert["event"]), "{alert}");
    }
    assert_eq!((world.office.came().len(), world.hook.came().len()), (2, 2));
    drop(other);
}

#[tokio::test]
async fn what_was_raised_before_the_server_died_is_told_once_by_the_next_one() {
    let mut world = World::new().await;
    world.office.answer(Some("451 come again"));
    world.hook.answer(503);
    world.rule(json!({})).await;
    let budget = world.budget("org", "0.000001").await;
    world.call().await;
    holds("both were tried twice", async || {
        world.office.came().len() >= 2 && world.hook.came().len() >= 2
    })
    .await;
    let alert = &world.about(&budget).await[0];
    assert!(states(alert).iter().all(|state| *state == "retrying"), "{alert}");
    let failures = alert["deliveries"].to_string();
    assert!(failures.contains("451") && failures.contains("503"), "{failures}");
    assert!(!failures.contains("in-secret"), "only the host is shown: {failures}");
    world.app.node.kill();
    world.office.answer(None);
    world.hook.answer(204);
    world.app.restart().await;
    holds("both are taken", async || {
        world.office.letters().len() == 1 && world.hook.taken().len() == 1
    })
    .await;
    holds("it is noted", async || states(&world.about(&budget).await[0]) == ["sent", "sent"]).await;
    // Every try went under the same name, so that receivers could have told.
    let mut ids: Vec<_> =
        world.hook.came().iter().map(|it| it.headers["webhook-id"].clone()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let mut ids: Vec<_> =
        world.office.came().iter().map(|it| it.headers["message-id"].clone()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!((world.office.letters().len(), world.hook.taken().len()), (1, 1));
}

#[tokio::test]
async fn quiet_hours_hold_all_but_the_critical_and_let_go_of_it_in_one_message() {
    let world = World::new().await;
    let week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let quiet = json!({ "time_zone": "Europe/Oslo", "from": "00:00", "to": "00:00", "days": week });
    let (rule, _) = world.rule(json!({ "quiet": quiet })).await;
    let cost: ralex_kernel::Money = world.call().await.parse().unwrap();
    // One more call takes nine tenths of these, and all of the last one.
    let most = ralex_kernel::Money::nanos(cost.as_nanos() * 10 / 9).to_string();
    let held = [world.budget("org", &most).await, world.budget("team:blue", &most).await];
    let critical = world.budget("org", "0.000001").await;
    world.call().await;
    holds("the critical one is told", async || {
        world.office.letters().len() == 1 && world.hook.taken().len() == 1
    })
    .await;
    assert!(world.office.letters()[0].headers["subject"].starts_with("Critical: 100%"));
    assert_eq!(world.about(&critical).await.len(), 1);
    for budget in &held {
        let alerts = world.about(budget).await;
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert_eq!(states(&alerts[0]), ["held", "held"], "{alerts:?}");
        assert!(text(&alerts[0], "title").starts_with("80% of the monthly budget"), "{alerts:?}");
    }
    assert_eq!(world.office.came().len(), 1);
    world.app.owner.patch(&format!("alert-rules/{rule}"), &json!({ "quiet": null })).await.ok();
    holds("the rest is told", async || {
        world.office.letters().len() == 2 && world.hook.taken().len() == 2
    })
    .await;
    let letter = &world.office.letters()[1];
    assert!(letter.headers["subject"].starts_with("2 alerts of "), "{letter:?}");
    let posted = &world.hook.taken()[1].body;
    assert_eq!(posted["type"], "alert.digest", "{posted}");
    assert_eq!(posted["data"]["alerts"].as_array().unwrap().len(), 2, "{posted}");
    for budget in &held {
        holds("it is noted", async || states(&world.about(budget).await[0]) == ["sent", "sent"])
            .await;
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_and_says_so_until_it_is_put_right() {
    let world = World::new().await;
    world.office.answer(Some("550 no such user"));
    world.hook.answer(410);
    let (rule, _) = world.rule(json!({})).await;
    let budget = world.budget("org", "0.000001").await;
    world.call().await;
    holds("both are given up", async || {
        let alerts = world.about(&budget).await;
        alerts.first().is_some_and(|alert| states(alert) == ["gave_up", "gave_up"])
    })
    .await;
    let shown = world.app.owner.get(&format!("alert-rules/{rule}")).await.ok();
    for (place, said) in [(0, "550"), (1, "410")] {
        let channel = &shown["channels"][place];
        assert_eq!(channel["failures"], 1, "{channel}");
        assert!(text(channel, "failure").contains(said), "{channel}");
    }
    let told = world.app.owner.all("alerts?kind=alert.undelivered").await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|alert| states(alert).is_empty()), "only the inbox has it: {told:?}");
    let count = world.office.came().len();
    let deliveries = world.app.owner.all(&format!("alert-rules/{rule}/deliveries")).await;
    assert_eq!(deliveries.len(), 2, "{deliveries:?}");
    assert!(deliveries.iter().all(|it| it["state"] == "gave_up"), "{deliveries:?}");
    assert_eq!(world.office.came().len(), count, "nothing is tried again");
    // A test says the truth, and ends what was told.
    let path = format!("alert-rules/{rule}/test");
    let tested = world.app.owner.post(&path, &Value::Null).await.ok();
    let mail = &tested["channels"][0];
    assert_eq!(mail["delivered"], false, "{tested}");
    assert!(text(mail, "detail").contains("550"), "{tested}");
    world.office.answer(None);
    world.hook.answer(200);
    let tested = world.app.owner.post(&path, &Value::Null).await.ok();
    let all = tested["channels"].as_array().unwrap();
    assert!(all.iter().all(|it| it["delivered"] == true), "{tested}");
    assert_eq!(world.hook.taken().last().unwrap().body["type"], "alert.test");
    let still = world.app.owner.all("alerts?kind=alert.undelivered&state=open").await;
    assert!(still.is_empty(), "{still:?}");
}

#[tokio::test]
async fn an_alert_ends_with_its_cause_and_is_raised_again_when_that_comes_back() {
    let world = World::new().await;
    world.hook.answer(422);
    let new = json!({ "name": "SIEM", "kind": "webhook", "url": world.hook.url,
        "batch_size": 1, "flush_seconds": 0 });
    let sink = text(&world.app.owner.post("audit/sinks", &new).await.ok(), "id");
    let alerts = async || world.app.owner.all(&format!("alerts?subject=sink:{sink}")).await;
    holds("it is told", async || alerts().await.len() == 1).await;
    let told = alerts().await;
    assert_eq!((&told[0]["state"], &told[0]["kind"]), (&json!("open"), &json!("sink.parked")));
    assert!(text(&told[0], "title").contains("SIEM"), "{told:?}");
    let resume = json!({ "reason": "It is mended." });
    world.app.owner.post(&format!("audit/sinks/{sink}/resume"), &resume).await.ok();
    holds("it parks again, and is told again", async || alerts().await.len() == 2).await;
    let told = alerts().await;
    let states: Vec<_> = told.iter().map(|alert| alert["state"].clone()).collect();
    assert_eq!(states, [json!("open"), json!("resolved")], "{told:?}");
    world.app.owner.delete(&format!("audit/sinks/{sink}")).await.ok();
    holds("what is gone waits for nobody", async || {
        alerts().await.iter().all(|alert| alert["state"] == "resolved")
    })
    .await;
}

#[tokio::test]
async fn calls_that_a_budget_refuses_are_one_alert_that_counts_them() {
    let world = World::new().await;
    let budget = world.app.budget("team:blue", "0.000000001", true).await;
    for _ in 0..5 {
        let refused = world.token.client.call(DIALECTS[0], "scripted", "Hello").await;
        assert_eq!(refused.status, 402, "{refused:?}");
    }
    holds("all five count", async || {
        let alerts = world.about(&budget).await;
        alerts.first().is_some_and(|alert| alert["occurrences"] == 5)
    })
    .await;
    let alerts = world.about(&budget).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0]["kind"], "budget.exhausted");
    // A new limit ends it.
    let more = json!({ "limit": "10" });
    world.app.owner.patch(&format!("budgets/{budget}"), &more).await.ok();
    holds("it is over", async || world.about(&budget).await[0]["state"] == "resolved").await;
}
