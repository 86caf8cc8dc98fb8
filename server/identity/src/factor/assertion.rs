//! What an authenticator says of its owner: asked for, and looked at.

use ralex_api::factors::Method;
use ralex_api::passkeys::{PasskeyAnswer, PasskeyCeremony, WaitingLogin};
use ralex_audit::{Event, FactorEvent};
use ralex_kernel::{Caller, Code, Credential, PasskeyId, Problem, Subject, UserId};
use ralex_store::{System, problem};
use webauthn_rs::prelude::{DiscoverableAuthentication, PublicKeyCredential, WebauthnError};
use webauthn_rs_proto::AllowCredentials;

use super::broken;
use super::ceremony::Purpose;
use super::challenge::ended;
use super::passkey::unreadable;
use super::proof::own_session;
use crate::login::LoggedIn;
use crate::mint::TokenKind;
use crate::sql::{factor, passkey as sql, user as people};
use crate::{Arrival, Identity, throttle};

/// An answer, and the question that it took.
pub(super) struct Assertion {
    credential: PublicKeyCredential,
    /// Nothing where it was asked for something else, or is over.
    state: Option<DiscoverableAuthentication>,
}

/// What came of an answer.
pub(super) enum Said {
    Right(UserId, PasskeyId),
    Wrong,
    /// The signature is right, and its count is not ahead of the last one: somebody else may have
    /// counted on with a copy.
    Copied(UserId, PasskeyId),
}

impl Identity {
    /// What an authenticator is asked to say by itself who logs in.
    pub async fn begin_passkey_login(&self, arrival: &Arrival) -> Result<PasskeyCeremony, Problem> {
        self.relying.offered()?;
        let mut tx = self.db.system("ask whoever comes for a passkey").await?;
        let ceremony = self.ask_assertion(&mut tx, Purpose::Login, None, arrival).await?;
        tx.commit().await.map_err(problem)?;
        Ok(ceremony)
    }

    /// What an authenticator is asked to complete a login whose password was right.
    pub async fn begin_passkey_factor(
        &self,
        waiting: &WaitingLogin,
        arrival: &Arrival,
    ) -> Result<PasskeyCeremony, Problem> {
        let recognised = self.mint.recognise(waiting.challenge.expose());
        let Some((TokenKind::Challenge, digest)) = recognised else { return Err(ended()) };
        let mut tx = self.db.system("ask for a passkey after a password").await?;
        let person = self.waiting(&mut tx, &digest).await?;
        let purpose = Purpose::SecondFactor(person, &digest);
        let ceremony = self.ask_assertion(&mut tx, purpose, Some(person), arrival).await?;
        tx.commit().await.map_err(problem)?;
        Ok(ceremony)
    }

    /// What an authenticator is asked to prove anew who is behind a session.
    pub async fn begin_passkey_proof(
        &self,
        caller: &Caller,
        arrival: &Arrival,
    ) -> Result<PasskeyCeremony, Problem> {
        crate::holder(caller)?;
        let (user, session) = own_session(caller)?;
        let mut tx = self.db.system("ask for a passkey behind a session").await?;
        let purpose = Purpose::StepUp(user, session);
        let ceremony = self.ask_assertion(&mut tx, purpose, Some(user), arrival).await?;
        tx.commit().await.map_err(problem)?;
        Ok(ceremony)
    }

    pub(super) async fn ask_assertion(
        &self,
        tx: &mut System,
        purpose: Purpose<'_>,
        of: Option<UserId>,
        arrival: &Arrival,
    ) -> Result<PasskeyCeremony, Problem> {
        let webauthn = self.relying.offered()?;
        // The one way of the library whose state holds no keys: they are read when the answer comes,
        // with the newest count of signatures, and not at all where they were removed meanwhile.
        let begun = webauthn.start_discoverable_authentication();
        let (mut asked, state) = begun.map_err(|_| broken())?;
        asked.mediation = None;
        if let Some(user) = of {
            let own = sql::list(tx, user).await.map_err(problem)?;
            if own.is_empty() {
                let detail = "You have no passkey.";
                return Err(Problem::new(Code::Conflict, detail));
            }
            let own = own.into_iter().map(|row| AllowCredentials {
                type_: "public-key".to_owned(),
                id: row.credential_id,
                transports: None,
            });
            asked.public_key.allow_credentials = own.collect();
        }
        self.ask(tx, purpose, arrival, (&asked, &state)).await
    }

    /// Takes the question of an answer; see [`Identity::take_question`] for the transaction.
    pub(super) async fn take_assertion(
        &self,
        tx: &mut System,
        purpose: Purpose<'_>,
        answer: &PasskeyAnswer,
    ) -> Result<Assertion, Problem> {
        let credential = serde_json::from_value(answer.credential.clone());
        let credential = credential.map_err(|_| unreadable())?;
        let state = self.take_question(tx, purpose, &answer.ceremony).await?;
        Ok(Assertion { credential, state })
    }

