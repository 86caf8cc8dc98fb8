//! What an authenticator is asked, kept until it answers.
//!
//! The question lives in the database and nowhere else. An answer takes it, whatever comes of it, so
//! that of two that come at once one finds it; and it is taken only for what it was asked for, by
//! whom it was asked for.

use chrono::TimeDelta;
use ralex_api::passkeys::PasskeyCeremony;
use ralex_kernel::{Code, Problem, Secret, SessionId, UserId};
use ralex_store::{System, problem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::broken;
use super::glass::GlassAct;
use crate::mint::TokenKind;
use crate::sql::passkey as sql;
use crate::{Arrival, Identity};

/// As long as browsers wait for an authenticator.
const LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// Questions to nobody in particular that one network may have open: they cost a row each.
const MOST_NAMELESS: i64 = 100;

/// What an answer is asked for, and whose it has to be.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// To make a passkey.
    Register(UserId, SessionId),
    /// To prove anew who is behind a session.
    StepUp(UserId, SessionId),
    /// To open the break-glass access, or to agree to that.
    Glass(UserId, SessionId, GlassAct),
    /// To complete the login that waits with this digest.
    SecondFactor(UserId, &'a [u8]),
    /// To say who one is and prove it, by nothing else.
    Login,
}

impl Purpose<'_> {
    const fn bound(&self) -> sql::Bound<'_> {
        let (mut about, none) = (None, None);
        let (purpose, user, session, login) = match *self {
            Self::Register(user, session) => ("register", Some(user), Some(session), none),
            Self::StepUp(user, session) => ("step_up", Some(user), Some(session), none),
            Self::Glass(user, session, act) => {
                about = Some(act.about());
                (act.purpose(), Some(user), Some(session), none)
            }
            Self::SecondFactor(user, login) => ("second_factor", Some(user), None, Some(login)),
            Self::Login => ("login", None, None, None),
        };
        sql::Bound { purpose, user, session, login, about }
    }
}

impl Identity {
    /// Keeps a question and says how it is answered. `options` is what the library wants browsers to
    /// get, `state` what it wants to see again.
    pub(super) async fn ask(
        &self,
        tx: &mut System,
        purpose: Purpose<'_>,
        arrival: &Arrival,
        (options, state): (&impl Serialize, &impl Serialize),
    ) -> Result<PasskeyCeremony, Problem> {
        let (minted, now) = (self.mint.mint(TokenKind::Ceremony), self.clock.now());
        let (expires_at, network) = (now + LIFETIME, arrival.network());
        sql::sweep(tx, now).await.map_err(problem)?;
        if matches!(purpose, Purpose::Login)
            && sql::count_nameless(tx, &network, now).await.map_err(problem)? >= MOST_NAMELESS
        {
            let detail = "Too many logins by passkey were begun from your network and not completed. \
                          Try again in a few minutes, or log in with your password.";
            return Err(Problem::new(Code::Throttled, detail).with_retry_after(60));
        }
        let state = serde_json::to_value(state).map_err(|_| broken())?;
        let bound = purpose.bound();
        // Who asks is known otherwise, and needs no count by network.
        let network = matches!(purpose, Purpose::Login).then_some(network.as_str());
        sql::begin(tx, (&minted.digest, &bound), network, &state, expires_at)
            .await
            .map_err(problem)?;
        let mut options = serde_json::to_value(options).map_err(|_| broken())?;
        let options = options.get_mut("publicKey").map(Value::take).ok_or_else(broken)?;
        Ok(PasskeyCeremony { ceremony: minted.text.expose().to_owned(), expires_at, options })
    }

    /// Takes the question that an answer names. The transaction has to be committed before the answer
    /// is looked at, so that a wrong one ends it too.
    pub(super) async fn take_question<T: DeserializeOwned>(
        &self,
        tx: &mut System,
        purpose: Purpose<'_>,
        ceremony: &Secret,
    ) -> Result<Option<T>, Problem> {
        let recognised = self.mint.recognise(ceremony.expose());
        let Some((TokenKind::Ceremony, digest)) = recognised else { return Ok(None) };
        let taken = sql::take(tx, &digest, &purpose.bound(), self.clock.now()).await;
        let taken = taken.map_err(problem)?;
        taken.map(|state| serde_json::from_value(state).map_err(|_| broken())).transpose()
    }
}
