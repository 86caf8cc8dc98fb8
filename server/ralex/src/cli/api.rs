//! A running server as commands reach it: by its API, with a token.

use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Arg, ArgMatches, Command};
use ralex_api::changes::ChangeRequest;
use ralex_kernel::{Problem, Secret};
use reqwest::header::IF_MATCH;
use reqwest::{Method, RequestBuilder, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::Environment;
use super::credentials::Credentials;

pub const USUAL_URL: &str = "http://127.0.0.1:8080";
/// What the first start of a server calls its organisation.
const USUAL_ORG: &str = "default";
/// Longer than any answer that a server holds back.
const PATIENCE: Duration = Duration::from_mins(2);
/// What is large may take its time, as long as it comes.
const WHOLE_DOWNLOAD: Duration = Duration::from_hours(24);

/// What every command that asks a server takes.
pub fn flags(command: Command) -> Command {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).global(true)
    };
    command
        .arg(flag("url", "URL", "The server [RALEX_URL] [default: http://127.0.0.1:8080]"))
        .arg(flag("org", "SLUG", "The organisation [RALEX_ORG] [default: default]"))
        .arg(flag(
            "token-file",
            "FILE",
            "A file with the token, where RALEX_TOKEN does not hold it",
        ))
}

/// An organisation of a server.
pub struct Api {
    http: reqwest::Client,
    org: Url,
    token: Secret,
}

impl Api {
    pub fn of(matches: &ArgMatches, environment: &Environment) -> anyhow::Result<Self> {
        let told = |flag: &str, variable: &str, usual: &str| {
            let flag = matches.get_one::<String>(flag).cloned();
            flag.or_else(|| environment.get(variable).cloned()).unwrap_or_else(|| usual.to_owned())
        };
        let kept = Credentials::read(environment)?;
        let url = told("url", "RALEX_URL", kept.newest().unwrap_or(USUAL_URL));
        let mut org: Url = url.parse().with_context(|| format!("{url} is no address"))?;
        let stored = kept.token(&org);
        org.path_segments_mut()
            .map_err(|()| anyhow!("{url} is no address of a server"))?
            .pop_if_empty()
            .extend(["api", "v1", "orgs", &told("org", "RALEX_ORG", USUAL_ORG)]);
        let token = match matches.get_one::<String>("token-file") {
            Some(file) => fs::read_to_string(file).with_context(|| format!("{file}: no token"))?,
            None => environment.get("RALEX_TOKEN").cloned().or(stored).context(
                "No token. Log in with `ralex login`, put a token into RALEX_TOKEN, or name a file \
                 with --token-file.",
            )?,
        };
        let http = client()?;
        Ok(Self { http, org, token: Secret::new(token.trim().to_owned()) })
    }

    /// The same server, at what operators do there.
    pub fn operator(&self) -> anyhow::Result<Self> {
        self.beside("/api/v1/operator")
    }

    /// The same server, at what one has there oneself.
    pub fn account(&self) -> anyhow::Result<Self> {
        self.beside("/api/v1/me")
    }

    fn beside(&self, path: &str) -> anyhow::Result<Self> {
        let org = self.org.join(path)?;
        let token = Secret::new(self.token.expose().to_owned());
        Ok(Self { http: self.http.clone(), org, token })
    }

    /// A link of the server's in full, where its settings do not say how people reach it.
    pub fn absolute(&self, link: &str) -> String {
        self.org.join(link).map_or_else(|_| link.to_owned(), Into::into)
    }

    /// A page of the organisation in the console.
    pub fn console(&self, page: &str) -> String {
        let org = self.org.path_segments().and_then(|mut all| all.next_back()).unwrap_or_default();
        self.absolute(&format!("/o/{org}/{page}"))
    }

