//! The second half of a login: between a right password and a session.

use chrono::TimeDelta;
use ralex_api::factors::{Method, SecondFactor, SecondFactorLogin};
use ralex_kernel::{Code, Problem, UserId};
use ralex_store::{System, problem};

use super::ceremony::Purpose;
use super::{Refused, Shown};
use crate::login::LoggedIn;
use crate::mint::TokenKind;
use crate::sql::{factor as sql, password, user as people};
use crate::{Arrival, Identity};

/// How long somebody may look for their app.
const LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// Wrong codes that one right password buys.
pub(super) const MOST_TRIES: i32 = 5;

impl Identity {
    /// What is answered to a right password where a second factor is registered; nothing where
    /// none is.
    pub(crate) async fn challenge(
        &self,
        tx: &mut System,
        user: UserId,
    ) -> Result<Option<SecondFactor>, Problem> {
        if !sql::has_factor(tx, user).await.map_err(problem)? {
            return Ok(None);
        }
        let (minted, now) = (self.mint.mint(TokenKind::Challenge), self.clock.now());
        let expires_at = now + LIFETIME;
        sql::insert_challenge(tx, user, &minted.digest, now, expires_at).await.map_err(problem)?;
        let has = sql::methods(tx, user).await.map_err(problem)?;
        let mut methods = Vec::new();
        if has.passkey && self.relying.missing().is_none() {
            methods.push(Method::Passkey);
        }
        if has.totp {
            methods.push(Method::Totp);
        }
        if sql::recovery_codes_left(tx, user).await.map_err(problem)? > 0 {
            methods.push(Method::RecoveryCode);
        }
        let challenge = minted.text.expose().to_owned();
        Ok(Some(SecondFactor { challenge, expires_at, methods }))
    }

    /// Completes a login by a second factor and opens the session.
    ///
    /// # Errors
    /// `invalid_login` where the challenge is not one that waits or what is shown is wrong,
    /// `throttled` after many failed tries.
    pub async fn complete_login(
        &self,
        second: &SecondFactorLogin,
        arrival: &Arrival,
    ) -> Result<LoggedIn, Problem> {
        let recognised = self.mint.recognise(second.challenge.expose());
        let Some((TokenKind::Challenge, digest)) = recognised else { return Err(ended()) };
        let mut tx = self.db.system("count a try at a second factor").await?;
        let now = self.clock.now();
        let found = sql::try_challenge(&mut tx, &digest, now, MOST_TRIES).await;
        let person = found.map_err(problem)?.ok_or_else(ended)?;
        let failures = self.count_try(&mut tx, person, arrival).await?;
        let shown = match (&second.code, &second.passkey) {
            (Some(code), None) => Shown::Code(code),
            (None, Some(answer)) => {
                let purpose = Purpose::SecondFactor(person, &digest);
                Shown::Passkey(Box::new(self.take_assertion(&mut tx, purpose, answer).await?))
            }
            (Some(_), Some(_)) | (None, None) => return Err(one_of_both()),
        };
        tx.commit().await.map_err(problem)?;

        let mut tx = self.db.system("complete a login").await?;
        // Whoever changes the password or the factors ends this login, or finds the session that it opened.
        password::hold(&mut tx, person).await.map_err(problem)?;
        let method = match self.take_factor(&mut tx, person, shown, arrival).await? {
            Ok(method) => method,
            Err(refused) => {
                drop(tx);
                self.record_failure(person, failures, arrival).await?;
                return Err(self.refuse_factor(&refused, arrival).await?);
            }
        };
        // Whoever completes it first has it; a code that another try spends with it is kept.
        if !sql::end_challenge(&mut tx, &digest).await.map_err(problem)? {
            return Err(ended());
        }
        let account = people::account(&mut tx, person).await.map_err(problem)?.ok_or_else(ended)?;
        self.forget_tries(&mut tx, person, arrival).await?;
        let by = [Method::Password, method];
        let cookie = self.open_session(&mut tx, person, arrival, &by).await?;
        tx.commit().await.map_err(problem)?;
        self.entered(&account, cookie, arrival)
    }
}

impl Identity {
    async fn refuse_factor(
        &self,
        refused: &Refused,
        arrival: &Arrival,
    ) -> Result<Problem, Problem> {
        match refused {
            Refused::Code => {
                let detail = "The code is wrong, was used before, or is too old.";
                Ok(Problem::new(Code::InvalidLogin, detail))
            }
            Refused::Passkey(said) => self.refuse_passkey(said, arrival).await,
        }
    }
}

fn one_of_both() -> Problem {
    Problem::field("code", "or a passkey's answer is needed, and not both")
}

pub(super) fn ended() -> Problem {
    let detail = "This login has ended: it took too long, had too many tries, or is complete. \
                  Begin with your password.";
    Problem::new(Code::InvalidLogin, detail)
}
