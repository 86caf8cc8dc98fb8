//! How a key is shown to a provider.

use chrono::{DateTime, Utc};
use ralex_kernel::Secret;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::error::{Refusal, UpstreamError};
use crate::google;
use crate::sigv4::{Credential, Request, of_json};
use crate::spec::{Auth, Scheme};

/// What a key adds to a request.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub query: Vec<(String, String)>,
}

/// A key that cannot stand where it must is refused as the provider would refuse it.
fn unusable() -> UpstreamError {
    UpstreamError::Status(Refusal { status: 401, ..Refusal::default() })
}

/// Shows the key as the provider takes it.
pub(crate) fn show(auth: &Auth, key: &Secret) -> Result<Shown, UpstreamError> {
    let mut shown = Shown::default();
    match (auth.scheme, auth.name.as_deref()) {
        (Scheme::None, _) => {}
        (Scheme::Query, name) => {
            let name = name.unwrap_or("key").to_owned();
            shown.query.push((name, key.expose().to_owned()));
        }
        (Scheme::Header, Some(name)) => {
            let name = HeaderName::try_from(name).map_err(|_| unusable())?;
            shown.headers.push((name, secret(key.expose())?));
        }
        (Scheme::Google, _) if google::Kind::of(key) == google::Kind::ApiKey => {
            let name = HeaderName::from_static("x-goog-api-key");
            shown.headers.push((name, secret(key.expose().trim())?));
        }
        (Scheme::Bearer | Scheme::Header | Scheme::Sigv4 | Scheme::Google, _) => {
            let value = secret(&format!("Bearer {}", key.expose()))?;
            shown.headers.push((reqwest::header::AUTHORIZATION, value));
        }
    }
    Ok(shown)
}

fn secret(text: &str) -> Result<HeaderValue, UpstreamError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| unusable())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The service that every request to AWS is for.
const SERVICE: &str = "bedrock";

/// Proves a key of AWS for a POST request: its signature, or the key itself where it is one of
/// Bedrock's. The signature covers `Content-Type`, and so that must not change any more.
pub(crate) fn sign(
    key: &Secret,
    url: &Url,
    headers: &HeaderMap,
    body: &[u8],
    at: DateTime<Utc>,
) -> Result<HeaderMap, UpstreamError> {
    let written = key.expose().trim_start().starts_with('{').then(|| of_json(key.expose()));
    let written = match &written {
        None => key.expose(),
        Some(Some(text)) => text,
        Some(None) => return Err(unusable()),
    };
    let credential = Credential::read(written).map_err(|_| unusable())?;
    match credential {
        Credential::Bearer(word) => {
            let value = secret(&format!("Bearer {word}"))?;
            Ok(HeaderMap::from_iter([(reqwest::header::AUTHORIZATION, value)]))
        }
        Credential::AccessKey(key) => {
            let region = key.region(url).map_err(|_| unusable())?;
            let request = Request { method: "POST", url, body, at, region, service: SERVICE };
            let kind = headers.get(CONTENT_TYPE).map(|kind| (CONTENT_TYPE, kind.clone()));
            key.sign(&request, kind.as_slice()).map_err(|_| unusable())
        }
    }
}

/// The address with what a key adds to it.
pub(crate) fn with_query(url: &Url, shown: &Shown) -> Url {
    let mut url = url.clone();
    if !shown.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&shown.query);
    }
    url
}
