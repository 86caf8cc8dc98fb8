//! What a provider says of itself: where its endpoints are and which keys it signs with.
//!
//! It is remembered by issuer, since it is the same for everybody who names that issuer. A key that is
//! not known is looked for anew, at most once a minute, so that nobody can make us ask by inventing
//! names.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ralex_providers::{Ask, Post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::keys::Keys;

/// How long an answer is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
const DOCUMENT_AGE: Duration = Duration::from_hours(1);
const KEYS_AGE: Duration = Duration::from_mins(10);
const BETWEEN_LOOKS: Duration = Duration::from_mins(1);
/// Issuers that are remembered at a time.
const MOST: usize = 1_000;

/// The parts of a discovery document that matter here.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Document {
    pub issuer: String,
    pub authorization_endpoint: Url,
    pub token_endpoint: Url,
    pub jwks_uri: Url,
    pub userinfo_endpoint: Option<Url>,
    #[serde(default)]
    pub code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    pub scopes_supported: Vec<String>,
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    pub backchannel_logout_supported: bool,
}

/// Providers that were asked lately.
#[derive(Default)]
pub(crate) struct Known(Mutex<HashMap<String, Remembered>>);

#[derive(Clone)]
struct Remembered {
    document: Arc<Document>,
    read_at: Instant,
    keys: Arc<Keys>,
    keys_at: Instant,
}

/// A provider as it says it is.
#[derive(Clone)]
pub(crate) struct Says {
    pub document: Arc<Document>,
    pub keys: Arc<Keys>,
}

impl Known {
    /// What an issuer says of itself, from memory where that is young enough. What fails is told in a
    /// sentence.
    pub async fn ask(&self, post: &Post, issuer: &str) -> Result<Says, String> {
        let held = self.0.lock().get(issuer).cloned();
        let held = held.filter(|it| it.read_at.elapsed() < DOCUMENT_AGE);
        let Some(held) = held else { return self.ask_anew(post, issuer).await };
        if held.keys_at.elapsed() < KEYS_AGE {
            return Ok(Says { document: held.document, keys: held.keys });
        }
        self.read_keys(post, issuer, held).await
    }

    /// The same with keys that were read just now, unless they were within the last minute.
    pub async fn ask_again(&self, post: &Post, issuer: &str) -> Result<Says, String> {
        let held = self.0.lock().get(issuer).cloned();
        match held {
            Some(held) if held.keys_at.elapsed() < BETWEEN_LOOKS => {
                Ok(Says { document: held.document, keys: held.keys })
            }
            Some(held) => self.read_keys(post, issuer, held).await,
            None => self.ask_anew(post, issuer).await,
        }
    }

    /// The same from the provider itself, whatever is remembered.
    pub async fn ask_anew(&self, post: &Post, issuer: &str) -> Result<Says, String> {
        let document = Arc::new(discover(post, issuer).await?);
        let keys = Arc::new(keys(post, &document).await?);
        let now = Instant::now();
        let (read_at, keys_at) = (now, now);
        let says = Says { document: Arc::clone(&document), keys: Arc::clone(&keys) };
        self.remember(issuer, Remembered { document, read_at, keys, keys_at });
        Ok(says)
    }

    async fn read_keys(&self, post: &Post, issuer: &str, held: Remembered) -> Result<Says, String> {
        let keys = Arc::new(keys(post, &held.document).await?);
        let says = Says { document: Arc::clone(&held.document), keys: Arc::clone(&keys) };
        self.remember(issuer, Remembered { keys, keys_at: Instant::now(), ..held });
        Ok(says)
    }

    fn remember(&self, issuer: &str, what: Remembered) {
        let mut all = self.0.lock();
        if all.len() >= MOST && !all.contains_key(issuer) {
            all.retain(|_, it| it.read_at.elapsed() < DOCUMENT_AGE);
            if all.len() >= MOST {
                all.clear();
            }
        }
        all.insert(issuer.to_owned(), what);
    }
}

async fn discover(post: &Post, issuer: &str) -> Result<Document, String> {
    let base = issuer.trim_end_matches('/');
    let url: Url = format!("{base}/.well-known/openid-configuration")
        .parse()
        .map_err(|_| "The issuer is no address.".to_owned())?;
    let document: Document = json(post, &url, Ask::Document)
        .await
        .map_err(|why| format!("Its discovery document: {why}"))?;
    if document.issuer != issuer {
        return Err(format!(
            "Its discovery document says that its issuer is {}; write it so, to the letter.",
            shown(&document.issuer)
        ));
    }
    // The browser is sent there: nothing but the web, within the same walls as everything else.
    let mut page = document.authorization_endpoint.clone();
    page.set_query(None);
    post.check(&page)
        .map_err(|problem| format!("Its authorization endpoint: {}", problem.detail))?;
    Ok(document)
}

async fn keys(post: &Post, document: &Document) -> Result<Keys, String> {
    let set: Value = json(post, &document.jwks_uri, Ask::Document)
        .await
        .map_err(|why| format!("Its keys: {why}"))?;
    let keys = Keys::read(&set).ok_or("Its keys are not written as a JWK set.")?;
    if keys.iter().next().is_none() {
        return Err("It has no key of a kind that is accepted (RSA, P-256, P-384, Ed25519).".into());
    }
    Ok(keys)
}

/// Asks for something that is JSON. Of what comes instead nothing is told.
pub(crate) async fn json<T: DeserializeOwned>(
    post: &Post,
    url: &Url,
    ask: Ask<'_>,
) -> Result<T, String> {
    let fetched = post.fetch(url, ask, PATIENCE).await?;
    if fetched.status != 200 {
        return Err(format!("it answered with status {}.", fetched.status));
    }
    serde_json::from_slice(&fetched.body).map_err(|_| "it answered with something else.".to_owned())
}

/// Words of others, as far as they fit into a sentence.
fn shown(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(200).collect()
}
