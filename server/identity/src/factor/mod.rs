//! Second factors: what a person proves beside the password or, with a passkey, in its place, and what
//! is asked for when.
//!
//! What always holds: a code is accepted once, whoever sends it how often at the same moment; a try
//! is counted before the code is looked at; and what is kept of secrets is sealed for the person or
//! a keyed digest.

mod assertion;
mod ceremony;
mod challenge;
mod glass;
mod keys;
mod passkey;
mod policy;
mod proof;
mod recovery;
mod relying;
mod reset;
mod totp;

use chrono::{DateTime, Utc};
use ralex_api::factors::{Factors, Method, TotpFactor};
use ralex_audit::{Author, Event, FactorEvent};
use ralex_kernel::{Caller, Code, Credential, Problem, Secret, Subject, UserId};
use ralex_store::{System, problem};

use assertion::{Assertion, Said};
pub use glass::{GlassAct, GlassProof};
pub(crate) use keys::Keys;
use proof::own_session;
pub(crate) use proof::prove_at;
pub(crate) use relying::RelyingParty;

use crate::sql::{factor as sql, session};
use crate::{Arrival, Identity, count, throttle};

/// What somebody shows beside the password.
enum Shown<'a> {
    /// Of an app, or a recovery code.
    Code(&'a Secret),
    Passkey(Box<Assertion>),
}

/// What does not count.
enum Refused {
    Code,
    Passkey(Said),
}

impl Identity {
    /// One's own second factors.
    pub async fn factors(&self, caller: &Caller) -> Result<Factors, Problem> {
        let user = crate::person(caller)?;
        let mut tx = self.db.system("show a person their second factors").await?;
        let app = sql::find_totp(&mut tx, user).await.map_err(problem)?;
        let totp = app.and_then(|app| {
            Some(TotpFactor { added_at: app.confirmed_at?, last_used_at: app.last_used_at })
        });
        let left = sql::recovery_codes_left(&mut tx, user).await.map_err(problem)?;
        let passkeys = self.passkeys(&mut tx, user).await?;
        Ok(Factors { totp, passkeys, recovery_codes: count(left) })
    }

    /// Looks at what is shown as a second factor, in the transaction that goes on with it.
    async fn take_factor(
        &self,
        tx: &mut System,
        user: UserId,
        shown: Shown<'_>,
        arrival: &Arrival,
    ) -> Result<Result<Method, Refused>, Problem> {
        match shown {
            Shown::Code(code) => {
                Ok(self.take_code(tx, user, code, arrival).await?.ok_or(Refused::Code))
            }
            Shown::Passkey(assertion) => {
                let said = self.look_at(tx, *assertion, Some(user)).await?;
                Ok(said.method().ok_or(Refused::Passkey(said)))
            }
        }
    }

    /// Takes a code of an app or a recovery code, if it is one that was not taken before.
    async fn take_code(
        &self,
        tx: &mut System,
        user: UserId,
        code: &Secret,
        arrival: &Arrival,
    ) -> Result<Option<Method>, Problem> {
        let text = code.expose().trim();
        let now = self.clock.now();
        if totp::is_code(text) {
            let taken = self.take_totp(tx, user, text, now).await?;
            return Ok(taken.then_some(Method::Totp));
        }
        let digest = self.factor_keys.recovery_digest(user, &recovery::plain(text));
        if !sql::use_recovery_code(tx, user, &digest, now).await.map_err(problem)? {
            return Ok(None);
        }
        let left = count(sql::recovery_codes_left(tx, user).await.map_err(problem)?);
        let caller = arrival.caller(Subject::User(user), Credential::Internal);
        let event = Event::Factor(FactorEvent::CodeUsed { user, left });
        self.record_everywhere(tx, &caller, user, &event).await?;
        Ok(Some(Method::RecoveryCode))
    }

