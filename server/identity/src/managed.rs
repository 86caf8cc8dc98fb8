//! Organisations as operators manage them: made, closed and opened again.

use chrono::{DateTime, Utc};
use ralex_api::Page;
use ralex_api::identity::User;
use ralex_api::operators::{
    AskedDeletion, DeletedOrg, ManagedOrg, NewOrg, NewOrgAnswer, OrgState, SuspendOrg,
};
use ralex_api::page::PageQuery;
use ralex_audit::{Author, Event, OperatorEvent};
use ralex_kernel::{Code, Name, OrgId, Problem, UserId};
use ralex_store::{System, problem};

use crate::deletion::CONFIRM_WITHIN;
use crate::operator::Operating;
use crate::org::{Account, Founding};
use crate::{Identity, sql, stored};

/// The longest reason, in characters.
const REASON_MAX: usize = 500;

impl Identity {
    /// All organisations, oldest first.
    pub async fn managed_orgs(
        &self,
        by: Operating<'_>,
        page: &PageQuery,
    ) -> Result<Page<ManagedOrg>, Problem> {
        let mut tx = self.db.system("list organisations for an operator").await?;
        let (size, now) = (page.size(), self.clock.now());
        let reader = (by.user(), now);
        let rows = sql::operator::orgs(&mut tx, reader, None, page.after()?, size + 1).await;
        let rows = rows.map_err(problem)?.into_iter();
        let items = rows.map(|row| managed(row, now)).collect::<Result<_, _>>()?;
        Ok(Page::of(items, size, |org: &ManagedOrg| org.id.to_string()))
    }

    /// One of them, by id or slug.
    pub async fn managed_org(&self, by: Operating<'_>, word: &str) -> Result<ManagedOrg, Problem> {
        let mut tx = self.db.system("show an organisation to an operator").await?;
        let org = find(&mut tx, word).await?;
        one(&mut tx, (by.user(), self.clock.now()), org).await
    }

    /// What is left of those that were deleted, in that order.
    pub async fn deleted_orgs(
        &self,
        _: Operating<'_>,
        page: &PageQuery,
    ) -> Result<Page<DeletedOrg>, Problem> {
        let mut tx = self.db.system("list deleted organisations").await?;
        let size = page.size();
        let rows = sql::operator::deleted(&mut tx, page.after()?, size + 1).await;
        let items = rows.map_err(problem)?.into_iter().map(deleted).collect::<Result<_, _>>()?;
        Ok(Page::of(items, size, |org: &DeletedOrg| org.id.to_string()))
    }

    /// Makes an organisation with its first owner, who is invited where nobody can come in by their
    /// account yet, and asked whether they belong to it where somebody can.
    pub async fn create_org(
        &self,
        by: Operating<'_>,
        new: NewOrg,
    ) -> Result<NewOrgAnswer, Problem> {
        let mut tx = self.db.system("make an organisation").await?;
        let known = sql::user::find_account(&mut tx, &new.owner_email.key()).await;
        let known = known.map_err(problem)?;
        let account = if known.is_none() { Account::Invited } else { Account::Known };
        let org = OrgId::generate();
        let asked = match &known {
            // Nobody is asked whether they mean what they do.
            Some(account) if account.id != by.user() => {
                self.is_asked(&mut tx, account.id, org).await?
            }
            Some(_) | None => false,
        };
        let owner_name: Name = match (&known, new.owner_name) {
            (Some(account), _) => stored(&account.name)?,
            (None, Some(name)) => name,
            (None, None) => {
                let rule = "is needed, since this person is new to Ralex";
                return Err(Problem::field("owner_name", rule));
            }
        };
        let user = known.map_or_else(UserId::generate, |account| account.id);
        let name = new.name.map_or_else(|| stored(new.slug.as_str()), Ok)?;
        let founding = Founding {
            author: Author::of(by.caller(), org),
            slug: &new.slug,
            name,
            user,
            email: &new.owner_email,
            user_name: &owner_name,
            account,
        };
        self.found(&mut tx, founding).await?;
        let made = one(&mut tx, (by.user(), self.clock.now()), org).await?;
        let author = Author::of(by.caller(), org);
        let link = if asked {
            Some(self.await_acceptance(&mut tx, &author, user).await?)
        } else {
            self.invite_if_unused(&mut tx, &author, user).await?
        };
        self.access.commit(tx, org).await?;
        let invitation = self.hand_over(link, (&new.owner_email, made.name.as_str())).await?;
        let owner = User { id: user, email: new.owner_email, name: owner_name };
        Ok(NewOrgAnswer { org: made, owner, invitation })
    }

