//! The one way out: sends a prepared request and reads the answer.

mod parts;
mod upload;

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use chrono::Utc;
use futures_util::StreamExt;
use parking_lot::Mutex;
use ralex_kernel::{Code, Problem, Secret};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    RETRY_AFTER,
};
use reqwest::{Response, redirect};
use url::Url;

use crate::answer::{self, Answer};
use crate::auth;
use crate::dialect::{Dialect, Operation};
use crate::egress::{EgressPolicy, Refused};
use crate::error::{Refusal, Stop, UpstreamError};
use crate::filter::TextFilter;
use crate::google;
use crate::operation;
use crate::patience::Timeouts;
use crate::prepare::{Prepared, Target};
use crate::simulated;
use crate::spec::{ProviderSpec, Scheme};
use crate::usage::{Meter, Usage};

pub use upload::Upload;

/// Reaches upstreams, within an egress policy. Cheap to clone; make one and share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    policy: EgressPolicy,
    timeouts: Timeouts,
    usual: Reach,
    /// For providers that may take another time to connect, which connections are made with.
    others: Arc<Mutex<HashMap<Duration, Reach>>>,
    google: google::Tokens,
}

/// One client for each scheme, since without TLS only listed networks may be reached, and a
/// resolver is not told the scheme.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    tls: reqwest::Client,
    plain: reqwest::Client,
}

/// So many are kept; with more of them connections are made anew, and no harm is done.
const MOST_REACHES: usize = 32;

/// No plain answer is larger; more would only fill the memory.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// Nor is an error that says something.
const MAX_REFUSAL: usize = 64 * 1024;

const API_VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

impl Client {
    pub fn new(policy: EgressPolicy, timeouts: Timeouts) -> Result<Self, Problem> {
        Ok(Self {
            usual: Reach::new(&policy, timeouts.connect)?,
            others: Arc::default(),
            policy,
            timeouts,
            google: google::Tokens::default(),
        })
    }

    pub fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// How long is waited for a model's provider.
    pub fn timeouts(&self, target: &Target) -> Timeouts {
        self.timeouts.but(target.spec.timeouts).but(target.patience)
    }

    /// Sends the request. Dropping the future, or the stream it gives, ends the upstream's work.
    pub async fn send(
        &self,
        prepared: &Prepared,
        key: Option<&Secret>,
    ) -> Result<Answer, UpstreamError> {
        self.send_through(prepared, key, None).await
    }

    /// The same, with a look at every text of the answer.
    pub async fn send_through(
        &self,
        prepared: &Prepared,
        key: Option<&Secret>,
        filter: Option<Box<dyn TextFilter>>,
    ) -> Result<Answer, UpstreamError> {
        if filter.is_some() && prepared.inbound.streamed() && prepared.inbound.answers() > 1 {
            let detail = "A guardrail looks at this answer, and can look at one stream only. Leave \
                          out `n`, or ask without a stream.";
            let problem = Problem::new(Code::Unsupported, detail);
            let usage = Some(Usage::default());
            return Err(UpstreamError::Stopped(Box::new(Stop { problem, usage })));
        }
        if filter.is_some() {
            operation::check_readable(&prepared.inbound).map_err(|problem| {
                let usage = Some(Usage::default());
                UpstreamError::Stopped(Box::new(Stop { problem, usage }))
            })?;
        }
        let Some(url) = &prepared.url else {
            return if prepared.inbound.operation() == Operation::Generate {
                simulated::answer(prepared, filter)
            } else {
                simulated::operate(prepared, filter)
            };
        };
        // A dialect may ask for something in the query; an admin's address may not.
        let mut address = url.clone();
        address.set_query(None);
        let refused = |problem: Problem| UpstreamError::Egress(problem.detail);
        self.policy.check_url(&address).map_err(refused)?;
        let token = self.token(&prepared.target.spec, key).await?;
        let key = token.as_deref().or(key);
        let answer = self.exchange(prepared, url, key, filter).await;
        let Some(key) = key else { return answer };
        answer.map(|answer| answer.without(key)).map_err(|error| error.without(key.expose()))
    }

