//! Passkeys through the real binary, by an authenticator in software.

use std::net::TcpListener;
use std::time::Duration;

use ralex_tests::app::{App, Client, EMAIL, PASSWORD, Person, text, until};
use ralex_tests::authenticator::Authenticator;
use ralex_tests::idp::Idp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::sso;

const LOGIN: &str = "/api/v1/auth/passkey";
const OWN: &str = "/api/v1/auth/passkeys";

/// A free port, for nodes that say another address than they listen at.
pub fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A deployment that has a name, as browsers want it.
pub async fn start() -> App {
    let listen = free();
    let url = listen.replace("127.0.0.1", "http://localhost");
    let more = [("RALEX_LISTEN", &*listen), ("RALEX_PUBLIC_URL", &*url)];
    let proxies = ("RALEX_TRUSTED_PROXIES", "127.0.0.0/8,::1/128");
    App::start_with(&[more[0], more[1], proxies]).await
}

/// A session by a password.
async fn session(app: &App, email: &str, password: &str) -> Client {
    let anonymous = app.anonymous();
    anonymous.in_session(&anonymous.session(email, password).await)
}

/// What goes back after a question.
pub fn answer(asked: &Value, by: &mut Authenticator) -> Value {
    json!({ "ceremony": asked["ceremony"], "credential": by.sign(&asked["options"]) })
}

fn made(asked: &Value, by: &mut Authenticator, name: &str) -> Value {
    let credential = by.create(&asked["options"]);
    json!({ "ceremony": asked["ceremony"], "name": name, "credential": credential })
}

/// A new passkey of the person behind a session.
pub async fn added(app: &App, session: &Client, name: &str) -> (Authenticator, Value) {
    let mut by = Authenticator::new(app.node.url());
    let asked = session.post(OWN, &json!({})).await.ok();
    let added = session.post(&format!("{OWN}/confirm"), &made(&asked, &mut by, name)).await.ok();
    (by, added)
}

/// Logs in by a passkey alone.
pub async fn by_passkey(client: &Client, by: &mut Authenticator) -> Client {
    let asked = client.post(&format!("{LOGIN}/begin"), &json!({})).await.ok();
    client.in_session(&client.post(LOGIN, &answer(&asked, by)).await.cookie())
}

/// Somebody with a passkey, and the session in which they added it.
pub async fn with_passkey(app: &App, person: &Person) -> (Client, Authenticator) {
    let session = session(app, &person.email, &person.password).await;
    let by = added(app, &session, "phone").await.0;
    (session, by)
}

#[tokio::test]
async fn what_is_asked_on_one_node_is_answered_on_another_and_once() {
    let app = start().await;
    let listen = free();
    let _second = app.node_with(&[("RALEX_LISTEN", &listen)]).await;
    let there = Client::anonymous(&format!("http://{listen}"));
    let here = app.anonymous();
    let cookie = here.session(EMAIL, PASSWORD).await;
    let own = here.in_session(&cookie);
    let mut phone = Authenticator::new(app.node.url());
    let asked = own.post(OWN, &json!({})).await.ok();
    assert_eq!(asked["options"]["rp"]["id"], "localhost");
    let wished = &asked["options"]["authenticatorSelection"];
    assert_eq!(
        (&wished["residentKey"], &wished["userVerification"]),
        (&json!("required"), &json!("required"))
    );
    let new = made(&asked, &mut phone, "phone");
    let confirm = format!("{OWN}/confirm");
    let added = there.in_session(&cookie).post(&confirm, &new).await.ok();
    assert_eq!(added["recovery_codes"]["codes"].as_array().unwrap().len(), 10);
    own.post(&confirm, &new).await.refused(409, "conflict");

    let asked = there.post(&format!("{LOGIN}/begin"), &json!({})).await.ok();
    let said = answer(&asked, &mut phone);
    let done = here.post(LOGIN, &said).await;
    assert_eq!(done.ok()["user"]["email"], EMAIL);
    there.post(LOGIN, &said).await.refused(401, "invalid_login");
    let opened = there.in_session(&done.cookie());
    assert_eq!(opened.get("/api/v1/me").await.ok()["second_factor"], true);
    let sessions = opened.all("/api/v1/me/sessions").await;
    assert_eq!(sessions[0]["methods"], json!(["passkey"]));

    let login = json!({ "email": EMAIL, "password": PASSWORD });
    let second = here.post("/api/v1/auth/login", &login).await.ok()["second_factor"].clone();
    assert_eq!(second["methods"], json!(["passkey", "recovery_code"]));
    let waiting = json!({ "challenge": second["challenge"] });
    let asked = there.post("/api/v1/auth/second-factor/passkey", &waiting).await.ok();
    let both = json!({ "challenge": second["challenge"], "passkey": answer(&asked, &mut phone) });
    here.post("/api/v1/auth/second-factor", &both).await.ok();
    there.post("/api/v1/auth/second-factor", &both).await.refused(401, "invalid_login");
}

