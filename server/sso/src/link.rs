//! Who people are to providers: said by themselves in a session of their own, or by somebody who could
//! give all that they hold. Nobody is linked by having the same address.

use ralex_access::Scope;
use ralex_api::page::PageQuery;
use ralex_api::sso::{NewSsoLink, SsoLink, SsoLinks, SsoRefusal};
use ralex_audit::{Author, Event, SsoEvent, record};
use ralex_identity::Arrival;
use ralex_kernel::{
    Caller, Code, Credential, OrgId, Problem, SessionId, SignOn, SsoLinkId, UserId,
};
use ralex_store::{System, problem};

use crate::Sso;
use crate::begin::{Begun, Errand, Visit};
use crate::claims::Person;
use crate::finish::Stop;
use crate::provider::{stored, unknown};
use crate::sql::link as sql;
use crate::sql::provider::{self, Stored};

/// One person has so many at most.
const MOST_OWN: i64 = 200;

/// A person who wants to be linked, as their session says.
#[derive(Clone, Copy)]
pub struct Connecting<'a> {
    pub caller: &'a Caller,
    pub visit: Visit<'a>,
}

impl Sso {
    /// Sends a person to a provider, to be linked to who they are there when they come back.
    pub async fn begin_link(&self, connecting: Connecting<'_>) -> Result<Begun, Problem> {
        let Connecting { caller, visit } = connecting;
        let user = ralex_identity::person(caller)?;
        let session = match (caller.credential, caller.sign_on) {
            (Credential::Session(session), None) => session,
            (Credential::Session(_), Some(_)) => {
                let detail = "Log in with your password to connect single sign-on: what one provider \
                              says of you must not decide who you are to another.";
                return Err(Problem::new(Code::Forbidden, detail));
            }
            _ => {
                let detail = "Connecting single sign-on needs a browser: do it in your profile.";
                return Err(Problem::new(Code::Forbidden, detail));
            }
        };
        let org = self.0.access.org(visit.org).ok_or_else(|| Problem::not_found("organisation"))?;
        if !self.0.access.snapshot(org).await?.is_member(user) {
            return Err(Problem::not_found("organisation"));
        }
        match self.begin_flow(visit, Errand::Link(user, session)).await {
            Ok(begun) => Ok(begun),
            Err(Stop::Failed(problem)) => Err(problem),
            Err(Stop::Refused { reason, .. }) => {
                Err(Problem::new(Code::Conflict, reason.sentence()))
            }
        }
    }