    /// Asks and reads, where all is well with the address and the key.
    async fn exchange(
        &self,
        prepared: &Prepared,
        url: &Url,
        key: Option<&Secret>,
        filter: Option<Box<dyn TextFilter>>,
    ) -> Result<Answer, UpstreamError> {
        if !prepared.parts.is_empty() {
            let body = self.in_parts(prepared, url, key).await?;
            return operation::operated(prepared, body, filter);
        }
        let streamed = prepared.inbound.streamed();
        let timeouts = self.timeouts(&prepared.target);
        let wait = if streamed { timeouts.first_byte } else { timeouts.whole };
        let deadline = tokio::time::Instant::now() + wait;
        let timeout = |_| UpstreamError::Timeout;
        let request = self.request(prepared, url, key)?.send();
        let response = tokio::time::timeout_at(deadline, request).await.map_err(timeout)?;
        let response = response.map_err(|error| failure(&error))?;
        if !response.status().is_success() {
            return Err(refusal(response, key).await);
        }
        let conversation = prepared.inbound.operation() == Operation::Generate;
        if conversation && let Some(what) = strange(response.headers()) {
            return Err(UpstreamError::Malformed(what));
        }
        if streamed {
            return self.streamed(prepared, response, filter);
        }
        if !conversation && let Some(kind) = kind_beside_json(&response) {
            return self.raw(prepared, response, kind, filter);
        }
        let body = tokio::time::timeout_at(deadline, read(response, MAX_ANSWER));
        let body = body.await.map_err(timeout)??;
        if conversation {
            answer::whole(prepared, body, filter)
        } else {
            operation::operated(prepared, body, filter)
        }
    }

    /// What is shown instead of the key, where a provider takes only what is made from it.
    async fn token(
        &self,
        spec: &ProviderSpec,
        key: Option<&Secret>,
    ) -> Result<Option<Arc<Secret>>, UpstreamError> {
        let is_account = |key: &&Secret| google::Kind::of(key) == google::Kind::Account;
        match key.filter(is_account) {
            Some(key) if spec.auth.scheme == Scheme::Google => {
                let http = |url: &Url| self.usual.http(url).clone();
                self.google.of(key, &self.policy, http).await.map(Some)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// The connections that are made within this time.
    fn reach(&self, connect: Duration) -> Result<Reach, UpstreamError> {
        if connect == self.timeouts.connect {
            return Ok(self.usual.clone());
        }
        let mut others = self.others.lock();
        if let Some(reach) = others.get(&connect) {
            return Ok(reach.clone());
        }
        let reach = Reach::new(&self.policy, connect).map_err(|_| UpstreamError::Unreachable)?;
        if others.len() == MOST_REACHES {
            others.clear();
        }
        others.insert(connect, reach.clone());
        Ok(reach)
    }

    fn request(
        &self,
        prepared: &Prepared,
        url: &Url,
        key: Option<&Secret>,
    ) -> Result<reqwest::RequestBuilder, UpstreamError> {
        let reach = self.reach(self.timeouts(&prepared.target).connect)?;
        let dialect = prepared.upstream_dialect();
        let spec = &prepared.target.spec;
        let mut headers = HeaderMap::new();
        let manner = prepared.inbound.manner();
        let kind = manner.content_type.as_deref().and_then(|it| HeaderValue::from_str(it).ok());
        headers.extend(kind.map(|kind| (CONTENT_TYPE, kind)));
        if dialect == Dialect::AnthropicMessages {
            headers.insert(API_VERSION.0, HeaderValue::from_static(API_VERSION.1));
        }
        for (name, value) in &spec.quirks.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::from_str(value))
            {
                headers.insert(name, value);
            }
        }
        if dialect == prepared.inbound.dialect() {
            for (name, value) in prepared.inbound.headers() {
                if let Ok(value) = HeaderValue::from_str(value) {
                    headers.insert(*name, value);
                }
            }
        }
        let mut url = url.clone();
        if let (Some(key), Scheme::Sigv4) = (key, spec.auth.scheme) {
            headers.extend(auth::sign(key, &url, &headers, &prepared.body, Utc::now())?);
        } else if let Some(key) = key {
            let shown = auth::show(&spec.auth, key)?;
            url = auth::with_query(&url, &shown);
            headers.extend(shown.headers.into_iter().map(|(name, value)| (Some(name), value)));
        }
        let request = reach.http(&url).request(manner.method.clone(), url).headers(headers);
        // A request without a body has no length either.
        let without = prepared.body.is_empty() && manner.content_type.is_none();
        Ok(if without { request } else { request.body(prepared.body.clone()) })
    }

    fn raw(
        &self,
        prepared: &Prepared,
        response: Response,
        content_type: String,
        filter: Option<Box<dyn TextFilter>>,
    ) -> Result<Answer, UpstreamError> {
        let arriving = response.bytes_stream().map(|part| part.map_err(|error| cut(&error)));
        let arriving = arriving.boxed();
        let idle = self.timeouts(&prepared.target).idle;
        let arrived = operation::Arrived { content_type, arriving, idle };
        operation::raw(prepared, arrived, filter)
    }

    fn streamed(
        &self,
        prepared: &Prepared,
        response: Response,
        filter: Option<Box<dyn TextFilter>>,
    ) -> Result<Answer, UpstreamError> {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("application/json")) {
            return Err(UpstreamError::Malformed("it is not a stream"));
        }
        let meter = Meter::new(prepared.inbound.clone());
        let arriving = response.bytes_stream().map(|part| part.map_err(|error| cut(&error)));
        let idle = self.timeouts(&prepared.target).idle;
        Ok(Answer::Stream(answer::streamed(prepared, arriving.boxed(), idle, meter, filter)))
    }
}

