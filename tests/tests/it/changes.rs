//! Four eyes: changes that wait for a second person, over the API, at the command line and by mail.

mod paths;

use std::time::Duration;

use futures_util::future::join_all;
use ralex_tests::app::{Answer, App, Client, Person, Shell, text, until};
use reqwest::Method;
use serde_json::{Value, json};

use crate::alerts::post_office::PostOffice;
use crate::invitations::{choose, secret};

/// An organisation with two owners beside the first, who has made their accounts.
pub struct World {
    pub app: App,
    pub ann: Person,
    pub ben: Person,
}

impl World {
    pub async fn new(actions: &[&str]) -> Self {
        Self::with(App::start().await, actions).await
    }

    pub async fn with(app: App, actions: &[&str]) -> Self {
        let ann = app.member("ann@example.com", "owner", "org").await;
        let ben = app.member("ben@example.com", "owner", "org").await;
        let world = Self { app, ann, ben };
        world
            .set(&world.ann.client, &json!({ "actions": actions, "pending_minutes": 60 }))
            .await
            .ok();
        world
    }

    pub async fn set(&self, client: &Client, rules: &Value) -> Answer {
        client.send(Method::PUT, "change-requests/settings", Some(rules)).await
    }

    /// A key of a provider of its own.
    pub async fn key(&self, slug: &str) -> String {
        let new =
            json!({ "slug": slug, "kind": "openai", "base_url": "https://api.example.com/v1" });
        self.app.owner.post("providers", &new).await.ok();
        let new = json!({ "name": slug, "provider": slug, "value": format!("sk-{slug}-canary") });
        text(&self.app.owner.post("secrets", &new).await.ok(), "id")
    }
}

/// What waits now, since that was asked for.
pub fn waits(answer: &Answer) -> Value {
    assert_eq!(answer.status, 202, "{answer:?}");
    let request = answer.json();
    assert_eq!(request["state"], "pending", "{request}");
    request
}

pub async fn decide(client: &Client, request: &Value, verb: &str) -> Answer {
    let path = format!("change-requests/{}/{verb}", text(request, "id"));
    let body = json!({ "reason": "as agreed" });
    let body = (verb != "withdraw").then_some(&body);
    client.send(Method::POST, &path, body).await
}

#[tokio::test]
async fn nothing_is_done_until_a_second_person_agrees_and_then_it_is_once() {
    let world = World::new(&["secret.delete"]).await;
    let World { app, ann, ben } = &world;
    let key = world.key("one").await;
    let path = format!("secrets/{key}");
    let asked = waits(&ann.client.delete(&path).await);
    assert_eq!((&asked["may_confirm"], &asked["may_withdraw"]), (&json!(false), &json!(true)));
    assert_eq!(
        asked["summary"],
        "Destroy the provider key \u{201c}one\u{201d} with all of its versions."
    );
    assert!(!asked.to_string().contains("canary"), "{asked}");
    assert_eq!(app.owner.all("secrets").await.len(), 1, "nothing is done");
    ben.client.delete(&path).await.refused(409, "conflict");

    // Who asked, who has no such right, and whoever it is by a token that gives less.
    decide(&ann.client, &asked, "confirm").await.refused(403, "forbidden");
    let admin = app.member("admin@example.com", "admin", "org").await;
    decide(&admin.client, &asked, "confirm").await.refused(403, "forbidden");
    assert_eq!(admin.client.all("change-requests").await, Vec::<Value>::new());
    let machine = app.token("blue").await;
    decide(&machine.client, &asked, "confirm").await.refused(403, "forbidden");
    let less = json!({ "name": "less", "permissions": ["secret.delete", "org.read"] });
    let session = app.anonymous();
    let session = session.in_session(&session.session(&ben.email, &ben.password).await);
    let less = session.post("/api/v1/me/tokens", &less).await.ok();
    let less = app.with(&text(&less, "token"));
    decide(&less, &asked, "confirm").await.refused(403, "forbidden");
    let to_decide = ben.client.all("change-requests?only=to_decide").await;
    assert_eq!((to_decide.len(), &to_decide[0]["may_confirm"]), (1, &json!(true)));

    let done = decide(&ben.client, &asked, "confirm").await.ok();
    assert_eq!((&done["state"], &done["decided_by"]), (&json!("confirmed"), &json!(ben.email)));
    assert_eq!(app.owner.all("secrets").await.len(), 0);
    decide(&ben.client, &asked, "confirm").await.refused(409, "conflict");
    let confirmed = app.owner.all("audit?action=change.confirmed").await;
    let deleted = app.owner.all("audit?action=secret.deleted").await;
    assert_eq!((confirmed.len(), deleted.len()), (1, 1));
    let (confirmed, deleted) = (&confirmed[0]["record"], &deleted[0]["record"]);
    assert_eq!(confirmed["detail"]["asker"], json!(ann.id));
    assert_eq!(confirmed["actor"], deleted["actor"]);
    assert_eq!(confirmed["request_id"], deleted["request_id"], "one act of two people");
}

