//! Invitations, and passwords that were forgotten: a link that is good once.

use std::time::Duration;

use ralex_tests::app::{App, Client, Shell, text, until};
use serde_json::{Value, json};

use crate::alerts::post_office::PostOffice;
use crate::passkeys::free;

async fn invite(app: &App, email: &str) -> Value {
    let new = json!({ "email": email, "name": "Ann", "role": "viewer", "invite": true });
    app.owner.post("members", &new).await.ok()
}

/// What stands after the `#` of a link.
pub fn secret(link: &str) -> String {
    let (_, secret) = link.split_once("/welcome#").unwrap();
    secret.split_whitespace().next().unwrap().to_owned()
}

pub async fn choose(app: &App, link: &str, new: &str) -> ralex_tests::app::Answer {
    let body = json!({ "link": link, "new": new });
    app.anonymous().post("/api/v1/auth/link/password", &body).await
}

pub async fn with_mail() -> (App, PostOffice) {
    let office = PostOffice::start();
    let url = office.url();
    let listen = free();
    let address = listen.replace("127.0.0.1", "http://localhost");
    let settings = [
        ("RALEX_SMTP_URL", url.as_str()),
        ("RALEX_SMTP_TLS", "off"),
        ("RALEX_MAIL_FROM", "Ralex <ralex@example.com>"),
        ("RALEX_LISTEN", listen.as_str()),
        ("RALEX_PUBLIC_URL", address.as_str()),
    ];
    (App::start_with(&settings).await, office)
}

#[tokio::test]
async fn without_mail_the_link_is_handed_over_and_good_once() {
    let app = App::start().await;
    let answer = invite(&app, "ann@example.com").await;
    let invitation = &answer["invitation"];
    assert_eq!(invitation["mailed"], json!(false), "{answer}");
    assert!(answer.get("one_time_password").is_none(), "{answer}");
    let link = secret(&text(invitation, "link"));
    let member = format!("members/{}", text(&answer["member"]["user"], "id"));
    let ask = json!({ "link": link });
    let shown = app.anonymous().post("/api/v1/auth/link", &ask).await.ok();
    assert_eq!(
        (&shown["purpose"], &shown["email"]),
        (&json!("invited"), &json!("ann@example.com"))
    );
    let all = app.owner.all("members").await;
    let ann = all.iter().find(|it| it["user"]["email"] == "ann@example.com").unwrap();
    assert!(ann["invited_until"].is_string(), "{ann}");
    // Another one ends the one before.
    let again = app.owner.post(&format!("{member}/invite"), &Value::Null).await.ok();
    choose(&app, &link, "a-password-of-my-own").await.refused(404, "not_found");
    let link = secret(&text(&again["invitation"], "link"));
    choose(&app, &link, "short").await.refused(422, "invalid_request");
    assert_eq!(choose(&app, &link, "a-password-of-my-own").await.status, 204);
    choose(&app, &link, "another-password").await.refused(404, "not_found");
    let ann = app.anonymous().login("ann@example.com", "a-password-of-my-own").await;
    assert_eq!(ann.get("teams").await.status, 200);
    app.owner.post(&format!("{member}/invite"), &Value::Null).await.refused(409, "conflict");
    let all = app.owner.all("members").await;
    assert!(all.iter().all(|it| it.get("invited_until").is_none()), "{all:?}");
    let noise = json!({ "link": "rlx_link_notalinkatallnotalinkatall" });
    app.anonymous().post("/api/v1/auth/link", &noise).await.refused(404, "not_found");
}

#[tokio::test]
async fn nobody_is_shown_a_link_of_who_holds_more_than_they_could_give() {
    let app = App::start().await;
    let admin = app.member("admin@example.com", "admin", "org").await;
    let mut again = Vec::new();
    for (email, role) in [("olga@example.com", "owner"), ("vic@example.com", "viewer")] {
        let new = json!({ "email": email, "name": "New", "role": role, "invite": true });
        let made = app.owner.post("members", &new).await.ok();
        again.push((
            format!("members/{}/invite", text(&made["member"]["user"], "id")),
            secret(&text(&made["invitation"], "link")),
        ));
    }
    let [(olga, link), (vic, _)] = again.try_into().unwrap();
    admin.client.post(&olga, &Value::Null).await.refused(403, "grant_exceeds_own");
    // The link that the owner handed over is still good.
    assert_eq!(choose(&app, &link, "olgas-own-password").await.status, 204);
    let answer = admin.client.post(&vic, &Value::Null).await.ok();
    assert!(answer["invitation"]["link"].is_string(), "{answer}");
}

