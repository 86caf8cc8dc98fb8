//! Somebody who asks: by a token, by a session's cookie, or without any credential.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::answer::Answer;
use super::dialect::Dialect;
use super::node::Node;
use super::stream::Streaming;
use super::text;

/// The organisation of the first start.
pub const ORG: &str = "/api/v1/orgs/default";

#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    secret: Option<String>,
    cookie: Option<String>,
}

impl Client {
    pub fn anonymous(url: &str) -> Self {
        // Kept connections are a server's business with its own clients; tests count requests.
        let http = reqwest::Client::builder().no_proxy().build().unwrap_or_default();
        Self { http, url: url.to_owned(), secret: None, cookie: None }
    }

    /// The same connections with another token.
    pub fn with(&self, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), ..self.clone() }
    }

    pub fn without(&self) -> Self {
        Self { secret: None, ..self.clone() }
    }

    /// The same connections within a session, by its cookie.
    pub fn in_session(&self, cookie: &str) -> Self {
        Self { secret: None, cookie: Some(cookie.to_owned()), ..self.clone() }
    }

    /// The same credential at another node.
    pub fn at(&self, node: &Node) -> Self {
        Self { url: node.url().to_owned(), ..self.clone() }
    }

    /// The token that it asks with, for what is no client of ours.
    pub fn secret(&self) -> String {
        self.secret.clone().unwrap_or_default()
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Logs in, and makes a personal token to go on with.
    pub async fn login(&self, email: &str, password: &str) -> Self {
        let cookie = self.session(email, password).await;
        let request = self.request(Method::POST, "/api/v1/me/tokens").header("cookie", &cookie);
        let made = self.answered(request.json(&json!({ "name": "tests" }))).await.ok();
        self.with(&text(&made, "token"))
    }

    /// Logs in; the answer is the session's cookie as a browser sends it back.
    pub async fn session(&self, email: &str, password: &str) -> String {
        let login = json!({ "email": email, "password": password });
        let answer = self.post("/api/v1/auth/login", &login).await;
        answer.ok();
        answer.cookie()
    }

    /// A path from the root, or without a slash one within the organisation (`teams`).
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = match path {
            "" => ORG.to_owned(),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("{ORG}/{path}"),
        };
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        match &self.secret {
            Some(secret) => request.bearer_auth(secret),
            None => request,
        }
    }

    pub async fn answered(&self, request: RequestBuilder) -> Answer {
        match self.try_answered(request).await {
            Ok(answer) => answer,
            Err(error) => panic!("no answer: {error:?}"),
        }
    }

    /// The same where the server may be gone.
    pub async fn try_answered(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let request = request.build()?;
        let asked = format!("{} {}", request.method(), request.url().path());
        let response = self.http.execute(request).await?;
        Ok(Answer::read(asked, response).await)
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.request(method, path);
        self.answered(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Says yes to the invitation of an organisation, by the link in an answer or in what a command said.
    pub async fn accept(&self, invitation: &Value) -> Value {
        let text = text(invitation, "link");
        let link = text.split("/welcome#").nth(1).and_then(|it| it.split_whitespace().next());
        let said = json!({ "link": link, "accept": true });
        self.post("/api/v1/auth/link/join", &said).await.ok()
    }

    /// All items of a list, page by page.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{joint}limit=500{cursor}")).await.ok();
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            let Some(next) = page["next_cursor"].as_str() else { return items };
            cursor = format!("&cursor={next}");
        }
    }

    /// A plain call of a model.
    pub async fn call(&self, dialect: Dialect, model: &str, question: &str) -> Answer {
        self.post(&dialect.path(model, false), &dialect.body(model, question)).await
    }

    /// A streamed call of a model, from its first byte on.
    pub async fn stream(&self, dialect: Dialect, model: &str, question: &str) -> Streaming {
        let body = dialect.streamed(model, question);
        let request = self.request(Method::POST, &dialect.path(model, true)).json(&body);
        match request.send().await {
            Ok(response) => Streaming::new(response),
            Err(error) => panic!("no answer: {error:?}"),
        }
    }
}