#[tokio::test]
async fn of_twenty_decisions_at_once_one_is_made() {
    let world = World::new(&["secret.delete"]).await;
    let World { app, ann, ben } = &world;
    let second = app.second().await;
    for round in 0..4 {
        let key = world.key(&format!("k{round}")).await;
        let asked = waits(&ann.client.delete(&format!("secrets/{key}")).await);
        let clients = [ben.client.clone(), ben.client.at(&second)];
        let all = (0..20).map(|n| {
            let client = &clients[n % 2];
            let verb = ["confirm", "refuse", "withdraw"][n % 3];
            let client = if verb == "withdraw" { &ann.client } else { client };
            decide(client, &asked, verb)
        });
        let answers = join_all(all).await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status)), "{answers:?}");
        let state = won[0].json()["state"].clone();
        let now = app.owner.get(&format!("change-requests/{}", text(&asked, "id"))).await.ok();
        assert_eq!(now["state"], state);
        let left = app.owner.all("secrets").await.iter().any(|it| it["id"] == json!(key));
        assert_eq!(left, state != "confirmed", "{state}");
        let target = format!("change_request:{}", text(&asked, "id"));
        let events = app.owner.all(&format!("audit?target={target}")).await;
        assert_eq!(events.len(), 2, "asked, and decided once: {events:?}");
    }
}

#[tokio::test]
async fn an_account_that_who_asked_has_made_is_no_second_person_for_a_while() {
    let world = World::new(&["secret.delete"]).await;
    let World { app, ann, ben } = &world;
    let key = world.key("one").await;
    // The first owner has made both of them.
    let asked = waits(&app.owner.delete(&format!("secrets/{key}")).await);
    for person in [ann, ben] {
        let refused = decide(&person.client, &asked, "confirm").await.refused(403, "forbidden");
        assert!(text(&refused, "detail").contains("7 days"), "{refused}");
        let seen = person.client.get(&format!("change-requests/{}", text(&asked, "id"))).await.ok();
        assert_eq!((&seen["may_confirm"], &seen["may_refuse"]), (&json!(false), &json!(true)));
    }
    let aged = "update app_user set made_at = made_at - interval '8 days'";
    app.database.execute(aged).await;
    decide(&ann.client, &asked, "confirm").await.ok();
    assert_eq!(app.owner.all("secrets").await.len(), 0);
}

#[tokio::test]
async fn an_old_account_that_nobody_came_in_by_is_made_anew_by_who_invites_it() {
    let world = World::new(&["secret.delete"]).await;
    let World { app, .. } = &world;
    let new = json!({ "email": "dan@example.com", "name": "Dan", "role": "owner", "invite": true });
    let made = app.owner.post("members", &new).await.ok();
    app.database.execute("update app_user set made_at = made_at - interval '8 days'").await;
    let member = format!("members/{}", text(&made["member"]["user"], "id"));
    app.owner.delete(&member).await.ok();
    let made = app.owner.post("members", &new).await.ok();
    let link = secret(&text(&made["invitation"], "link"));
    assert_eq!(choose(app, &link, "the-owner-has-this-link").await.status, 204);
    let dan = app.anonymous().login("dan@example.com", "the-owner-has-this-link").await;
    let key = world.key("one").await;
    let asked = waits(&app.owner.delete(&format!("secrets/{key}")).await);
    let refused = decide(&dan, &asked, "confirm").await.refused(403, "forbidden");
    assert!(text(&refused, "detail").contains("7 days"), "{refused}");
    assert_eq!(app.owner.all("secrets").await.len(), 1);
}

