//! Fresh proofs: what is worth more than an open session asks again who is behind it.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::factors::{Method, Proof, StepUp};
use ralex_api::passkeys::PasskeyAnswer;
use ralex_audit::{Event, FactorEvent};
use ralex_kernel::{Caller, Code, Credential, Problem, Secret, SessionId, SignOn, Subject, UserId};
use ralex_store::{System, problem};

use super::ceremony::Purpose;
use super::wrong_code;
use crate::login::not_yours;
use crate::mint::TokenKind;
use crate::sql::{factor as sql, session};
use crate::{Arrival, Freshness, Identity, SignedIn, throttle};

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
        if let (Freshness::Old, Some(by)) = (signed_in.proof, signed_in.caller.sign_on) {
            let detail = format!(
                "Prove again who you are, then repeat this: have your organisation's provider ask you once \
                 more, in a browser at {}.",
                prove_at(by)
            );
            return Err(Problem::new(Code::StepUpRequired, detail));
        }
        let detail = match signed_in.proof {
            Freshness::Fresh => return Ok(()),
            Freshness::Old => {
                "Prove again who you are, then repeat this: POST /api/v1/auth/step-up with a passkey, \
                 or with your password and, where one is registered, a code of your second factor."
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
        let (mut tx, methods) = match (&step_up.password, &step_up.passkey) {
            (Some(password), None) => {
                let account = self.prove_password(user, password, "password", arrival).await?;
                let (mut tx, methods) =
                    self.prove_second(user, step_up.code.as_ref(), arrival).await?;
                if !self.still_has(&mut tx, &account, None).await? {
                    return Err(not_yours("password"));
                }
                (tx, methods)
            }
            (None, Some(answer)) => {
                let purpose = Purpose::StepUp(user, session);
                self.prove_passkey(user, (purpose, answer), arrival).await?
            }
            (Some(_), Some(_)) | (None, None) => return Err(one_of_both()),
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
    /// Takes what comes after a right password, in the transaction that is to go on with it.
    async fn prove_second(
        &self,
        user: UserId,
        code: Option<&Secret>,
        arrival: &Arrival,
    ) -> Result<(System, Vec<Method>), Problem> {
        let mut tx = self.db.system("prove a session anew").await?;
        if !sql::has_factor(&mut tx, user).await.map_err(problem)? {
            return Ok((tx, vec![Method::Password]));
        }
        drop(tx);
        let code = code.ok_or_else(code_needed)?;
        let (tx, method) = self.prove_factor(user, code, arrival).await?;
        Ok((tx, vec![Method::Password, method]))
    }

    /// The same of a passkey, which needs no password. A signature is not guessed, so that whoever has
    /// no more than the session slows down their network and not its person.
    pub(super) async fn prove_passkey(
        &self,
        user: UserId,
        (purpose, answer): (Purpose<'_>, &PasskeyAnswer),
        arrival: &Arrival,
    ) -> Result<(System, Vec<Method>), Problem> {
        let keys = [throttle::of_network(arrival)];
        let mut tx = self.db.system("take a proof by passkey").await?;
        throttle::check(&mut tx, &keys, self.clock.now()).await?;
        let assertion = self.take_assertion(&mut tx, purpose, answer).await?;
        tx.commit().await.map_err(problem)?;
        let mut tx = self.db.system("prove a session anew by a passkey").await?;
        let said = self.look_at(&mut tx, assertion, Some(user)).await?;
        if said.method().is_some() {
            return Ok((tx, vec![Method::Passkey]));
        }
        drop(tx);
        let mut tx = self.db.system("count a failed proof by passkey").await?;
        throttle::fail(&mut tx, &keys, self.clock.now()).await?;
        tx.commit().await.map_err(problem)?;
        let told = self.refuse_passkey(&said, arrival).await?;
        Err(Problem::field("passkey", format!("does not count: {}", told.detail)))
    }

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

/// Where a browser is sent to prove anew, by the provider that opened its session, who is behind it.
pub(crate) fn prove_at(by: SignOn) -> String {
    format!("/api/v1/auth/sso/{}/{}/start?fresh=true", by.org, by.provider)
}

pub(super) fn own_session(caller: &Caller) -> Result<(UserId, SessionId), Problem> {
    if let (Subject::User(user), Credential::Session(session)) = (caller.subject, caller.credential)
    {
        return Ok((user, session));
    }
    let detail = "Only a session can be proven anew, and this is a token.";
    Err(Problem::new(Code::Forbidden, detail))
}

fn one_of_both() -> Problem {
    Problem::field("password", "or a passkey's answer is needed, and not both")
}

fn code_needed() -> Problem {
    Problem::field("code", "is needed, since your account has a second factor")
}
