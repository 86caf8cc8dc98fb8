//! Roles for a while: asked for, decided, held and ended, over the API and at the command line.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_tests::app::{App, Person, Shell, text, until};
use reqwest::Method;
use serde_json::{Value, json};

use crate::alerts::post_office::{Letter, PostOffice};

fn asked(role: &str, scope: &str, minutes: &Value) -> Value {
    json!({ "role": role, "scope": scope, "minutes": minutes, "reason": "the night shift" })
}

async fn decide(person: &Person, request: &Value, verb: &str) -> ralex_tests::app::Answer {
    let path = format!("access-requests/{}/{verb}", text(request, "id"));
    let body = json!({ "reason": "as agreed" });
    let body = ["approve", "deny"].contains(&verb).then_some(&body);
    person.client.send(Method::POST, &path, body).await
}

async fn answers(person: &Person, path: &str, status: u16) {
    until(&format!("{path} answers {status}"), Duration::from_secs(2), async || {
        (person.client.get(path).await.status == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_role_is_asked_for_approved_held_on_every_node_and_ended() {
    let app = App::start().await;
    let second = app.second().await;
    app.team("blue").await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let lead = app.member("lead@example.com", "admin", "org").await;
    assert_eq!(ann.client.get("tokens").await.status, 403);
    let made = ann.client.post("access-requests", &asked("developer", "org", &json!(30))).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!((&made["state"], &made["minutes"]), (&json!("pending"), &json!(30)));
    assert_eq!((&made["may_withdraw"], &made["may_approve"]), (&json!(true), &json!(false)));
    decide(&ann, &made, "approve").await.refused(403, "forbidden");

    let waits = lead.client.get("access-requests?only=to_decide").await.ok();
    assert_eq!(waits["items"][0]["id"], made["id"]);
    assert_eq!(waits["items"][0]["may_approve"], true);
    let given = decide(&lead, &made, "approve").await.ok();
    assert_eq!(given["state"], "active");
    let end: DateTime<Utc> = text(&given, "expires_at").parse().unwrap();
    assert!(end <= Utc::now() + TimeDelta::minutes(30));
    assert_eq!(ann.client.get("tokens").await.status, 200, "at once where it was decided");
    until("the other node knows", Duration::from_secs(2), async || {
        (ann.client.at(&second).get("tokens").await.status == 200).then_some(())
    })
    .await;
    let bindings = app.owner.all("bindings?subject=user:ann@example.com").await;
    let bound = bindings.iter().find(|it| it["access_request"] == made["id"]).unwrap();
    assert_eq!(bound["expires_at"], given["expires_at"]);
    let why = json!({ "subject": "user:ann@example.com", "permission": "token.read" });
    let why = app.owner.post("access/explain", &why).await.ok();
    assert_eq!(why["binding"]["id"], bound["id"]);

    let ended = decide(&ann, &made, "end").await.ok();
    assert_eq!((&ended["state"], &ended["ending"]), (&json!("ended"), &json!("revoked")));
    answers(&ann, "tokens", 403).await;
    decide(&lead, &made, "approve").await.refused(409, "conflict");
    assert_eq!(lead.client.all("access-requests?only=to_decide").await, Vec::<Value>::new());
}

#[tokio::test]
async fn only_what_one_can_decide_is_listed_as_to_decide() {
    let app = App::start().await;
    app.team("blue").await;
    let ann = app.member("ann@example.com", "viewer", "team:blue").await;
    let lead = app.member("lead@example.com", "admin", "org").await;
    let new = asked("developer", "team:blue", &json!(30));
    let made = ann.client.post("access-requests", &new).await.ok();
    let waits = async || lead.client.all("access-requests?only=to_decide").await;
    assert_eq!(waits().await[0]["id"], made["id"]);
    // What gives the right to decide was given a moment ago.
    let bound = app.owner.all("bindings?subject=user:lead@example.com").await;
    let recent =
        format!("update binding set created_at = now() where id = '{}'", text(&bound[0], "id"));
    app.database.execute(&recent).await;
    assert_eq!(waits().await, Vec::<Value>::new());
    let seen = &lead.client.all("access-requests").await[0];
    assert_eq!(seen["id"], made["id"], "read, although somebody else decides: {seen}");
    assert_eq!((&seen["may_approve"], &seen["may_deny"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn what_time_ends_is_recorded_once_and_what_others_take_away_too() {
    let app = App::start().await;
    let second = app.second().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let owner = &app.owner;
    let mut ids = Vec::new();
    for role in ["developer", "billing"] {
        let made = ann.client.post("access-requests", &asked(role, "org", &json!(5))).await.ok();
        let path = format!("access-requests/{}/approve", text(&made, "id"));
        ids.push(text(&owner.post(&path, &json!({ "reason": "yes" })).await.ok(), "id"));
    }
    let of = |id: &str| format!("access-requests/{id}");
    // Its time is over, as the database has it; everything else learns of it by itself.
    let over = format!(
        "with r as (update access_request set expires_at = now() where id = '{0}')
         update binding set expires_at = now() where request_id = '{0}'",
        ids[0]
    );
    app.database.execute(&over).await;
    let seen = owner.get(&of(&ids[0])).await.ok();
    assert_eq!((&seen["state"], &seen["ending"]), (&json!("ended"), &json!("expired")));
    let bindings = owner.all("bindings?role=billing").await;
    owner.delete(&format!("bindings/{}", text(&bindings[0], "id"))).await.ok();
    let seen = owner.get(&of(&ids[1])).await.ok();
    assert_eq!((&seen["state"], &seen["ending"]), (&json!("ended"), &json!("revoked")));
    let said = until("both ends are recorded", Duration::from_secs(40), async || {
        let said = owner.all("audit?action=access_request.ended").await;
        (said.len() == 2).then_some(said)
    })
    .await;
    assert!(said.iter().all(|it| it["record"]["actor"]["kind"] == "system"), "{said:?}");
    assert_eq!(owner.all("bindings?role=developer").await.len(), 0);
    drop(second);
}

#[tokio::test]
async fn what_is_asked_for_is_checked_and_its_length_bounded() {
    let app = App::start().await;
    app.team("blue").await;
    let ann = app.member("ann@example.com", "viewer", "team:blue").await;
    let ask = async |minutes: Value| {
        ann.client.post("access-requests", &asked("developer", "team:blue", &minutes)).await
    };
    for wrong in [json!(0), json!(-1), json!("NaN"), json!(1.5), json!(4_294_967_296_u64)] {
        ask(wrong).await.refused(422, "invalid_request");
    }
    let blank = json!({ "role": "developer", "scope": "team:blue", "reason": "  " });
    ann.client.post("access-requests", &blank).await.refused(422, "invalid_request");
    let set = json!({ "approvals": 1, "default_minutes": 20, "longest_minutes": 90,
        "pending_minutes": 60 });
    let put = async |client: &ralex_tests::app::Client| {
        client.send(Method::PUT, "access-requests/settings", Some(&set)).await
    };
    put(&ann.client).await.refused(403, "forbidden");
    put(&app.owner).await.ok();
    for (minutes, granted) in [(Value::Null, 20), (json!(576_000), 90), (json!(3), 3)] {
        let made = ask(minutes).await.ok();
        assert_eq!(made["minutes"], granted);
        ask(json!(1)).await.refused(409, "conflict");
        assert_eq!(decide(&ann, &made, "withdraw").await.ok()["state"], "withdrawn");
    }
    // Where one holds nothing yet, too; but a program asks for nothing.
    app.team("red").await;
    let red = ann.client.post("access-requests", &asked("viewer", "team:red", &json!(5))).await;
    assert_eq!(red.status, 201);
    let token = app.token("green").await;
    let machine = token.client.post("access-requests", &asked("viewer", "org", &json!(5))).await;
    machine.refused(403, "forbidden");
}

#[tokio::test]
async fn the_command_line_asks_lists_and_decides() {
    let app = App::start().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let (mine, owner) = (Shell::by(&ann.client), Shell::of(&app));
    let made = mine.done("access request developer --minutes 15 --reason mending --json").await;
    let made: Value = serde_json::from_str(&made).unwrap();
    let id = text(&made, "id");
    let list = owner.done("access list --to-decide").await;
    assert!(list.contains(&id) && list.contains("ann@example.com"), "{list}");
    assert!(mine.says(&format!("access approve {id} --reason me")).await.0 != 0);
    let said = owner.done(&format!("access approve {id} --reason fine")).await;
    assert!(said.contains("active") && said.contains("holds until"), "{said}");
    let said = mine.done("access list --mine --state active").await;
    assert!(said.contains("mending"), "{said}");
    let said = mine.done(&format!("access end {id}")).await;
    assert!(said.contains("ended (revoked)"), "{said}");
    let again = mine.done("access request billing --reason invoices --json").await;
    let again = text(&serde_json::from_str(&again).unwrap(), "id");
    let said = owner.done(&format!("access deny {again} --reason never")).await;
    assert!(said.contains("denied") && said.contains("never"), "{said}");
    let third = mine.done("access request billing --reason invoices --json").await;
    let third = text(&serde_json::from_str(&third).unwrap(), "id");
    let said = mine.done(&format!("access withdraw {third}")).await;
    assert!(said.contains("withdrawn"), "{said}");
    let said = owner.done(&format!("access show {third} --json")).await;
    assert!(said.contains("\"withdrawn\""), "{said}");
}

/// Who was told, once there are so many letters.
async fn told(office: &PostOffice, count: usize) -> Vec<Letter> {
    until(&format!("{count} letters"), Duration::from_secs(30), async || {
        (office.letters().len() >= count).then_some(())
    })
    .await;
    office.letters()
}

#[tokio::test]
async fn who_may_approve_is_told_once_and_who_asked_when_it_is_decided() {
    let office = PostOffice::start();
    let app = App::start_with(&[
        ("RALEX_SMTP_URL", &office.url()),
        ("RALEX_SMTP_TLS", "off"),
        ("RALEX_MAIL_FROM", "Ralex <ralex@example.com>"),
    ])
    .await;
    let second = app.second().await;
    app.team("blue").await;
    app.team("red").await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    app.member("lead@example.com", "team_admin", "team:blue").await;
    app.member("other@example.com", "team_admin", "team:red").await;
    let gone = app.member("gone@example.com", "admin", "org").await;
    app.owner.post(&format!("members/{}/suspend", gone.id), &json!({})).await.ok();
    let first = asked("developer", "team:blue", &json!(30));
    let made = ann.client.post("access-requests", &first).await.ok();
    let letters = told(&office, 2).await;
    let mut people: Vec<_> = letters.iter().flat_map(|letter| letter.to.clone()).collect();
    people.sort();
    assert_eq!(people, ["lead@example.com", "owner@example.com"]);
    for letter in &letters {
        assert!(letter.headers["subject"].contains("asks for access"), "{letter:?}");
        assert!(letter.headers["message-id"].contains(&text(&made, "id")), "{letter:?}");
        assert!(!letter.text.contains("ann@") && !letter.text.contains("night"), "{letter:?}");
    }
    let path = format!("access-requests/{}/approve", text(&made, "id"));
    app.owner.post(&path, &json!({ "reason": "yes" })).await.ok();
    let letters = told(&office, 3).await;
    assert_eq!(letters[2].to, ["ann@example.com"]);
    assert!(letters[2].headers["subject"].contains("is approved"), "{letters:?}");
    // The mail server is away when the next one is made, and it is decided before that is over.
    office.answer(Some("451 4.3.0 later"));
    let made = ann.client.post("access-requests", &asked("billing", "org", &json!(30))).await.ok();
    // Refused by the mail server: what is only on its way is due again later than that.
    let tried = "select count(*)::text from access_letter where tries > 0 and state = 'waiting'
        and next_at < now() + interval '4 minutes'";
    until("the mail server refused it", Duration::from_secs(30), async || {
        (app.database.texts(tried).await == ["1"]).then_some(())
    })
    .await;
    let path = format!("access-requests/{}/deny", text(&made, "id"));
    app.owner.post(&path, &json!({ "reason": "no" })).await.ok();
    office.answer(None);
    app.database.execute("update access_letter set next_at = now() where state = 'waiting'").await;
    let letters = told(&office, 4).await;
    assert_eq!(letters[3].to, ["ann@example.com"]);
    assert!(letters[3].headers["subject"].contains("is denied"), "{letters:?}");
    let states = "select state from access_letter order by next_at, state";
    assert_eq!(app.database.texts(states).await.len(), 5);
    drop(second);
}
