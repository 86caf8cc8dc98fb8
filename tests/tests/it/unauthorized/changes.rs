//! A change that takes two people and waits, for the operations on such changes.

use ralex_tests::app::{App, text};
use reqwest::Method;
use serde_json::{Value, json};

/// One that waits.
pub async fn asked(app: &App) -> String {
    let set = body("PUT …/settings");
    app.owner.send(Method::PUT, "change-requests/settings", Some(&set)).await.ok();
    let secrets = app.owner.all("secrets").await;
    let path = format!("secrets/{}", text(&secrets[0], "id"));
    text(&app.owner.delete(&path).await.json(), "id")
}

pub fn body(operation: &str) -> Value {
    if operation.ends_with("settings") {
        return json!({ "actions": ["secret.delete"], "pending_minutes": 60 });
    }
    json!({ "reason": "why" })
}