#[tokio::test]
async fn what_it_rests_on_is_looked_at_again_and_what_changed_ends_it() {
    let world = World::new(&["secret.delete", "owner.give"]).await;
    let World { app, ann, ben } = &world;
    let key = world.key("one").await;
    let path = format!("secrets/{key}");
    let asked = waits(&ann.client.delete(&path).await);
    let versions = format!("{path}/versions");
    app.owner.post(&versions, &json!({ "value": "sk-another" })).await.ok();
    let stale = decide(&ben.client, &asked, "confirm").await.refused(409, "conflict");
    assert!(text(&stale, "detail").starts_with("Nothing was done"), "{stale}");
    let ended = ann.client.get(&format!("change-requests/{}", text(&asked, "id"))).await.ok();
    assert_eq!(ended["state"], "stale", "{ended}");
    assert_eq!(app.owner.all("secrets").await.len(), 1);
    assert_eq!(app.owner.all("audit?action=change.stale").await.len(), 1);

    // Who asked has lost the right meanwhile.
    let asked = waits(&ann.client.delete(&path).await);
    for binding in app.owner.all(&format!("bindings?subject=user:{}", ann.email)).await {
        app.owner.delete(&format!("bindings/{}", text(&binding, "id"))).await.ok();
    }
    let stale = decide(&ben.client, &asked, "confirm").await.refused(409, "conflict");
    assert!(text(&stale, "detail").contains("could not do it any more"), "{stale}");
    assert_eq!(app.owner.all("secrets").await.len(), 1);

    // Whom it is about has left.
    let eve = app.member("eve@example.com", "viewer", "org").await;
    let owner = json!({ "subject": "user:eve@example.com", "role": "owner" });
    let asked = waits(&ben.client.post("bindings", &owner).await);
    app.owner.delete(&format!("members/{}", eve.id)).await.ok();
    decide(&app.owner, &asked, "confirm").await.refused(409, "conflict");
    let ended = ben.client.get(&format!("change-requests/{}", text(&asked, "id"))).await.ok();
    assert_eq!(ended["state"], "stale", "{ended}");
}

#[tokio::test]
async fn what_is_late_withdrawn_or_refused_is_not_done_and_can_be_asked_anew() {
    let world = World::new(&["secret.delete"]).await;
    let World { app, ann, ben } = &world;
    let path = format!("secrets/{}", world.key("one").await);
    for (client, verb, state) in
        [(&ann.client, "withdraw", "withdrawn"), (&ben.client, "refuse", "refused")]
    {
        let asked = waits(&ann.client.delete(&path).await);
        assert_eq!(decide(client, &asked, verb).await.ok()["state"], state);
        decide(&ben.client, &asked, "confirm").await.refused(409, "conflict");
    }
    let asked = waits(&ann.client.delete(&path).await);
    app.database
        .execute("update change_request set pending_until = now() where state = 'pending'")
        .await;
    let late = decide(&ben.client, &asked, "confirm").await.refused(409, "conflict");
    assert!(text(&late, "detail").contains("in time"), "{late}");
    let events = until("its end is recorded", Duration::from_secs(40), async || {
        let events = app.owner.all("audit?action=change.expired").await;
        (!events.is_empty()).then_some(events)
    })
    .await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(app.owner.all("secrets").await.len(), 1);
    waits(&ann.client.delete(&path).await);
    let none = json!({ "reason": " " });
    let waiting = ben.client.all("change-requests?state=pending").await;
    let refuse = format!("change-requests/{}/refuse", text(&waiting[0], "id"));
    ben.client.post(&refuse, &none).await.refused(422, "invalid_request");
}

#[tokio::test]
async fn to_loosen_it_takes_two_people_and_to_tighten_it_one() {
    let world = World::new(&["secret.delete"]).await;
    let World { app, ann, ben } = &world;
    let admin = app.member("admin@example.com", "admin", "org").await;
    let rules = |actions: &[&str], limit: Value| json!({ "actions": actions, "budget_limit": limit, "pending_minutes": 60 });
    let both = ["secret.delete", "budget.raise"];
    world.set(&admin.client, &rules(&both, json!("10"))).await.refused(403, "forbidden");
    let seen = admin.client.get("change-requests/settings").await.ok();
    assert_eq!(seen["actions"].as_array().unwrap().len(), 6, "{seen}");
    for wrong in [rules(&["four_eyes.loosen"], Value::Null), rules(&both, json!("0"))] {
        world.set(&ann.client, &wrong).await.refused(422, "invalid_request");
    }
    world.set(&ann.client, &rules(&both, json!("10"))).await.ok();
    world.set(&ann.client, &rules(&both, json!("5"))).await.ok();
    for looser in
        [rules(&both, json!("6")), rules(&["budget.raise"], json!("5")), rules(&[], json!("5"))]
    {
        let asked = waits(&world.set(&ann.client, &looser).await);
        assert_eq!(asked["action"], "four_eyes.loosen");
        decide(&ann.client, &asked, "withdraw").await.ok();
    }
    let asked = waits(&world.set(&ann.client, &rules(&[], Value::Null)).await);
    decide(&ben.client, &asked, "confirm").await.ok();
    let seen = app.owner.get("change-requests/settings").await.ok();
    assert!(seen["actions"].as_array().unwrap().iter().all(|it| it["on"] == false), "{seen}");
    let path = format!("secrets/{}", world.key("one").await);
    assert_eq!(ann.client.delete(&path).await.status, 204, "one person does it again");
}

