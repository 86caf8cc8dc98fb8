//! Whoever has an account belongs to one more organisation once they say so themselves.

use std::time::Duration;

use ralex_tests::app::{App, Client, Person, Shell, text, until};
use serde_json::{Value, json};

use crate::alerts::post_office::PostOffice;
use crate::invitations::{choose, secret, with_mail};
use crate::operators::make;

const ACME: &str = "/api/v1/orgs/acme";

/// Somebody of the first organisation, and the owner of another one.
async fn two() -> (App, Person, Client) {
    let app = App::start().await;
    let cfo = app.member("cfo@example.com", "viewer", "org").await;
    let acme = make(&app, "acme", "eve@example.com").await;
    (app, cfo, acme.owner)
}

fn added(role: &str) -> Value {
    json!({ "email": "cfo@example.com", "name": "Cleo", "role": role, "invite": true })
}

async fn add(owner: &Client) -> Value {
    owner.post(&format!("{ACME}/members"), &added("admin")).await.ok()
}

async fn member(owner: &Client, email: &str) -> Option<Value> {
    let all = owner.get(&format!("{ACME}/members")).await.ok();
    all["items"].as_array().unwrap().iter().find(|it| it["user"]["email"] == email).cloned()
}

fn answer(invitation: &Value, accept: bool) -> Value {
    json!({ "link": secret(&text(invitation, "link")), "accept": accept })
}

const JOIN: &str = "/api/v1/auth/link/join";

#[tokio::test]
async fn nothing_is_open_to_an_account_that_was_there_before_until_it_says_yes() {
    let (app, cfo, eve) = two().await;
    let made = add(&eve).await;
    assert!(made.get("one_time_password").is_none(), "{made}");
    assert_eq!(made["invitation"]["has_account"], true, "{made}");
    let teams = format!("{ACME}/teams");
    let session =
        app.anonymous().in_session(&app.anonymous().session(&cfo.email, &cfo.password).await);
    for there in [&cfo.client, &session] {
        there.get(&teams).await.refused(404, "not_found");
        assert_eq!(there.get("/api/v1/me").await.ok()["orgs"].as_array().unwrap().len(), 1);
    }
    let shown = member(&eve, &cfo.email).await.unwrap();
    assert_eq!(shown["awaits_acceptance"], true, "{shown}");
    assert!(shown["invited_until"].is_string() && shown.get("suspended_at").is_none(), "{shown}");
    // Nobody says it for them, and what they do elsewhere is not told here meanwhile.
    let path = format!("{ACME}/members/{}", cfo.id);
    let told = eve.post(&format!("{path}/resume"), &json!({})).await.refused(409, "conflict");
    assert!(text(&told, "detail").contains("yet to say"), "{told}");
    let opened = eve.get(&format!("{ACME}/audit?action=session.opened&limit=200")).await.ok();
    assert!(!opened.to_string().contains(&cfo.id), "{opened}");
    session.post(JOIN, &answer(&made["invitation"], true)).await.ok();
    for there in [&cfo.client, &session] {
        there.get(&teams).await.ok();
    }
    let shown = member(&eve, &cfo.email).await.unwrap();
    assert_eq!((&shown["awaits_acceptance"], shown.get("invited_until")), (&json!(false), None));
    let log = eve.get(&format!("{ACME}/audit?action=member.joined")).await.ok();
    assert_eq!(log["items"][0]["record"]["target"], format!("user:{}", cfo.id), "{log}");
    // It was good once.
    session.post(JOIN, &answer(&made["invitation"], true)).await.refused(404, "not_found");
}

#[tokio::test]
async fn only_the_account_that_was_invited_answers_and_a_newer_link_ends_the_one_before() {
    let (app, cfo, eve) = two().await;
    let made = add(&eve).await;
    let link = secret(&text(&made["invitation"], "link"));
    let shown = app.anonymous().post("/api/v1/auth/link", &json!({ "link": link })).await.ok();
    assert_eq!(
        (&shown["purpose"], &shown["email"], &shown["org"]),
        (&json!("join"), &json!("cfo@example.com"), &json!("acme"))
    );
    choose(&app, &link, "a-password-of-my-own").await.refused(409, "conflict");
    app.anonymous()
        .post(JOIN, &answer(&made["invitation"], true))
        .await
        .refused(401, "unauthenticated");
    for other in [&app.owner, &eve] {
        let told = other.post(JOIN, &answer(&made["invitation"], true)).await;
        assert!(text(&told.refused(403, "forbidden"), "detail").contains("cfo@example.com"));
    }
    let path = format!("{ACME}/members/{}", cfo.id);
    let again = eve.post(&format!("{path}/invite"), &Value::Null).await.ok();
    let first = cfo.client.post(JOIN, &answer(&made["invitation"], true)).await;
    first.refused(404, "not_found");
    // Who is asked for a password answers by none of that kind.
    let wrong = json!({ "link": "rlx_link_notalinkatallnotalinkatall", "accept": true });
    cfo.client.post(JOIN, &wrong).await.refused(404, "not_found");
    app.database.execute("update account_link set expires_at = now() - interval '1 second'").await;
    let late = cfo.client.post(JOIN, &answer(&again["invitation"], true)).await;
    late.refused(404, "not_found");
    let again = eve.post(&format!("{path}/invite"), &Value::Null).await.ok();
    let said = cfo.client.post(JOIN, &answer(&again["invitation"], true)).await.ok();
    assert_eq!(said, json!({ "org": "acme", "accepted": true }));
}