    /// Closes an organisation to everybody and every program of it, within a second on all nodes.
    ///
    /// # Errors
    /// `conflict` where it is suspended already.
    pub async fn suspend_org(
        &self,
        by: Operating<'_>,
        word: &str,
        why: &SuspendOrg,
    ) -> Result<ManagedOrg, Problem> {
        let reason = checked(&why.reason)?;
        let mut tx = self.db.system("suspend an organisation").await?;
        let org = find(&mut tx, word).await?;
        if !sql::operator::suspend(&mut tx, org, reason).await.map_err(problem)? {
            return Err(Problem::new(Code::Conflict, "This organisation is suspended already."));
        }
        let event = OperatorEvent::Suspended { org, reason: reason.to_owned() };
        self.done(tx, by, org, event).await
    }

    /// Opens it again, unless it waits to be deleted.
    pub async fn resume_org(&self, by: Operating<'_>, word: &str) -> Result<ManagedOrg, Problem> {
        let mut tx = self.db.system("open an organisation again").await?;
        let org = find(&mut tx, word).await?;
        if !sql::operator::resume(&mut tx, org).await.map_err(problem)? {
            return Err(Problem::new(Code::Conflict, "This organisation is not suspended."));
        }
        self.done(tx, by, org, OperatorEvent::Resumed { org }).await
    }

    pub(crate) async fn done(
        &self,
        mut tx: System,
        by: Operating<'_>,
        org: OrgId,
        event: OperatorEvent,
    ) -> Result<ManagedOrg, Problem> {
        let author = Author::of(by.caller(), org);
        ralex_audit::record(&mut tx, &author, Event::Operator(event)).await.map_err(problem)?;
        let shown = one(&mut tx, (by.user(), self.clock.now()), org).await?;
        self.access.commit(tx, org).await?;
        Ok(shown)
    }
}

pub(crate) fn checked(reason: &str) -> Result<&str, Problem> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        let rule = format!("must have 1 to {REASON_MAX} characters; everybody in it reads them");
        return Err(Problem::field("reason", rule));
    }
    Ok(reason)
}

pub(crate) async fn find(tx: &mut System, word: &str) -> Result<OrgId, Problem> {
    let found = sql::operator::find_org(tx, word.parse().ok(), word).await.map_err(problem)?;
    found.ok_or_else(|| Problem::not_found("organisation"))
}

async fn one(
    tx: &mut System,
    (reader, now): (UserId, DateTime<Utc>),
    org: OrgId,
) -> Result<ManagedOrg, Problem> {
    let rows = sql::operator::orgs(tx, (reader, now), Some(org), None, 1).await;
    let row = rows.map_err(problem)?.into_iter().next();
    managed(row.ok_or_else(|| Problem::not_found("organisation"))?, now)
}

fn managed(row: sql::operator::ManagedRow, now: DateTime<Utc>) -> Result<ManagedOrg, Problem> {
    let state = match (row.delete_after, row.suspended_at) {
        (Some(_), _) => OrgState::Deleting,
        (None, Some(_)) => OrgState::Suspended,
        (None, None) => OrgState::Active,
    };
    let deletion_asked = asked(&row, now);
    Ok(ManagedOrg {
        id: row.id,
        slug: stored(&row.slug)?,
        name: stored(&row.name)?,
        state,
        people: u32::try_from(row.people).unwrap_or(u32::MAX),
        created_at: row.created_at,
        suspended_at: row.suspended_at,
        suspended_reason: row.suspended_reason,
        delete_after: row.delete_after,
        deletion_reason: row.deletion_reason,
        deletion_by_one: row.delete_after.is_some() && !row.deletion_confirmed,
        deletion_asked,
        export_recipients: u32::try_from(row.export_recipients).unwrap_or(u32::MAX),
    })
}

/// What waits for another operator, unless it is too late.
fn asked(row: &sql::operator::ManagedRow, now: DateTime<Utc>) -> Option<AskedDeletion> {
    let asked_at = row.wanted_at?;
    let expires_at = asked_at + CONFIRM_WITHIN;
    (now < expires_at).then(|| AskedDeletion {
        asked_at,
        asked_by: row.wanted_by.clone().unwrap_or_default(),
        reason: row.wanted_reason.clone().unwrap_or_default(),
        grace_days: row.wanted_days.and_then(|days| u32::try_from(days).ok()).unwrap_or_default(),
        expires_at,
        may_confirm: row.may_confirm,
    })
}

fn deleted(row: sql::operator::DeletedRow) -> Result<DeletedOrg, Problem> {
    Ok(DeletedOrg {
        id: row.id,
        slug: stored(&row.slug)?,
        name: stored(&row.name)?,
        created_at: row.created_at,
        deleted_at: row.deleted_at,
        asked_at: row.asked_at,
        asked_by: row.asked_by,
        confirmed_by: row.confirmed_by,
        reason: row.reason,
        tree_size: u64::try_from(row.tree_size).unwrap_or(0),
        root_hash: row.root_hash.map(hex::encode),
    })
}
