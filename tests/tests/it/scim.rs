//! Provisioning by an organisation's own directory, over the protocol that Okta and Entra speak.

mod deactivation;
mod directories;
mod groups;
mod limits;
mod walls;

use ralex_tests::app::{Answer, App, Client, Node, text};
use reqwest::Method;
use serde_json::{Value, json};

pub const BASE: &str = "/scim/v2/default";
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Who speaks for a directory.
#[derive(Clone)]
pub struct Directory(Client);

impl Directory {
    /// Has the directory of the first organisation heard.
    pub async fn of(app: &App) -> Self {
        app.owner.send(Method::PUT, "scim", Some(&json!({ "enabled": true }))).await.ok();
        let made = app.owner.post("scim/tokens", &json!({ "name": "Corp" })).await.ok();
        Self(app.with(&text(&made, "token")))
    }

    /// The same with this token.
    pub fn by(client: Client) -> Self {
        Self(client)
    }

    /// The same at another node.
    pub fn at(&self, node: &Node) -> Self {
        Self(self.0.at(node))
    }

    pub async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.0.send(method.parse().unwrap(), &format!("{BASE}{path}"), body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None).await
    }

    /// Makes somebody, with an address for a name, and gives their id.
    pub async fn user(&self, email: &str) -> String {
        let new = json!({ "userName": email, "displayName": email, "active": true });
        let made = self.ask("POST", "/Users", Some(&new)).await;
        assert_eq!(made.status, 201, "{made:?}");
        text(&made.json(), "id")
    }

    /// Makes a group of these people, and gives its id.
    pub async fn group(&self, name: &str, people: &[&str]) -> String {
        let members: Vec<_> = people.iter().map(|id| json!({ "value": id })).collect();
        let new = json!({ "displayName": name, "members": members });
        let made = self.ask("POST", "/Groups", Some(&new)).await;
        assert_eq!(made.status, 201, "{made:?}");
        text(&made.json(), "id")
    }

    pub async fn patch(&self, path: &str, operation: Value) -> Answer {
        let body = json!({ "schemas": [PATCH], "Operations": [operation] });
        self.ask("PATCH", path, Some(&body)).await
    }

    pub fn refused(answer: &Answer, status: u16, kind: Option<&str>) {
        let told = answer.json();
        assert_eq!(
            (answer.status, told["status"].as_str(), told["scimType"].as_str()),
            (status, Some(status.to_string().as_str()), kind),
            "{answer:?}"
        );
        assert!(!text(&told, "detail").is_empty());
        assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    }
}
