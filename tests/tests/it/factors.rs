//! Second factors and fresh proofs through the real binary.

use std::time::Duration;

use chrono::Utc;
use ralex_tests::app::{App, Client, EMAIL, PASSWORD, Shell, run, text, until};
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

/// What an app shows now, or so many steps from now.
pub fn code(seed: &str, steps: i64) -> String {
    let seed = Secret::try_from_base32(seed).unwrap();
    let totp = Builder::new().with_secret(seed).with_account_name("x").build().unwrap();
    let time = Utc::now().timestamp() + 30 * steps;
    totp.generate(u64::try_from(time).unwrap()).to_string()
}

/// A session of the owner, who has an app from now on, its secret and the recovery codes.
pub async fn with_app(app: &App) -> (Client, String, Vec<String>) {
    let anonymous = app.anonymous();
    register(anonymous.in_session(&anonymous.session(EMAIL, PASSWORD).await)).await
}

pub async fn register(session: Client) -> (Client, String, Vec<String>) {
    let begun = session.post("/api/v1/auth/totp", &json!({})).await.ok();
    let seed = text(&begun, "secret");
    let confirm = json!({ "code": code(&seed, -1) });
    let made = session.post("/api/v1/auth/totp/confirm", &confirm).await.ok();
    let codes = made["codes"].as_array().unwrap().iter();
    let codes = codes.map(|code| code.as_str().unwrap().to_owned()).collect();
    (session, seed, codes)
}

async fn challenge(client: &Client) -> Value {
    let login = json!({ "email": EMAIL, "password": PASSWORD });
    let answer = client.post("/api/v1/auth/login", &login).await;
    assert!(answer.header("set-cookie").is_none(), "{answer:?}");
    let said = answer.ok();
    assert!(said.get("user").is_none(), "{said}");
    said["second_factor"].clone()
}

