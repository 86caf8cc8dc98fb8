//! Login and the change of one's password.

use ralex_api::factors::Method;
use ralex_api::identity::{ChangePassword, Login, LoginAnswer, User};
use ralex_audit::{Author, Event};
use ralex_kernel::{Caller, Code, Credential, Problem, Secret, Subject, UserId};
use ralex_store::{System, problem};

use crate::password::Match;
use crate::{Arrival, Identity, password, spray, sql, throttle};

/// A login that succeeded.
pub struct LoggedIn {
    pub answer: LoginAnswer,
    /// What the session's cookie holds; nothing while a second factor is still to come.
    pub cookie: Option<Secret>,
    /// What the browser is to be known by at the next login; nothing where it is.
    pub device: Option<Secret>,
}

impl Identity {
    /// Checks an e-mail address and a password. Opens a session, or where the person registered a
    /// second factor says what to complete the login with.
    ///
    /// # Errors
    /// `invalid_login` alike for an unknown address and a wrong password, `throttled` after many
    /// failed tries of the account or the address that they come from, or from that address at the
    /// account's domain while many guess there, and while many wait.
    pub async fn login(&self, login: &Login, arrival: &Arrival) -> Result<LoggedIn, Problem> {
        loop {
            // A password that was replaced while it was checked is checked again, against what is now.
            if let Some(logged_in) = self.try_login(login, arrival).await? {
                return Ok(logged_in);
            }
        }
    }

    /// Nothing where the password was replaced between its check and what it was to open.
    async fn try_login(
        &self,
        login: &Login,
        arrival: &Arrival,
    ) -> Result<Option<LoggedIn>, Problem> {
        let key = login.email.key();
        let keys = self.throttle_keys(&key, arrival);
        let now = self.clock.now();
        let mut tx = self.db.system("check a login").await?;
        throttle::check(&mut tx, &keys, now).await?;
        if let Some(domain) = self.domain_tried(&key, arrival) {
            spray::check(&mut tx, &domain, arrival, now).await?;
        }
        let account = sql::user::find_account(&mut tx, &key).await.map_err(problem)?;
        // Hashing takes its time; no connection waits for it.
        drop(tx);
        let hash = account.as_ref().and_then(|account| account.password_hash.as_deref());
        let network = arrival.network();
        let matches = self.passwords.verify(&login.password, hash, &network).await?;
        let Some(account) = account.filter(|_| matches.is_right()) else {
            return Err(self.failed_login(&key, &keys, arrival).await?);
        };
        // One that was hashed as is no longer done is hashed anew now, since only a login knows it.
        let anew = match matches {
            Match::Outdated => Some(self.passwords.hash(&login.password).await?),
            Match::Right | Match::Wrong => None,
        };
        let mut tx = self.db.system("open a session").await?;
        if !self.still_has(&mut tx, &account, anew.as_deref()).await? {
            return Ok(None);
        }
        throttle::clear(&mut tx, &keys[0]).await?;
        if let Some(second_factor) = self.challenge(&mut tx, account.id).await? {
            tx.commit().await.map_err(problem)?;
            metrics::counter!("ralex_logins_total", "outcome" => "factor_asked").increment(1);
            let second_factor = Some(second_factor);
            let answer = LoginAnswer { user: None, must_change_password: false, second_factor };
            return Ok(Some(LoggedIn { answer, cookie: None, device: None }));
        }
        let by = [Method::Password];
        let cookie = self.open_session(&mut tx, account.id, arrival, &by).await?;
        tx.commit().await.map_err(problem)?;
        self.entered(&account, cookie, arrival).map(Some)
    }

    /// Whether an account still has the password that was checked, which nobody replaces from here on
    /// until the transaction ends: what it opens is there for whoever replaces it then, and ends all that
    /// it opened.
    pub(crate) async fn still_has(
        &self,
        tx: &mut System,
        account: &sql::user::Account,
        anew: Option<&str>,
    ) -> Result<bool, Problem> {
        let Some(was) = account.password_hash.as_deref() else { return Ok(false) };
        let still = match anew {
            Some(anew) => sql::password::replace_hash(tx, account.id, was, anew).await,
            None => sql::password::hold_hash(tx, account.id, was).await,
        };
        still.map_err(problem)
    }

    /// What is answered to who proved every factor, whichever they were.
    pub(crate) fn entered(
        &self,
        account: &sql::user::Account,
        cookie: Secret,
        arrival: &Arrival,
    ) -> Result<LoggedIn, Problem> {
        metrics::counter!("ralex_logins_total", "outcome" => "success").increment(1);
        let answer = LoginAnswer {
            user: Some(user(account)?),
            must_change_password: account.one_time,
            second_factor: None,
        };
        let device = self.new_device(&account.email.to_lowercase(), arrival);
        Ok(LoggedIn { answer, cookie: Some(cookie), device })
    }

