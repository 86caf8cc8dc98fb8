//! Whether a token is a provider's word, for us, for now: an ID token, or the end of a session.
//!
//! The signature is checked by the library, by the key's own algorithm. The claims are checked here,
//! with the time that is given, and every one of a wrong type counts as wrong and never as absent.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::keys::{Key, Keys};

/// So far may two clocks differ, in seconds.
const SKEW: f64 = 60.0;
/// The end of a session is told at once, or not at all.
const LOGOUT_AGE: f64 = 600.0;
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// No provider's token is longer; reading a longer one only costs.
const LONGEST: usize = 64 * 1024;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Malformed,
    /// No key of that name is known: the provider may have made a new one.
    UnknownKey,
    Algorithm,
    Signature,
    Issuer,
    Audience,
    AuthorizedParty,
    Expired,
    NotYet,
    IssuedAt,
    Nonce,
    AccessTokenHash,
    Subject,
    /// When the person proved who they are is not told, or too long ago, or not yet.
    Proof,
    /// It is a token, but not of this kind.
    Kind,
}

impl Wrong {
    /// As the audit log and the server's own log have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::AuthorizedParty => "authorized_party",
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::IssuedAt => "issued_at",
            Self::Nonce => "nonce",
            Self::AccessTokenHash => "access_token_hash",
            Self::Subject => "subject",
            Self::Proof => "auth_time",
            Self::Kind => "kind",
        }
    }
}

/// From whom, for whom and when.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub now: DateTime<Utc>,
    /// Since when the person must have proven who they are, where they were asked to anew.
    pub proof_since: Option<DateTime<Utc>>,
}

/// Whose session ended, or which.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub subject: Option<String>,
    pub sid: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// Checks an ID token, and gives what it says.
pub(crate) fn id_token(
    token: &str,
    keys: &Keys,
    expected: Expected<'_>,
    nonce: &str,
    access_token: Option<&str>,
) -> Result<Map<String, Value>, Wrong> {
    let (head, key, claims) = signed(token, keys)?;
    // An ID token says that it is a JWT or says nothing; other words are for other kinds.
    if head.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("jwt")) {
        return Err(Wrong::Kind);
    }
    addressed(&claims, expected)?;
    in_time(&claims, expected.now)?;
    proven(&claims, expected)?;
    let said = text(&claims, "nonce").ok_or(Wrong::Nonce)?;
    verify_slices_are_equal(said.as_bytes(), nonce.as_bytes()).map_err(|_| Wrong::Nonce)?;
    if claims.contains_key("at_hash") {
        let said = text(&claims, "at_hash").ok_or(Wrong::AccessTokenHash)?;
        let access_token = access_token.ok_or(Wrong::AccessTokenHash)?;
        if said != half_hash(key.algorithm, access_token) {
            return Err(Wrong::AccessTokenHash);
        }
    }
    let subject = text(&claims, "sub").ok_or(Wrong::Subject)?;
    if subject.is_empty() || subject.len() > 255 {
        return Err(Wrong::Subject);
    }
    Ok(claims)
}

/// Checks a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6).
pub(crate) fn logout_token(
    token: &str,
    keys: &Keys,
    expected: Expected<'_>,
) -> Result<Ended, Wrong> {
    let (head, _, claims) = signed(token, keys)?;
    let typ = head.typ.unwrap_or_default().to_ascii_lowercase();
    if !["", "jwt", "logout+jwt", "application/logout+jwt"].contains(&typ.as_str()) {
        return Err(Wrong::Kind);
    }
    addressed(&claims, expected)?;
    let now = seconds(expected.now);
    let issued = number(&claims, "iat")?.ok_or(Wrong::IssuedAt)?;
    if issued > now + SKEW || issued < now - LOGOUT_AGE {
        return Err(Wrong::IssuedAt);
    }
    if number(&claims, "exp")?.is_some_and(|end| end + SKEW <= now) {
        return Err(Wrong::Expired);
    }
    let event = claims.get("events").and_then(|it| it.get(LOGOUT));
    // An ID token has a nonce and no event: neither passes for the other.
    if claims.contains_key("nonce") || !event.is_some_and(Value::is_object) {
        return Err(Wrong::Kind);
    }
    let ended = Ended { subject: owned(&claims, "sub")?, sid: owned(&claims, "sid")? };
    if ended.subject.is_none() && ended.sid.is_none() {
        return Err(Wrong::Subject);
    }
    Ok(ended)
}

