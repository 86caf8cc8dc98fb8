//! A change that takes two people and waits, for the operations on such changes.

use ralex_tests::app::{App, text};
use reqwest::Method;
use serde_json::{Value, json};

/// One that waits.
pub async fn asked(app: &App) -> String {
    // Nothing takes two where there are not two.
    let other = app.member("other-owner@example.com", "owner", "org").await;
    let set = body("PUT …/settings");
    app.owner.send(Method::PUT, "change-requests/settings", Some(&set)).await.ok();
    let secrets = app.owner.all("secrets").await;
    let path = format!("secrets/{}", text(&secrets[0], "id"));
    let asked = text(&app.owner.delete(&path).await.json(), "id");
    app.owner.delete(&format!("members/{}", other.id)).await.ok();
    asked
}

pub fn body(operation: &str) -> Value {
    if operation.ends_with("settings") {
        return json!({ "actions": ["secret.delete"], "pending_minutes": 60 });
    }
    json!({ "reason": "why" })
}
