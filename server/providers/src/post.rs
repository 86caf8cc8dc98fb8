//! Sending what is not a call to where a tenant says, within the same walls: one POST, no redirect,
//! no address that the policy refuses.

use std::error::Error as _;
use std::time::Duration;

use ralex_kernel::Problem;
use reqwest::header::RETRY_AFTER;
use url::Url;

use crate::client::Reach;
use crate::egress::{EgressPolicy, Refused};

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
}

/// The error's text may name addresses: only its kind is told.
fn reason(error: &reqwest::Error) -> String {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return format!(
                "The host `{}` is not public. An operator can allow its network with \
                 RALEX_EGRESS_ALLOW.",
                refused.host
            );
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
