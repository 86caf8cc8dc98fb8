//! Access tokens of Google Cloud, made from service accounts.
//!
//! A service account's key never leaves Ralex: what it signs goes to Google, which gives an hour's
//! token for it. The account's file names the address to ask, and the file is tenant input, so
//! only Google's own address is asked (and, so that tests can stand in for it, an address in a
//! network that the operator lists).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ralex_kernel::Secret;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use url::Url;

use crate::codec::now;
use crate::egress::EgressPolicy;
use crate::error::{Refusal, UpstreamError};

const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A token is renewed this long before it ends, so that none ends on its way.
const EARLY: Duration = Duration::from_mins(5);

/// How long Google may take to give one.
const PATIENCE: Duration = Duration::from_secs(15);

/// More accounts than this are not kept; those whose tokens have ended go first.
const MOST_ACCOUNTS: usize = 1_000;

/// What a key is, told by its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The JSON of a service account, from which tokens are made.
    Account,
    /// A key of Vertex's express mode, or of AI Studio.
    ApiKey,
    /// A token that somebody else made.
    Token,
}

impl Kind {
    pub fn of(key: &Secret) -> Self {
        let key = key.expose().trim_start();
        if key.starts_with('{') {
            Self::Account
        } else if key.starts_with("AIza") || key.starts_with("AQ.") {
            Self::ApiKey
        } else {
            Self::Token
        }
    }
}

/// The tokens of all accounts, each made once and kept while it is good.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Mutex<HashMap<[u8; 32], Arc<Slot>>>>);

/// One account's token. Whoever makes it holds the lock, and the others wait for it.
type Slot = tokio::sync::Mutex<Option<Token>>;

struct Token {
    text: Arc<Secret>,
    until: Instant,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// The token of a service account.
    pub async fn of(
        &self,
        key: &Secret,
        policy: &EgressPolicy,
        http: impl Fn(&Url) -> reqwest::Client,
    ) -> Result<Arc<Secret>, UpstreamError> {
        let slot = self.slot(Sha256::digest(key.expose()).into());
        let mut kept = slot.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| Instant::now() < token.until) {
            return Ok(token.text.clone());
        }
        let account = Account::read(key)?;
        let url = account.token_uri(policy)?;
        let token = account.ask(&url, &http(&url)).await?;
        let text = token.text.clone();
        *kept = Some(token);
        Ok(text)
    }

    fn slot(&self, account: [u8; 32]) -> Arc<Slot> {
        let mut slots = self.0.lock();
        if slots.len() >= MOST_ACCOUNTS && !slots.contains_key(&account) {
            slots.retain(|_, slot| {
                let kept = slot.try_lock();
                kept.map_or(true, |kept| kept.as_ref().is_some_and(|it| Instant::now() < it.until))
            });
            if slots.len() >= MOST_ACCOUNTS {
                slots.clear();
            }
        }
        slots.entry(account).or_default().clone()
    }
}

/// The parts of a service account's file that matter.
#[derive(Deserialize)]
struct Account {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key: Secret,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

/// Google's answer.
#[derive(Deserialize)]
struct Granted {
    access_token: Secret,
    expires_in: u64,
}

/// A key that Google does not take. It says nothing of why, since the reason may quote the key.
fn unusable() -> UpstreamError {
    UpstreamError::Status(Refusal { status: 401, ..Refusal::default() })
}

impl Account {
    fn read(key: &Secret) -> Result<Self, UpstreamError> {
        let account: Self = serde_json::from_str(key.expose()).map_err(|_| unusable())?;
        if account.kind == "service_account" { Ok(account) } else { Err(unusable()) }
    }

    fn token_uri(&self, policy: &EgressPolicy) -> Result<Url, UpstreamError> {
        let text = self.token_uri.as_deref().unwrap_or(TOKEN_URI);
        let url = Url::parse(text).map_err(|_| unusable())?;
        if url.as_str() == TOKEN_URI || policy.lists(&url) {
            return Ok(url);
        }
        Err(UpstreamError::Egress(format!(
            "The service account's token_uri is not {TOKEN_URI}, and nothing else is asked."
        )))
    }

    /// Signs that the account asks for a token, and gets it.
    async fn ask(&self, url: &Url, http: &reqwest::Client) -> Result<Token, UpstreamError> {
        let asked = Instant::now();
        let assertion = self.assertion(url)?;
        let form = format!(
            "grant_type={}&assertion={assertion}",
            utf8_percent_encode(GRANT, NON_ALPHANUMERIC)
        );
        let request = http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .timeout(PATIENCE)
            .body(form);
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        if status.is_client_error() && status.as_u16() != 429 {
            return Err(unusable());
        }
        if !status.is_success() {
            let refusal = Refusal { status: status.as_u16(), ..Refusal::default() };
            return Err(UpstreamError::Status(refusal));
        }
        let body = crate::client::read(response, MAX_GRANT).await?;
        let granted: Granted = serde_json::from_slice(&body)
            .map_err(|_| UpstreamError::Malformed("it is no access token"))?;
        let lasts = Duration::from_secs(granted.expires_in.min(86_400)).saturating_sub(EARLY);
        Ok(Token { text: Arc::new(granted.access_token), until: asked + lasts })
    }

    fn assertion(&self, url: &Url) -> Result<String, UpstreamError> {
        let key = EncodingKey::from_rsa_pem(self.private_key.expose().as_bytes());
        let key = key.map_err(|_| unusable())?;
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&self.private_key_id);
        let issued = now();
        let claims = json!({
            "iss": self.client_email,
            "scope": SCOPE,
            "aud": url.as_str(),
            "iat": issued,
            "exp": issued + 3600,
        });
        jsonwebtoken::encode(&header, &claims, &key).map_err(|_| unusable())
    }
}

/// No grant is larger.
const MAX_GRANT: usize = 64 * 1024;

fn unreachable(error: &reqwest::Error) -> UpstreamError {
    if error.is_timeout() { UpstreamError::Timeout } else { UpstreamError::Unreachable }
}

#[cfg(test)]
mod tests;
