//! A program where there is no browser: it shows a short code, which the person types in one that they
//! have elsewhere (RFC 8628).
//!
//! Whoever has somebody type a code of theirs has that person's token, which no standard can prevent.
//! So such tokens count only in organisations that say so, and the page tells what is about to happen.

use chrono::TimeDelta;
use ralex_api::oauth::{AnswerDevice, DeviceAuthorization, DeviceLogin, TokenGranted};
use ralex_kernel::{Caller, Code, Problem, UserId};
use ralex_store::{System, problem};
use rand::RngExt;

use super::{Refused, Way, name_of};
use crate::mint::TokenKind;
use crate::sql::program as sql;
use crate::{Arrival, Identity, throttle};

const AGE: TimeDelta = TimeDelta::minutes(10);
const POLL_SECONDS: i32 = 5;
/// Codes of one network that nobody has answered yet.
const MOST_WAITING: i64 = 20;
/// Without vowels, so that no word comes of it, and without what is mistaken for something else
/// (RFC 8628, 6.1): 20^8 codes.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

impl Identity {
    /// Begins the login of a program that shows a code.
    ///
    /// # Errors
    /// `throttled` where many of this network wait.
    pub async fn begin_device(
        &self,
        name: Option<&str>,
        arrival: &Arrival,
        base: &str,
    ) -> Result<DeviceAuthorization, Problem> {
        let (now, network, name) = (self.clock.now(), arrival.network(), name_of(name));
        let mut tx = self.db.system("begin the login of a program").await?;
        if sql::waiting(&mut tx, &network, now).await.map_err(problem)? >= MOST_WAITING {
            let detail = "Many programs of your network wait for an answer. Try again in a minute.";
            return Err(Problem::new(Code::Throttled, detail).with_retry_after(60));
        }
        let (code, user_code) = (self.mint.mint(TokenKind::DeviceCode), random_code());
        let user_digest = self.user_code_digest(&user_code);
        let new = sql::NewLogin {
            name: &name,
            digest: &code.digest,
            user_code: Some(&user_digest),
            challenge: None,
            redirect_uri: None,
            by: None,
            network: &network,
            address: arrival.address.map(|it| it.to_string()),
            now,
            expires_at: now + AGE,
        };
        sql::insert(&mut tx, new).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        let shown = format!("{}-{}", &user_code[..4], &user_code[4..]);
        Ok(DeviceAuthorization {
            device_code: code.text.expose().to_owned(),
            verification_uri: format!("{base}/device"),
            verification_uri_complete: format!("{base}/device?code={shown}"),
            user_code: shown,
            expires_in: AGE.num_seconds(),
            interval: POLL_SECONDS.into(),
        })
    }

    /// What waits for the code that somebody typed.
    ///
    /// # Errors
    /// `not_found`, and `throttled` after some codes that are none: they could be guessed otherwise.
    pub async fn find_device(
        &self,
        caller: &Caller,
        user_code: &str,
        arrival: &Arrival,
    ) -> Result<DeviceLogin, Problem> {
        let user = crate::person(caller)?;
        let (tx, waiting) = self.typed(user, user_code, arrival).await?;
        tx.rollback().await.map_err(problem)?;
        Ok(DeviceLogin {
            name: waiting.name,
            address: waiting.address,
            asked_at: waiting.created_at,
            expires_at: waiting.expires_at,
        })
    }

