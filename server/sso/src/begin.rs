//! The way out: somebody is sent to their provider, with what will prove that they came back.
//!
//! The browser keeps one secret in a cookie. The proof for the token endpoint (PKCE) and the nonce
//! follow from it, so that a code that is caught on its way is worth nothing elsewhere; here only keyed
//! digests are kept, and nothing of it can be read from the database.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use ralex_api::sso::SsoRefusal;
use ralex_identity::Arrival;
use ralex_kernel::{OrgId, Problem, Secret, SessionId, UserId};
use ralex_store::problem;
use sha2::{Digest, Sha256};
use url::Url;
use zeroize::Zeroizing;

use crate::finish::Stop;
use crate::provider::address;
use crate::sql::flow as sql;
use crate::sql::provider::{self, Stored};
use crate::{PATIENCE_MINUTES, Sso};

/// So many may be away from one network. Those who come back do not count, so that an office in the
/// morning is none too many.
const MOST_AWAY: i64 = 200;

/// Which provider somebody is sent to or comes back from, and how this server is reached.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// Id or slug.
    pub org: &'a str,
    /// Id or slug.
    pub provider: &'a str,
    pub base: &'a str,
    pub arrival: &'a Arrival,
}

/// What somebody is sent to their provider for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// To come in, by what they proved there before where the provider takes that.
    Login,
    /// To come in, and to prove anew who they are.
    Proof,
    /// To be linked, as they said in a session.
    Link(UserId, SessionId),
}

/// Where the browser goes, and what it keeps meanwhile.
pub struct Begun {
    pub to: String,
    /// Nothing where it goes nowhere.
    pub cookie: Option<Secret>,
}

/// What follows from the browser's secret.
pub(crate) struct Carried {
    pub nonce: String,
    pub verifier: Zeroizing<String>,
}

impl Sso {
    /// Sends somebody to their provider, or back to the console with the reason why not.
    pub async fn begin(&self, visit: Visit<'_>, errand: Errand) -> Result<Begun, Problem> {
        match self.begin_flow(visit, errand).await {
            Ok(begun) => Ok(begun),
            Err(Stop::Failed(problem)) => Err(problem),
            Err(Stop::Refused { reason, .. }) => {
                Ok(Begun { to: format!("/?sso={reason}"), cookie: None })
            }
        }
    }

    /// The same, for whoever says themselves why they cannot go.
    pub(crate) async fn begin_flow(&self, visit: Visit<'_>, errand: Errand) -> Result<Begun, Stop> {
        let (org, stored) = self.enabled(visit).await?;
        self.must_be_open(org).await?;
        let says = self.0.known.ask(&self.0.post, &stored.issuer).await;
        let says = says.map_err(|why| {
            tracing::warn!(sso.issuer = %stored.issuer, "a login cannot begin: {why}");
            Stop::refused(SsoRefusal::Provider, "discovery")
        })?;
        let (state, secret) = (random(), random());
        let network = visit.arrival.network();
        let now = self.0.clock.now();
        let new = sql::New {
            provider: stored.id,
            state: &self.digest("state", &state),
            browser: &self.digest("browser", &secret),
            network: &network,
            linking: match errand {
                Errand::Link(user, session) => Some((user, session)),
                Errand::Login | Errand::Proof => None,
            },
            proof_since: (errand == Errand::Proof).then_some(now),
            expires_at: now + TimeDelta::minutes(PATIENCE_MINUTES),
        };
        let mut tx = self.0.db.system("send somebody to their provider").await?;
        sql::sweep(&mut tx, now).await.map_err(problem)?;
        if sql::count(&mut tx, &network, now).await.map_err(problem)? >= MOST_AWAY {
            return Err(Stop::refused(SsoRefusal::Throttled, "too_many_away"));
        }
        sql::insert(&mut tx, org, &new).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        let callback = self.callback(org, &stored, visit.base).await?;
        let to = destination(
            says.document.authorization_endpoint.clone(),
            &stored,
            &callback,
            (&state, &carried(&secret), errand),
        );
        Ok(Begun { to, cookie: Some(Secret::new(secret.to_string())) })
    }

    /// The provider of a visit, where it is switched on.
    pub(crate) async fn enabled(&self, visit: Visit<'_>) -> Result<(OrgId, Stored), Stop> {
        let missing = || Stop::refused(SsoRefusal::Unavailable, "unknown_or_off");
        let org = self.0.access.org(visit.org).ok_or_else(missing)?;
        let mut tx = self.0.db.tenant(org).await?;
        let found = provider::list(&mut tx, org, Some(visit.provider)).await.map_err(problem)?;
        let found = found.into_iter().next().filter(|stored| stored.enabled);
        Ok((org, found.ok_or_else(missing)?))
    }

    /// Nobody comes in, or becomes a member, where operators have closed the organisation.
    pub(crate) async fn must_be_open(&self, org: OrgId) -> Result<(), Stop> {
        let is_closed = self.0.access.snapshot(org).await?.closed().is_some();
        if is_closed { Err(Stop::refused(SsoRefusal::Unavailable, "closed")) } else { Ok(()) }
    }

    pub(crate) async fn callback(
        &self,
        org: OrgId,
        stored: &Stored,
        base: &str,
    ) -> Result<String, Problem> {
        let snapshot = self.0.access.snapshot(org).await?;
        Ok(address(base, snapshot.slug(), &stored.slug, "callback"))
    }

    /// What is kept of something that somebody carries.
    pub(crate) fn digest(&self, what: &str, text: &str) -> Vec<u8> {
        keyed(&*self.0.pepper, what, text)
    }
}

pub(crate) fn carried(secret: &str) -> Carried {
    let follows = |what: &str| URL_SAFE_NO_PAD.encode(keyed(secret.as_bytes(), what, ""));
    Carried { nonce: follows("nonce"), verifier: Zeroizing::new(follows("verifier")) }
}

fn destination(
    mut url: Url,
    stored: &Stored,
    callback: &str,
    (state, carried, errand): (&str, &Carried, Errand),
) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(carried.verifier.as_bytes()));
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &stored.client_id)
        .append_pair("redirect_uri", callback)
        .append_pair("scope", &stored.scopes.join(" "))
        .append_pair("state", state)
        .append_pair("nonce", &carried.nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    if errand == Errand::Proof {
        // The first asks the provider to ask; the second has it say in its token when it was answered.
        url.query_pairs_mut().append_pair("prompt", "login").append_pair("max_age", "0");
    }
    url.to_string()
}

/// 256 random bits.
fn random() -> Zeroizing<String> {
    let bits: Zeroizing<[u8; 32]> = Zeroizing::new(rand::random());
    Zeroizing::new(URL_SAFE_NO_PAD.encode(*bits))
}

fn keyed(key: &[u8], what: &str, text: &str) -> Vec<u8> {
    // HMAC takes a key of any length, so this makes one of every secret.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(format!("rlxv1/sso/{what}/{}/", text.len()).as_bytes());
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_leaves_tells_the_secret_or_another_thing_that_follows_from_it() {
        let (one, other) = (carried("one"), carried("other"));
        assert_ne!(one.nonce, *one.verifier);
        assert_ne!(one.nonce, other.nonce);
        assert_ne!(*one.verifier, *other.verifier);
        // RFC 7636 wants 43 characters at least.
        assert_eq!(one.verifier.len(), 43);
        assert_eq!(carried("one").nonce, one.nonce);
        assert_ne!(random(), random());
    }
}
