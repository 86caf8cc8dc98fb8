//! Stores of objects that speak S3: each batch is an object of its own.
//!
//! An object is named after the records in it and what is written of them, so a batch that is sent
//! twice has one name and one content, and nothing that is stored is ever written over.

use std::time::Duration;

use ralex_api::sinks::SinkFormat;
use ralex_kernel::Problem;
use ralex_providers::{Object, Post, Posted, StoreKey};
use sha2::{Digest, Sha256};
use url::Url;

use crate::delivery::{Outcome, Receiver, meaning};

/// What a store says with 400 of whoever asks, or of the moment, and not of what is stored.
const NOT_OF_THE_OBJECT: [&str; 10] = [
    "AuthorizationHeaderMalformed",
    "BadDigest",
    "ExpiredToken",
    "IncompleteBody",
    "InvalidToken",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "SlowDown",
    "TokenRefreshRequired",
    "XAmzContentSHA256Mismatch",
];

/// The address of a bucket and a folder in it, which are signed as they are written.
pub(crate) fn address(url: &str) -> Result<Url, Problem> {
    let url: Url = url.parse().map_err(|_| Problem::field("url", "is no address"))?;
    let plain =
        |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.' | b'_' | b'~' | b'/');
    if !url.path().bytes().all(plain) || url.path().contains("//") {
        let rule = "may have letters, digits and -._~ only in the names of bucket and folders";
        return Err(Problem::field("url", rule));
    }
    Ok(url)
}

/// Where an object goes, below the sink's address.
pub(crate) fn named(base: &str, name: &str) -> Option<Url> {
    format!("{}/{name}", base.trim_end_matches('/')).parse().ok()
}

/// The name of a batch: its day, its first and last index, and what is in it.
pub(crate) fn name(
    day: &str,
    (first, last): (u64, u64),
    format: SinkFormat,
    body: &[u8],
) -> String {
    let digest = hex::encode(Sha256::digest(body).get(..8).unwrap_or_default());
    let ending = match format {
        SinkFormat::Jsonl | SinkFormat::Ocsf | SinkFormat::CloudEvents => "jsonl",
        SinkFormat::Cef => "cef",
        SinkFormat::Syslog => "log",
    };
    format!("{day}/{first:012}-{last:012}-{digest}.{ending}")
}

/// What the body is.
const fn content_type(format: SinkFormat) -> &'static str {
    match format {
        SinkFormat::Jsonl | SinkFormat::Ocsf | SinkFormat::CloudEvents => "application/x-ndjson",
        SinkFormat::Cef | SinkFormat::Syslog => "text/plain; charset=utf-8",
    }
}

/// Stores a body under a name.
pub(crate) async fn store(
    post: &Post,
    receiver: &Receiver,
    secret: &[u8],
    (name, body): (&str, &[u8]),
    patience: Duration,
) -> Outcome {
    let failed = |why: String| Outcome::Failed { why, retry_after: None };
    let Some(url) = named(&receiver.url, &format!("{}/{name}", receiver.org)) else {
        return failed("Its address is none.".into());
    };
    let text = std::str::from_utf8(secret).unwrap_or_default();
    let mut parts = text.split('\n');
    let (Some(id), Some(secret)) = (parts.next(), parts.next()) else {
        return failed("It has no key.".into());
    };
    let session = parts.next().filter(|session| !session.is_empty());
    let region = receiver.region.as_deref().unwrap_or_default();
    let key = StoreKey { id, secret, session, region };
    let object = Object { url: &url, content_type: content_type(receiver.format), body };
    match post.store(&object, &key, patience).await {
        Ok(posted) => stored(&posted),
        Err(why) => failed(why),
    }
}

/// What the store's answer means. One that has the object already has it from us: its name says
/// what is in it.
fn stored(posted: &Posted) -> Outcome {
    let part = |name: &str| {
        let (_, rest) = posted.excerpt.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text.to_owned())
    };
    let code = part("Code");
    // Only these two are told: the rest of a store's refusal has what was signed in it.
    let said = match (&code, part("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.clone(),
        (None, _) => String::new(),
    };
    let posted = Posted { excerpt: said, ..posted.clone() };
    match meaning(&posted) {
        Outcome::Refused { .. } if posted.status == 412 => Outcome::Taken { status: 412 },
        Outcome::Refused { why } if posted.status == 409 => {
            Outcome::Failed { why, retry_after: posted.retry_after }
        }
        Outcome::Refused { why }
            if code.is_some_and(|code| NOT_OF_THE_OBJECT.contains(&code.as_str())) =>
        {
            Outcome::Failed { why, retry_after: None }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_changes_with_what_is_in_it_and_only_then() {
        let of = |body: &[u8]| name("2026-11-21", (3, 17), SinkFormat::Ocsf, body);
        assert_eq!(of(b"a"), "2026-11-21/000000000003-000000000017-ca978112ca1bbdca.jsonl");
        assert_eq!(of(b"a"), of(b"a"));
        assert_ne!(of(b"a"), of(b"b"));
    }

    #[test]
    fn what_is_there_already_is_taken_and_what_a_new_key_mends_is_tried_again() {
        let of = |status, excerpt: &str| {
            stored(&Posted { status, retry_after: None, excerpt: excerpt.into() })
        };
        assert_eq!(of(200, ""), Outcome::Taken { status: 200 });
        assert_eq!(
            of(412, "<Error><Code>PreconditionFailed</Code>"),
            Outcome::Taken { status: 412 }
        );
        for (status, code) in [
            (400, "ExpiredToken"),
            (403, "SignatureDoesNotMatch"),
            (404, "NoSuchBucket"),
            (409, "ConditionalRequestConflict"),
            (503, "SlowDown"),
        ] {
            let body = format!("<Error><Code>{code}</Code><StringToSign>x</StringToSign></Error>");
            let Outcome::Failed { why, .. } = of(status, &body) else { panic!("{code}") };
            assert_eq!(why, format!("It answered with status {status}: {code}"));
        }
        assert!(matches!(of(400, "<Code>EntityTooLarge</Code>"), Outcome::Refused { .. }));
    }

    #[test]
    fn an_address_is_written_in_one_way_only() {
        for url in ["https://s3.example/b%20c", "https://s3.example/b//c", "https://s3.example/b+c"]
        {
            assert!(address(url).is_err(), "{url}");
        }
        let base = address("https://b.s3.eu-west-1.amazonaws.com/audit/").unwrap();
        let url = named(base.as_str(), "x/y.jsonl").unwrap();
        assert_eq!(url.as_str(), "https://b.s3.eu-west-1.amazonaws.com/audit/x/y.jsonl");
    }
}