    /// Says yes or no to the program whose code somebody typed.
    pub async fn answer_device(
        &self,
        caller: &Caller,
        said: &AnswerDevice,
        arrival: &Arrival,
    ) -> Result<(), Problem> {
        let user = crate::person(caller)?;
        if said.approve && !self.counts_by_device(caller, user).await? {
            let detail = "None of your organisations lets in tokens that came of a typed code. An \
                          administrator allows them: PATCH /api/v1/orgs/{org}/security.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let (mut tx, waiting) = self.typed(user, &said.user_code, arrival).await?;
        let by = said.approve.then_some((user, caller.sign_on));
        sql::answer(&mut tx, waiting.id, by).await.map_err(problem)?;
        self.record_answer(&mut tx, (caller, user), &waiting.name, Way::Typed, said.approve)
            .await?;
        tx.commit().await.map_err(problem)
    }

    /// Whether a token that comes of a typed code would count anywhere.
    async fn counts_by_device(&self, caller: &Caller, user: UserId) -> Result<bool, Problem> {
        let mut tx = self.db.system("see where device logins count").await?;
        sql::counts_by_device(&mut tx, user, crate::session::within(caller)).await.map_err(problem)
    }

    /// The login of a typed code, locked. A try is counted before it is looked at.
    async fn typed(
        &self,
        user: UserId,
        user_code: &str,
        arrival: &Arrival,
    ) -> Result<(System, sql::Waiting), Problem> {
        let now = self.clock.now();
        let key = |name, free_tries| throttle::Key { name, free_tries, longest: throttle::MINUTE };
        let keys = [
            key(format!("device-code:{user}"), 5),
            key(format!("device-code:{}", arrival.network()), 20),
        ];
        let mut tx = self.db.system("count a try at a program's code").await?;
        throttle::begin(&mut tx, &keys, now).await?;
        tx.commit().await.map_err(problem)?;
        let mut tx = self.db.system("look for a program's code").await?;
        let digest = self.user_code_digest(&canonical(user_code));
        let found = sql::find_waiting(&mut tx, &digest, now).await.map_err(problem)?;
        let found = found.ok_or_else(|| {
            let detail = "No program waits with this code. Check how it is written; codes are good for \
                          ten minutes and for one answer.";
            Problem::new(Code::NotFound, detail)
        })?;
        for key in &keys {
            throttle::clear(&mut tx, key).await?;
        }
        Ok((tx, found))
    }

    /// The token for the code that a program polls with, once the person said yes.
    pub async fn exchange_device(
        &self,
        device_code: &str,
        arrival: &Arrival,
    ) -> Result<TokenGranted, Refused> {
        let recognised = self.mint.recognise(device_code);
        let Some((TokenKind::DeviceCode, digest)) = recognised else { return Err(Refused::Grant) };
        let now = self.clock.now();
        let mut tx = self.db.system("ask for a program's token").await.map_err(Problem::from)?;
        let login = sql::lock(&mut tx, &digest).await.map_err(problem)?.ok_or(Refused::Grant)?;
        if login.state == "used" {
            self.end_spent(tx, &login, arrival).await?;
            return Err(Refused::Grant);
        }
        if login.expires_at <= now {
            return Err(Refused::Expired);
        }
        match login.state.as_str() {
            "approved" => {
                let granted = self.grant(&mut tx, &login, arrival, true).await?;
                tx.commit().await.map_err(problem)?;
                Ok(granted)
            }
            "denied" => Err(Refused::Denied),
            _ => {
                let next =
                    login.polled_at.map(|at| at + TimeDelta::seconds(login.poll_seconds.into()));
                let too_fast = next.is_some_and(|next| now < next);
                let seconds = login.poll_seconds + if too_fast { POLL_SECONDS } else { 0 };
                sql::polled(&mut tx, login.id, now, seconds).await.map_err(problem)?;
                tx.commit().await.map_err(problem)?;
                Err(if too_fast { Refused::TooFast } else { Refused::Pending })
            }
        }
    }

    fn user_code_digest(&self, code: &str) -> Vec<u8> {
        self.mint.digest(&format!("user-code:{code}"))
    }
}

fn random_code() -> String {
    let mut random = rand::rng();
    (0..LENGTH).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

/// As people type it: in any case, with or without what stands between.
fn canonical(typed: &str) -> String {
    let letters = typed.chars().filter(char::is_ascii_alphanumeric).take(LENGTH + 1);
    letters.map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_same_however_it_is_typed() {
        let code = random_code();
        assert!(code.len() == LENGTH && code.bytes().all(|byte| LETTERS.contains(&byte)), "{code}");
        for typed in ["wdjb-mjht", " WDJBMJHT ", "wdjb mjht", "WDJB\u{2013}MJHT"] {
            assert_eq!(canonical(typed), "WDJBMJHT", "{typed}");
        }
        assert_ne!(canonical("WDJB-MJHTX"), "WDJBMJHT");
        assert_eq!(canonical(&"x".repeat(10_000)).len(), LENGTH + 1);
    }
}