#[tokio::test]
async fn a_passkey_is_a_fresh_proof_and_its_removal_ends_what_it_opened() {
    let app = start().await;
    let own = session(&app, EMAIL, PASSWORD).await;
    let (mut phone, first) = added(&app, &own, "phone").await;
    let opened = by_passkey(&app.anonymous(), &mut phone).await;
    app.database
        .execute("update session set authenticated_at = now() - interval '11 minutes'")
        .await;
    let path = format!("{OWN}/{}", text(&first["passkey"], "id"));
    for client in [&own, &opened] {
        client.post(OWN, &json!({})).await.refused(403, "step_up_required");
        client.delete(&path).await.refused(403, "step_up_required");
    }
    app.owner.post(OWN, &json!({})).await.refused(403, "step_up_required");
    let asked = own.post("/api/v1/auth/step-up/passkey", &json!({})).await.ok();
    let proof = json!({ "passkey": answer(&asked, &mut phone) });
    let stolen = opened.post("/api/v1/auth/step-up", &proof).await.refused(422, "invalid_request");
    assert_eq!(stolen["errors"][0]["path"], "passkey", "{stolen}");
    let proven = own.post("/api/v1/auth/step-up", &proof).await;
    assert_eq!(proven.ok()["methods"], json!(["passkey"]));
    let own = own.in_session(&proven.cookie());
    own.patch(&path, &json!({ "name": "old phone" })).await.ok();
    let told = own.get("/api/v1/me/factors").await.ok();
    assert_eq!(told["passkeys"][0]["name"], "old phone");
    assert!(told["passkeys"][0]["last_used_at"].is_string(), "{told}");
    own.delete(&path).await.ok();
    own.delete(&path).await.refused(404, "not_found");
    opened.get("/api/v1/me").await.refused(401, "unauthenticated");
    // The session that was opened otherwise goes on, though the passkey proved it anew.
    assert_eq!(own.get("/api/v1/me/factors").await.ok(), json!({ "recovery_codes": 0 }));
    let log = serde_json::to_string(&own.all("/api/v1/orgs/default/audit").await).unwrap();
    for action in ["passkey.added", "passkey.renamed", "passkey.removed", "session.proven"] {
        assert!(log.contains(action), "{action}");
    }
    assert!(log.contains(r#""methods":["passkey"]"#) && !log.contains("old phone"), "{log}");
}

#[tokio::test]
async fn a_passkey_is_of_one_person() {
    let app = start().await;
    let (ann, bob) = (
        app.member("ann@example.com", "viewer", "org").await,
        app.member("bob@example.com", "viewer", "org").await,
    );
    let (of_ann, mut annes) = with_passkey(&app, &ann).await;
    let (of_bob, mut bobs) = with_passkey(&app, &bob).await;
    let told = of_ann.get("/api/v1/me/factors").await.ok();
    let path = format!("{OWN}/{}", text(&told["passkeys"][0], "id"));
    of_bob.patch(&path, &json!({ "name": "mine" })).await.refused(404, "not_found");
    of_bob.delete(&path).await.refused(404, "not_found");
    let asked = of_ann.post("/api/v1/auth/step-up/passkey", &json!({})).await.ok();
    let proof = json!({ "passkey": answer(&asked, &mut bobs) });
    of_ann.post("/api/v1/auth/step-up", &proof).await.refused(422, "invalid_request");
    let login = json!({ "email": ann.email, "password": ann.password });
    let anonymous = app.anonymous();
    let waits = anonymous.post("/api/v1/auth/login", &login).await.ok()["second_factor"].clone();
    let waiting = json!({ "challenge": waits["challenge"] });
    let asked = anonymous.post("/api/v1/auth/second-factor/passkey", &waiting).await.ok();
    let second = json!({ "challenge": waits["challenge"], "passkey": answer(&asked, &mut bobs) });
    let path = "/api/v1/auth/second-factor";
    anonymous.post(path, &second).await.refused(401, "invalid_login");
    // Nor does a name that is not its own help it.
    let asked = anonymous.post(&format!("{LOGIN}/begin"), &json!({})).await.ok();
    let mut said = answer(&asked, &mut bobs);
    let annes_name = annes.sign(&asked["options"])["response"]["userHandle"].clone();
    said["credential"]["response"]["userHandle"] = annes_name;
    anonymous.post(LOGIN, &said).await.refused(401, "invalid_login");
    let me = by_passkey(&anonymous, &mut annes).await.get("/api/v1/me").await.ok();
    assert_eq!(me["user"]["email"], "ann@example.com");
    // Two people cannot have the same.
    let asked = of_bob.post(OWN, &json!({})).await.ok();
    let stolen = made(&asked, &mut annes, "stolen");
    of_bob.post(&format!("{OWN}/confirm"), &stolen).await.refused(409, "already_exists");
}

#[tokio::test]
async fn wrong_answers_slow_down_their_network_and_never_the_person() {
    let app = start().await;
    let own = session(&app, EMAIL, PASSWORD).await;
    let (mut phone, _) = added(&app, &own, "phone").await;
    let from = async |network: &str, path: &str, body: &Value| {
        let request = app.anonymous().request(Method::POST, path);
        app.owner.answered(request.header("x-forwarded-for", network).json(body)).await
    };
    let begin = format!("{LOGIN}/begin");
    phone.origin = "https://evil.example".to_owned();
    let mut slowed = 0;
    for _ in 0..60 {
        let asked = from("198.51.100.1", &begin, &json!({})).await.ok();
        let answered = from("198.51.100.1", LOGIN, &answer(&asked, &mut phone)).await;
        match answered.status {
            429 => slowed += 1,
            _ => drop(answered.refused(401, "invalid_login")),
        }
    }
    assert!(slowed > 0, "nothing slowed 60 wrong answers down");
    app.node.url().trim_end_matches('/').clone_into(&mut phone.origin);
    let asked = from("203.0.113.9", &begin, &json!({})).await.ok();
    from("203.0.113.9", LOGIN, &answer(&asked, &mut phone)).await.ok();
    let login = json!({ "email": EMAIL, "password": PASSWORD });
    from("203.0.113.9", "/api/v1/auth/login", &login).await.ok();
    // Questions that nobody answers are few, wherever they come from.
    let mut refused = 0;
    for _ in 0..110 {
        refused += i32::from(from("198.51.100.2", &begin, &json!({})).await.status == 429);
    }
    assert_eq!(refused, 10);
}

#[tokio::test]
async fn an_organisation_that_asks_for_a_second_factor_opens_to_a_passkey_alone() {
    let app = start().await;
    let bob = app.member("bob@example.com", "developer", "org").await;
    let own = session(&app, EMAIL, PASSWORD).await;
    let asked = json!({ "second_factor_required": true });
    let told = own.patch("security", &asked).await.refused(409, "conflict");
    assert!(text(&told, "detail").contains("/auth/passkeys"), "{told}");
    let (mut phone, _) = added(&app, &own, "phone").await;
    own.patch("security", &asked).await.ok();
    until("it is asked", Duration::from_secs(1), async || {
        (bob.client.get("teams").await.status == 403).then_some(())
    })
    .await;
    bob.client.get("teams").await.refused(403, "second_factor_required");
    by_passkey(&app.anonymous(), &mut phone).await.get("teams").await.ok();
    let shown = own.get("compliance/frameworks").await.ok().to_string();
    assert!(shown.contains("1 of 2 people have a second factor"), "{shown}");
    // One registers one where nothing else is open, and tokens work again.
    let (of_bob, mut bobs) = with_passkey(&app, &bob).await;
    of_bob.get("teams").await.ok();
    until("the token works again", Duration::from_secs(2), async || {
        (bob.client.get("teams").await.status == 200).then_some(())
    })
    .await;
    // Who is suspended comes in as nobody here, and who is switched off not at all.
    own.post(&format!("members/{}/suspend", bob.id), &json!({})).await.ok();
    let opened = by_passkey(&app.anonymous(), &mut bobs).await;
    until("he is suspended", Duration::from_secs(1), async || {
        (opened.get("teams").await.status == 404).then_some(())
    })
    .await;
    let off = format!("update app_user set disabled_at = now() where id = '{}'", bob.id);
    app.database.execute(&off).await;
    let asked = app.anonymous().post(&format!("{LOGIN}/begin"), &json!({})).await.ok();
    let said = answer(&asked, &mut bobs);
    app.anonymous().post(LOGIN, &said).await.refused(401, "invalid_login");
}

#[tokio::test]
async fn where_single_sign_on_is_insisted_on_a_passkey_opens_no_more_than_a_password() {
    let world = sso::World::on(start().await, Idp::start().unwrap()).await;
    let bob = world.app.member("bob@example.test", "developer", "org").await;
    let (of_bob, mut bobs) = with_passkey(&world.app, &bob).await;
    of_bob.get("teams").await.ok();
    world.app.owner.post("sso/providers/corp/test", &json!({})).await.ok();
    let wished = json!({ "provider": "corp", "break_glass": EMAIL });
    world.app.owner.send(Method::PUT, "sso/enforcement", Some(&wished)).await.ok();
    let opened = by_passkey(&world.app.anonymous(), &mut bobs).await;
    for client in [&of_bob, &opened] {
        until("the door is shut", Duration::from_secs(1), async || {
            (client.get("teams").await.status == 403).then_some(())
        })
        .await;
        client.get("teams").await.refused(403, "sign_on_required");
    }
}

#[tokio::test]
async fn without_a_name_that_browsers_trust_there_are_no_passkeys_and_the_reason_is_told() {
    let app = App::start().await;
    let own = session(&app, EMAIL, PASSWORD).await;
    let offer = app.anonymous().get(LOGIN).await.ok();
    assert_eq!(offer["offered"], false);
    assert!(text(&offer, "reason").contains("RALEX_PUBLIC_URL"), "{offer}");
    let begin = format!("{LOGIN}/begin");
    for (client, path) in [(&own, OWN), (&app.anonymous(), begin.as_str())] {
        let refused = client.post(path, &json!({})).await.refused(409, "conflict");
        assert_eq!(refused["detail"], offer["reason"], "{path}");
    }
    let app = start().await;
    assert_eq!(app.anonymous().get(LOGIN).await.ok(), json!({ "offered": true }));
}
