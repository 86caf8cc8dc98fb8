//! Break-glass: two named people open it together, by their passkeys, and it ends.

mod beside;
mod refused;

use ralex_tests::app::{Answer, App, Client, Person, Shell, text};
use ralex_tests::authenticator::Authenticator;
use reqwest::Method;
use serde_json::{Value, json};

use crate::passkeys::{answer, start, with_passkey};

const REASON: &str = "The provider is down and a key has to be replaced.";

/// Somebody who is named, with a session and what signs for them.
pub struct Named {
    pub person: Person,
    pub session: Client,
    pub by: Authenticator,
}

impl Named {
    pub async fn of(app: &App, email: &str, role: &str) -> Self {
        let person = app.member(email, role, "org").await;
        let (session, by) = with_passkey(app, &person).await;
        Self { person, session, by }
    }

    /// A signature to ask with, or to confirm what somebody has asked for.
    pub async fn sign(&mut self, opening: Option<&str>) -> Value {
        let asked = self.session.post("break-glass/passkey", &json!({ "opening": opening })).await;
        answer(&asked.ok(), &mut self.by)
    }

    pub async fn ask(&mut self, more: Value) -> Answer {
        let mut open = json!({ "reason": REASON, "passkey": self.sign(None).await });
        for (name, value) in more.as_object().unwrap() {
            open[name] = value.clone();
        }
        self.session.post("break-glass/openings", &open).await
    }

    pub async fn confirm(&mut self, opening: &Value) -> Answer {
        let id = text(opening, "id");
        let confirm = json!({ "passkey": self.sign(Some(&id)).await });
        self.session.post(&format!("break-glass/openings/{id}/confirm"), &confirm).await
    }
}

pub async fn end(client: &Client, opening: &Value) -> Answer {
    let path = format!("break-glass/openings/{}/end", text(opening, "id"));
    client.send(Method::POST, &path, None).await
}

pub async fn review(client: &Client, opening: &Value, note: &str) -> Answer {
    let path = format!("break-glass/openings/{}/review", text(opening, "id"));
    client.post(&path, &json!({ "note": note })).await
}

/// An organisation that is armed with two viewers.
pub struct World {
    pub app: App,
    pub ann: Named,
    pub ben: Named,
}

impl World {
    pub async fn new() -> Self {
        Self::on(start().await).await
    }

    pub async fn on(app: App) -> Self {
        let ann = Named::of(&app, "ann@example.com", "viewer").await;
        let ben = Named::of(&app, "ben@example.com", "viewer").await;
        let world = Self { app, ann, ben };
        world.arm(json!({})).await.ok();
        world
    }

    pub async fn arm(&self, more: Value) -> Answer {
        let mut arm = json!({ "people": [self.ann.person.id, self.ben.person.email] });
        for (name, value) in more.as_object().unwrap() {
            arm[name] = value.clone();
        }
        self.app.owner.send(Method::PUT, "break-glass", Some(&arm)).await
    }

    pub async fn open(&mut self) -> Value {
        let asked = self.ann.ask(json!({})).await.ok();
        self.ben.confirm(&asked).await.ok()
    }

    /// The actions about one use, the oldest first, with who took each.
    pub async fn recorded(&self, opening: &Value) -> Vec<(String, String)> {
        let target = format!("break_glass:{}", text(opening, "id"));
        let mut all = self.app.owner.all(&format!("audit?target={target}")).await;
        all.reverse();
        let told = |it: &Value| {
            let actor = it["record"]["actor"]["id"].as_str().unwrap_or("system");
            (text(it, "action"), actor.to_owned())
        };
        all.iter().map(told).collect()
    }
}

/// May do what an admin may.
pub async fn rules(client: &Client, slug: &str) -> Answer {
    client.post("teams", &json!({ "slug": slug, "name": slug })).await
}

