//! Fresh proofs: what is worth more than an open session asks again who is behind it.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::factors::{Method, Proof, StepUp};
use ralex_audit::{Event, FactorEvent};
use ralex_kernel::{Caller, Code, Credential, Problem, Secret, SessionId, Subject, UserId};
use ralex_store::{System, problem};

use super::wrong_code;
use crate::mint::TokenKind;
use crate::sql::{factor as sql, session};
use crate::{Arrival, Freshness, Identity, SignedIn};

/// A proof is fresh this long.
const FRESH: TimeDelta = TimeDelta::minutes(10);

/// A session that was proven anew.
pub struct Proven {
    pub answer: Proof,
    /// What the session's cookie holds from now on.
    pub cookie: Secret,
}

impl Identity {
    /// Nothing where the person behind the credential proved who they are a short while ago.
    ///
    /// # Errors
    /// `step_up_required`, also for every token: it proves that somebody has it, and not who.
    pub fn require_fresh(&self, signed_in: &SignedIn) -> Result<(), Problem> {
        let detail = match signed_in.proof {
            Freshness::Fresh => return Ok(()),
            Freshness::Old if signed_in.caller.sign_on.is_some() => {
                "Prove again who you are, then repeat this: sign in once more by your organisation's \
                 provider."
            }
            Freshness::Old => {
                "Prove again who you are, then repeat this: POST /api/v1/auth/step-up with your \
                 password and, where one is registered, a code of your second factor."
            }
            Freshness::Never => {
                "A token cannot prove who uses it. Sign in with your password \
                 (POST /api/v1/auth/login) and do this in that session."
            }
        };
        Err(Problem::new(Code::StepUpRequired, detail))
    }

    /// The same for what programs may do as well: a personal token came about by a fresh proof and
    /// has a name and an end of its own, so that only sessions are asked.
    pub fn require_fresh_session(&self, signed_in: &SignedIn) -> Result<(), Problem> {
        match signed_in.proof {
            Freshness::Fresh | Freshness::Old => self.require_fresh(signed_in),
            Freshness::Never => Ok(()),
        }
    }

    /// How fresh the proof of a session is; nothing is known where its cookie is not the newest.
    pub(crate) fn freshness(&self, proven_at: Option<DateTime<Utc>>) -> Freshness {
        match proven_at {
            Some(at) if at + FRESH > self.clock.now() => Freshness::Fresh,
            Some(_) | None => Freshness::Old,
        }
    }

    /// Proves anew who is behind a session, which gets another cookie by it.
    pub async fn step_up(
        &self,
        caller: &Caller,
        step_up: &StepUp,
        arrival: &Arrival,
    ) -> Result<Proven, Problem> {
        crate::holder(caller)?;
        let (user, session) = own_session(caller)?;
        self.prove_password(user, &step_up.password, "password", arrival).await?;
        let mut tx = self.db.system("look for a second factor").await?;
        let asked = sql::has_factor(&mut tx, user).await.map_err(problem)?;
        drop(tx);
        let mut methods = vec![Method::Password];
        let mut tx = if asked {
            let code = step_up.code.as_ref().ok_or_else(code_needed)?;
            let (tx, method) = self.prove_factor(user, code, arrival).await?;
            methods.push(method);
            tx
        } else {
            self.db.system("prove a session anew").await?
        };
        let (minted, now) = (self.mint.mint(TokenKind::Session), self.clock.now());
        let renewed = session::renew(&mut tx, session, &minted.digest, &methods, now).await;
        if !renewed.map_err(problem)? {
            return Err(Problem::not_found("session"));
        }
        let event = FactorEvent::Proven { session, methods: methods.clone() };
        self.record_everywhere(&mut tx, caller, user, &Event::Factor(event)).await?;
        tx.commit().await.map_err(problem)?;
        let answer = Proof { methods, fresh_until: now + FRESH };
        Ok(Proven { answer, cookie: minted.text })
    }
}

impl Identity {
    /// Takes a code, in the transaction that is to go on with it.
    async fn prove_factor(
        &self,
        user: UserId,
        code: &Secret,
        arrival: &Arrival,
    ) -> Result<(System, Method), Problem> {
        let mut tx = self.db.system("count a try at a second factor").await?;
        let failures = self.count_try(&mut tx, user, arrival).await?;
        tx.commit().await.map_err(problem)?;
        let mut tx = self.db.system("prove a session anew").await?;
        let Some(method) = self.take_code(&mut tx, user, code, arrival).await? else {
            drop(tx);
            self.record_failure(user, failures, arrival).await?;
            return Err(wrong_code("code"));
        };
        self.forget_tries(&mut tx, user, arrival).await?;
        Ok((tx, method))
    }
}

fn own_session(caller: &Caller) -> Result<(UserId, SessionId), Problem> {
    if let (Subject::User(user), Credential::Session(session)) = (caller.subject, caller.credential)
    {
        return Ok((user, session));
    }
    let detail = "Only a session can be proven anew, and this is a token.";
    Err(Problem::new(Code::Forbidden, detail))
}

fn code_needed() -> Problem {
    Problem::field("code", "is needed, since your account has a second factor")
}