#[tokio::test]
async fn who_declines_holds_nothing_and_is_gone() {
    let (_app, cfo, eve) = two().await;
    let made = add(&eve).await;
    // Suspended beside it, they may say what they want and are out all the same.
    let path = format!("{ACME}/members/{}", cfo.id);
    eve.post(&format!("{path}/suspend"), &json!({})).await.ok();
    let said = cfo.client.post(JOIN, &answer(&made["invitation"], false)).await.ok();
    assert_eq!(said["accepted"], false);
    assert_eq!(member(&eve, &cfo.email).await, None);
    let log = eve.get(&format!("{ACME}/audit?action=member.declined")).await.ok();
    assert_eq!(log["items"].as_array().unwrap().len(), 1, "{log}");
    cfo.client.get("teams").await.ok();
    // Asked again, they say yes, but whoever suspended them is not overruled by it.
    let made = add(&eve).await;
    eve.post(&format!("{path}/suspend"), &json!({})).await.ok();
    cfo.client.accept(&made["invitation"]).await;
    cfo.client.get(&format!("{ACME}/teams")).await.refused(404, "not_found");
    eve.post(&format!("{path}/resume"), &json!({})).await.ok();
    until("let in", Duration::from_secs(1), async || {
        (cfo.client.get(&format!("{ACME}/teams")).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_name_is_asked_for_whether_or_not_there_is_an_account() {
    let (_app, _cfo, eve) = two().await;
    for email in ["cfo@example.com", "nobody@example.com"] {
        let new = json!({ "email": email, "role": "viewer" });
        let told = eve.post(&format!("{ACME}/members"), &new).await.refused(422, "invalid_request");
        assert_eq!(told["errors"][0]["path"], "name", "{told}");
    }
}

#[tokio::test]
async fn mail_brings_the_question_and_the_way_in_before_it() {
    let (app, office): (App, PostOffice) = with_mail().await;
    let new = json!({ "slug": "acme", "owner_email": "eve@example.com", "owner_name": "Eve" });
    app.owner.post("/api/v1/operator/orgs", &new).await.ok();
    let link = secret(&office.letters()[0].text);
    assert_eq!(choose(&app, &link, "eve-chose-this-one").await.status, 204);
    let eve = app.anonymous().login("eve@example.com", "eve-chose-this-one").await;
    // Made in one organisation, where the administrator keeps no link of it: mail is set up.
    let new =
        json!({ "email": "cfo@example.com", "name": "Cleo", "role": "viewer", "invite": true });
    app.owner.post("members", &new).await.ok();
    let made = add(&eve).await;
    assert_eq!(made["invitation"]["mailed"], true, "{made}");
    assert!(made["invitation"].get("link").is_none(), "{made}");
    let letters = office.letters();
    let letter = letters.iter().find(|it| it.text.contains("say whether you join")).unwrap();
    let links: Vec<_> =
        letter.text.split_whitespace().filter(|it| it.contains("/welcome#")).collect();
    assert_eq!((letter.to.as_slice(), links.len()), (&["cfo@example.com".to_owned()][..], 2));
    assert_eq!(choose(&app, &secret(links[0]), "a-password-of-my-own").await.status, 204);
    let cleo = app.anonymous().login("cfo@example.com", "a-password-of-my-own").await;
    cleo.accept(&json!({ "link": links[1] })).await;
    cleo.get(&format!("{ACME}/teams")).await.ok();
}

#[tokio::test]
async fn the_command_line_tells_who_has_yet_to_say_yes() {
    let app = App::start().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    app.owner.delete(&format!("members/{}", ann.id)).await.ok();
    let shell = Shell::of(&app);
    let said = shell.done("members add ann@example.com viewer --name Ann").await;
    assert!(said.contains("is in once they say so"), "{said}");
    let listed = shell.done("members list").await;
    assert!(listed.contains("invited"), "{listed}");
    let said = shell.done("members invite ann@example.com").await;
    ann.client.accept(&json!({ "link": said })).await;
    assert!(!shell.done("members list").await.contains("invited"));
}