/// The claims of a token that one of the keys has signed.
fn signed<'a>(token: &str, keys: &'a Keys) -> Result<(Head, &'a Key, Map<String, Value>), Wrong> {
    if token.len() > LONGEST {
        return Err(Wrong::Malformed);
    }
    let head = token.split('.').next().and_then(|head| URL_SAFE_NO_PAD.decode(head).ok());
    let head: Head =
        head.and_then(|it| serde_json::from_slice(&it).ok()).ok_or(Wrong::Malformed)?;
    // What must be understood is not, whatever it is.
    if head.crit.is_some() {
        return Err(Wrong::Malformed);
    }
    let said: Option<Algorithm> = head.alg.parse().ok();
    // `none`, and whatever is checked with a secret, is wrong for every key.
    let said = said.ok_or(Wrong::Algorithm)?;
    if matches!(said, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) {
        return Err(Wrong::Algorithm);
    }
    let key = keys.find(head.kid.as_deref()).ok_or(Wrong::UnknownKey)?;
    if said != key.algorithm {
        return Err(Wrong::Algorithm);
    }
    let mut only_signature = Validation::new(key.algorithm);
    only_signature.required_spec_claims.clear();
    only_signature.validate_exp = false;
    only_signature.validate_nbf = false;
    only_signature.validate_aud = false;
    let read = jsonwebtoken::decode::<Map<String, Value>>(token, &key.verifies, &only_signature);
    let claims = read.map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => Wrong::Signature,
        _ => Wrong::Malformed,
    })?;
    Ok((head, key, claims.claims))
}

fn addressed(claims: &Map<String, Value>, expected: Expected<'_>) -> Result<(), Wrong> {
    if text(claims, "iss") != Some(expected.issuer) {
        return Err(Wrong::Issuer);
    }
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => {
            let all: Option<_> = all.iter().map(Value::as_str).collect();
            all.ok_or(Wrong::Audience)?
        }
        _ => return Err(Wrong::Audience),
    };
    if !audience.contains(&expected.client_id) {
        return Err(Wrong::Audience);
    }
    // Where a token is for several, it must say for whom of them it was made.
    match claims.get("azp") {
        None if audience.len() == 1 => Ok(()),
        Some(Value::String(party)) if party == expected.client_id => Ok(()),
        _ => Err(Wrong::AuthorizedParty),
    }
}

fn in_time(claims: &Map<String, Value>, now: DateTime<Utc>) -> Result<(), Wrong> {
    let now = seconds(now);
    if number(claims, "exp")?.ok_or(Wrong::Expired)? + SKEW <= now {
        return Err(Wrong::Expired);
    }
    if number(claims, "nbf")?.is_some_and(|start| start > now + SKEW) {
        return Err(Wrong::NotYet);
    }
    if number(claims, "iat")?.ok_or(Wrong::IssuedAt)? > now + SKEW {
        return Err(Wrong::IssuedAt);
    }
    Ok(())
}

/// Refuses who was to prove anew who they are and did not, whatever the provider was asked: one that does
/// not know the question lets them in by what they proved before (OpenID Connect Core, 3.1.2.1 and 3.1.3.7).
fn proven(claims: &Map<String, Value>, expected: Expected<'_>) -> Result<(), Wrong> {
    let at = number(claims, "auth_time")?;
    let is_late = at.is_some_and(|at| at > seconds(expected.now) + SKEW);
    let is_proven =
        expected.proof_since.is_none_or(|since| at.is_some_and(|at| at >= seconds(since) - SKEW));
    if is_late || !is_proven {
        return Err(Wrong::Proof);
    }
    Ok(())
}

/// When somebody proved who they are, by claims that were checked.
#[expect(clippy::cast_possible_truncation, reason = "a time that was checked is not after now")]
pub(crate) fn proven_at(claims: &Map<String, Value>) -> Option<DateTime<Utc>> {
    let at = claims.get("auth_time").and_then(Value::as_f64)?;
    DateTime::from_timestamp(at.max(0.0) as i64, 0)
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

fn owned(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Wrong> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(Wrong::Subject),
    }
}

fn number(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Wrong> {
    let read = |value: &Value| value.as_f64().filter(|it| it.is_finite()).ok_or(Wrong::Malformed);
    claims.get(name).map(read).transpose()
}

#[expect(clippy::cast_precision_loss, reason = "seconds of our times fit many times over")]
fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp() as f64
}

/// The left half of the hash that goes with an algorithm (OpenID Connect Core, 3.1.3.6).
fn half_hash(algorithm: Algorithm, access_token: &str) -> String {
    let hash = match algorithm {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &digest::SHA384,
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let whole = digest::digest(hash, access_token.as_bytes());
    let whole = whole.as_ref();
    URL_SAFE_NO_PAD.encode(&whole[..whole.len() / 2])
}
