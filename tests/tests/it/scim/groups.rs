//! Groups: the directory decides who is in them, people decide what they hold.

use std::time::Duration;

use ralex_tests::app::{App, Person, Shell, text, until};
use serde_json::{Value, json};

use super::Directory;

fn binding(subject: &str, role: &str) -> Value {
    json!({ "subject": subject, "role": role, "scope": "org" })
}

fn members(ids: &[&str]) -> Value {
    let all: Vec<_> = ids.iter().map(|id| json!({ "value": id })).collect();
    json!({ "op": "replace", "path": "members", "value": all })
}

async fn says(app: &App, person: &str, permission: &str) -> bool {
    let asked = json!({ "subject": format!("user:{person}"), "permission": permission });
    app.owner.post("access/explain", &asked).await.ok()["allowed"] == true
}

/// Whether somebody is said to be able to, within a second.
async fn becomes(app: &App, person: &str, permission: &str, wanted: bool) {
    until(&format!("{permission} is {wanted}"), Duration::from_secs(1), async || {
        (says(app, person, permission).await == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_group_gives_what_people_gave_it_to_whom_the_directory_puts_into_it() {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    let (ann, bob) =
        (directory.user("ann@example.com").await, directory.user("bob@example.com").await);
    let group = directory.group("Sales Team", &[&ann, &bob]).await;
    let path = format!("/Groups/{group}");
    let shown = app.owner.get("groups/sales-team").await.ok();
    assert_eq!((&shown["managed_by_scim"], &shown["members"]), (&json!(true), &json!(2)));
    app.owner.post("bindings", &binding("group:sales-team", "billing")).await.ok();
    becomes(&app, &ann, "budget.set", true).await;
    assert_eq!(directory.patch(&path, members(&[&bob])).await.status, 200);
    becomes(&app, &ann, "budget.set", false).await;
    becomes(&app, &bob, "budget.set", true).await;
    // Who is not the directory's is passed over, and the answer shows who is in.
    let owner = app.owner.get("/api/v1/me").await.ok();
    let unknown = directory.patch(&path, members(&[&bob, &text(&owner["user"], "id"), "x"])).await;
    let in_it = unknown.json()["members"].clone();
    assert_eq!((unknown.status, in_it.as_array().unwrap().len()), (200, 1));
    // Somebody who is deactivated may be in a group, and has nothing by it.
    let off = json!({ "op": "replace", "path": "active", "value": false });
    directory.patch(&format!("/Users/{bob}"), off).await;
    becomes(&app, &bob, "budget.set", false).await;
    assert_eq!(directory.patch(&path, members(&[&ann, &bob])).await.status, 200);
    becomes(&app, &ann, "budget.set", true).await;
    assert_eq!(directory.ask("DELETE", &path, None).await.status, 204);
    becomes(&app, &ann, "budget.set", false).await;
    let left = app.owner.get("bindings?role=billing").await.ok();
    assert_eq!(left["items"], json!([]));
}

#[tokio::test]
async fn people_do_not_decide_who_is_in_a_group_of_the_directory_until_it_is_released() {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    let ann = directory.user("ann@example.com").await;
    let group = directory.group("Sales", &[]).await;
    let join = json!({ "subject": "user:ann@example.com" });
    app.owner.post("groups/sales/members", &join).await.refused(409, "conflict");
    let gone = format!("groups/sales/members/{ann}");
    app.owner.delete(&gone).await.refused(409, "conflict");
    app.owner.patch("groups/sales", &json!({ "name": "S" })).await.refused(409, "conflict");
    app.owner.delete("groups/sales").await.refused(409, "conflict");
    Shell::of(&app).done("groups release sales").await;
    app.owner.post("groups/sales/members", &join).await.ok();
    Directory::refused(&directory.get(&format!("/Groups/{group}")).await, 404, None);
    // What people made is not there for a directory, and it has a name of its own beside it.
    app.owner.post("groups", &json!({ "slug": "people", "name": "People" })).await.ok();
    let all = directory.get("/Groups").await.json();
    assert_eq!(all["totalResults"], 0);
    directory.group("People", &[]).await;
    assert_eq!(app.owner.get("groups/people-2").await.ok()["managed_by_scim"], true);
    let again = json!({ "displayName": "PEOPLE" });
    let again = directory.ask("POST", "/Groups", Some(&again)).await;
    Directory::refused(&again, 409, Some("uniqueness"));
}

async fn admin(app: &App) -> Person {
    app.member("admin@example.com", "admin", "org").await
}

#[tokio::test]
async fn who_speaks_for_the_directory_must_be_able_to_give_all_that_its_groups_hold() {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    let (admin, guard) =
        (admin(&app).await, app.member("guard@example.com", "security", "org").await);
    let new = json!({ "name": "Mine" });
    guard.client.post("scim/tokens", &new).await.ok();
    directory.group("Sales", &[]).await;
    guard.client.post("scim/tokens", &new).await.ok();
    app.owner.post("bindings", &binding("group:sales", "admin")).await.ok();
    guard.client.post("scim/tokens", &new).await.refused(403, "forbidden");
    let on = json!({ "enabled": true });
    let put = reqwest::Method::PUT;
    guard.client.send(put.clone(), "scim", Some(&on)).await.refused(403, "forbidden");
    let off = json!({ "enabled": false });
    guard.client.send(put, "scim", Some(&off)).await.ok();
    app.owner
        .post("bindings", &binding("group:sales", "owner"))
        .await
        .refused(422, "invalid_request");
    app.owner
        .post("roles", &json!({ "name": "keys", "title": "K", "permissions": ["secret.use"] }))
        .await
        .ok();
    app.owner.post("bindings", &binding("group:sales", "keys")).await.ok();
    admin.client.post("scim/tokens", &new).await.refused(403, "grant_exceeds_own");
    let viewer = app.member("viewer@example.com", "viewer", "org").await;
    viewer.client.get("scim").await.refused(403, "forbidden");
}

#[tokio::test]
async fn duties_stay_apart_and_what_is_denied_stays_denied_whoever_decides() {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    let ann = directory.user("ann@example.com").await;
    app.owner.post("bindings", &binding(&format!("user:{ann}"), "admin")).await.ok();
    let path = format!("/Groups/{}", directory.group("Audit", &[]).await);
    app.owner.post("bindings", &binding("group:audit", "auditor")).await.ok();
    let refused = directory.patch(&path, members(&[&ann])).await;
    Directory::refused(&refused, 409, None);
    assert!(text(&refused.json(), "detail").contains(&ann), "{refused:?}");
    let none = app.owner.get("groups/audit").await.ok();
    assert_eq!(none["members"], 0);
    let denied = directory.group("Denied", &[&ann]).await;
    let deny = json!({ "subject": "group:denied", "role": "billing", "effect": "deny" });
    app.owner.post("bindings", &deny).await.ok();
    becomes(&app, &ann, "budget.set", false).await;
    assert_eq!(directory.ask("DELETE", &format!("/Groups/{denied}"), None).await.status, 204);
    assert!(!says(&app, &ann, "budget.set").await, "the denial became her own");
}
