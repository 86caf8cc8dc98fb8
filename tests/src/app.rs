//! The real binary, started as an operator starts it, with clients to talk to it.
//!
//! Every [`App`] has a database, a data folder and a port of its own, so tests run beside each
//! other. Nothing here reaches into the server: what a test cannot see through HTTP, the log or
//! the database, nobody can. Whatever fails here panics, since a test that cannot begin has failed.

#![expect(
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "all of it panics, as its first lines say"
)]

mod answer;
mod client;
mod database;
mod dialect;
mod link;
mod node;
mod people;
mod shell;
mod stream;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

pub use answer::Answer;
pub use client::{Client, ORG};
pub use database::Database;
pub use dialect::{ALL as DIALECTS, Dialect};
pub use link::Link;
pub use node::{Node, binary, command, run};
pub use people::{Person, Token};
pub use shell::Shell;
pub use stream::Streaming;

use crate::upstream::Upstream;

/// The owner, as the first start makes them.
pub const EMAIL: &str = "owner@example.com";
pub const PASSWORD: &str = "correct-horse-battery";

/// A deployment of one node, and more where a test starts them.
pub struct App {
    /// Ends before its database does.
    pub node: Node,
    pub database: Database,
    /// The owner, by a personal token.
    pub owner: Client,
    settings: Vec<(String, String)>,
}

impl App {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With settings beside the usual ones, or in their place (`("RALEX_LOG", "debug")`).
    pub async fn start_with(more: &[(&str, &str)]) -> Self {
        Self::start_on(Database::fresh().await, more).await
    }

    /// On a database that the test has made; an empty `RALEX_DATABASE_URL` starts the built-in one.
    pub async fn start_on(database: Database, more: &[(&str, &str)]) -> Self {
        let mut settings = vec![
            ("RALEX_LISTEN", "127.0.0.1:0"),
            ("RALEX_DATABASE_URL", database.url()),
            ("RALEX_ADMIN_EMAIL", EMAIL),
            ("RALEX_ADMIN_PASSWORD", PASSWORD),
            ("RALEX_EGRESS_ALLOW", "127.0.0.0/8"),
            ("RALEX_LOG", "warn"),
        ];
        settings.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        settings.extend(more);
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let settings: Vec<_> = settings.into_iter().map(own).collect();
        let node = Node::start(&settings, None).await;
        let owner = Client::anonymous(node.url()).login(EMAIL, PASSWORD).await;
        Self { node, database, owner, settings }
    }

    /// Another node on the same database, with a copy of the seal as an operator would give it.
    pub async fn second(&self) -> Node {
        self.node_with(&[]).await
    }

    /// The same with settings in place of the first node's.
    pub async fn node_with(&self, more: &[(&str, &str)]) -> Node {
        let seal = self.node.data_dir().join("seal.key");
        Node::start(&self.with_settings(more), Some(&seal)).await
    }

    /// The same with nothing of the first node's, for another database.
    pub async fn node_fresh(&self, more: &[(&str, &str)]) -> Node {
        Node::start(&self.with_settings(more), None).await
    }

    fn with_settings(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let more: Vec<_> = more.iter().map(own).collect();
        let kept = self.settings.iter().filter(|(name, _)| more.iter().all(|(it, _)| it != name));
        kept.chain(&more).cloned().collect()
    }

    /// Starts a killed node again, in its folder; it listens at a new port.
    pub async fn restart(&mut self) {
        self.node.again(&self.settings).await;
        self.owner = self.owner.at(&self.node);
    }

    pub fn anonymous(&self) -> Client {
        Client::anonymous(self.node.url())
    }

    /// Somebody by a token's secret.
    pub fn with(&self, secret: &str) -> Client {
        self.anonymous().with(secret)
    }

    pub async fn team(&self, slug: &str) {
        self.owner.post("teams", &json!({ "slug": slug, "name": slug })).await.ok();
    }

    /// A team of this name, with a token of it.
    pub async fn token(&self, team: &str) -> Token {
        self.team(team).await;
        self.token_of(&json!({ "name": team, "team": team })).await
    }

    pub async fn token_of(&self, new: &Value) -> Token {
        let made = self.owner.post("tokens", new).await.ok();
        let secret = text(&made, "token");
        Token { id: text(&made, "id"), client: self.with(&secret), secret }
    }

    /// A member who chose a password and works by a personal token.
    pub async fn member(&self, email: &str, role: &str, scope: &str) -> Person {
        Person::join(self, email, role, scope).await
    }

    /// Replaces a password that is to be used once, and comes in by the one chosen.
    pub async fn first_login(&self, email: &str, once: &str, chosen: &str) -> Client {
        let anonymous = self.anonymous();
        let cookie = anonymous.session(email, once).await;
        let change = json!({ "current": once, "new": chosen });
        let request = anonymous.request(Method::POST, "/api/v1/auth/password");
        anonymous.answered(request.header("cookie", cookie).json(&change)).await.ok();
        anonymous.login(email, chosen).await
    }

    /// A provider of a kind at the scripted one, with a key where it needs one and one model, both
    /// named after `slug`.
    pub async fn provider(&self, slug: &str, kind: &str, upstream: &Upstream, key: &str) {
        let base = match kind {
            "openai" | "openai_compatible" => format!("{}/v1", upstream.url()),
            _ => upstream.url(),
        };
        let new = json!({ "slug": slug, "kind": kind, "base_url": base });
        self.owner.post("providers", &new).await.ok();
        let new = json!({ "name": slug, "provider": slug, "value": key });
        self.owner.post("secrets", &new).await.ok();
        self.model(slug, slug).await;
    }

    /// A model that costs 3 dollars for a million tokens in, 15 for a million out.
    pub async fn model(&self, name: &str, provider: &str) {
        let new = json!({
            "name": name, "provider": provider, "upstream_model": name,
            "input_price": "3", "output_price": "15",
            "context_window": 1000, "max_output": 100,
        });
        self.owner.post("models", &new).await.ok();
    }

    pub async fn budget(&self, scope: &str, limit: &str, hard: bool) -> String {
        let new = json!({ "scope": scope, "period": "total", "limit": limit, "hard": hard });
        text(&self.owner.post("budgets", &new).await.ok(), "id")
    }
}

/// A text field of an answer.
#[track_caller]
pub fn text(value: &Value, field: &str) -> String {
    match value[field].as_str() {
        Some(text) => text.to_owned(),
        None => panic!("`{field}` is no text in {value}"),
    }
}

/// An amount of dollars as whole nano-dollars.
#[track_caller]
pub fn nanos(dollars: &Value) -> i64 {
    let amount = dollars.as_str().map(str::parse::<ralex_kernel::Money>);
    match amount {
        Some(Ok(amount)) => amount.as_nanos(),
        _ => panic!("{dollars} is no amount of dollars"),
    }
}

/// Asks again and again until there is something; fails after `within`.
pub async fn until<T>(what: &str, within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "within {within:?} it did not happen that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The checkout, for suites that read it.
pub fn checkout() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