#[tokio::test]
async fn nothing_takes_two_where_there_are_not_two_who_could() {
    let app = App::start().await;
    let rules = |action: &str| json!({ "actions": [action], "pending_minutes": 60 });
    let set = async |action: &str| {
        let settings = "change-requests/settings";
        app.owner.send(Method::PUT, settings, Some(&rules(action))).await
    };
    let alone = set("owner.give").await.refused(409, "conflict");
    assert!(text(&alone, "detail").contains("second person"), "{alone}");
    // Somebody who holds some of it, or all of it at a team or for a while, is none.
    app.team("blue").await;
    app.member("admin@example.com", "admin", "org").await;
    app.member("lead@example.com", "owner", "team:blue").await;
    let soon = json!({ "subject": "user:admin@example.com", "role": "owner",
        "expires_at": chrono::Utc::now() + chrono::TimeDelta::days(9) });
    app.owner.post("bindings", &soon).await.ok();
    for action in ["owner.give", "secret.delete"] {
        set(action).await.refused(409, "conflict");
    }
    let seen = app.owner.get("change-requests/settings").await.ok();
    assert!(seen["actions"].as_array().unwrap().iter().all(|it| it["on"] == false), "{seen}");
    let other = json!({ "email": "ann@example.com", "name": "Ann", "role": "owner" });
    app.owner.post("members", &other).await.ok();
    set("owner.give").await.ok();
}

#[tokio::test]
async fn the_command_line_asks_shows_and_decides() {
    let world = World::new(&["secret.delete"]).await;
    let World { app, ann, ben } = &world;
    let (first, second) = (Shell::by(&ann.client), Shell::by(&ben.client));
    let settings = first.done("changes settings").await;
    assert!(settings.contains("secret.delete") && settings.contains("two people"), "{settings}");
    first.done("changes set --action secret.delete --action budget.raise --budget-limit 5").await;
    let (code, said) = first.says("changes set --none").await;
    assert!(code == 4 && said.contains("waits for a second person"), "{code} {said}");
    let list = second.done("changes list --to-decide --json").await;
    let id = text(&serde_json::from_str::<Value>(&list).unwrap()["items"][0], "id");
    let said = second.done(&format!("changes show {id}")).await;
    assert!(said.contains("Takes two people") && said.contains("nothing"), "{said}");
    assert!(first.says(&format!("changes confirm {id}")).await.0 == 1);
    let said = second.done(&format!("changes refuse {id} --reason never")).await;
    assert!(said.contains("refused") && said.contains("never"), "{said}");
    let budget = app.budget("org", "5", true).await;
    let asked =
        waits(&ann.client.patch(&format!("budgets/{budget}"), &json!({ "limit": "50" })).await);
    let said = second.done(&format!("changes confirm {} --reason fine", text(&asked, "id"))).await;
    assert!(said.contains("confirmed"), "{said}");
    let said = first.done("changes list --mine --state confirmed").await;
    assert!(said.contains("budget"), "{said}");
    let asked =
        waits(&ann.client.patch(&format!("budgets/{budget}"), &json!({ "limit": "90" })).await);
    let said = first.done(&format!("changes withdraw {}", text(&asked, "id"))).await;
    assert!(said.contains("withdrawn"), "{said}");
}

#[tokio::test]
async fn who_may_confirm_is_told_by_a_letter_that_says_nothing_of_it() {
    let office = PostOffice::start();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = free.local_addr().unwrap().to_string();
    drop(free);
    let url = listen.replace("127.0.0.1", "http://localhost");
    let app = App::start_with(&[
        ("RALEX_LISTEN", &listen),
        ("RALEX_SMTP_URL", &office.url()),
        ("RALEX_SMTP_TLS", "off"),
        ("RALEX_MAIL_FROM", "Ralex <ralex@example.com>"),
        ("RALEX_PUBLIC_URL", &url),
    ])
    .await;
    let world = World::with(app, &["secret.delete"]).await;
    let path = format!("secrets/{}", world.key("harbour").await);
    world.app.member("viewer@example.com", "viewer", "org").await;
    let asked = waits(&world.ann.client.delete(&path).await);
    let letters = until("both others are told", Duration::from_secs(30), async || {
        let letters = office.letters();
        (letters.len() >= 2).then_some(letters)
    })
    .await;
    let mut told: Vec<_> = letters.iter().flat_map(|letter| letter.to.clone()).collect();
    told.sort();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.contains(&world.ben.email) && !told.contains(&world.ann.email), "{told:?}");
    for letter in &letters {
        let link = format!("{url}/o/default/approvals?view=changes");
        assert!(letter.text.contains(&link), "{link} {}", letter.text);
        assert!(!letter.text.contains("harbour") && !letter.text.contains(&world.ann.email));
        assert!(letter.headers["message-id"].contains(&format!("change-{}", text(&asked, "id"))));
    }
    let left = "select count(*)::text from change_request where tell_after is not null";
    until("no letter is left to send", Duration::from_secs(10), async || {
        (world.app.database.texts(left).await == ["0"]).then_some(())
    })
    .await;
}
