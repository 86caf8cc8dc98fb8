//! What Okta and Entra send, replayed from files; and what is kept of it.

use ralex_tests::app::{App, checkout, text};
use serde_json::{Value, json};

use super::Directory;

/// Asks everything that a file says and holds the answers against it. What an answer is kept by a name
/// of stands in later steps as `${name}`.
async fn replay(name: &str) {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    let file = checkout().join("tests/tests/it/scim").join(name);
    let steps: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut kept: Vec<(String, String)> = Vec::new();
    for step in steps {
        let mut written = step.to_string();
        for (name, value) in &kept {
            written = written.replace(&format!("${{{name}}}"), value);
        }
        let step: Value = serde_json::from_str(&written).unwrap();
        let (method, path) = (text(&step, "method"), text(&step, "path"));
        let answer = directory.ask(&method, &path, step.get("body")).await;
        assert_eq!(json!(answer.status), step["status"], "{step} {answer:?}");
        let told = if answer.status == 204 { Value::Null } else { answer.json() };
        for (at, wanted) in step["told"].as_object().into_iter().flatten() {
            let found = told.pointer(at).unwrap_or(&Value::Null);
            assert_eq!(found, wanted, "{at} of {step}: {told}");
        }
        if let Some(name) = step["keep"].as_str() {
            kept.push((name.to_owned(), text(&told, "id")));
        }
    }
}

#[tokio::test]
async fn okta_provisions_changes_and_ends_people_and_groups() {
    replay("okta.json").await;
}

#[tokio::test]
async fn entra_provisions_changes_and_ends_people_and_groups() {
    replay("entra.json").await;
}

#[tokio::test]
async fn a_version_that_was_read_is_the_one_that_is_changed() {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    let path = format!("/Users/{}", directory.user("ann@example.com").await);
    let first = directory.get(&path).await;
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(first.json()["meta"]["version"], tag.as_str());
    let url = format!("{}{path}", super::BASE);
    let again = directory.0.request(reqwest::Method::GET, &url).header("if-none-match", &tag);
    assert_eq!(directory.0.answered(again).await.status, 304);
    let title = json!({ "op": "add", "path": "title", "value": "CEO" });
    assert_eq!(directory.patch(&path, title.clone()).await.status, 200);
    let stale = directory.0.request(reqwest::Method::PATCH, &url).header("if-match", &tag);
    let stale = directory.0.answered(stale.json(&json!({ "Operations": [title] }))).await;
    Directory::refused(&stale, 412, None);
}

#[tokio::test]
async fn an_account_that_is_not_the_directorys_is_never_taken_over() {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    app.member("ann@example.com", "viewer", "org").await;
    let new = json!({ "userName": "ann@example.com", "displayName": "Eve" });
    let taken = directory.ask("POST", "/Users", Some(&new)).await;
    Directory::refused(&taken, 409, Some("uniqueness"));
    // Somebody of the directory may leave and come back, as the same account and with nothing.
    let first = directory.user("bob@example.com").await;
    let path = format!("/Users/{first}");
    let bound = json!({ "subject": format!("user:{first}"), "role": "billing" });
    app.owner.post("bindings", &bound).await.ok();
    assert_eq!(directory.ask("DELETE", &path, None).await.status, 204);
    Directory::refused(&directory.get(&path).await, 404, None);
    Directory::refused(&directory.ask("DELETE", &path, None).await, 404, None);
    assert_eq!(directory.user("bob@example.com").await, first);
    let members = app.owner.all("members").await;
    let bob = members.iter().find(|it| it["user"]["email"] == "bob@example.com").unwrap();
    assert_eq!(bob["roles"], json!([]));
    // A second one of the same name, or with the same address, is refused.
    let again = json!({ "userName": "bob@example.com" });
    let again = directory.ask("POST", "/Users", Some(&again)).await;
    Directory::refused(&again, 409, Some("uniqueness"));
    let name = json!({ "userName": "BOB@example.com", "emails": [{ "value": "b2@example.com" }] });
    let name = directory.ask("POST", "/Users", Some(&name)).await;
    Directory::refused(&name, 409, Some("uniqueness"));
    assert!(
        !app.owner.all("members").await.iter().any(|it| it["user"]["email"] == "b2@example.com")
    );
}
