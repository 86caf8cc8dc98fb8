//! Who is let in: whoever the provider's word means already, and, where the organisation wants it so,
//! somebody new. An e-mail address never means anybody who is here.

use chrono::TimeDelta;
use ralex_api::sso::SsoRefusal;
use ralex_audit::{Author, Event, SsoEvent, record};
use ralex_identity::Arrival;
use ralex_identity::session::SignedOn;
use ralex_kernel::{Email, Name, OrgId, SignOn, SsoLinkId, UserId};
use ralex_store::{System, problem};

use crate::claims::Person;
use crate::doors::domain;
use crate::finish::{Session, Stop};
use crate::sql::provider::{self, Stored};
use crate::sql::{link, mapping};
use crate::{Sso, mapping as groups};

impl Sso {
    /// Opens a session for a person, with the roles that their groups mean now.
    pub(crate) async fn admit(
        &self,
        (org, asked): (OrgId, &Stored),
        person: &Person,
        arrival: &Arrival,
    ) -> Result<Session, Stop> {
        let mut tx = self.0.db.system("let somebody in whom a provider vouches for").await?;
        let stored = self.still_enabled(&mut tx, org, asked).await?;
        let (link, user) = match self.linked(&mut tx, org, &stored, person).await? {
            Some(found) => found,
            None => self.newcomer(&mut tx, org, &stored, person).await?,
        };
        let changed = self.sync(&mut tx, (org, &stored), user, person).await?;
        let minutes = TimeDelta::minutes(i64::from(stored.session_minutes));
        let how = SignedOn {
            by: SignOn { org, provider: stored.id },
            sid: person.sid.as_deref(),
            proven_at: person.proven_at,
            lifetime: minutes,
        };
        let (caller, cookie) = self.0.identity.open_signed_on(&mut tx, user, arrival, how).await?;
        let now = self.0.clock.now();
        link::used(&mut tx, org, link, now).await.map_err(problem)?;
        provider::used(&mut tx, org, stored.id, now).await.map_err(problem)?;
        let event = SsoEvent::LoginSucceeded { provider: stored.id, user, link };
        let author = Author::of(&caller, org);
        record(&mut tx, &author, Event::Sso(event)).await.map_err(problem)?;
        if changed {
            self.0.access.commit(tx, org).await?;
        } else {
            tx.commit().await.map_err(problem)?;
        }
        Ok(Session { cookie, seconds: minutes.num_seconds() })
    }

    /// The provider as it is now, which nobody changes until the transaction ends: one that was
    /// switched off while somebody was away lets nobody in.
    pub(crate) async fn still_enabled(
        &self,
        tx: &mut System,
        org: OrgId,
        asked: &Stored,
    ) -> Result<Stored, Stop> {
        let id = asked.id.to_string();
        let stored = provider::lock(tx, org, &id).await.map_err(problem)?;
        let stored = stored.filter(|it| it.enabled && it.client_id == asked.client_id);
        stored.ok_or(Stop::refused(SsoRefusal::Unavailable, "switched_off"))
    }

    async fn linked(
        &self,
        tx: &mut System,
        org: OrgId,
        stored: &Stored,
        person: &Person,
    ) -> Result<Option<(SsoLinkId, UserId)>, Stop> {
        let word = (stored.issuer.as_str(), person.subject.as_str());
        let found = link::lock(tx, org, stored.id, word).await.map_err(problem)?;
        let Some(found) = found else { return Ok(None) };
        if found.disabled {
            return Err(Stop::Refused {
                reason: SsoRefusal::Disabled,
                detail: "disabled",
                user: Some(found.user),
            });
        }
        Ok(Some((found.id, found.user)))
    }

