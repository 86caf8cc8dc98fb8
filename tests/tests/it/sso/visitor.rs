//! A browser as far as logins need one: it keeps cookies, and goes where it is sent one step at a time.

use std::collections::BTreeMap;

use ralex_tests::app::{Answer, Client};
use reqwest::{Method, redirect};
use serde_json::Value;
use url::Url;

pub struct Visitor {
    http: reqwest::Client,
    url: String,
    cookies: BTreeMap<String, String>,
    /// The last cookies as they were set.
    set: Vec<String>,
}

impl Visitor {
    pub fn of(url: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none());
        Self {
            http: http.build().unwrap(),
            url: url.to_owned(),
            cookies: BTreeMap::new(),
            set: Vec::new(),
        }
    }

    /// Begins a login, and gives where the browser is sent.
    pub async fn start(&mut self, provider: &str) -> String {
        self.follow(&format!("{}/api/v1/auth/sso/default/{provider}/start", self.url)).await
    }

    /// Goes to an address with the cookies that there are, and gives where it leads.
    pub async fn follow(&mut self, address: &str) -> String {
        let answer = self.http.get(address).header("cookie", self.sent()).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{address}");
        self.set.clear();
        for set in answer.headers().get_all("set-cookie") {
            let set = set.to_str().unwrap();
            self.set.push(set.to_owned());
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Logs in by a password.
    pub async fn password(&mut self, email: &str, password: &str) {
        let session = Client::anonymous(&self.url).session(email, password).await;
        let (name, value) = session.split_once('=').unwrap();
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// Also keeps what the answer sets, as a browser does.
    pub async fn post(&mut self, path: &str, body: &Value) -> Answer {
        let answer = self.send(Method::POST, path, Some(body)).await;
        for set in answer.headers.get_all("set-cookie") {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let client = Client::anonymous(&self.url);
        let request = client.request(method, path).header("cookie", self.sent());
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        client.answered(request).await
    }

    /// The session's cookie as it is sent; empty where there is none.
    pub fn session(&self) -> String {
        let session = self.cookies.get("ralex_session");
        session.map(|value| format!("ralex_session={value}")).unwrap_or_default()
    }

    /// How a cookie was set last.
    pub fn set_cookie(&self, name: &str) -> Option<&str> {
        self.set.iter().map(String::as_str).find(|it| it.starts_with(&format!("{name}=")))
    }

    fn sent(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }
}

/// The same address with one of its parameters otherwise, or without it.
pub fn with(address: &str, name: &str, value: Option<&str>) -> String {
    let mut url: Url = address.parse().unwrap();
    let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    pairs.retain(|(key, _)| key != name);
    pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url.to_string()
}

/// One parameter of an address.
pub fn part(address: &str, name: &str) -> String {
    let url: Url = address.parse().unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}
