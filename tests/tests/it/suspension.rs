//! Suspension: a member to whom an organisation is closed, on every node, until they are let back in.

use std::time::Duration;

use ralex_tests::app::{App, Client, Shell, until};
use serde_json::json;

async fn answers(client: &Client, path: &str, status: u16) {
    until(&format!("{path} answers {status}"), Duration::from_secs(1), async || {
        (client.get(path).await.status == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_is_suspended_is_nobody_here_on_every_node_and_comes_back_with_what_they_had() {
    let app = App::start().await;
    app.team("blue").await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    app.owner.post("groups", &json!({ "slug": "money", "name": "Money" })).await.ok();
    app.owner.post("groups/money/members", &json!({ "subject": "user:ann@example.com" })).await;
    let bound = json!({ "subject": "group:money", "role": "billing", "scope": "org" });
    app.owner.post("bindings", &bound).await.ok();
    let second = app.second().await;
    let session =
        app.anonymous().in_session(&app.anonymous().session(&ann.email, &ann.password).await);
    let there = [ann.client.clone(), session.clone(), ann.client.at(&second), session.at(&second)];
    for client in &there {
        answers(client, "budgets", 200).await;
    }

    let path = format!("members/{}", ann.id);
    let member = app.owner.post(&format!("{path}/suspend"), &json!({})).await.ok();
    assert!(member["suspended_at"].is_string(), "{member}");
    for client in &there {
        answers(client, "budgets", 404).await;
        answers(client, "members", 404).await;
    }
    assert_eq!(ann.client.get("/api/v1/me").await.ok()["orgs"], json!([]));
    assert_eq!(ann.client.get("/api/v1/orgs").await.ok()["items"], json!([]));
    let asked = json!({ "subject": "user:ann@example.com", "permission": "budget.set" });
    let told = app.owner.post("access/explain", &asked).await.ok();
    assert_eq!((&told["allowed"], &told["reason"]), (&json!(false), &json!("suspended")));
    let who = app.owner.post("access/who-can", &json!({ "permission": "budget.set" })).await.ok();
    assert!(!who.to_string().contains("ann@example.com"), "{who}");
    let give = json!({ "subject": "user:ann@example.com", "role": "admin" });
    app.owner.post("bindings", &give).await.refused(409, "conflict");
    app.owner.post(&format!("{path}/suspend"), &json!({})).await.ok();

    let member = app.owner.post(&format!("{path}/resume"), &json!({})).await.ok();
    assert!(member.get("suspended_at").is_none(), "{member}");
    for client in &there {
        answers(client, "budgets", 200).await;
    }
}

#[tokio::test]
async fn nobody_suspends_themselves_or_the_last_owner_or_whom_they_could_not_remove() {
    let app = App::start().await;
    let me = app.owner.get("/api/v1/me").await.ok();
    let me = me["user"]["id"].as_str().unwrap().to_owned();
    let own = format!("members/{me}/suspend");
    app.owner.post(&own, &json!({})).await.refused(409, "conflict");
    let admin = app.member("admin@example.com", "admin", "org").await;
    admin.client.post(&own, &json!({})).await.refused(403, "grant_exceeds_own");
    let viewer = app.member("viewer@example.com", "viewer", "org").await;
    let path = format!("members/{}/suspend", admin.id);
    viewer.client.post(&path, &json!({})).await.refused(403, "forbidden");
    let other = app.member("other@example.com", "owner", "org").await;
    other.client.post(&own, &json!({})).await.ok();
    let last = format!("members/{}/suspend", other.id);
    admin.client.post(&last, &json!({})).await.refused(403, "grant_exceeds_own");
    // The one who is suspended is no owner who counts.
    answers(&app.owner, "members", 404).await;
    other.client.delete(&format!("members/{}", other.id)).await.refused(409, "last_owner");
    admin
        .client
        .post(&format!("members/{me}/resume"), &json!({}))
        .await
        .refused(403, "grant_exceeds_own");
    other.client.post(&format!("members/{me}/resume"), &json!({})).await.ok();
    answers(&app.owner, "members", 200).await;
}

#[tokio::test]
async fn members_are_suspended_and_removed_at_the_command_line() {
    let app = App::start().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let shell = Shell::of(&app);
    assert!(shell.done("members suspend ann@example.com").await.contains("since 20"));
    answers(&ann.client, "members", 404).await;
    let whole = shell.done("members list").await;
    assert!(whole.contains("ann@example.com") && !whole.contains("There are more"), "{whole}");
    let cut = shell.done("members list --limit 1").await;
    assert!(cut.contains("There are more than these 1: --limit takes up to 500"), "{cut}");
    assert!(!shell.done("members list --limit 1 --json").await.contains("There are more"));
    shell.done("members resume ann@example.com").await;
    answers(&ann.client, "members", 200).await;
    shell.done("members remove ann@example.com").await;
    answers(&ann.client, "members", 404).await;
    assert!(!shell.done("members list").await.contains("ann@example.com"));
    let (code, said) = shell.says("members remove ann@example.com").await;
    assert!(code != 0 && said.contains("ann@example.com is no member."), "{said}");
}