    /// Looks at an answer, in the transaction that goes on with it. `of` is who has to be behind it
    /// where that is known.
    pub(super) async fn look_at(
        &self,
        tx: &mut System,
        assertion: Assertion,
        of: Option<UserId>,
    ) -> Result<Said, Problem> {
        let webauthn = self.relying.offered()?;
        let Assertion { credential, state: Some(state) } = assertion else {
            return Ok(Said::Wrong);
        };
        let found = sql::find(tx, credential.get_credential_id()).await.map_err(problem)?;
        let Some(mut held) = found else { return Ok(Said::Wrong) };
        let own = held.user.uuid();
        let named = credential.get_user_unique_id();
        let is_theirs = match of {
            Some(user) => held.user == user && named.is_none_or(|it| it == own.as_bytes()),
            None => named.is_some_and(|it| it == own.as_bytes()),
        };
        if !is_theirs {
            return Ok(Said::Wrong);
        }
        let passkey = &mut held.credential.0;
        match webauthn.finish_discoverable_authentication_v2(&credential, state, &*passkey) {
            Ok(result) => {
                passkey.update_credential(&result);
                let now = self.clock.now();
                sql::used(tx, held.id, passkey, now).await.map_err(problem)?;
                Ok(Said::Right(held.user, held.id))
            }
            Err(WebauthnError::CredentialPossibleCompromise) => {
                Ok(Said::Copied(held.user, held.id))
            }
            Err(why) => {
                tracing::debug!("an authenticator's answer does not count: {why}");
                Ok(Said::Wrong)
            }
        }
    }

    /// Logs in whoever an authenticator names and vouches for.
    ///
    /// # Errors
    /// `invalid_login` where the answer is wrong, was given before or took too long; `throttled` after
    /// many failed tries from the same network. No try of a stranger slows the person down.
    pub async fn login_by_passkey(
        &self,
        answer: &PasskeyAnswer,
        arrival: &Arrival,
    ) -> Result<LoggedIn, Problem> {
        let keys = [throttle::of_network(arrival)];
        let mut tx = self.db.system("take a login by passkey").await?;
        throttle::check(&mut tx, &keys, self.clock.now()).await?;
        let assertion = self.take_assertion(&mut tx, Purpose::Login, answer).await?;
        tx.commit().await.map_err(problem)?;
        let mut tx = self.db.system("log in by a passkey").await?;
        let (person, passkey) = match self.look_at(&mut tx, assertion, None).await? {
            Said::Right(person, passkey) => (person, passkey),
            refused @ (Said::Wrong | Said::Copied(..)) => {
                drop(tx);
                metrics::counter!("ralex_logins_total", "outcome" => "failed").increment(1);
                let mut tx = self.db.system("count a failed login by passkey").await?;
                throttle::fail(&mut tx, &keys, self.clock.now()).await?;
                tx.commit().await.map_err(problem)?;
                return Err(self.refuse_passkey(&refused, arrival).await?);
            }
        };
        let account = people::account(&mut tx, person).await.map_err(problem)?;
        let account = account.ok_or_else(wrong)?;
        let cookie = self.open_by_passkey(&mut tx, person, arrival, passkey).await?;
        tx.commit().await.map_err(problem)?;
        self.entered(&account, cookie, arrival)
    }

    /// What is said to an answer that does not count. Of a copy the log tells as well.
    pub(super) async fn refuse_passkey(
        &self,
        said: &Said,
        arrival: &Arrival,
    ) -> Result<Problem, Problem> {
        let Said::Copied(user, passkey) = *said else { return Ok(wrong()) };
        let mut tx = self.db.system("record that a passkey may be copied").await?;
        let event = Event::Factor(FactorEvent::PasskeyCopied { user, passkey });
        let caller = arrival.caller(Subject::System, Credential::Internal);
        self.record_everywhere(&mut tx, &caller, user, &event).await?;
        tx.commit().await.map_err(problem)?;
        let detail = "This passkey counts its signatures, and this one is not ahead of the last: there \
                      may be a copy of it. Log in otherwise, and remove it if it is not your own doing.";
        Ok(Problem::new(Code::InvalidLogin, detail))
    }

    async fn waiting(&self, tx: &mut System, digest: &[u8]) -> Result<UserId, Problem> {
        let found =
            factor::find_challenge(tx, digest, self.clock.now(), super::challenge::MOST_TRIES);
        found.await.map_err(problem)?.ok_or_else(ended)
    }
}

impl Said {
    pub(super) const fn method(&self) -> Option<Method> {
        match self {
            Self::Right(..) => Some(Method::Passkey),
            Self::Wrong | Self::Copied(..) => None,
        }
    }
}

fn wrong() -> Problem {
    let detail = "This passkey is not known here, or its answer is wrong, was given before or took too \
                  long.";
    Problem::new(Code::InvalidLogin, detail)
}