#[tokio::test]
async fn a_login_with_an_app_takes_two_steps_on_any_node() {
    let app = App::start().await;
    let second = app.second().await;
    let (_, seed, codes) = with_app(&app).await;
    let anonymous = app.anonymous();
    let asked = challenge(&anonymous).await;
    assert_eq!(asked["methods"], json!(["totp", "recovery_code"]));
    let wrong = json!({ "challenge": asked["challenge"], "code": "000000" });
    let path = "/api/v1/auth/second-factor";
    let refused = anonymous.post(path, &wrong).await;
    refused.refused(401, "invalid_login");
    assert!(refused.header("set-cookie").is_none());
    // Made once, since another half minute may begin at any time, and with it another code.
    let code = code(&seed, 0);
    let right = json!({ "challenge": asked["challenge"], "code": code });
    let there = anonymous.at(&second);
    let done = there.post(path, &right).await;
    assert_eq!(done.ok()["user"]["email"], EMAIL);
    let session = anonymous.in_session(&done.cookie());
    assert_eq!(session.get("/api/v1/me").await.ok()["second_factor"], true);
    // The code and the challenge are spent, whoever asks where.
    anonymous.post(path, &right).await.refused(401, "invalid_login");
    let asked = challenge(&there).await;
    let same = json!({ "challenge": asked["challenge"], "code": code });
    anonymous.post(path, &same).await.refused(401, "invalid_login");
    let recovered = json!({ "challenge": asked["challenge"], "code": codes[0] });
    anonymous.post(path, &recovered).await.ok();
    // What is a challenge is no credential.
    let challenge = text(&challenge(&anonymous).await, "challenge");
    app.with(&challenge).get("/api/v1/me").await.refused(401, "unauthenticated");
    let cookie = format!("ralex_session={challenge}");
    anonymous.in_session(&cookie).get("/api/v1/me").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn what_is_worth_more_than_a_session_asks_for_a_fresh_proof() {
    let app = App::start().await;
    let (session, seed, _) = with_app(&app).await;
    // A token tells that somebody has it, and not who.
    let new = json!({ "name": "more" });
    app.owner.post("/api/v1/me/tokens", &new).await.refused(403, "step_up_required");
    app.owner.post("/api/v1/auth/totp", &json!({})).await.refused(403, "step_up_required");
    app.owner.delete("/api/v1/auth/totp").await.refused(403, "step_up_required");
    app.database
        .execute("update session set authenticated_at = now() - interval '11 minutes'")
        .await;
    let told = session.post("/api/v1/me/tokens", &new).await.refused(403, "step_up_required");
    assert!(text(&told, "detail").contains("/auth/step-up"), "{told}");
    session.delete("/api/v1/auth/totp").await.refused(403, "step_up_required");
    let path = "/api/v1/auth/step-up";
    for (proof, field) in [
        (json!({ "password": "not-the-password", "code": code(&seed, 0) }), "password"),
        (json!({ "password": PASSWORD }), "code"),
        (json!({ "password": PASSWORD, "code": "000000" }), "code"),
    ] {
        let told = session.post(path, &proof).await.refused(422, "invalid_request");
        assert_eq!(told["errors"][0]["path"], field, "{told}");
    }
    let proof = json!({ "password": PASSWORD, "code": code(&seed, 0) });
    let done = session.post(path, &proof).await;
    assert_eq!(done.ok()["methods"], json!(["password", "totp"]));
    // The old cookie is still answered for a moment, and proves nothing.
    session.post("/api/v1/me/tokens", &new).await.refused(403, "step_up_required");
    let proven = session.in_session(&done.cookie());
    proven.post("/api/v1/me/tokens", &new).await.ok();
    proven.send(Method::DELETE, "/api/v1/auth/totp", None).await.ok();
    assert_eq!(proven.get("/api/v1/me/factors").await.ok(), json!({ "recovery_codes": 0 }));
}

#[tokio::test]
async fn nothing_of_a_second_factor_is_readable_where_it_is_kept() {
    let app = App::start().await;
    let (session, seed, codes) = with_app(&app).await;
    let entries = session.all("/api/v1/orgs/default/audit").await;
    let told = serde_json::to_string(&entries).unwrap();
    for action in ["factor.begun", "factor.added", "recovery_codes.created"] {
        assert!(told.contains(action), "{action}");
    }
    let kept = app.database.texts("select t::text from totp t").await.join(" ");
    let digests = app.database.texts("select r::text from recovery_code r").await.join(" ");
    let raw = Secret::try_from_base32(&seed).unwrap();
    let raw = hex::encode(raw.as_bytes());
    for hidden in [&seed, &raw, &codes[0], &codes[0].replace('-', "")] {
        for place in [&told, &kept, &digests] {
            assert!(!place.contains(hidden.as_str()), "{hidden} in {place}");
        }
    }
}

#[tokio::test]
async fn an_organisation_that_asks_for_a_second_factor_is_closed_without_one_on_every_node() {
    let app = App::start().await;
    let second = app.second().await;
    let member = app.member("bob@example.com", "admin", "org").await;
    let team = app.token("blue").await;
    let asked = json!({ "second_factor_required": true });
    // Who has none would be the first to be shut out.
    app.owner.patch("security", &asked).await.refused(409, "conflict");
    let (session, _, _) = with_app(&app).await;
    let viewer = app.member("viewer@example.com", "viewer", "org").await;
    assert_eq!(
        viewer.client.get("security").await.ok(),
        json!({ "second_factor_required": false, "device_login": false })
    );
    viewer.client.patch("security", &asked).await.refused(403, "forbidden");
    session.patch("security", &asked).await.ok();
    let cookie = app.anonymous().session("bob@example.com", &member.password).await;
    let alone = app.anonymous().in_session(&cookie);
    for client in [&member.client, &member.client.at(&second), &alone, &alone.at(&second)] {
        until("the organisation is closed", Duration::from_secs(1), async || {
            (client.get("teams").await.status == 403).then_some(())
        })
        .await;
        client.get("teams").await.refused(403, "second_factor_required");
        client.delete("teams/blue").await.refused(403, "second_factor_required");
        client.patch("security", &asked).await.refused(403, "second_factor_required");
    }
    assert_eq!(alone.get("/api/v1/me").await.ok()["orgs"][0]["second_factor_needed"], true);
    let listed = member.client.get("/v1/models").await;
    assert_eq!(listed.status, 403, "{listed:?}");
    // Programs are not people, and who has a factor goes on, with tokens too.
    team.client.get("/v1/models").await.ok();
    // The owner's token is read anew within a second of the factor's being there.
    until("the owner's token goes on", Duration::from_secs(2), async || {
        (app.owner.get("teams").await.status == 200).then_some(())
    })
    .await;
    session.get("teams").await.ok();
    // Bob registers one, and all that is his is open again.
    let begun = alone.post("/api/v1/auth/totp", &json!({})).await.ok();
    let confirm = json!({ "code": code(&text(&begun, "secret"), 0) });
    alone.post("/api/v1/auth/totp/confirm", &confirm).await.ok();
    alone.get("teams").await.ok();
    until("the token works again", Duration::from_secs(2), async || {
        (member.client.get("teams").await.status == 200).then_some(())
    })
    .await;
    // Programs of people with a factor change it too.
    let settings = [app.owner.url().to_owned(), app.owner.secret()];
    let cli = tokio::task::spawn_blocking(move || {
        let [url, token] = settings;
        let words = ["org", "security", "--second-factor", "optional"];
        run(&words, &[("RALEX_URL", &url), ("RALEX_TOKEN", &token)])
    });
    let said = String::from_utf8(cli.await.unwrap().stdout).unwrap();
    assert!(said.contains("optional"), "{said}");
    assert_eq!(
        session.get("security").await.ok(),
        json!({ "second_factor_required": false, "device_login": false })
    );
    // A stranger does not learn what is asked.
    app.owner.delete(&format!("members/{}", viewer.id)).await.ok();
    until("the membership ended", Duration::from_secs(1), async || {
        (viewer.client.get("teams").await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_operator_helps_somebody_in_who_lost_every_factor_and_gets_nothing_by_it() {
    const RESETS: &str = "/api/v1/operator/factor-resets";
    let app = App::start().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let anonymous = app.anonymous();
    let session = anonymous.in_session(&anonymous.session(&ann.email, &ann.password).await);
    let asked = json!({ "email": "ann@example.com", "reason": "Her phone is lost" });
    app.owner.post(RESETS, &asked).await.refused(409, "conflict");
    let (session, _, codes) = register(session).await;
    assert!(!codes.is_empty());
    let login = json!({ "email": ann.email, "password": ann.password });
    let half = anonymous.post("/api/v1/auth/login", &login).await.ok();
    assert!(half["second_factor"].is_object(), "{half}");

    ann.client.post(RESETS, &asked).await.refused(403, "forbidden");
    let own = json!({ "email": EMAIL, "reason": "Mine" });
    app.owner.post(RESETS, &own).await.refused(422, "invalid_request");
    let nobody = json!({ "email": "nobody@example.com", "reason": "Who?" });
    app.owner.post(RESETS, &nobody).await.refused(422, "invalid_request");
    let blank = json!({ "email": "ann@example.com", "reason": " " });
    app.owner.post(RESETS, &blank).await.refused(422, "invalid_request");
    let shell = Shell::of(&app);
    let said = shell.done("operator reset-factors ann@example.com --reason lost").await;
    assert!(said.contains("app with codes") && said.contains("tell them yourself"), "{said}");

    assert_eq!(session.get("/api/v1/me").await.status, 401);
    // What was begun before with the old factors leads nowhere.
    let recovered = json!({ "challenge": half["second_factor"]["challenge"], "code": codes[0] });
    let path = "/api/v1/auth/second-factor";
    anonymous.post(path, &recovered).await.refused(401, "invalid_login");
    let anew = anonymous.in_session(&anonymous.session(&ann.email, &ann.password).await);
    assert_eq!(anew.get("/api/v1/me").await.ok()["second_factor"], false);
    let log = app.owner.all("audit?action=factors.reset").await;
    assert_eq!((log.len(), &log[0]["record"]["detail"]["reason"]), (1, &json!("lost")), "{log:?}");
    // An organisation that asks for a second factor stays closed until there is another one.
    let (owner, ..) = with_app(&app).await;
    owner.patch("security", &json!({ "second_factor_required": true })).await.ok();
    until("the organisation is closed without one", Duration::from_secs(1), async || {
        (anew.get("members").await.status == 403).then_some(())
    })
    .await;
}
