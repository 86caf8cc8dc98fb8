//! Deactivation: in every form that directories write it, on every node, within a second.

use std::time::Duration;

use ralex_tests::app::{App, Client, EMAIL, text, until};
use serde_json::{Value, json};

use super::Directory;
use crate::sso::World;

async fn closed(clients: &[Client]) {
    for client in clients {
        until("the organisation is closed", Duration::from_secs(1), async || {
            matches!(client.get("members").await.status, 401 | 404).then_some(())
        })
        .await;
    }
}

/// Logs Alice in by the organisation's provider, and makes her a token of her own.
async fn come_in(world: &World) -> (Client, Client) {
    let mut alice = world.visitor();
    assert_eq!(world.log_in(&mut alice, "corp", &world.idp).await, "/");
    let token = alice.post("/api/v1/me/tokens", &json!({ "name": "cli" })).await.ok();
    let session = world.app.anonymous().in_session(&alice.session());
    (session, world.app.with(&text(&token, "token")))
}

#[tokio::test]
async fn who_is_deactivated_is_out_within_a_second_on_both_nodes_and_nothing_opens_again() {
    let world = World::new().await;
    let directory = Directory::of(&world.app).await;
    let id = directory.user("alice@example.test").await;
    let second = world.app.second().await;
    let path = format!("/Users/{id}");
    let whole = |active: Value| json!({ "userName": "alice@example.test", "active": active });
    let off = json!({ "op": "Replace", "path": "active", "value": "False" });
    let bare = json!({ "op": "replace", "value": { "active": false } });
    for form in [Some(off), Some(bare), None] {
        // The first time she comes she is the one whom the directory has told of.
        let (session, token) = come_in(&world).await;
        let all = [session.clone(), token.clone(), session.at(&second), token.at(&second)];
        for client in &all {
            until("it is open", Duration::from_secs(1), async || {
                (client.get("teams").await.status == 200).then_some(())
            })
            .await;
        }
        let answer = match form {
            Some(operation) => directory.patch(&path, operation).await,
            None => directory.ask("PUT", &path, Some(&whole(json!(false)))).await,
        };
        assert_eq!((answer.status, &answer.json()["active"]), (200, &json!(false)));
        closed(&all).await;
        let mut alice = world.visitor();
        let refused = world.log_in(&mut alice, "corp", &world.idp).await;
        assert!(refused.contains("disabled"), "{refused}");
        let on = directory.ask("PUT", &path, Some(&whole(json!(true)))).await;
        assert_eq!(on.json()["active"], true);
        for client in &all {
            until("what was ended stays so", Duration::from_secs(1), async || {
                (client.get("/api/v1/me").await.status == 401).then_some(())
            })
            .await;
        }
    }
    let (session, token) = come_in(&world).await;
    let all = [session.clone(), token.clone(), session.at(&second), token.at(&second)];
    assert_eq!(directory.ask("DELETE", &path, None).await.status, 204);
    closed(&all).await;
    let off = directory.ask("POST", "/Users", Some(&whole(json!(false)))).await;
    assert_eq!((off.status, &off.json()["active"]), (201, &json!(false)));
    let member = world.app.owner.all("members").await;
    let member = member.iter().find(|it| it["user"]["id"] == id.as_str()).unwrap();
    assert!(member["suspended_at"].is_string(), "{member}");
}

#[tokio::test]
async fn neither_the_directory_nor_a_person_lets_in_whom_the_other_keeps_out() {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    let id = directory.user("ann@example.com").await;
    let (path, member) = (format!("/Users/{id}"), format!("members/{id}"));
    let set = |active: bool| json!({ "op": "replace", "path": "active", "value": active });
    let suspended = async || {
        let all = app.owner.all("members").await;
        let member = all.into_iter().find(|it| it["user"]["id"] == id.as_str()).unwrap();
        member["suspended_at"].is_string()
    };
    app.owner.post(&format!("{member}/suspend"), &json!({})).await.ok();
    // The directory's next update says again that she is active, which undoes no administrator.
    let whole = json!({ "userName": "ann@example.com", "active": true, "title": "CEO" });
    assert_eq!(directory.ask("PUT", &path, Some(&whole)).await.status, 200);
    assert!(suspended().await);
    directory.patch(&path, set(false)).await;
    app.owner.post(&format!("{member}/resume"), &json!({})).await.refused(409, "conflict");
    assert!(suspended().await);
    directory.patch(&path, set(true)).await;
    assert!(!suspended().await);
}

#[tokio::test]
async fn the_last_owner_stays_and_their_sessions_by_the_provider_end_all_the_same() {
    let world = World::new().await;
    let directory = Directory::of(&world.app).await;
    let link = json!({ "user": EMAIL, "subject": "alice-at-idp" });
    world.app.owner.post("sso/providers/corp/links", &link).await.ok();
    let new = json!({ "userName": EMAIL, "active": true });
    let made = directory.ask("POST", "/Users", Some(&new)).await;
    assert_eq!(made.status, 201, "who comes in by the provider is the directory's too: {made:?}");
    let path = format!("/Users/{}", text(&made.json(), "id"));
    for attempt in 0..3 {
        let (session, token) = come_in(&world).await;
        assert_eq!(session.get("members").await.status, 200);
        let off = json!({ "op": "replace", "path": "active", "value": false });
        let refused = match attempt {
            0 => directory.patch(&path, off).await,
            1 => directory.ask("DELETE", &path, None).await,
            _ => {
                let off = json!({ "userName": EMAIL, "active": false });
                directory.ask("PUT", &path, Some(&off)).await
            }
        };
        Directory::refused(&refused, 409, None);
        closed(&[session, token]).await;
        assert_eq!(world.app.owner.get("members").await.status, 200, "the password still opens");
        assert_eq!(directory.get(&path).await.json()["active"], true);
    }
}

#[tokio::test]
async fn who_sets_a_provider_must_be_able_to_give_what_those_hold_who_wait_for_one() {
    let world = World::new().await;
    let directory = Directory::of(&world.app).await;
    let guard = world.app.member("guard@example.com", "security", "org").await;
    let name = json!({ "name": "Corp 2" });
    guard.client.patch("sso/providers/corp", &name).await.refused(403, "forbidden");
    let none = json!({ "default_role": null, "mappings": [] });
    world.provide("plain", &world.idp, &none).await;
    guard.client.patch("sso/providers/plain", &name).await.ok();
    let id = directory.user("alice@example.test").await;
    guard.client.patch("sso/providers/plain", &json!({ "name": "Corp 3" })).await.ok();
    let bound = json!({ "subject": format!("user:{id}"), "role": "admin" });
    world.app.owner.post("bindings", &bound).await.ok();
    let refused = guard.client.patch("sso/providers/plain", &name).await;
    assert!(text(&refused.refused(403, "forbidden"), "detail").contains("SCIM"));
    world.app.owner.patch("sso/providers/plain", &name).await.ok();
    // Once she has come, nobody else can come as her.
    come_in(&world).await;
    guard.client.patch("sso/providers/plain", &json!({ "name": "Corp 3" })).await.ok();
}