#[tokio::test]
async fn two_named_people_open_it_and_hold_what_it_gives_until_it_ends() {
    let mut world = World::new().await;
    let shown = world.ann.session.get("break-glass").await.ok();
    assert_eq!((&shown["is_named"], &shown["may_arm"]), (&json!(true), &json!(false)), "{shown}");
    assert_eq!(shown["armed"]["role"], "owner");
    rules(&world.ann.session, "red").await.refused(403, "forbidden");

    let asked = world.ann.ask(json!({ "minutes": 30 })).await.ok();
    assert_eq!((&asked["state"], &asked["minutes"]), (&json!("asked"), &json!(30)), "{asked}");
    rules(&world.ann.session, "red").await.refused(403, "forbidden");
    let seen = world.ben.session.get("break-glass").await.ok();
    assert_eq!(seen["current"]["may_confirm"], true, "{seen}");
    let opened = world.ben.confirm(&asked).await.ok();
    assert_eq!(opened["state"], "open", "{opened}");

    rules(&world.ann.session, "red").await.ok();
    rules(&world.ben.session, "blue").await.ok();
    assert!(!world.ben.session.all("members").await.is_empty());
    // A token lies about, and whoever has it does not sit there.
    rules(&world.ann.person.client, "green").await.refused(403, "forbidden");
    let me = world.ann.session.get("/api/v1/me").await.ok();
    let held = me["orgs"][0]["permissions"].to_string();
    assert!(held.contains("team.create") && !held.contains("audit.read"), "{held}");
    assert!(me["orgs"][0]["break_glass"]["open_until"].is_string(), "{me}");
    let asked_why = json!({ "subject": format!("user:{}", world.ann.person.id),
        "permission": "team.create", "scope": "org" });
    let why = world.app.owner.post("access/explain", &asked_why).await.ok();
    assert_eq!((&why["reason"], &why["break_glass"]), (&json!("break_glass"), &opened["id"]));

    world.arm(json!({ "longest_minutes": 10 })).await.refused(409, "conflict");
    let ended = end(&world.app.owner, &opened).await.ok();
    assert_eq!((&ended["state"], &ended["may_review"]), (&json!("ended"), &json!(true)));
    rules(&world.ann.session, "green").await.refused(403, "forbidden");
    rules(&world.ben.session, "green").await.refused(403, "forbidden");

    let (ann, ben) = (world.ann.person.id.clone(), world.ben.person.id.clone());
    let me = text(&world.app.owner.get("/api/v1/me").await.ok()["user"], "id");
    let step = |action: &str, who: &str| (format!("break_glass.{action}"), who.to_owned());
    let wanted = vec![step("asked", &ann), step("opened", &ben), step("ended", &me)];
    assert_eq!(world.recorded(&opened).await, wanted);
    let made = world.app.owner.all("audit?action=team.created").await;
    assert!(made.iter().any(|it| it["record"]["actor"]["id"] == ann.as_str()), "{made:?}");
}

#[tokio::test]
async fn a_use_waits_for_its_review_by_somebody_else_whatever_is_armed_later() {
    let mut world = World::new().await;
    let opened = world.open().await;
    let note = "Looked at all eleven entries; the key was replaced.";
    review(&world.app.owner, &opened, note).await.refused(409, "conflict");
    end(&world.ann.session, &opened).await.ok();
    end(&world.ann.session, &opened).await.refused(409, "conflict");
    let waits = world.app.owner.get("break-glass").await.ok();
    assert_eq!(waits["reviews_waiting"], 1, "{waits}");
    world.arm(json!({ "longest_minutes": 10 })).await.ok();
    world.app.owner.delete("break-glass").await.ok();
    assert_eq!(world.app.owner.get("break-glass").await.ok()["reviews_waiting"], 1);

    review(&world.ann.session, &opened, note).await.refused(403, "forbidden");
    // Also as an owner, ann looks at nothing that she did herself.
    let owner = json!({ "subject": format!("user:{}", world.ann.person.id), "role": "owner" });
    world.app.owner.post("bindings", &owner).await.ok();
    review(&world.ann.session, &opened, note).await.refused(403, "forbidden");
    review(&world.app.owner, &opened, "fine").await.refused(422, "invalid_request");
    let reviewed = review(&world.app.owner, &opened, note).await.ok();
    assert_eq!(reviewed["note"], note);
    review(&world.app.owner, &opened, note).await.refused(409, "conflict");
    assert_eq!(world.app.owner.get("break-glass").await.ok()["reviews_waiting"], 0);
}