    async fn failed_login(
        &self,
        key: &str,
        keys: &[throttle::Key],
        arrival: &Arrival,
    ) -> Result<Problem, Problem> {
        metrics::counter!("ralex_logins_total", "outcome" => "failed").increment(1);
        let now = self.clock.now();
        let mut tx = self.db.system("count a failed login").await?;
        let failures = throttle::fail(&mut tx, keys, now).await?;
        if let Some(account) = sql::user::find_account(&mut tx, key).await.map_err(problem)? {
            let failures = u32::try_from(failures).unwrap_or(0);
            // A flood is told at 1, 2, 4, 8, … failures, so that it cannot fill the log.
            if failures.is_power_of_two() {
                let event = Event::LoginFailed { user: account.id, failures };
                for org in sql::user::orgs_of(&mut tx, account.id).await.map_err(problem)? {
                    let caller = arrival.caller(Subject::System, Credential::Internal);
                    let author = Author::of(&caller, org.id);
                    ralex_audit::record(&mut tx, &author, event.clone()).await.map_err(problem)?;
                }
            }
        }
        if let Some(domain) = self.domain_tried(key, arrival) {
            spray::fail(&mut tx, &domain, arrival, now).await?;
        }
        tx.commit().await.map_err(problem)?;
        Ok(Problem::new(Code::InvalidLogin, "The e-mail address or the password is wrong."))
    }

    /// Replaces one's own password and ends all of one's other sessions, the links by which another one
    /// could be chosen, and what no program has fetched yet.
    pub async fn change_password(
        &self,
        caller: &Caller,
        change: &ChangePassword,
        arrival: &Arrival,
    ) -> Result<(), Problem> {
        let user = crate::person(caller)?;
        let account = self.prove_password(user, &change.current, "current", arrival).await?;
        let (key, now) = (account.email.to_lowercase(), self.clock.now());
        password::check_strength(&change.new, &key)?;
        if change.new.expose() == change.current.expose() {
            return Err(Problem::field("new", "must differ from the current password"));
        }
        let hash = self.passwords.hash(&change.new).await?;
        let keep = match caller.credential {
            Credential::Session(session) => Some(session),
            Credential::PersonalToken(_)
            | Credential::TeamToken(_)
            | Credential::ScimToken(_)
            | Credential::Internal => None,
        };
        let mut tx = self.db.system("change a password").await?;
        // In the order of who uses such a link, so that the two do not wait for each other.
        sql::link::end_all(&mut tx, user).await.map_err(problem)?;
        let was = account.password_hash.as_deref().unwrap_or_default();
        if !sql::password::replace_password(&mut tx, user, was, &hash).await.map_err(problem)? {
            return Err(not_yours("current"));
        }
        let ended = sql::session::revoke_others(&mut tx, user, keep, now, None).await;
        let ended = ended.map_err(problem)?.len();
        // A login that waits, and a program that has yet to fetch its token, began with the password that was.
        sql::factor::end_challenges(&mut tx, user).await.map_err(problem)?;
        sql::program::end_approved(&mut tx, user, None).await.map_err(problem)?;
        let sessions_ended = u32::try_from(ended).unwrap_or(u32::MAX);
        let event = Event::PasswordChanged { user, sessions_ended };
        self.record_everywhere(&mut tx, caller, user, &event).await?;
        tx.commit().await.map_err(problem)?;
        Ok(())
    }

    /// Checks the password of somebody who is signed in; `field` is what they sent it as. Whoever goes on
    /// asks in their transaction whether the account [still has it](Self::still_has).
    pub(crate) async fn prove_password(
        &self,
        user: UserId,
        password: &Secret,
        field: &str,
        arrival: &Arrival,
    ) -> Result<sql::user::Account, Problem> {
        let now = self.clock.now();
        let mut tx = self.db.system("check one's own password").await?;
        let account = sql::user::account(&mut tx, user).await.map_err(problem)?;
        let account = account.ok_or_else(|| Problem::not_found("account"))?;
        let keys = self.throttle_keys(&account.email.to_lowercase(), arrival);
        throttle::check(&mut tx, &keys, now).await?;
        // Hashing takes its time; no connection waits for it.
        drop(tx);
        let hash = account.password_hash.as_deref();
        if !self.passwords.verify(password, hash, &arrival.network()).await?.is_right() {
            let mut tx = self.db.system("count a wrong password").await?;
            throttle::fail(&mut tx, &keys, now).await?;
            tx.commit().await.map_err(problem)?;
            return Err(not_yours(field));
        }
        Ok(account)
    }

    /// Tries from a browser that is known for the account count for themselves alone, since whoever
    /// shares its network could slow its owner otherwise. Others count against the account from their
    /// network, against the network, and against the account from anywhere, the latter with short
    /// waits: a guess from a thousand networks is slowed, and the owner at a new browser waits for
    /// seconds at most.
    fn throttle_keys(&self, email_key: &str, arrival: &Arrival) -> Vec<throttle::Key> {
        let key = |name: String, free_tries, longest| throttle::Key { name, free_tries, longest };
        let network = arrival.network();
        match self.known_device(email_key, arrival) {
            Some(device) => vec![key(format!("device:{device}"), 5, throttle::MINUTE)],
            None => vec![
                key(format!("login:{email_key}:{network}"), 5, throttle::MINUTE),
                throttle::of_network(arrival),
                key(format!("account:{email_key}"), 50, 5),
            ],
        }
    }
}

pub(crate) fn not_yours(field: &str) -> Problem {
    Problem::field(field, "is not your password")
}

pub(crate) fn user(account: &sql::user::Account) -> Result<User, Problem> {
    Ok(User {
        id: account.id,
        email: crate::stored(&account.email)?,
        name: crate::stored(&account.name)?,
    })
}
