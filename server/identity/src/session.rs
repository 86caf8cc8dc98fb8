//! Console sessions: opaque, kept as digests, ended by logout, idleness, age or their owner.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::factors::Method;
use ralex_api::identity::{NameSession, Session};
use ralex_api::page::{Page, PageQuery};
use ralex_audit::{AccountEvent, Author, Event};
use ralex_kernel::{
    Caller, Credential, Name, OrgId, PasskeyId, Problem, Secret, SessionId, SignOn, Subject, UserId,
};
use ralex_store::{System, problem};

use crate::mint::TokenKind;
use crate::{Arrival, Identity, SignedIn, sql, stored};

/// A session ends this long after it was opened, whatever happens.
pub const LIFETIME: TimeDelta = TimeDelta::days(7);
/// And this long after it was last used.
pub(crate) const IDLE: TimeDelta = TimeDelta::hours(12);
/// What a browser had on its way when its cookie was replaced is answered for this long, without the
/// proof that replaced it.
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// A session that an organisation's provider vouches for.
#[derive(Clone, Copy, Debug)]
pub struct SignedOn<'a> {
    pub by: SignOn,
    /// What the provider calls its own session, so that it can end both.
    pub sid: Option<&'a str>,
    /// When the person proved to the provider who they are, as far as it says so.
    pub proven_at: Option<DateTime<Utc>>,
    pub lifetime: TimeDelta,
}

