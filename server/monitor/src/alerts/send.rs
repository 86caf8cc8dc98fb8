//! Sending one message to one channel, and what its answer means.

use std::time::Duration;

use ralex_api::alerts::ChannelKind;
use ralex_kernel::{AlertChannelId, Code, Email, OrgId, Problem};
use ralex_mail::Mail;
use ralex_providers::Posted;
use ralex_sinks::webhook;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Alerts;
use super::message::Message;

/// How long a webhook may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// So much of an answer is told.
const SAID: usize = 200;

/// Where a message goes, ready to be used.
pub(crate) enum Channel {
    Email(Email),
    Webhook { url: Url, secret: Zeroizing<Vec<u8>> },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Sent {
        said: String,
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
            Self::Sent { .. } => "sent",
            Self::Failed { .. } => "failed",
            Self::Refused { .. } => "refused",
        }
    }

    /// Whether it was taken, and what there is to say.
    pub fn told(self) -> (bool, String) {
        match self {
            Self::Sent { said } => (true, said),
            Self::Failed { why, .. } | Self::Refused { why } => (false, why),
        }
    }
}

impl Channel {
    /// A channel as it is stored.
    pub fn of(
        alerts: &Alerts,
        org: OrgId,
        id: AlertChannelId,
        kind: &str,
        target: &str,
        sealed: Option<&[u8]>,
    ) -> Result<Self, Problem> {
        let broken = || Problem::new(Code::Internal, "The channel's address cannot be read.");
        match ChannelKind::named(kind) {
            Some(ChannelKind::Email) => target.parse().map(Self::Email).map_err(|_| broken()),
            Some(ChannelKind::Webhook) => {
                let secret = alerts.unseal(org, id, sealed.ok_or_else(broken)?)?;
                let url = target.parse().map_err(|_| broken())?;
                Ok(Self::Webhook { url, secret })
            }
            None => Err(broken()),
        }
    }
}

impl Alerts {
    /// Sends it under a name that stays the same when it is sent again.
    pub(crate) async fn send(&self, channel: &Channel, id: Uuid, message: &Message) -> Outcome {
        match channel {
            Channel::Email(to) => self.mail(to, id, message).await,
            Channel::Webhook { url, secret } => self.post(url, secret, id, message).await,
        }
    }

    async fn mail(&self, to: &Email, id: Uuid, message: &Message) -> Outcome {
        let mail = Mail {
            to: vec![to.clone()],
            subject: message.subject.clone(),
            text: message.text.clone(),
            id: Some(format!("alert-{id}")),
            ..Mail::default()
        };
        match self.0.parts.mailer.send(&mail).await {
            Ok(()) => Outcome::Sent { said: "The mail server took it.".to_owned() },
            Err(failure) if failure.for_good => Outcome::Refused { why: failure.why },
            Err(failure) => Outcome::Failed { why: failure.why, retry_after: None },
        }
    }

    async fn post(&self, url: &Url, secret: &[u8], id: Uuid, message: &Message) -> Outcome {
        let timestamp = self.0.parts.clock.now();
        let body = message.payload(timestamp);
        let name = format!("alert_{id}");
        let mut headers = webhook::headers(&[secret], &name, timestamp.timestamp(), &body).to_vec();
        headers.push(("content-type", "application/json".to_owned()));
        headers.push(("user-agent", concat!("ralex/", env!("CARGO_PKG_VERSION")).to_owned()));
        match self.0.parts.post.send(url, &headers, body, PATIENCE).await {
            Ok(posted) => meaning(&posted),
            Err(why) => Outcome::Failed { why, retry_after: None },
        }
    }
}

/// A receiver that is not there, is asked too much, or does not know us may be mended without us;
/// one that understood and refuses will refuse again.
fn meaning(posted: &Posted) -> Outcome {
    let said: String = posted.excerpt.chars().filter(|it| !it.is_control()).take(SAID).collect();
    let answered = match said.as_str() {
        "" => format!("It answered with status {}.", posted.status),
        said => format!("It answered with status {}: {said}", posted.status),
    };
    let retry_after = posted.retry_after;
    match posted.status {
        200..=299 => Outcome::Sent { said: format!("It answered with status {}.", posted.status) },
        300..=399 => Outcome::Failed {
            why: format!("It answered with a redirect ({}), which is not followed.", posted.status),
            retry_after: None,
        },
        401 | 403 | 404 | 407 | 408 | 421 | 425 | 429 => {
            Outcome::Failed { why: answered, retry_after }
        }
        400..=499 => Outcome::Refused { why: answered },
        _ => Outcome::Failed { why: answered, retry_after },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_be_refused_again_is_given_up_at_once() {
        let of = |status| {
            let retry_after = Some(7);
            meaning(&Posted { status, retry_after, excerpt: "no\u{1b}\n".to_owned() })
        };
        for status in [400, 410, 413, 422] {
            assert!(matches!(of(status), Outcome::Refused { .. }), "{status}");
        }
        for status in [302, 401, 404, 429, 500, 503] {
            assert!(matches!(of(status), Outcome::Failed { .. }), "{status}");
        }
        assert!(matches!(of(202), Outcome::Sent { .. }));
        let why = "It answered with status 503: no".to_owned();
        assert_eq!(of(503), Outcome::Failed { why, retry_after: Some(7) });
    }
}