#[tokio::test]
async fn mail_brings_the_link_and_nobody_else_is_shown_it() {
    let (app, office) = with_mail().await;
    let answer = invite(&app, "ann@example.com").await;
    assert_eq!(answer["invitation"]["mailed"], json!(true), "{answer}");
    assert!(answer["invitation"].get("link").is_none(), "{answer}");
    let letters = office.letters();
    assert_eq!(letters[0].to, ["ann@example.com"]);
    assert!(
        letters[0].text.contains(&format!("{}/welcome#rlx_link_", app.owner.url())),
        "{letters:?}"
    );
    let link = secret(&letters[0].text);
    assert_eq!(choose(&app, &link, "a-password-of-my-own").await.status, 204);
    // A mail server that refuses it is told of, and the link can be handed over.
    office.answer(Some("550 not here"));
    let answer = invite(&app, "bob@example.com").await;
    assert!(text(&answer["invitation"], "failure").contains("550"), "{answer}");
    assert!(answer["invitation"]["link"].is_string(), "{answer}");
}

#[tokio::test]
async fn who_forgot_their_password_gets_a_link_and_nobody_learns_whether_there_is_an_account() {
    let (app, office) = with_mail().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let cookie = app.anonymous().session(&ann.email, &ann.password).await;
    let session = app.anonymous().in_session(&cookie);
    let asked = async |email: &str| {
        let body = json!({ "email": email });
        app.anonymous().post("/api/v1/auth/password/forgotten", &body).await
    };
    let (known, unknown) = (asked("ann@example.com").await, asked("eve@example.com").await);
    assert_eq!((known.status, &known.text), (202, &unknown.text));
    assert_eq!(unknown.status, 202);
    let letter = async || office.letters().first().cloned();
    let letter = until("the link came", Duration::from_secs(5), letter).await;
    assert_eq!(letter.to, ["ann@example.com"]);
    let link = secret(&letter.text);
    assert_eq!(choose(&app, &link, "a-password-of-my-own").await.status, 204);
    // Whoever had the former one is out.
    assert_eq!(session.get("/api/v1/me").await.status, 401);
    app.anonymous().login("ann@example.com", "a-password-of-my-own").await;
    let log = app.owner.all("audit?action=password.forgotten").await;
    assert_eq!(log.len(), 1, "{log:?}");
    // Mails to one address are slowed.
    for _ in 0..4 {
        asked("ann@example.com").await;
    }
    asked("ann@example.com").await.refused(429, "throttled");
    assert!(office.letters().iter().all(|letter| letter.to == ["ann@example.com"]));
}

#[tokio::test]
async fn who_has_yet_to_come_in_elsewhere_does_so_before_they_say_yes_here() {
    let app = App::start().await;
    invite(&app, "ann@example.com").await;
    let new = json!({ "slug": "acme", "owner_email": "eve@example.com", "owner_name": "Eve" });
    let made = app.owner.post("/api/v1/operator/orgs", &new).await.ok();
    assert_eq!(
        choose(&app, &secret(&text(&made["invitation"], "link")), "eve-chose-this-one")
            .await
            .status,
        204
    );
    let eve: Client = app.anonymous().login("eve@example.com", "eve-chose-this-one").await;
    let new =
        json!({ "email": "ann@example.com", "name": "Ann", "role": "viewer", "invite": true });
    let answer = eve.post("/api/v1/orgs/acme/members", &new).await.ok();
    // What it shows to her chooses no password: she would be that person in the other organisation.
    let link = text(&answer["invitation"], "link");
    choose(&app, &secret(&link), "eve-chose-this-too").await.refused(409, "conflict");
    let id = text(&answer["member"]["user"], "id");
    let again = app.owner.post(&format!("members/{id}/invite"), &Value::Null).await.ok();
    let own = secret(&text(&again["invitation"], "link"));
    assert_eq!(choose(&app, &own, "a-password-of-my-own").await.status, 204);
    let ann = app.anonymous().login("ann@example.com", "a-password-of-my-own").await;
    ann.get("/api/v1/orgs/acme/teams").await.refused(404, "not_found");
    ann.accept(&answer["invitation"]).await;
    ann.get("/api/v1/orgs/acme/teams").await.ok();
}

#[tokio::test]
async fn the_command_line_adds_and_invites() {
    let app = App::start().await;
    let shell = Shell::of(&app);
    let said = shell.done("members add ann@example.com viewer --name Ann").await;
    assert!(said.contains("/welcome#rlx_link_"), "{said}");
    let said = shell.done("members invite ann@example.com").await;
    assert_eq!(choose(&app, &secret(&said), "a-password-of-my-own").await.status, 204);
    app.anonymous().login("ann@example.com", "a-password-of-my-own").await;
}