/// What a session is opened by.
enum Opening<'a> {
    By(&'a [Method]),
    ByPasskey(PasskeyId),
    SignedOn(SignedOn<'a>),
}

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
        Ok(self.begin_session(tx, user, arrival, Opening::By(methods)).await?.1)
    }

    /// The same by a passkey and nothing else: the session ends with it.
    pub(crate) async fn open_by_passkey(
        &self,
        tx: &mut System,
        user: UserId,
        arrival: &Arrival,
        passkey: PasskeyId,
    ) -> Result<Secret, Problem> {
        Ok(self.begin_session(tx, user, arrival, Opening::ByPasskey(passkey)).await?.1)
    }

    /// Opens a session of who came in by an organisation's provider: it counts in that organisation
    /// only. Returns what it is known by and the cookie's text.
    pub async fn open_signed_on(
        &self,
        tx: &mut System,
        user: UserId,
        arrival: &Arrival,
        how: SignedOn<'_>,
    ) -> Result<(Caller, Secret), Problem> {
        self.begin_session(tx, user, arrival, Opening::SignedOn(how)).await
    }

    async fn begin_session(
        &self,
        tx: &mut System,
        user: UserId,
        arrival: &Arrival,
        opening: Opening<'_>,
    ) -> Result<(Caller, Secret), Problem> {
        let (methods, passkey, how) = match opening {
            Opening::By(methods) => (methods, None, None),
            Opening::ByPasskey(passkey) => (&[Method::Passkey][..], Some(passkey), None),
            Opening::SignedOn(how) => (&[Method::SingleSignOn][..], None, Some(how)),
        };
        let minted = self.mint.mint(TokenKind::Session);
        let now = self.clock.now();
        let session = SessionId::generate();
        let agent = arrival.user_agent.as_deref().map(|text| cut(text, 200));
        let new = sql::session::NewSession {
            id: session,
            user,
            digest: &minted.digest,
            now,
            proven_at: how.map_or(Some(now), |how| how.proven_at.map(|at| at.min(now))),
            expires_at: now + how.map_or(LIFETIME, |how| how.lifetime.min(LIFETIME)),
            address: arrival.address.map(|address| address.to_string()),
            user_agent: agent,
            methods,
            passkey,
            sign_on: how.map(|how| how.by),
            sid: how.and_then(|how| how.sid),
        };
        sql::session::insert(tx, new).await.map_err(problem)?;
        let credential = Credential::Session(session);
        let caller = arrival.signed_on(Subject::User(user), credential, how.map(|how| how.by));
        let event = Event::SessionOpened { session, methods: methods.to_vec() };
        self.record_everywhere(tx, &caller, user, &event).await?;
        Ok((caller, minted.text))
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
                ..arrival.signed_on(Subject::User(session.user), credential, session.sign_on())
            },
            // Who came in by another's word was not asked for the password that waits.
            must_change_password: session.one_time && session.sso_org.is_none(),
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
        let within = within(caller);
        if !sql::session::revoke(&mut tx, user, session, now, within).await.map_err(problem)? {
            return Err(Problem::not_found("session"));
        }
        self.record_everywhere(&mut tx, caller, user, &Event::SessionEnded { session }).await?;
        tx.commit().await.map_err(problem)?;
        Ok(())
    }

    /// Ends all of a person's own sessions but the one that asks. One that an organisation's
    /// provider opened ends those of this organisation.
    pub async fn end_other_sessions(&self, caller: &Caller) -> Result<(), Problem> {
        let user = crate::person(caller)?;
        let keep = match caller.credential {
            Credential::Session(session) => Some(session),
            Credential::PersonalToken(_)
            | Credential::TeamToken(_)
            | Credential::ScimToken(_)
            | Credential::Internal => None,
        };
        let mut tx = self.db.system("end a person's other sessions").await?;
        let (now, within) = (self.clock.now(), within(caller));
        let ended = sql::session::revoke_others(&mut tx, user, keep, now, within).await;
        for session in ended.map_err(problem)? {
            self.record_everywhere(&mut tx, caller, user, &Event::SessionEnded { session }).await?;
        }
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
        let (after, within) = (page.after()?, within(caller));
        let alive = sql::session::Alive { now, used_since: now - IDLE, replaced_since: now };
        let rows = sql::session::list(&mut tx, user, after, size + 1, &alive, within).await;
        let items = rows.map_err(problem)?.into_iter().map(|row| told(row, caller));
        let items = items.collect::<Result<_, Problem>>()?;
        Ok(Page::of(items, size, |session: &Session| session.id.to_string()))
    }

    /// Says what a person calls one of their own sessions.
    pub async fn name_session(
        &self,
        caller: &Caller,
        session: SessionId,
        named: &NameSession,
    ) -> Result<Session, Problem> {
        let user = crate::person(caller)?;
        let mut tx = self.db.system("name a session").await?;
        let name = named.name.as_ref().map(Name::as_str);
        let (now, within) = (self.clock.now(), within(caller));
        let found = sql::session::name(&mut tx, (user, session), name, now, within).await;
        let row = found.map_err(problem)?.ok_or_else(|| Problem::not_found("session"))?;
        let event = Event::Account(AccountEvent::SessionNamed { session });
        self.record_everywhere(&mut tx, caller, user, &event).await?;
        tx.commit().await.map_err(problem)?;
        told(row, caller)
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
        let orgs = self.told_of(tx, caller, user).await?;
        for org in &orgs {
            let author = Author::of(caller, *org);
            ralex_audit::record(tx, &author, event.clone()).await.map_err(problem)?;
        }
        Ok(orgs)
    }

    /// The organisations that are told what a person did to their own account.
    pub(crate) async fn told_of(
        &self,
        tx: &mut System,
        caller: &Caller,
        user: UserId,
    ) -> Result<Vec<OrgId>, Problem> {
        let orgs = sql::user::orgs_of(tx, user).await.map_err(problem)?;
        // Where another organisation's provider counts for nothing, it also does nothing.
        let own = |org: &OrgId| within(caller).is_none_or(|only| only == *org);
        Ok(orgs.into_iter().map(|org| org.id).filter(own).collect())
    }
}

/// Methods as the database has them; one that this version does not know is not told.
fn told(row: sql::session::SessionRow, caller: &Caller) -> Result<Session, Problem> {
    Ok(Session {
        id: row.id,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
        methods: methods(&row.methods),
        authenticated_at: row.authenticated_at,
        address: row.address,
        user_agent: row.user_agent,
        name: row.name.as_deref().map(stored).transpose()?,
        current: caller.credential == Credential::Session(row.id),
    })
}

fn methods(names: &[String]) -> Vec<Method> {
    names.iter().filter_map(|name| Method::ALL.into_iter().find(|it| it.as_str() == name)).collect()
}

/// The one organisation that a caller counts in, where its provider vouches for them: of the account
/// itself they see and end only what belongs there.
pub(crate) fn within(caller: &Caller) -> Option<OrgId> {
    caller.sign_on.map(|by| by.org)
}

/// The first `limit` bytes of a text, without cutting a character.
fn cut(text: &str, limit: usize) -> &str {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|&end| end <= limit);
    &text[..end.last().unwrap_or(0)]
}
