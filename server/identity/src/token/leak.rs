//! Tokens that somebody found where they should not be. Whoever can report one has it, and could use it, so
//! they need no right to end it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ralex_api::links::LinkPurpose;
use ralex_api::tokens::{LeakAnswer, LeakLabel, LeakedToken};
use ralex_audit::{AccountEvent, Author, Event, TokenEvent};
use ralex_kernel::{Credential, Problem, SessionId, Subject, UserId};
use ralex_store::{System, problem};
use sha2::{Digest, Sha256};

use crate::mint::TokenKind;
use crate::sql::{self, rotation};
use crate::{Arrival, Identity, stored, throttle};

/// Of one report.
const MOST: usize = 100;
const LONGEST_PLACE: usize = 500;
/// Reported texts of one network that look like tokens and are none, before it has to wait.
const FREE_TRIES: i32 = 50;

/// One report.
#[derive(Debug)]
pub struct Report<'a> {
    pub digest: &'a [u8],
    /// Where it was found, as the finder says.
    pub found_at: Option<String>,
    pub arrival: &'a Arrival,
}

impl Identity {
    /// Ends what was found of the tokens that this crate knows; `other` does of those it does not.
    ///
    /// # Errors
    /// `throttled` for a network that reported many that are none.
    pub async fn report_leaked(
        &self,
        found: &[LeakedToken],
        arrival: &Arrival,
        other: impl AsyncFn(&Report<'_>) -> Result<bool, Problem>,
    ) -> Result<Vec<LeakAnswer>, Problem> {
        if found.is_empty() || found.len() > MOST {
            return Err(Problem::field("body", format!("must be a list of 1 to {MOST} tokens")));
        }
        let name = format!("leak:{}", arrival.network());
        let key = throttle::Key { name, free_tries: FREE_TRIES, longest: throttle::MINUTE };
        let mut answers = Vec::with_capacity(found.len());
        for one in found {
            let text = one.token.expose();
            let token_hash = STANDARD.encode(Sha256::digest(text));
            let Some((kind, digest)) = self.mint.recognise(text) else {
                let label = LeakLabel::FalsePositive;
                answers.push(LeakAnswer { token_hash, token_type: None, label });
                continue;
            };
            let mut tx = self.db.system("count a report of a token").await?;
            throttle::begin(&mut tx, std::slice::from_ref(&key), self.clock.now()).await?;
            tx.commit().await.map_err(problem)?;
            let report = Report { digest: &digest, found_at: place(one), arrival };
            let ours = match kind {
                TokenKind::Team => self.end_leaked_team_token(&report).await?,
                TokenKind::Personal => self.end_leaked_personal_token(&report).await?,
                TokenKind::Session => self.end_leaked_session(&report).await?,
                TokenKind::Provisioning => other(&report).await?,
                TokenKind::Link => self.end_leaked_link(&report).await?,
                // They live for minutes, and open nothing without what they are bound to.
                TokenKind::Challenge
                | TokenKind::Ceremony
                | TokenKind::ProgramCode
                | TokenKind::DeviceCode => false,
            };
            if ours {
                self.remembered.forget(&digest);
                let mut tx = self.db.system("forget a report of a token").await?;
                throttle::clear(&mut tx, &key).await?;
                tx.commit().await.map_err(problem)?;
                metrics::counter!("ralex_tokens_leaked_total").increment(1);
            }
            let label = if ours { LeakLabel::TruePositive } else { LeakLabel::FalsePositive };
            let token_type = Some(kind.prefix().trim_end_matches('_').to_owned());
            answers.push(LeakAnswer { token_hash, token_type, label });
        }
        Ok(answers)
    }

    /// Who found it could set the password, so it ends; the person asks for another one.
    async fn end_leaked_link(&self, report: &Report<'_>) -> Result<bool, Problem> {
        let mut tx = self.db.system("end a link that was found outside").await?;
        let ended = sql::link::end(&mut tx, report.digest).await.map_err(problem)?;
        let Some(sql::link::Ended { user, purpose, org }) = ended else { return Ok(false) };
        let purpose = LinkPurpose::named(&purpose).map_or("other", LinkPurpose::as_str);
        let found_at = report.found_at.clone();
        let event = Event::Account(AccountEvent::LinkLeaked { user, purpose, found_at });
        match org {
            // It is that organisation's matter alone.
            Some(org) => {
                let author = Author::of(&report.nobody(), org);
                ralex_audit::record(&mut tx, &author, event).await.map_err(problem)?;
            }
            None => drop(self.record_everywhere(&mut tx, &report.nobody(), user, &event).await?),
        }
        tx.commit().await.map_err(problem)?;
        Ok(true)
    }

    async fn end_leaked_team_token(&self, report: &Report<'_>) -> Result<bool, Problem> {
        let now = self.clock.now();
        let mut tx = self.db.system("end a token that was found outside").await?;
        let seen = rotation::find_seen(&mut tx, report.digest, now).await.map_err(problem)?;
        let Some((org, seen)) = seen else { return Ok(false) };
        if !seen.alive {
            return Ok(true);
        }
        if seen.former {
            rotation::end_former(&mut tx, org, seen.id, now).await.map_err(problem)?;
        } else {
            sql::token::revoke(&mut tx, org, seen.id, now).await.map_err(problem)?;
        }
        let author = Author::of(&report.nobody(), org);
        let event = report.event(&seen, None)?;
        ralex_audit::record(&mut tx, &author, event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        Ok(true)
    }

    async fn end_leaked_personal_token(&self, report: &Report<'_>) -> Result<bool, Problem> {
        let now = self.clock.now();
        let mut tx = self.db.system("end a personal token that was found outside").await?;
        let seen = rotation::find_seen_personal(&mut tx, report.digest, now).await;
        let Some((user, seen)) = seen.map_err(problem)? else { return Ok(false) };
        if !seen.alive {
            return Ok(true);
        }
        if seen.former {
            let whose = (user, None);
            rotation::end_former_personal(&mut tx, whose, seen.id, now).await.map_err(problem)?;
        } else {
            sql::personal_token::revoke(&mut tx, user, seen.id, now, None)
                .await
                .map_err(problem)?;
        }
        let event = report.event(&seen, Some(user))?;
        let orgs = self.record_everywhere(&mut tx, &report.nobody(), user, &event).await?;
        self.commit_everywhere(tx, &orgs).await?;
        Ok(true)
    }

    async fn end_leaked_session(&self, report: &Report<'_>) -> Result<bool, Problem> {
        let mut tx = self.db.system("end a session whose cookie was found outside").await?;
        let found = sql::session::of_digest(&mut tx, report.digest).await.map_err(problem)?;
        let Some((user, session)) = found else { return Ok(false) };
        self.end_found_session(tx, report, (user, session)).await?;
        Ok(true)
    }

    async fn end_found_session(
        &self,
        mut tx: System,
        report: &Report<'_>,
        (user, session): (UserId, SessionId),
    ) -> Result<(), Problem> {
        let ended = sql::session::revoke(&mut tx, user, session, self.clock.now(), None).await;
        if !ended.map_err(problem)? {
            return Ok(());
        }
        let found_at = report.found_at.clone();
        let event = Event::Token(TokenEvent::SessionLeaked { session, found_at });
        self.record_everywhere(&mut tx, &report.nobody(), user, &event).await?;
        tx.commit().await.map_err(problem)
    }
}

impl Report<'_> {
    /// Who reports: whoever it is, they did not say.
    pub fn nobody(&self) -> ralex_kernel::Caller {
        self.arrival.caller(Subject::System, Credential::Internal)
    }

    fn event(&self, seen: &rotation::Seen, user: Option<UserId>) -> Result<Event, Problem> {
        Ok(Event::Token(TokenEvent::Leaked {
            token: seen.id,
            name: stored(&seen.name)?,
            user,
            former: seen.former,
            found_at: self.found_at.clone(),
        }))
    }
}

/// Where a token was found, in a form that the log takes from anybody.
fn place(found: &LeakedToken) -> Option<String> {
    let said: Vec<&str> =
        [&found.source, &found.url].into_iter().flatten().map(String::as_str).collect();
    let text: String =
        said.join(" ").chars().filter(|c| !c.is_control()).take(LONGEST_PLACE).collect();
    Some(text).filter(|text| !text.trim().is_empty())
}
