//! Sending what is not a call to where a tenant says, within the same walls: one POST, one object
//! or one connection, no redirect, no address that the policy refuses.

use std::error::Error as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use ralex_kernel::Problem;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{RequestBuilder, StatusCode};
use sha2::{Digest, Sha256};
use url::Url;

use crate::client::Reach;
use crate::egress::{EgressPolicy, Refused};
use crate::sigv4::{self, AccessKey};

/// So much of an answer is read, to tell what it says.
const EXCERPT: usize = 1_024;

/// Posts, within an egress policy. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Post {
    policy: EgressPolicy,
    reach: Reach,
}

/// The receiver's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub status: u16,
    /// Seconds, where it says when to come again.
    pub retry_after: Option<u64>,
    /// How its text begins.
    pub excerpt: String,
}

/// What a store of objects knows us by.
#[derive(Clone, Copy)]
pub struct StoreKey<'a> {
    pub id: &'a str,
    pub secret: &'a str,
    pub session: Option<&'a str>,
    pub region: &'a str,
}

/// Something that is stored under a name of its own. Its address may hold letters, digits and
/// `-._~/` only, which are written in one way everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    pub url: &'a Url,
    pub content_type: &'static str,
    pub body: &'a [u8],
}

impl Post {
    pub fn new(policy: EgressPolicy) -> Result<Self, Problem> {
        let reach = Reach::new(&policy, Duration::from_secs(5))?;
        Ok(Self { policy, reach })
    }

    /// Refuses an address that nothing may be sent to. Names are resolved only when it is sent.
    pub fn check(&self, url: &Url) -> Result<(), Problem> {
        self.policy.check_url(url).map_err(|mut problem| {
            problem.detail = problem.detail.replace("A provider's address", "The address");
            problem
        })
    }

    /// Sends, and says in a sentence why no answer came if none did.
    pub async fn send(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<Posted, String> {
        self.check(url).map_err(|problem| problem.detail)?;
        let request = self.reach.http(url).post(url.clone()).timeout(patience).body(body);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        answer(request).await
    }

    /// Stores an object that is not there yet. What is there already under its name stays, and is
    /// said by status 412; a store that knows no such condition is asked without it.
    pub async fn store(
        &self,
        object: &Object<'_>,
        key: &StoreKey<'_>,
        patience: Duration,
    ) -> Result<Posted, String> {
        self.check(object.url).map_err(|problem| problem.detail)?;
        let posted = answer(self.put(object, key, true)?.timeout(patience)).await?;
        if posted.status != StatusCode::NOT_IMPLEMENTED.as_u16() {
            return Ok(posted);
        }
        answer(self.put(object, key, false)?.timeout(patience)).await
    }

    fn put(
        &self,
        object: &Object<'_>,
        key: &StoreKey<'_>,
        once: bool,
    ) -> Result<RequestBuilder, String> {
        let digest = Sha256::digest(object.body);
        let mut headers = vec![
            (CONTENT_TYPE, object.content_type.to_owned()),
            (HeaderName::from_static("x-amz-content-sha256"), hex::encode(digest)),
            // A bucket that keeps what it has against everybody wants one.
            (HeaderName::from_static("x-amz-checksum-sha256"), STANDARD.encode(digest)),
        ];
        if once {
            headers.push((IF_NONE_MATCH, "*".to_owned()));
        }
        let unusable = |_| "Its key is none that a request can be signed with.".to_owned();
        let signed: Result<Vec<_>, _> = headers
            .into_iter()
            .map(|(name, value)| HeaderValue::from_str(&value).map(|value| (name, value)))
            .collect();
        let signed = signed.map_err(|_| unusable(sigv4::Unusable))?;
        let request = sigv4::Request {
            method: "PUT",
            url: object.url,
            body: object.body,
            at: Utc::now(),
            region: key.region,
            service: "s3",
        };
        let StoreKey { id, secret, session, region } = *key;
        let key = AccessKey { id, secret, session, region: Some(region) };
        let proof = key.sign(&request, &signed).map_err(unusable)?;
        let put = self.reach.http(object.url).put(object.url.clone()).body(object.body.to_vec());
        let put = signed.into_iter().fold(put, |put, (name, value)| put.header(name, value));
        Ok(put.headers(proof))
    }

    /// The region that a store's address names.
    pub fn region(url: &Url) -> Option<String> {
        sigv4::region_of_host(url)
    }

    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    pub(crate) fn policy(&self) -> &EgressPolicy {
        &self.policy
    }
}

async fn answer(request: RequestBuilder) -> Result<Posted, String> {
    let mut answer = request.send().await.map_err(|error| reason(&error))?;
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok());
    let retry_after = seconds.and_then(|it| it.trim().parse().ok());
    let mut text = Vec::new();
    // An answer that breaks off has a status already, and that is what counts.
    while let Ok(Some(chunk)) = answer.chunk().await {
        text.extend_from_slice(&chunk);
        if text.len() >= EXCERPT {
            text.truncate(EXCERPT);
            break;
        }
    }
    let excerpt = String::from_utf8_lossy(&text).into_owned();
    Ok(Posted { status: answer.status().as_u16(), retry_after, excerpt })
}

/// Why nobody is connected to.
pub(crate) fn not_public(host: &str) -> String {
    format!(
        "The host `{host}` is not public. An operator can allow its network with \
         RALEX_EGRESS_ALLOW."
    )
}

/// The error's text may name addresses: only its kind is told.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return not_public(&refused.host);
        }
        source = cause.source();
    }
    let why = match error {
        _ if error.is_timeout() => "No answer came in time.",
        _ if error.is_connect() => "It cannot be reached.",
        _ => "The connection broke off.",
    };
    why.to_owned()
}