    async fn take_totp(
        &self,
        tx: &mut System,
        user: UserId,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, Problem> {
        let app = sql::find_totp(tx, user).await.map_err(problem)?;
        let Some(app) = app.filter(|app| app.confirmed_at.is_some()) else { return Ok(false) };
        let secret = self.factor_keys.open(user, &app.secret)?;
        let Some(step) = totp::step_of(&secret, code, now)? else { return Ok(false) };
        sql::accept_step(tx, user, step, now).await.map_err(problem)
    }

    /// Counts a new factor for the session that added it. With the first one all of the person's
    /// other sessions and the logins that wait are over: they began with less than what is asked for
    /// from now on. Says how many sessions that were.
    async fn count_for_session(
        &self,
        tx: &mut System,
        caller: &Caller,
        method: Method,
        first: bool,
    ) -> Result<u32, Problem> {
        let (user, own) = own_session(caller)?;
        session::add_method(tx, own, method).await.map_err(problem)?;
        if !first {
            return Ok(0);
        }
        // A login that saw no factor has opened its session by then, or sees this one.
        crate::sql::password::lock(tx, user).await.map_err(problem)?;
        sql::end_challenges(tx, user).await.map_err(problem)?;
        let now = self.clock.now();
        let ended = session::revoke_others(tx, user, Some(own), now, None).await;
        Ok(u32::try_from(ended.map_err(problem)?.len()).unwrap_or(u32::MAX))
    }

    /// Recovery codes stand in for factors, and go with the last one.
    async fn forget_useless_codes(&self, tx: &mut System, user: UserId) -> Result<(), Problem> {
        if sql::has_factor(tx, user).await.map_err(problem)? {
            return Ok(());
        }
        sql::delete_recovery_codes(tx, user).await.map_err(problem)
    }

    /// Counts a try at a second factor, before it is looked at, and says how many there were.
    async fn count_try(
        &self,
        tx: &mut System,
        user: UserId,
        arrival: &Arrival,
    ) -> Result<i32, Problem> {
        throttle::begin(tx, &throttle_keys(user, arrival), self.clock.now()).await
    }

    async fn forget_tries(
        &self,
        tx: &mut System,
        user: UserId,
        arrival: &Arrival,
    ) -> Result<(), Problem> {
        for key in throttle_keys(user, arrival) {
            throttle::clear(tx, &key).await?;
        }
        Ok(())
    }

    /// Records that what came after a right password was wrong.
    async fn record_failure(
        &self,
        user: UserId,
        failures: i32,
        arrival: &Arrival,
    ) -> Result<(), Problem> {
        metrics::counter!("ralex_logins_total", "outcome" => "factor_failed").increment(1);
        let failures = u32::try_from(failures).unwrap_or(0);
        // A flood is told at 1, 2, 4, 8, … failures, so that it cannot fill the log.
        if !failures.is_power_of_two() {
            return Ok(());
        }
        let mut tx = self.db.system("record a failed second factor").await?;
        let event = Event::Factor(FactorEvent::Failed { user, failures });
        for org in crate::sql::user::orgs_of(&mut tx, user).await.map_err(problem)? {
            let caller = arrival.caller(Subject::System, Credential::Internal);
            let author = Author::of(&caller, org.id);
            ralex_audit::record(&mut tx, &author, event.clone()).await.map_err(problem)?;
        }
        tx.commit().await.map_err(problem)
    }
}

/// Tries at one person's factor from one network, and from anywhere. Only who knows the password
/// gets here, so that the second key can slow nobody down for an outsider.
fn throttle_keys(user: UserId, arrival: &Arrival) -> [throttle::Key; 2] {
    [
        throttle::Key {
            name: format!("factor:{user}:{}", arrival.network()),
            free_tries: 5,
            longest: throttle::MINUTE,
        },
        throttle::Key { name: format!("factor:{user}"), free_tries: 20, longest: throttle::MINUTE },
    ]
}

fn wrong_code(path: &str) -> Problem {
    Problem::field(path, "is wrong, was used before, or is too old; wait for the next one")
}

fn broken() -> Problem {
    Problem::new(Code::Internal, "The second factor could not be processed.")
}
