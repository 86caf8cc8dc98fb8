//! A program on the person's own machine, to which their browser brings the code (RFC 8252).

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use ralex_api::oauth::{AnswerProgram, CLIENT_ID, ProgramAnswered, TokenGranted};
use ralex_kernel::{Caller, Problem};
use ralex_store::problem;
use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::{Refused, Way, name_of};
use crate::mint::TokenKind;
use crate::sql::program as sql;
use crate::{Arrival, Identity};

/// From the person's yes to the program's question: a browser needs a moment.
const CODE_AGE: TimeDelta = TimeDelta::seconds(60);
/// Lengths of what a program proves itself with (RFC 7636, 4.1).
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

/// An address of the person's own machine, and of no other.
#[derive(Clone, Debug)]
pub struct Redirect(Url);

impl Redirect {
    /// # Errors
    /// For whatever is not `http` to a loopback address in digits: a name could lead elsewhere.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = || {
            let rule = "must be http://127.0.0.1:PORT/… or http://[::1]:PORT/…, without a query";
            Problem::field("redirect_uri", rule)
        };
        let url: Url = text.parse().map_err(|_| wrong())?;
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
            Some(Host::Domain(_)) | None => false,
        };
        let is_plain = url.scheme() == "http"
            && url.port().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if is_loopback && is_plain && text.len() <= 200 { Ok(Self(url)) } else { Err(wrong()) }
    }

    fn with(&self, name: &str, value: &str, state: Option<&str>, issuer: &str) -> String {
        let mut url = self.0.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair(name, value);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", issuer);
        drop(query);
        url.into()
    }
}

impl Identity {
    /// Writes what a person says to a program whose code their browser brings, and where it goes on to.
    pub async fn answer_program(
        &self,
        caller: &Caller,
        said: &AnswerProgram,
        arrival: &Arrival,
        issuer: &str,
    ) -> Result<ProgramAnswered, Problem> {
        let user = crate::person(caller)?;
        if said.client_id != CLIENT_ID {
            return Err(Problem::field("client_id", format!("must be \"{CLIENT_ID}\"")));
        }
        if said.code_challenge_method != "S256" {
            return Err(Problem::field("code_challenge_method", "must be S256"));
        }
        let digest = URL_SAFE_NO_PAD.decode(&said.code_challenge);
        if digest.is_err() || digest.is_ok_and(|it| it.len() != 32) {
            let rule = "must be a SHA-256 digest in base64 for addresses, without padding";
            return Err(Problem::field("code_challenge", rule));
        }
        if said.state.as_ref().is_some_and(|it| it.len() > 500) {
            return Err(Problem::field("state", "may have 500 characters at most"));
        }
        let (redirect, state) = (Redirect::parse(&said.redirect_uri)?, said.state.as_deref());
        let name = name_of(said.name.as_deref());
        let mut tx = self.db.system("keep what somebody says to a program").await?;
        self.record_answer(&mut tx, (caller, user), &name, Way::Browser, said.approve).await?;
        if !said.approve {
            tx.commit().await.map_err(problem)?;
            let redirect = redirect.with("error", "access_denied", state, issuer);
            return Ok(ProgramAnswered { redirect });
        }
        let code = self.mint.mint(TokenKind::ProgramCode);
        let now = self.clock.now();
        let network = arrival.network();
        let new = sql::NewLogin {
            name: &name,
            digest: &code.digest,
            user_code: None,
            challenge: Some(&said.code_challenge),
            redirect_uri: Some(&said.redirect_uri),
            by: Some((user, caller.sign_on)),
            network: &network,
            address: arrival.address.map(|it| it.to_string()),
            now,
            expires_at: now + CODE_AGE,
        };
        sql::insert(&mut tx, new).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        let redirect = redirect.with("code", code.text.expose(), state, issuer);
        Ok(ProgramAnswered { redirect })
    }

    /// The token for a code that a browser brought, to the program that can show what it is bound to.
    pub async fn exchange_code(
        &self,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
        arrival: &Arrival,
    ) -> Result<TokenGranted, Refused> {
        let recognised = self.mint.recognise(code);
        let Some((TokenKind::ProgramCode, digest)) = recognised else { return Err(Refused::Grant) };
        let mut tx = self.db.system("exchange a program's code").await.map_err(Problem::from)?;
        let login = sql::lock(&mut tx, &digest).await.map_err(problem)?.ok_or(Refused::Grant)?;
        let Some(challenge) = &login.challenge else { return Err(Refused::Grant) };
        if login.state == "used" {
            self.end_spent(tx, &login, arrival).await?;
            return Err(Refused::Grant);
        }
        let is_its = VERIFIER.contains(&verifier.len())
            && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == *challenge
            && login.redirect_uri.as_deref() == Some(redirect_uri);
        if !is_its || login.expires_at <= self.clock.now() {
            return Err(Refused::Grant);
        }
        let granted = self.grant(&mut tx, &login, arrival, false).await?;
        tx.commit().await.map_err(problem)?;
        Ok(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_goes_to_the_same_machine_only() {
        for own in ["http://127.0.0.1:4321/done", "http://[::1]:9/", "http://127.9.9.9:80/x"] {
            let parsed = Redirect::parse(own);
            assert!(parsed.is_ok() || own.contains(":80/"), "{own}");
        }
        for other in [
            "",
            "http://localhost:1/",
            "http://127.0.0.1/",
            "https://127.0.0.1:1/",
            "http://127.0.0.1.evil.example:1/",
            "http://127.0.0.1:1@evil.example:2/",
            "http://a@127.0.0.1:1/",
            "http://127.0.0.1:1/#x",
            "http://127.0.0.1:1/?code=x",
            "http://10.0.0.1:1/",
            "http://[::ffff:10.0.0.1]:1/",
            "http://[::]:1/",
            "http://0.0.0.0:1/",
            "javascript:alert(1)",
        ] {
            assert!(Redirect::parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn what_is_handed_back_stays_a_value() {
        let redirect = Redirect::parse("http://127.0.0.1:1/cb").unwrap();
        let to = redirect.with("code", "c", Some("a&code=evil#x"), "https://r.example");
        assert_eq!(
            to,
            "http://127.0.0.1:1/cb?code=c&state=a%26code%3Devil%23x&iss=https%3A%2F%2Fr.example"
        );
    }
}