impl Reach {
    pub(crate) fn new(policy: &EgressPolicy, connect: Duration) -> Result<Self, Problem> {
        Ok(Self { tls: http(policy, connect, false)?, plain: http(policy, connect, true)? })
    }

    pub(crate) fn http(&self, url: &Url) -> &reqwest::Client {
        if url.scheme() == "http" { &self.plain } else { &self.tls }
    }
}

/// Why what comes cannot be a model's words, where its headers say so already.
fn strange(headers: &HeaderMap) -> Option<&'static str> {
    let says = |name: HeaderName, what: fn(&str) -> bool| {
        headers.get(name).and_then(|it| it.to_str().ok()).is_some_and(what)
    };
    if says(CONTENT_ENCODING, |it| !it.eq_ignore_ascii_case("identity")) {
        return Some("it is compressed, which was not asked for");
    }
    says(CONTENT_TYPE, |kind| kind.starts_with("text/html"))
        .then_some("it is a web page, so that the provider's address may be wrong")
}

/// The type of an answer that is no JSON; one that does not say its type is taken for JSON.
fn kind_beside_json(response: &Response) -> Option<String> {
    let kind = response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = kind.split(';').next().unwrap_or(kind).trim();
    (!essence.eq_ignore_ascii_case("application/json")).then(|| kind.to_owned())
}

fn http(policy: &EgressPolicy, connect: Duration, plain: bool) -> Result<reqwest::Client, Problem> {
    reqwest::Client::builder()
        .user_agent(concat!("ralex/", env!("CARGO_PKG_VERSION")))
        // Without this a provider may choose, and a compressed stream says nothing until it ends.
        .default_headers(HeaderMap::from_iter([(
            ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        )]))
        // A redirect would carry the key to an address that nobody checked; so would a proxy that
        // the environment happens to name.
        .redirect(redirect::Policy::none())
        .no_proxy()
        .dns_resolver(policy.resolver(plain))
        .connect_timeout(connect)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        // Shorter than what providers keep, so that no request meets a closing connection.
        .pool_idle_timeout(Duration::from_mins(1))
        .pool_max_idle_per_host(256)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_while_idle(true)
        .build()
        .map_err(|error| Problem::new(Code::Internal, format!("no HTTP client: {error}")))
}

