//! The second half of a login: between a right password and a session.

use chrono::TimeDelta;
use ralex_api::factors::{Method, SecondFactor, SecondFactorLogin};
use ralex_api::identity::LoginAnswer;
use ralex_kernel::{Code, Problem, UserId};
use ralex_store::{System, problem};

use crate::login::{LoggedIn, user};
use crate::mint::TokenKind;
use crate::sql::{factor as sql, user as people};
use crate::{Arrival, Identity};

/// How long somebody may look for their app.
const LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// Wrong codes that one right password buys.
const MOST_TRIES: i32 = 5;

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
        let mut methods = vec![Method::Totp];
        if sql::recovery_codes_left(tx, user).await.map_err(problem)? > 0 {
            methods.push(Method::RecoveryCode);
        }
        let challenge = minted.text.expose().to_owned();
        Ok(Some(SecondFactor { challenge, expires_at, methods }))
    }

    /// Completes a login by a second factor and opens the session.
    ///
    /// # Errors
    /// `invalid_login` where the challenge is not one that waits or the code is wrong, `throttled`
    /// after many failed tries.
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
        tx.commit().await.map_err(problem)?;

        let mut tx = self.db.system("complete a login").await?;
        let Some(method) = self.take_code(&mut tx, person, &second.code, arrival).await? else {
            drop(tx);
            self.record_failure(person, failures, arrival).await?;
            let detail = "The code is wrong, was used before, or is too old.";
            return Err(Problem::new(Code::InvalidLogin, detail));
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
        metrics::counter!("ralex_logins_total", "outcome" => "success").increment(1);
        let answer = LoginAnswer {
            user: Some(user(&account)?),
            must_change_password: account.one_time,
            second_factor: None,
        };
        let device = self.new_device(&account.email.to_lowercase(), arrival);
        Ok(LoggedIn { answer, cookie: Some(cookie), device })
    }
}

fn ended() -> Problem {
    let detail = "This login has ended: it took too long, had too many tries, or is complete. \
                  Begin with your password.";
    Problem::new(Code::InvalidLogin, detail)
}
