//! Insisting on single sign-on: who still comes in in another way, and who cannot be locked out.

use std::time::Duration;

use ralex_tests::app::{EMAIL, PASSWORD, text, until};
use reqwest::Method;
use serde_json::{Value, json};

use super::World;

#[tokio::test]
async fn only_the_provider_opens_the_door_but_to_one_owner() {
    let world = World::new().await;
    let bob = world.app.member("bob@example.test", "developer", "org").await;
    let wished = json!({ "provider": "corp", "break_glass": EMAIL });
    let enforce =
        async |body: Value| world.app.owner.send(Method::PUT, "sso/enforcement", Some(&body)).await;
    // It was neither tested nor used.
    let untried = enforce(wished.clone()).await.refused(422, "invalid_request");
    assert_eq!(untried["errors"][0]["path"], "provider", "{untried}");
    world.app.owner.post("sso/providers/corp/test", &json!({})).await.ok();
    for (glass, why) in [("nobody@example.test", "no member"), (bob.email.as_str(), "an owner")] {
        let body = json!({ "provider": "corp", "break_glass": glass });
        let refused = enforce(body).await.refused(422, "invalid_request");
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let mut alice = world.visitor();
    world.log_in(&mut alice, "corp", &world.idp).await;
    let made = alice.post("/api/v1/me/tokens", &json!({ "name": "ci" })).await.ok();
    let of_alice = world.app.with(&text(&made, "token"));
    let team = world.app.token_of(&json!({ "name": "t", "team": "blue" })).await;
    let other = world.app.second().await;
    enforce(wished.clone()).await.ok();

    // At both nodes, within a second: sessions by password and tokens that were made in them.
    let at_other = bob.client.at(&other);
    until("it is so at the other node", Duration::from_secs(1), async || {
        (at_other.get("teams").await.status == 403).then_some(())
    })
    .await;
    bob.client.get("teams").await.refused(403, "sign_on_required");
    let mut by_password = world.visitor();
    by_password.password(&bob.email, &bob.password).await;
    by_password.get("/api/v1/orgs/default/teams").await.refused(403, "sign_on_required");
    let me = by_password.get("/api/v1/me").await.ok();
    assert_eq!(me["orgs"][0]["sign_on"], "/api/v1/auth/sso/default/corp/start", "{me}");
    assert_eq!(me["orgs"][0]["permissions"], json!([]));
    let models = bob.client.get("/v1/models").await;
    assert_eq!(models.status, 403, "{models:?}");
    alice.get("/api/v1/orgs/default/teams").await.ok();
    of_alice.get("teams").await.ok();
    team.client.get("/v1/models").await.ok();

    // The owner who was named, by password: in a session, and not by a token that lies about.
    world.app.owner.get("teams").await.refused(403, "sign_on_required");
    let mut owner = world.visitor();
    owner.password(EMAIL, PASSWORD).await;
    let providers = owner.get("/api/v1/orgs/default/sso/providers").await.ok();
    assert_eq!(providers["enforcement"]["break_glass_email"], EMAIL);
    for (change, body) in
        [(Method::PATCH, Some(json!({ "enabled": false }))), (Method::DELETE, None)]
    {
        let path = "/api/v1/orgs/default/sso/providers/corp";
        owner.send(change, path, body.as_ref()).await.refused(409, "conflict");
    }
    owner.send(Method::DELETE, "/api/v1/orgs/default/sso/enforcement", None).await.ok();
    bob.client.get("teams").await.ok();
    world.app.owner.get("teams").await.ok();
    assert_eq!(world.last("sso.relaxed").await["outcome"], "success");
}

/// A provider that people may come in by is a convenience; one that they have to is a control.
#[tokio::test]
async fn the_evidence_tells_how_far_it_goes() {
    let world = World::new().await;
    let told = async || {
        let shown = world.app.owner.get("compliance/frameworks").await.ok();
        let frameworks = shown["items"].as_array().unwrap().clone();
        let controls = frameworks.iter().flat_map(|it| it["controls"].as_array().unwrap());
        let mut checks = controls.flat_map(|it| it["checks"].as_array().unwrap());
        checks.find(|it| it["name"] == "Single sign-on").unwrap().clone()
    };
    let mut alice = world.visitor();
    world.log_in(&mut alice, "corp", &world.idp).await;
    let may = told().await;
    assert_eq!(may["state"], "attention", "{may}");
    assert!(text(&may, "detail").contains("1 of 2 people are known"), "{may}");
    world.app.owner.post("sso/providers/corp/test", &json!({})).await.ok();
    let second = world.app.member("glass@example.test", "owner", "org").await;
    let wished = json!({ "provider": "corp", "break_glass": second.email });
    world.app.owner.send(Method::PUT, "sso/enforcement", Some(&wished)).await.ok();
    let mut glass = world.visitor();
    glass.password(&second.email, &second.password).await;
    let shown = glass.get("/api/v1/orgs/default/compliance/frameworks").await.ok().to_string();
    let must =
        "Nobody comes in but by Corp; should it fail, glass@example.test may. It knows 1 of 3";
    assert!(shown.contains(must), "{shown}");
}

#[tokio::test]
async fn the_owner_who_was_named_stays_one() {
    let world = World::new().await;
    world.app.owner.post("sso/providers/corp/test", &json!({})).await.ok();
    let second = world.app.member("second@example.test", "owner", "org").await;
    let wished = json!({ "provider": "corp", "break_glass": second.email });
    world.app.owner.send(Method::PUT, "sso/enforcement", Some(&wished)).await.ok();
    let mut glass = world.visitor();
    glass.password(&second.email, &second.password).await;
    let org = "/api/v1/orgs/default";
    let path = format!("{org}/bindings?subject=user:{}", second.id);
    let bindings = glass.get(&path).await.ok();
    let binding = text(&bindings["items"][0], "id");
    let delete = Method::DELETE;
    let unbound = glass.send(delete.clone(), &format!("{org}/bindings/{binding}"), None).await;
    unbound.refused(409, "conflict");
    let removed = glass.send(delete.clone(), &format!("{org}/members/{}", second.id), None).await;
    removed.refused(409, "conflict");
    let denial =
        json!({ "subject": format!("user:{}", second.id), "role": "viewer", "effect": "deny" });
    glass.post(&format!("{org}/bindings"), &denial).await.refused(409, "conflict");
    // Somebody without a password could not come in when it matters.
    glass.send(delete, &format!("{org}/sso/enforcement"), None).await.ok();
    let mut alice = world.visitor();
    world.log_in(&mut alice, "corp", &world.idp).await;
    let user = text(&alice.get("/api/v1/me").await.ok()["user"], "id");
    let owner = json!({ "subject": format!("user:{user}"), "role": "owner" });
    world.app.owner.post("bindings", &owner).await.ok();
    let wished = json!({ "provider": "corp", "break_glass": user });
    let refused = world.app.owner.send(Method::PUT, "sso/enforcement", Some(&wished)).await;
    assert!(refused.refused(422, "invalid_request").to_string().contains("password"));
}
