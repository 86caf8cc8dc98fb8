//! What lets an operator in when nobody else can: whoever has the server itself makes a link.
//!
//! What always holds: it takes the database and the seal, with which everything is open anyway, and no
//! credential; nothing is done to who is no operator, and nobody becomes one while another can come in; the
//! link is shown once and good once; and the person, and the log of each of their organisations, are told
//! what was done by the deployment itself.

use chrono::{DateTime, Utc};
use ralex_api::identity::User;
use ralex_api::links::LinkPurpose;
use ralex_audit::{AccountEvent, Event, OperatorEvent};
use ralex_kernel::{Caller, Code, Credential, Email, Problem, RequestId, Secret, Subject, UserId};
use ralex_store::{System, problem};
use tracing::{info, warn};

use crate::link::FORGOTTEN;
use crate::mint::TokenKind;
use crate::{Arrival, Identity, sql, stored};

/// What is recorded as the reason.
const REASON: &str = "recovered on the server";

/// Who is to come in, and what may be done for it.
#[derive(Clone, Debug)]
pub struct Recovery {
    pub email: Email,
    /// Makes them an operator where they are none, and no other one can come in.
    pub make_operator: bool,
    /// Operators who are none any more from then on, so that they do not count as others.
    pub instead_of: Vec<Email>,
    /// Takes second factors away and ends sessions.
    pub reset_factors: bool,
}

/// What was done.
#[derive(Debug)]
pub struct Recovered {
    pub user: User,
    /// Where a password is chosen; without the server's address where the settings name none.
    pub link: Secret,
    pub expires_at: DateTime<Utc>,
    pub made_operator: bool,
    /// Nothing where second factors were left alone.
    pub reset: Option<Reset>,
    /// Whether the person was told by mail.
    pub told: bool,
    /// In how many organisations' logs it stands.
    pub logs: usize,
}

/// What was taken away.
#[derive(Clone, Copy, Debug)]
pub struct Reset {
    pub app: bool,
    pub passkeys: u32,
    pub recovery_codes: u32,
    pub sessions_ended: u32,
}

impl Identity {
    /// Lets an operator in who has no way in any more, by a link that whoever asks hands over.
    ///
    /// # Errors
    /// `invalid_request` where nobody has that address, `forbidden` where they are no operator, `conflict`
    /// where another one can come in and so nobody becomes one.
    pub async fn recover_operator(&self, asked: &Recovery) -> Result<Recovered, Problem> {
        let mut tx = self.db.system("let an operator in again").await?;
        let found = sql::user::find_account(&mut tx, &asked.email.key()).await.map_err(problem)?;
        let account = found.ok_or_else(|| {
            let rule = "is nobody's here who may log in; give the address of an account";
            Problem::field("email", rule)
        })?;
        let (user, deployment) = (account.id, deployment());
        let made_operator = self.be_operator(&mut tx, &deployment, asked, user).await?;
        let reset = if asked.reset_factors {
            let (removed, sessions_ended) =
                self.take_factors(&mut tx, &deployment, user, REASON.to_owned()).await?;
            let (passkeys, recovery_codes) = (removed.passkeys, removed.recovery_codes);
            Some(Reset { app: removed.app, passkeys, recovery_codes, sessions_ended })
        } else {
            None
        };
        let now = self.clock.now();
        let (minted, expires_at) = (self.mint.mint(TokenKind::Link), now + FORGOTTEN);
        let purpose = LinkPurpose::Forgotten.as_str();
        sql::link::put(&mut tx, (user, None), purpose, &minted.digest, (now, expires_at))
            .await
            .map_err(problem)?;
        let event = Event::Account(AccountEvent::Recovered { user });
        let logs = self.record_everywhere(&mut tx, &deployment, user, &event).await?.len();
        tx.commit().await.map_err(problem)?;
        info!(user.id = %user, made_operator, reset = reset.is_some(), "the operator {user} was recovered on the server");
        let (email, name) = (stored::<Email>(&account.email)?, stored(&account.name)?);
        let told = self.tell_of_recovery(&email, made_operator, reset.is_some()).await;
        let (user, link) = (User { id: user, email, name }, Secret::new(self.link(&minted.text)));
        Ok(Recovered { user, link, expires_at, made_operator, reset, told, logs })
    }

    /// Refuses who is no operator, unless they are to become one and no other one can come in. True where
    /// they became one.
    async fn be_operator(
        &self,
        tx: &mut System,
        deployment: &Caller,
        asked: &Recovery,
        user: UserId,
    ) -> Result<bool, Problem> {
        let all = sql::operator::lock(tx).await.map_err(problem)?;
        if all.contains(&user) {
            if asked.instead_of.is_empty() {
                return Ok(false);
            }
            let rule = "is for who becomes an operator, and this one is one already";
            return Err(Problem::field("instead_of", rule));
        }
        if !asked.make_operator {
            let detail = format!(
                "{} is no operator of this deployment, and nothing was done. Give the address of one; \
                 where none can come in any more, --make-operator makes {} one.",
                asked.email, asked.email
            );
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let replaced: Vec<String> = asked.instead_of.iter().map(Email::key).collect();
        let operators = sql::operator::with_way_in(tx).await.map_err(problem)?;
        let other = operators.iter().find(|it| it.can_come_in && !replaced.contains(&it.email_key));
        if let Some(other) = other {
            let detail = format!(
                "{0} is an operator who can come in, and nothing was done. Ask them for `ralex operator \
                 add {1}`, or let them in again with `ralex recover-operator {0}`; --instead-of {0} takes \
                 it from them.",
                other.email, asked.email
            );
            return Err(Problem::new(Code::Conflict, detail));
        }
        for key in &replaced {
            let Some(former) = operators.iter().find(|it| it.email_key == *key) else {
                return Err(Problem::field("instead_of", format!("{key} is no operator")));
            };
            sql::operator::delete(tx, former.id).await.map_err(problem)?;
            let event = Event::Operator(OperatorEvent::Removed { user: former.id });
            self.record_everywhere(tx, deployment, former.id, &event).await?;
        }
        sql::operator::insert(tx, user, None).await.map_err(problem)?;
        let event = Event::Operator(OperatorEvent::Added { user });
        self.record_everywhere(tx, deployment, user, &event).await?;
        Ok(true)
    }

    async fn tell_of_recovery(&self, to: &Email, made: bool, reset: bool) -> bool {
        let made = if made { " You are an operator of it now." } else { "" };
        let reset = if reset {
            " Your second factors were removed, and your sessions have ended."
        } else {
            ""
        };
        let text = format!(
            "Somebody who runs the server of Ralex has made a link by which another password is chosen \
             for your account.{made}{reset}\n\nIf you do not know of that, tell those who run it now.\n"
        );
        let sent = self.send(to, "A way into your account was made".to_owned(), text).await;
        if let Err(why) = &sent {
            warn!("nobody told an operator by mail that they were recovered: {why}");
        }
        sent.is_ok()
    }
}

/// Nobody's request: the deployment itself acts.
fn deployment() -> Caller {
    let nowhere =
        Arrival { request: RequestId::generate(), address: None, user_agent: None, device: None };
    nowhere.caller(Subject::System, Credential::Internal)
}