    /// Makes an account for somebody new, if all of this is so: the organisation wants it, the
    /// provider says that the address is theirs, its domain is one of those that are let in, and
    /// nobody has an account with it.
    async fn newcomer(
        &self,
        tx: &mut System,
        org: OrgId,
        stored: &Stored,
        person: &Person,
    ) -> Result<(SsoLinkId, UserId), Stop> {
        let email = person.email.as_ref().filter(|_| person.verified);
        let let_in = email.filter(|it| stored.domains.contains(&domain(it)));
        if let Some(user) = self.awaited(tx, org, let_in).await? {
            let id = self.first_link(tx, (org, stored), (user, person)).await?;
            return Ok((id, user));
        }
        if !stored.create_members {
            return Err(Stop::refused(SsoRefusal::NotAMember, "not_linked"));
        }
        let email = email.ok_or(Stop::refused(SsoRefusal::EmailUnverified, "email_unverified"))?;
        if !stored.domains.contains(&domain(email)) {
            return Err(Stop::refused(SsoRefusal::Domain, "domain"));
        }
        let local = email.as_str().split('@').next().and_then(|it| it.parse::<Name>().ok());
        let name = person.name.clone().or(local);
        let name = name.ok_or(Stop::refused(SsoRefusal::Token, "name"))?;
        let user = self.0.identity.join(tx, org, email, &name).await?;
        let user = user.ok_or(Stop::refused(SsoRefusal::AccountExists, "account_exists"))?;
        let id = self.first_link(tx, (org, stored), (user, person)).await?;
        // A membership is part of what nodes hold in memory.
        self.0.access.bump(tx, org).await?;
        Ok((id, user))
    }

    /// The member whom the organisation's directory made an account for and who has not come yet. That
    /// the address is theirs is what the same organisation's provider says; and the account is nobody's
    /// otherwise, so nothing is taken over by it.
    async fn awaited(
        &self,
        tx: &mut System,
        org: OrgId,
        email: Option<&Email>,
    ) -> Result<Option<UserId>, Stop> {
        match email {
            Some(email) => Ok(self.0.identity.awaited(tx, org, email).await?),
            None => Ok(None),
        }
    }

    async fn first_link(
        &self,
        tx: &mut System,
        (org, stored): (OrgId, &Stored),
        (user, person): (UserId, &Person),
    ) -> Result<SsoLinkId, Stop> {
        let id = self.store_link(tx, (org, stored), (user, &person.subject), "login").await?;
        let event = SsoEvent::LinkCreated { link: id, provider: stored.id, user, by: "login" };
        record(tx, &Author::system(org), Event::Sso(event)).await.map_err(problem)?;
        Ok(id)
    }

    pub(crate) async fn store_link(
        &self,
        tx: &mut System,
        (org, stored): (OrgId, &Stored),
        (user, subject): (UserId, &str),
        by: &str,
    ) -> Result<SsoLinkId, Stop> {
        let id = SsoLinkId::generate();
        let issuer = stored.issuer.as_str();
        let new = link::New { id, provider: stored.id, issuer, subject, user, by };
        if link::insert(tx, org, &new).await.map_err(problem)? {
            return Ok(id);
        }
        let user = Some(user);
        Err(Stop::Refused { reason: SsoRefusal::LinkTaken, detail: "link_taken", user })
    }

    /// Makes the roles that the provider gives a person what their groups mean. True where something
    /// that nodes hold in memory is other than it was.
    async fn sync(
        &self,
        tx: &mut System,
        (org, stored): (OrgId, &Stored),
        user: UserId,
        person: &Person,
    ) -> Result<bool, Stop> {
        let rows = mapping::list(tx, org, stored.id).await.map_err(problem)?;
        let wanted = groups::meant(&rows, &person.groups, user);
        let access = &self.0.access;
        let is_new = !access.snapshot(org).await?.is_member(user);
        let synced = access.sync_roles(tx, org, (stored.id, user), &wanted).await?;
        if synced.added + synced.removed == 0 && synced.skipped.is_empty() {
            return Ok(is_new);
        }
        let event = SsoEvent::RolesSynced {
            provider: stored.id,
            user,
            added: synced.added,
            removed: synced.removed,
            skipped: synced.skipped,
        };
        record(tx, &Author::system(org), Event::Sso(event)).await.map_err(problem)?;
        Ok(true)
    }
}