    /// Links the person who began it to who they are to the provider, while their session lives.
    pub(crate) async fn connect(
        &self,
        (org, asked): (OrgId, &Stored),
        person: &Person,
        (user, session): (UserId, SessionId),
        arrival: &Arrival,
    ) -> Result<(), Stop> {
        let mut tx = self.0.db.system("link a person to who they are to a provider").await?;
        let stored = self.still_enabled(&mut tx, org, asked).await?;
        let caller = self.0.identity.session_caller(&mut tx, user, session, arrival).await?;
        let gone =
            Stop::Refused { reason: SsoRefusal::State, detail: "session_ended", user: Some(user) };
        let caller = caller.ok_or(gone)?;
        if !self.0.access.snapshot(org).await?.is_member(user) {
            return Err(Stop::refused(SsoRefusal::NotAMember, "not_a_member"));
        }
        let link =
            self.store_link(&mut tx, (org, &stored), (user, &person.subject), "person").await?;
        let event = SsoEvent::LinkCreated { link, provider: stored.id, user, by: "person" };
        let author = Author::of(&caller, org);
        record(&mut tx, &author, Event::Sso(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(())
    }

    /// Links a member to a provider's word for them, as an administrator says who could give them all
    /// that they hold.
    pub async fn create_link(
        &self,
        scope: &Scope,
        reference: &str,
        new: NewSsoLink,
    ) -> Result<SsoLink, Problem> {
        let org = scope.org();
        if new.subject.is_empty() || new.subject.len() > 255 {
            return Err(Problem::field("subject", "must have 1 to 255 characters"));
        }
        let mut tx = self.0.db.system("link a member to who they are to a provider").await?;
        let stored = provider::lock(&mut tx, org, reference).await.map_err(problem)?;
        let stored = stored.ok_or_else(unknown)?;
        let member = sql::member(&mut tx, org, &new.user).await.map_err(problem)?;
        let (user, _) = member.ok_or_else(|| Problem::field("user", "names no member"))?;
        self.0.access.may_vouch_for(&mut tx, scope, user).await?;
        let made = self.store_link(&mut tx, (org, &stored), (user, &new.subject), "admin").await;
        let id = match made {
            Ok(id) => id,
            Err(Stop::Failed(problem)) => return Err(problem),
            Err(Stop::Refused { reason, .. }) => {
                return Err(Problem::new(Code::AlreadyExists, reason.sentence()));
            }
        };
        let event = SsoEvent::LinkCreated { link: id, provider: stored.id, user, by: "admin" };
        record(&mut tx, scope.author(), Event::Sso(event)).await.map_err(problem)?;
        let whose = (Some(org), Some(stored.id));
        let rows = sql::list(&mut tx, whose, Some(user), (None, 1)).await.map_err(problem)?;
        self.0.access.commit(tx, org).await?;
        rows.into_iter().next().map(shown).transpose()?.ok_or_else(|| Problem::not_found("link"))
    }

    /// Who is linked to a provider, oldest first.
    pub async fn links(
        &self,
        scope: &Scope,
        reference: &str,
        page: &PageQuery,
    ) -> Result<ralex_api::Page<SsoLink>, Problem> {
        let (org, size) = (scope.org(), page.size());
        let mut tx = self.0.db.tenant(org).await?;
        let stored = crate::provider::one(&mut tx, org, reference).await?;
        let whose = (Some(org), Some(stored.id));
        let rows = sql::list(&mut tx, whose, None, (page.after()?, size + 1)).await;
        let items = rows.map_err(problem)?.into_iter().map(shown).collect::<Result<_, _>>()?;
        Ok(ralex_api::Page::of(items, size, |link: &SsoLink| link.id.to_string()))
    }

    /// Who a person is to providers: of all organisations, or of the one that they are somebody in.
    pub async fn own_links(&self, caller: &Caller) -> Result<SsoLinks, Problem> {
        let user = ralex_identity::person(caller)?;
        let mut tx = self.0.db.system("tell a person who they are to providers").await?;
        let within = caller.sign_on.map(|by| by.org);
        let rows = sql::list(&mut tx, (within, None), Some(user), (None, MOST_OWN)).await;
        let items = rows.map_err(problem)?.into_iter().map(shown).collect::<Result<_, _>>()?;
        Ok(SsoLinks { items })
    }

    /// Ends a link, with the sessions, tokens and roles that came of it.
    pub async fn delete_link(&self, scope: &Scope, id: SsoLinkId) -> Result<(), Problem> {
        let mut tx = self.0.db.system("end a link to a provider").await?;
        self.unlink(&mut tx, id, scope.author()).await?;
        self.0.access.commit(tx, scope.org()).await
    }

    /// Ends one of a person's own links.
    pub async fn delete_own_link(&self, caller: &Caller, id: SsoLinkId) -> Result<(), Problem> {
        let user = ralex_identity::person(caller)?;
        let mut tx = self.0.db.system("end one of a person's own links").await?;
        let org = sql::org_of(&mut tx, user, id).await.map_err(problem)?;
        let within = caller.sign_on.map(|by| by.org);
        let org = org.filter(|org| within.is_none_or(|only| only == *org));
        let org = org.ok_or_else(|| Problem::not_found("link"))?;
        self.unlink(&mut tx, id, &Author::of(caller, org)).await?;
        self.0.access.commit(tx, org).await
    }

    async fn unlink(&self, tx: &mut System, id: SsoLinkId, author: &Author) -> Result<(), Problem> {
        let org = author.org;
        let gone = sql::delete(tx, org, id).await.map_err(problem)?;
        let gone = gone.ok_or_else(|| Problem::not_found("link"))?;
        let by = SignOn { org, provider: gone.provider };
        let ended = self.0.identity.end_linked(tx, by, gone.user).await?;
        self.0.access.end_managed(tx, author, (gone.provider, Some(gone.user))).await?;
        let event = SsoEvent::LinkRemoved {
            link: id,
            provider: gone.provider,
            user: gone.user,
            sessions_ended: ended.sessions,
            tokens_ended: ended.tokens,
        };
        record(tx, author, Event::Sso(event)).await.map_err(problem)?;
        Ok(())
    }
}

fn shown(row: sql::Row) -> Result<SsoLink, Problem> {
    Ok(SsoLink {
        id: row.id,
        provider: stored(&row.provider)?,
        provider_name: stored(&row.provider_name)?,
        org: stored(&row.org)?,
        user: row.user,
        email: row.email,
        subject: row.subject,
        created_at: row.created_at,
        last_login_at: row.last_login_at,
    })
}
