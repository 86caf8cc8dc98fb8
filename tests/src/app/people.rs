//! Members and tokens of teams.

use serde_json::json;

use super::client::Client;
use super::{App, text};

/// A team's token.
#[derive(Clone, Debug)]
pub struct Token {
    pub id: String,
    pub secret: String,
    pub client: Client,
}

/// A member of the organisation.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub email: String,
    pub password: String,
    pub client: Client,
}

impl Person {
    pub(super) async fn join(app: &App, email: &str, role: &str, scope: &str) -> Self {
        let new = json!({ "email": email, "name": email, "role": role, "scope": scope });
        let made = app.owner.post("members", &new).await.ok();
        let password = format!("{role}-chosen-password");
        let client = app.first_login(email, &text(&made, "one_time_password"), &password).await;
        let id = text(&made["member"]["user"], "id");
        // As somebody who has held it for long: what is new does not count where they decide.
        let settle = "update binding set created_at = created_at - interval '2 days'";
        app.database.execute(&format!("{settle} where subject_id = '{id}'")).await;
        Self { id, email: email.to_owned(), password, client }
    }
}