/// What a failure before the answer means. The error's text may name addresses: only its kind is
/// used.
fn failure(error: &reqwest::Error) -> UpstreamError {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return UpstreamError::Egress(format!(
                "The host `{}` is not public. An operator can allow its network with \
                 RALEX_EGRESS_ALLOW.",
                refused.host
            ));
        }
        source = cause.source();
    }
    match error {
        _ if error.is_timeout() => UpstreamError::Timeout,
        _ if error.is_connect() => UpstreamError::Unreachable,
        // The request may have arrived: the provider may have worked, and charge for it.
        _ => UpstreamError::Cut,
    }
}

fn cut(error: &reqwest::Error) -> UpstreamError {
    if error.is_timeout() { UpstreamError::Timeout } else { UpstreamError::Cut }
}

/// Reads an error's body, within limits of size and time.
async fn refusal(response: Response, key: Option<&Secret>) -> UpstreamError {
    const PATIENCE: Duration = Duration::from_secs(5);
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    // AWS says beside the body what kind of error it is: `ValidationException:http://…`.
    let kind = response.headers().get("x-amzn-errortype").and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(':').next()).map(str::to_owned);
    let body = tokio::time::timeout(PATIENCE, read(response, MAX_REFUSAL)).await;
    let body = body.ok().and_then(Result::ok).unwrap_or_default();
    let mut refusal = Refusal::read(status, &body, retry_after);
    refusal.kind = refusal.kind.or(kind);
    UpstreamError::Status(refusal).without(key.map(Secret::expose).unwrap_or_default())
}

/// Seconds, rounded up, from any of the three forms that providers use.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = || text("retry-after-ms")?.parse::<f64>().ok().map(|ms| ms / 1000.0);
    let seconds = || text(RETRY_AFTER.as_str())?.parse::<f64>().ok();
    let number = millis().or_else(seconds).filter(|it| (0.0..=LONGEST_RETRY).contains(it));
    number.map(whole_seconds).or_else(|| {
        let until = httpdate::parse_http_date(text(RETRY_AFTER.as_str())?).ok()?;
        let wait = until.duration_since(SystemTime::now()).unwrap_or_default().as_secs_f64();
        (wait <= LONGEST_RETRY).then(|| whole_seconds(wait))
    })
}

/// A day; what says more is no advice.
const LONGEST_RETRY: f64 = 86_400.0;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between zero and a day"
)]
fn whole_seconds(seconds: f64) -> u64 {
    seconds.ceil() as u64
}

pub(crate) async fn read(response: Response, limit: usize) -> Result<Bytes, UpstreamError> {
    let mut body = BytesMut::new();
    let mut parts = response.bytes_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| cut(&error))?;
        if body.len() + part.len() > limit {
            return Err(UpstreamError::Malformed("it is too large"));
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod upstream;

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(name: &'static str, value: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        retry_after(&headers)
    }

    #[test]
    fn the_wait_that_a_provider_advises_is_read_in_every_form() {
        assert_eq!(wait("retry-after", "7"), Some(7));
        assert_eq!(wait("retry-after", "1.2"), Some(2));
        assert_eq!(wait("retry-after-ms", "1500"), Some(2));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_mins(1));
        assert!(wait("retry-after", &soon).is_some_and(|wait| (58..=60).contains(&wait)));
        assert_eq!(wait("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), Some(0));
        for nonsense in ["-1", "soon", "NaN", "1e99", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(wait("retry-after", nonsense), None, "{nonsense}");
        }
    }
}