    /// The same server, at an address that is no organisation's.
    pub async fn get_beside<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = self.org.join(path)?;
        self.send(self.http.get(url).bearer_auth(self.token.expose())).await
    }

    /// The same for what is asked with a body.
    pub async fn post_beside<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let url = self.org.join(path)?;
        self.send(self.http.post(url).bearer_auth(self.token.expose()).json(body)).await
    }

    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.send(self.request(Method::GET, path)?.query(query)).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.send(self.request(Method::POST, path)?.json(body)).await
    }

    /// The same with a header that says when it is meant.
    pub async fn post_if<T: DeserializeOwned>(
        &self,
        path: &[&str],
        header: Option<(&str, String)>,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let mut request = self.request(Method::POST, path)?.json(body);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        self.send(request).await
    }

    /// A request that says how in its query, and has no body.
    pub async fn post_asking<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.send(self.request(Method::POST, path)?.query(query)).await
    }

    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.send(self.request(Method::PATCH, path)?.json(body)).await
    }

    /// A change of one version of something; of any where none is said.
    pub async fn patch_if<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        version: Option<u64>,
    ) -> anyhow::Result<T> {
        let request = self.request(Method::PATCH, path)?.json(body);
        self.send(of_version(request, version)).await
    }

    pub async fn put<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.send(self.request(Method::PUT, path)?.json(body)).await
    }

    /// Deletes what leaves something behind to tell.
    pub async fn delete_for<T: DeserializeOwned>(&self, path: &[&str]) -> anyhow::Result<T> {
        self.send(self.request(Method::DELETE, path)?).await
    }

    pub async fn delete(&self, path: &[&str]) -> anyhow::Result<()> {
        self.delete_if(path, None).await
    }

    /// Deletes one version of something; any where none is said.
    pub async fn delete_if(&self, path: &[&str], version: Option<u64>) -> anyhow::Result<()> {
        let request = of_version(self.request(Method::DELETE, path)?, version);
        let (server, answer) = self.ask(request).await?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refused(&server, answer).await);
        }
        if status == StatusCode::ACCEPTED {
            let body = answer.bytes().await.with_context(|| format!("{server} broke off"))?;
            waits(&body)?;
        }
        Ok(())
    }

    /// An answer of any length, to be read as it comes.
    pub async fn download(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> anyhow::Result<reqwest::Response> {
        let request = self.request(Method::GET, path)?.query(query).timeout(WHOLE_DOWNLOAD);
        let (server, answer) = self.ask(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(refused(&server, answer).await)
    }

    /// The same where asking for it is more than reading.
    pub async fn download_post(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> anyhow::Result<reqwest::Response> {
        let request = self.request(Method::POST, path)?.json(body).timeout(WHOLE_DOWNLOAD);
        let (server, answer) = self.ask(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(refused(&server, answer).await)
    }

    fn request(&self, method: Method, path: &[&str]) -> anyhow::Result<RequestBuilder> {
        let mut url = self.org.clone();
        url.path_segments_mut().map_err(|()| anyhow!("no address of a server"))?.extend(path);
        Ok(self.http.request(method, url).bearer_auth(self.token.expose()))
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let (server, answer) = self.ask(request).await?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refused(&server, answer).await);
        }
        let body = answer.bytes().await.with_context(|| format!("{server} broke off"))?;
        if status == StatusCode::ACCEPTED {
            waits(&body)?;
        }
        serde_json::from_slice(&body)
            .with_context(|| format!("{server} answered with something else than expected"))
    }

    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<(String, reqwest::Response)> {
        let server = self.org.origin().ascii_serialization();
        let answer = request.send().await.map_err(|error| {
            // The address of the request is no news, and the innermost cause is what helps.
            let why = anyhow!(error.without_url());
            anyhow!("{server} cannot be reached: {}", why.root_cause())
        })?;
        Ok((server, answer))
    }
}

fn of_version(request: RequestBuilder, version: Option<u64>) -> RequestBuilder {
    match version {
        Some(version) => request.header(IF_MATCH, format!("\"{version}\"")),
        None => request,
    }
}

/// A client of servers that goes where it is told and nowhere else.
pub fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("ralex/", env!("CARGO_PKG_VERSION")))
        .build()?)
}

/// That nothing was done, since it takes a second person.
#[derive(Debug)]
pub struct Waits(pub Box<ChangeRequest>);

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("This waits for a second person.")
    }
}

/// What is accepted and not done may wait for a second person.
fn waits(body: &[u8]) -> anyhow::Result<()> {
    match serde_json::from_slice(body) {
        Ok(request) => Err(anyhow::Error::msg(Waits(Box::new(request)))),
        Err(_) => Ok(()),
    }
}

async fn refused(server: &str, answer: reqwest::Response) -> anyhow::Error {
    let status = answer.status();
    let Ok(body) = answer.bytes().await else { return anyhow!("{server} broke off") };
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => anyhow!("{}", said(&problem)),
        Err(_) => anyhow!("{server} answered with status {status}, and is perhaps no Ralex."),
    }
}

fn said(problem: &Problem) -> String {
    // Of one field the detail tells it all.
    if let [only] = problem.errors.as_slice()
        && problem.detail.contains(&only.message)
    {
        return problem.detail.clone();
    }
    let fields =
        problem.errors.iter().map(|field| format!("\n  {}: {}", field.path, field.message));
    format!("{}{}", problem.detail, fields.collect::<String>())
}
