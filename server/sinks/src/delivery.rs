//! One delivery: what is sent, and what its answer means.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use ralex_api::sinks::{SinkFormat, SinkKind};
use ralex_audit::{Form, Told};
use ralex_kernel::{OrgId, Problem, SinkId};
use ralex_providers::Posted;
use url::Url;

use crate::{Sinks, collector, store, webhook};

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// So much of an answer is told.
const SAID: usize = 200;

/// Where a delivery goes.
pub(crate) struct Receiver {
    pub org: OrgId,
    pub id: SinkId,
    pub kind: SinkKind,
    pub format: SinkFormat,
    pub url: String,
    pub region: Option<String>,
    pub ca_pem: Option<String>,
    pub sealed: Vec<u8>,
    /// The secret before, while it still counts.
    pub previous: Option<Vec<u8>>,
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
        receiver: &Receiver,
        told: &[Told],
    ) -> Result<Outcome, Problem> {
        let origin = self.0.audit.origin(receiver.org);
        let form = form(receiver.format);
        let write = |told: &Told| match receiver.kind {
            SinkKind::Syslog => form.message(told, &origin),
            SinkKind::Webhook | SinkKind::S3 => form.line(told, &origin),
        };
        let lines: Vec<String> = told.iter().map(write).collect::<Result<_, _>>()?;
        let span = told.first().zip(told.last()).map(|(first, last)| (first.index, last.index));
        let span = span.unwrap_or_default();
        let day = told.first().and_then(Told::day).unwrap_or_else(|| "undated".to_owned());
        // The same records have the same name, however often they are sent.
        let name = match receiver.kind {
            SinkKind::Webhook | SinkKind::Syslog => {
                format!("{}.{}-{}", receiver.id, span.0, span.1)
            }
            SinkKind::S3 => store::name(&day, span, receiver.format, lined(&lines).as_bytes()),
        };
        self.send_lines(receiver, &name, lines).await
    }

    /// Sends something that is no record, to see whether it arrives.
    pub(crate) async fn try_out(&self, receiver: &Receiver) -> Result<Outcome, Problem> {
        let (now, origin) = (Utc::now(), self.0.audit.origin(receiver.org));
        let at = now.timestamp_millis();
        let time = now.to_rfc3339_opts(SecondsFormat::Millis, true);
        let name = match receiver.kind {
            SinkKind::Webhook | SinkKind::Syslog => format!("{}.test-{at}", receiver.id),
            SinkKind::S3 => format!("test/{}-{at}.json", receiver.id),
        };
        let event = format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{name}\",\"source\":\"{origin}\",\"type\":\"ralex.audit.test\",\"time\":\"{time}\"}}"
        );
        let line = match receiver.kind {
            SinkKind::Webhook | SinkKind::S3 => event,
            SinkKind::Syslog => {
                let host = origin.split('/').next().unwrap_or("-");
                format!("<110>1 {time} {host} ralex - audit.test - {event}")
            }
        };
        self.send_lines(receiver, &name, vec![line]).await
    }

    async fn send_lines(
        &self,
        receiver: &Receiver,
        name: &str,
        lines: Vec<String>,
    ) -> Result<Outcome, Problem> {
        let secret = self.secret(receiver.org, receiver.id, &receiver.sealed)?;
        let post = &self.0.post;
        Ok(match receiver.kind {
            SinkKind::Webhook => self.post(receiver, &secret, name, &lines).await?,
            SinkKind::Syslog => collector::send(post, receiver, &secret, &lines, PATIENCE).await,
            SinkKind::S3 => {
                let body = lined(&lines);
                store::store(post, receiver, &secret, (name, body.as_bytes()), PATIENCE).await
            }
        })
    }

    async fn post(
        &self,
        receiver: &Receiver,
        secret: &[u8],
        name: &str,
        lines: &[String],
    ) -> Result<Outcome, Problem> {
        let Ok(url) = receiver.url.parse::<Url>() else {
            return Ok(Outcome::Failed { why: "Its address is none.".into(), retry_after: None });
        };
        let sealed = receiver.previous.as_deref();
        let previous = sealed.map(|it| self.secret(receiver.org, receiver.id, it)).transpose()?;
        let previous = previous.as_ref().map(|it| it.as_slice());
        let secrets: Vec<&[u8]> = [Some(secret), previous].into_iter().flatten().collect();
        let (kind, body) = webhook::body(receiver.format, lines);
        let mut headers = vec![("content-type", kind.to_owned())];
        headers.extend(webhook::headers(&secrets, name, Utc::now().timestamp(), &body));
        Ok(match self.0.post.send(&url, &headers, body, PATIENCE).await {
            Ok(posted) => meaning(&posted),
            Err(why) => Outcome::Failed { why, retry_after: None },
        })
    }
}

const fn form(format: SinkFormat) -> Form {
    match format {
        SinkFormat::Jsonl => Form::Jsonl,
        SinkFormat::Ocsf => Form::Ocsf,
        SinkFormat::Cef => Form::Cef,
        SinkFormat::Syslog => Form::Syslog,
        SinkFormat::CloudEvents => Form::CloudEvents,
    }
}

/// Lines, each with its end.
pub(crate) fn lined(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// What a status says of what was sent. A receiver that is not there, is asked too much, or does
/// not know us may be mended without us; one that understood and refuses will refuse again.
pub(crate) fn meaning(posted: &Posted) -> Outcome {
    let said: String = posted.excerpt.chars().filter(|it| !it.is_control()).take(SAID).collect();
    let why = || match said.as_str() {
        "" => format!("It answered with status {}.", posted.status),
        said => format!("It answered with status {}: {said}", posted.status),
    };
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
