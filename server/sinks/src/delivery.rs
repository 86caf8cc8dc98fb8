//! One delivery: what is sent, and what its answer means.

use std::time::Duration;

use chrono::Utc;
use ralex_audit::{Form, Told};
use ralex_kernel::{OrgId, Problem, SinkId};
use ralex_providers::Posted;
use url::Url;

use crate::{Sinks, webhook};

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// So much of an answer is told.
const SAID: usize = 200;

/// Where a delivery goes.
pub(crate) struct Receiver<'a> {
    pub org: OrgId,
    pub id: SinkId,
    pub url: &'a str,
    pub sealed: &'a [u8],
}

/// What came of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Taken {
        status: u16,
    },
    /// Not now, and perhaps later.
    Failed {
        why: String,
        retry_after: Option<u64>,
    },
    /// Never: the same again would be refused again.
    Refused {
        why: String,
    },
}

impl Outcome {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "taken",
            Self::Failed { .. } => "failed",
            Self::Refused { .. } => "refused",
        }
    }
}

impl Sinks {
    /// Sends records that follow each other.
    pub(crate) async fn deliver(
        &self,
        receiver: &Receiver<'_>,
        told: &[Told],
    ) -> Result<Outcome, Problem> {
        let origin = self.0.audit.origin(receiver.org);
        let events: Result<Vec<_>, _> =
            told.iter().map(|told| Form::CloudEvents.line(told, &origin)).collect();
        let span = told.first().zip(told.last()).map(|(first, last)| (first.index, last.index));
        let (first, last) = span.unwrap_or_default();
        // The same records have the same name, however often they are sent.
        let name = format!("{}.{first}-{last}", receiver.id);
        self.post(receiver, &name, events?).await
    }

    /// Sends something that is no record, to see whether it arrives.
    pub(crate) async fn try_out(&self, receiver: &Receiver<'_>) -> Result<Outcome, Problem> {
        let (now, origin) = (Utc::now(), self.0.audit.origin(receiver.org));
        let name = format!("{}.test-{}", receiver.id, now.timestamp_millis());
        let time = now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let event = format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{name}\",\"source\":\"{origin}\",\"type\":\"ralex.audit.test\",\"time\":\"{time}\"}}"
        );
        self.post(receiver, &name, vec![event]).await
    }

    async fn post(
        &self,
        receiver: &Receiver<'_>,
        name: &str,
        events: Vec<String>,
    ) -> Result<Outcome, Problem> {
        let Ok(url) = receiver.url.parse::<Url>() else {
            return Ok(Outcome::Failed { why: "Its address is none.".into(), retry_after: None });
        };
        let secret = self.secret(receiver.org, receiver.id, receiver.sealed)?;
        let body = format!("[{}]", events.join(",")).into_bytes();
        let mut headers =
            vec![("content-type", "application/cloudevents-batch+json; charset=utf-8".to_owned())];
        headers.extend(webhook::headers(&secret, name, Utc::now().timestamp(), &body));
        Ok(match self.0.post.send(&url, &headers, body, PATIENCE).await {
            Ok(posted) => meaning(&posted),
            Err(why) => Outcome::Failed { why, retry_after: None },
        })
    }
}

/// What a status says of what was sent. A receiver that is not there, is asked too much, or does
/// not know us may be mended without us; one that understood and refuses will refuse again.
fn meaning(posted: &Posted) -> Outcome {
    let said: String = posted.excerpt.chars().filter(|it| !it.is_control()).take(SAID).collect();
    let why = || format!("It answered with status {}: {said}", posted.status);
    match posted.status {
        200..=299 => Outcome::Taken { status: posted.status },
        401 | 403 | 404 | 407 | 408 | 421 | 425 | 429 => {
            Outcome::Failed { why: why(), retry_after: posted.retry_after }
        }
        400..=499 => Outcome::Refused { why: why() },
        300..=399 => Outcome::Failed {
            why: format!("It answered with a redirect ({}), which is not followed.", posted.status),
            retry_after: None,
        },
        _ => Outcome::Failed { why: why(), retry_after: posted.retry_after },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_be_refused_again_is_refused_for_good() {
        let of = |status| {
            meaning(&Posted { status, retry_after: Some(7), excerpt: "no\u{1b}\n".into() })
        };
        for status in [400, 410, 413, 415, 422] {
            assert!(matches!(of(status), Outcome::Refused { .. }), "{status}");
        }
        for status in [301, 401, 403, 404, 408, 429, 500, 503] {
            assert!(matches!(of(status), Outcome::Failed { .. }), "{status}");
        }
        assert_eq!(of(204), Outcome::Taken { status: 204 });
        let why = "It answered with status 503: no".to_owned();
        assert_eq!(of(503), Outcome::Failed { why, retry_after: Some(7) });
    }
}
