//! Console sessions: opaque, kept as digests, ended by logout, idleness, age or their owner.

use chrono::TimeDelta;
use ralex_api::factors::Method;
use ralex_api::identity::Session;
use ralex_api::page::{Page, PageQuery};
use ralex_audit::{Author, Event};
use ralex_kernel::{Caller, Credential, OrgId, Problem, Secret, SessionId, Subject, UserId};
use ralex_store::{System, problem};

use crate::mint::TokenKind;
use crate::{Arrival, Identity, SignedIn, sql};

/// A session ends this long after it was opened, whatever happens.
pub const LIFETIME: TimeDelta = TimeDelta::days(7);
/// And this long after it was last used.
const IDLE: TimeDelta = TimeDelta::hours(12);
/// What a browser had on its way when its cookie was replaced is answered for this long, without the
/// proof that replaced it.
const GRACE: TimeDelta = TimeDelta::seconds(10);

impl Identity {
    /// Opens a session of somebody who proved by `methods` who they are, and returns the cookie's
    /// text.
    pub(crate) async fn open_session(
        &self,
        tx: &mut System,
        user: UserId,
        arrival: &Arrival,
        methods: &[Method],
    ) -> Result<Secret, Problem> {
        let minted = self.mint.mint(TokenKind::Session);
        let now = self.clock.now();
        let session = SessionId::generate();
        let agent = arrival.user_agent.as_deref().map(|text| cut(text, 200));
        let new = sql::session::NewSession {
            id: session,
            user,
            digest: &minted.digest,
            now,
            expires_at: now + LIFETIME,
            address: arrival.address.map(|address| address.to_string()),
            user_agent: agent,
            methods,
        };
        sql::session::insert(tx, new).await.map_err(problem)?;
        let caller = arrival.caller(Subject::User(user), Credential::Session(session));
        let event = Event::SessionOpened { session, methods: methods.to_vec() };
        self.record_everywhere(tx, &caller, user, &event).await?;
        Ok(minted.text)
    }

    /// Who a session's cookie stands for; nothing for one that is unknown or has ended.
    pub async fn resolve_session(
        &self,
        cookie: &str,
        arrival: &Arrival,
    ) -> Result<Option<SignedIn>, Problem> {
        let Some((TokenKind::Session, digest)) = self.mint.recognise(cookie) else {
            return Ok(None);
        };
        let now = self.clock.now();
        let mut tx = self.db.system("resolve a session").await?;
        let alive =
            sql::session::Alive { now, used_since: now - IDLE, replaced_since: now - GRACE };
        let found = sql::session::find_live(&mut tx, &digest, alive);
        let Some(session) = found.await.map_err(problem)? else {
            return Ok(None);
        };
        if session.stale {
            sql::session::touch(&mut tx, session.id, now).await.map_err(problem)?;
            tx.commit().await.map_err(problem)?;
        }
        let credential = Credential::Session(session.id);
        Ok(Some(SignedIn {
            caller: Caller {
                second_factor: session.second_factor,
                ..arrival.caller(Subject::User(session.user), credential)
            },
            models: None,
            must_change_password: session.one_time,
            proof: self.freshness(session.proven_at),
        }))
    }

    /// Ends the session that a request came with.
    pub async fn logout(&self, caller: &Caller) -> Result<(), Problem> {
        match (caller.subject, caller.credential) {
            (Subject::User(user), Credential::Session(session)) => {
                self.end_session(caller, user, session).await
            }
            _ => Ok(()),
        }
    }

    /// Ends one of a person's own sessions.
    pub async fn end_session(
        &self,
        caller: &Caller,
        user: UserId,
        session: SessionId,
    ) -> Result<(), Problem> {
        let mut tx = self.db.system("end a session").await?;
        let now = self.clock.now();
        if !sql::session::revoke(&mut tx, user, session, now).await.map_err(problem)? {
            return Err(Problem::not_found("session"));
        }
        self.record_everywhere(&mut tx, caller, user, &Event::SessionEnded { session }).await?;
        tx.commit().await.map_err(problem)?;
        Ok(())
    }

    pub async fn sessions(
        &self,
        caller: &Caller,
        page: &PageQuery,
    ) -> Result<Page<Session>, Problem> {
        let user = crate::person(caller)?;
        let mut tx = self.db.system("list one's own sessions").await?;
        let (size, now) = (page.size(), self.clock.now());
        let rows = sql::session::list(&mut tx, user, page.after()?, size + 1, now).await;
        let rows = rows.map_err(problem)?;
        let items = rows.into_iter().map(|row| Session {
            id: row.id,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
            methods: methods(&row.methods),
            authenticated_at: row.authenticated_at,
            address: row.address,
            user_agent: row.user_agent,
            current: caller.credential == Credential::Session(row.id),
        });
        Ok(Page::of(items.collect(), size, |session| session.id.to_string()))
    }

    /// Records what a person did to their own account in the log of each of their organisations,
    /// and returns these.
    pub(crate) async fn record_everywhere(
        &self,
        tx: &mut System,
        caller: &Caller,
        user: UserId,
        event: &Event,
    ) -> Result<Vec<OrgId>, Problem> {
        let mut orgs = Vec::new();
        for org in sql::user::orgs_of(tx, user).await.map_err(problem)? {
            let author = Author::of(caller, org.id);
            ralex_audit::record(tx, &author, event.clone()).await.map_err(problem)?;
            orgs.push(org.id);
        }
        Ok(orgs)
    }
}

/// Methods as the database has them; one that this version does not know is not told.
fn methods(names: &[String]) -> Vec<Method> {
    let known = [Method::Password, Method::Totp, Method::RecoveryCode];
    names.iter().filter_map(|name| known.into_iter().find(|it| it.as_str() == name)).collect()
}

/// The first `limit` bytes of a text, without cutting a character.
fn cut(text: &str, limit: usize) -> &str {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|&end| end <= limit);
    &text[..end.last().unwrap_or(0)]
}
