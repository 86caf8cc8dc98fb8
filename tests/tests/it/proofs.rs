//! What asks a session for a fresh proof, and what goes on without one.

use ralex_tests::app::{App, Client, EMAIL, PASSWORD, text};
use reqwest::Method;
use serde_json::{Value, json};

const OLD: &str = "update session set authenticated_at = now() - interval '11 minutes'";

async fn session(app: &App) -> Client {
    let anonymous = app.anonymous();
    anonymous.in_session(&anonymous.session(EMAIL, PASSWORD).await)
}

#[tokio::test]
async fn what_opens_an_organisation_to_others_asks_for_a_fresh_proof() {
    let app = App::start().await;
    app.team("blue").await;
    app.member("ann@example.com", "viewer", "org").await;
    let provider =
        json!({ "slug": "one", "kind": "openai", "base_url": "https://api.example.com/v1" });
    app.owner.post("providers", &provider).await.ok();
    let key = json!({ "name": "one", "provider": "one", "value": "sk-canary" });
    let key = text(&app.owner.post("secrets", &key).await.ok(), "id");
    let own = session(&app).await;
    app.database.execute(OLD).await;

    let nobody = "00000000-0000-7000-8000-000000000000";
    let new = |role: &str| json!({ "email": "new@example.com", "name": "New", "role": role });
    let bind = |role: &str| json!({ "subject": "user:ann@example.com", "role": role });
    let idp = json!({ "slug": "corp", "name": "Corp", "issuer": "https://idp.example",
        "client_id": "ralex", "client_secret": "canary" });
    let link = json!({ "user": "ann@example.com", "subject": "ann" });
    let only = json!({ "provider": "corp", "break_glass": EMAIL });
    let asked: [(Method, String, Option<Value>); 12] = [
        (Method::POST, "members".into(), Some(new("owner"))),
        (Method::POST, "bindings".into(), Some(bind("owner"))),
        (Method::POST, "policies/import".into(), Some(json!({ "lines": "", "apply": true }))),
        (Method::POST, "sso/providers".into(), Some(idp)),
        (Method::PATCH, "sso/providers/corp".into(), Some(json!({ "enabled": false }))),
        (Method::DELETE, "sso/providers/corp".into(), None),
        (Method::POST, "sso/providers/corp/links".into(), Some(link)),
        (Method::DELETE, format!("sso/links/{nobody}"), None),
        (Method::PUT, "sso/enforcement".into(), Some(only)),
        (Method::DELETE, "sso/enforcement".into(), None),
        (Method::POST, "scim/tokens".into(), Some(json!({ "name": "directory" }))),
        (Method::DELETE, format!("secrets/{key}"), None),
    ];
    for (method, path, body) in asked {
        own.send(method, &path, body.as_ref()).await.refused(403, "step_up_required");
    }
    // What is done all day goes on, and so do programs, which have no proof to give.
    own.post("bindings", &bind("billing")).await.ok();
    own.post("members", &new("viewer")).await.ok();
    own.post("policies/import", &json!({ "lines": "" })).await.ok();
    own.post("tokens", &json!({ "name": "program", "team": "blue" })).await.ok();
    app.owner.delete(&format!("secrets/{key}")).await.ok();
    let proven = own.post("/api/v1/auth/step-up", &json!({ "password": PASSWORD })).await;
    own.in_session(&proven.cookie()).post("bindings", &bind("owner")).await.ok();
}

#[tokio::test]
async fn whoever_approves_an_owner_proves_who_they_are() {
    let app = App::start().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let own = session(&app).await;
    let approve = async |role: &str| {
        let new = json!({ "role": role, "reason": "why", "minutes": 60 });
        let made = ann.client.post("access-requests", &new).await.ok();
        let path = format!("access-requests/{}/approve", text(&made, "id"));
        own.post(&path, &json!({ "reason": "why" })).await
    };
    app.database.execute(OLD).await;
    approve("owner").await.refused(403, "step_up_required");
    approve("billing").await.ok();
}

#[tokio::test]
async fn whoever_confirms_a_change_proves_who_they_are() {
    let world = crate::changes::World::new(&["owner.give"]).await;
    world.app.member("new@example.com", "viewer", "org").await;
    let bind = json!({ "subject": "user:new@example.com", "role": "owner" });
    let waits = crate::changes::waits(&world.ann.client.post("bindings", &bind).await);
    let path = format!("change-requests/{}/confirm", text(&waits, "id"));
    let own = world.app.anonymous();
    let own = own.in_session(&own.session(&world.ben.email, &world.ben.password).await);
    world.app.database.execute(OLD).await;
    own.post(&path, &json!({})).await.refused(403, "step_up_required");
    let password = json!({ "password": world.ben.password });
    let proven = own.post("/api/v1/auth/step-up", &password).await;
    own.in_session(&proven.cookie()).post(&path, &json!({})).await.ok();
}