#[tokio::test]
async fn a_drill_takes_all_the_steps_and_gives_nothing() {
    let mut world = World::new().await;
    let asked = world.ann.ask(json!({ "drill": true })).await.ok();
    let drilled = world.ben.confirm(&asked).await.ok();
    assert_eq!((&drilled["state"], &drilled["drill"]), (&json!("ended"), &json!(true)));
    for named in [&world.ann, &world.ben] {
        rules(&named.session, "red").await.refused(403, "forbidden");
    }
    let shown = world.app.owner.get("break-glass").await.ok();
    assert!(shown["last_drill_at"].is_string() && shown["last_opened_at"].is_null(), "{shown}");
    assert_eq!((&shown["reviews_waiting"], &shown["drill_due"]), (&json!(0), &json!(false)));
    review(&world.app.owner, &drilled, "There is nothing to see.").await.refused(409, "conflict");
    world
        .app
        .database
        .execute(
            "update break_glass_opening set asked_at = asked_at - interval '93 days',
                 confirm_until = confirm_until - interval '93 days',
                 opened_at = opened_at - interval '93 days', until = until - interval '93 days',
                 ended_at = ended_at - interval '93 days'",
        )
        .await;
    world
        .app
        .database
        .execute("update break_glass set armed_at = armed_at - interval '93 days'")
        .await;
    assert_eq!(world.app.owner.get("break-glass").await.ok()["drill_due"], true);
}

#[tokio::test]
async fn to_arm_it_takes_a_second_person_where_that_is_under_four_eyes() {
    let world = World::new().await;
    let cleo = world.app.member("cleo@example.com", "owner", "org").await;
    let dan = world.app.member("dan@example.com", "owner", "org").await;
    let rules = json!({ "actions": ["break_glass.arm"], "pending_minutes": 60 });
    cleo.client.send(Method::PUT, "change-requests/settings", Some(&rules)).await.ok();
    let asked = cleo.client.delete("break-glass").await;
    assert_eq!(asked.status, 202, "{asked:?}");
    assert!(world.app.owner.get("break-glass").await.ok()["armed"].is_object());
    let path = format!("change-requests/{}/confirm", text(&asked.json(), "id"));
    dan.client.post(&path, &json!({})).await.ok();
    assert!(world.app.owner.get("break-glass").await.ok()["armed"].is_null());
    let arm = json!({ "people": [world.ann.person.id, world.ben.person.id], "role": "admin" });
    let asked = cleo.client.send(Method::PUT, "break-glass", Some(&arm)).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    assert!(asked.json()["details"].to_string().contains("admin"), "{asked:?}");
    let path = format!("change-requests/{}/confirm", text(&asked.json(), "id"));
    dan.client.post(&path, &json!({})).await.ok();
    assert_eq!(world.app.owner.get("break-glass").await.ok()["armed"]["role"], "admin");
}

#[tokio::test]
async fn the_command_line_arms_ends_and_reviews_and_says_where_a_passkey_is_asked() {
    let mut world = World::new().await;
    let shell = Shell::of(&world.app);
    shell.done("break-glass disarm").await;
    assert_eq!(shell.says("break-glass open").await.0, 1, "there is nothing to open");
    let arm = "break-glass arm ann@example.com ben@example.com --role admin --minutes 20";
    assert!(shell.done(arm).await.contains("20 minutes"));
    let said = shell.done("break-glass open").await;
    assert!(said.contains("/o/default/break-glass") && said.contains("passkey"), "{said}");
    let opened = world.open().await;
    let said = shell.done("break-glass status").await;
    assert!(said.contains("open until") && said.contains("ben@example.com"), "{said}");
    assert!(shell.done("break-glass end").await.contains("waits"));
    let id = text(&opened, "id");
    let said = shell.done(&format!("break-glass review {id} --note Looked-at-all-of-it")).await;
    assert!(said.contains("Looked-at-all-of-it"), "{said}");
    assert!(shell.done("break-glass list").await.contains(&id));
    let refused = world.app.owner.get("break-glass").await.ok();
    assert_eq!(refused["reviews_waiting"], 0);
}
