//! The control plane through its API, as the owner.

use anyhow::{Context, bail};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::server::OWNER;

/// Calls of `/api/v1` with a personal token, which outlives restarts.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    /// Logs in and makes a token.
    pub async fn log_in(url: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().tcp_nodelay(true).build()?;
        let api = Self { client, url: url.to_owned(), token: String::new() };
        let login = json!({ "email": OWNER.0, "password": OWNER.1 });
        let answer =
            api.client.post(format!("{url}/api/v1/auth/login")).json(&login).send().await?;
        let cookie =
            answer.headers().get_all("set-cookie").into_iter().find_map(|value| {
                value.to_str().ok().filter(|text| text.contains("ralex_session="))
            });
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).context("no session")?;
        let request = api.client.post(format!("{url}/api/v1/me/tokens")).header("cookie", cookie);
        let answer = request.json(&json!({ "name": "measuring" })).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        let token = answer["token"].as_str().context("no token")?.to_owned();
        Ok(Self { token, ..api })
    }

    /// The same owner, where the server listens now.
    pub fn moved(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    pub async fn send(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let url = format!("{}/api/v1{path}", self.url);
        let request = self.client.request(method, url).bearer_auth(&self.token).json(&body);
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{path}: {status}: {text}");
        }
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    /// Of the one organisation.
    pub async fn create(&self, what: &str, body: Value) -> anyhow::Result<Value> {
        self.send(Method::POST, &format!("/orgs/default/{what}"), body).await
    }

    pub async fn find<T: DeserializeOwned>(&self, what: &str) -> anyhow::Result<T> {
        Ok(serde_json::from_slice(&self.bytes(what).await?)?)
    }

    pub async fn bytes(&self, what: &str) -> anyhow::Result<Vec<u8>> {
        let url = format!("{}/api/v1/orgs/default/{what}", self.url);
        let answer = self.client.get(url).bearer_auth(&self.token).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        if !status.is_success() {
            bail!("{what}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body.to_vec())
    }

    /// What Prometheus would read.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        Ok(self.client.get(format!("{}/metrics", self.url)).send().await?.text().await?)
    }
}
