//! Service accounts: what programs are, whichever of their tokens they show.
//!
//! A team's token is a principal by itself, so that its budget and its place in the record end with
//! it. A service account has several tokens, one after the other or at once, and stays the same.

use ralex_access::{Permission, Reach, Scope};
use ralex_api::identity::{NewServiceAccount, ServiceAccount, UpdateServiceAccount};
use ralex_api::page::{Page, PageQuery};
use ralex_audit::Event;
use ralex_kernel::{Caller, OrgId, Problem, ScopePath, ServiceAccountId, Slug, TeamId};
use ralex_store::{OnConstraint, problem};

use crate::sql::Within;
use crate::sql::service as sql;
use crate::team::slug_taken;
use crate::token::place_of;
use crate::{Identity, count, stored};

impl Identity {
    /// Makes a service account for a team, or for one project of it. It has no token yet.
    pub async fn create_service_account(
        &self,
        caller: &Caller,
        org: OrgId,
        new: NewServiceAccount,
    ) -> Result<ServiceAccount, Problem> {
        let at = self.home(org, &new.team, new.project.as_deref()).await?;
        let scope = self.access.allow(caller, org, Permission::ServiceAccountCreate, at).await?;
        let id = ServiceAccountId::generate();
        let row = sql::New {
            org,
            id,
            team: at.team().ok_or_else(|| Problem::not_found("team"))?,
            project: at.project(),
            slug: &new.slug,
            name: &new.name,
            created_by: scope.caller().subject.user(),
        };
        let mut tx = self.db.tenant(org).await?;
        let gone = |what: &str| Problem::field(what.to_owned(), "was deleted at this moment");
        sql::insert(&mut tx, row).await.or_problem([
            ("service_account_slug_taken", slug_taken("service account", &new.slug)),
            ("service_account_team", gone("team")),
            ("service_account_project", gone("project")),
        ])?;
        let event = Event::ServiceAccountCreated {
            service_account: id,
            slug: new.slug,
            name: new.name,
            scope: at,
        };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        self.shown(org, id).await
    }

    /// The place of a service account, by its id or slug, and its id. One that is not there is
    /// looked for all over the organisation, so that only who may see all is told that it is not.
    pub async fn service_account_home(
        &self,
        org: OrgId,
        reference: &str,
    ) -> Result<Option<(ServiceAccountId, ScopePath)>, Problem> {
        let found = self.account(org, reference).await?;
        Ok(found.map(|found| (found.id, place_of(found.team, found.project))))
    }

    /// One service account, by its id or slug.
    pub async fn service_account(
        &self,
        caller: &Caller,
        org: OrgId,
        reference: &str,
    ) -> Result<ServiceAccount, Problem> {
        let (_, id) =
            self.allow_account(caller, org, Permission::ServiceAccountRead, reference).await?;
        self.shown(org, id).await
    }

    /// All of the organisation or of a team, oldest first.
    pub async fn service_accounts(
        &self,
        reach: &Reach,
        team: Option<TeamId>,
        page: &PageQuery,
    ) -> Result<Page<ServiceAccount>, Problem> {
        let (org, size) = (reach.org(), page.size());
        let mut tx = self.db.tenant(org).await?;
        let filter = sql::Filter { only: None, team, after: page.after()?, at_most: size + 1 };
        let (within, now) = (Within::from(reach), self.clock.now());
        let rows = sql::list(&mut tx, org, filter, &within, now).await.map_err(problem)?;
        let items = rows.into_iter().map(shown).collect::<Result<_, _>>()?;
        Ok(Page::of(items, size, |account: &ServiceAccount| account.id.to_string()))
    }

    /// Renames a service account, disables or enables it. Within a second of being disabled none of
    /// its tokens works on any node.
    pub async fn update_service_account(
        &self,
        caller: &Caller,
        org: OrgId,
        reference: &str,
        change: UpdateServiceAccount,
    ) -> Result<ServiceAccount, Problem> {
        if change.name.is_none() && change.disabled.is_none() {
            return Err(Problem::field("name", "or `disabled` must say what is to change"));
        }
        let (scope, id) =
            self.allow_account(caller, org, Permission::ServiceAccountUpdate, reference).await?;
        let mut tx = self.db.tenant(org).await?;
        let changed = sql::update(&mut tx, org, id, &change, self.clock.now()).await;
        if let Some((name, disabled)) = changed.map_err(problem)? {
            let name = stored(&name)?;
            let event = Event::ServiceAccountUpdated { service_account: id, name, disabled };
            ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
            self.access.commit(tx, org).await?;
        }
        self.shown(org, id).await
    }

    /// A service account with the proof that this may be done to it.
    async fn allow_account(
        &self,
        caller: &Caller,
        org: OrgId,
        permission: Permission,
        reference: &str,
    ) -> Result<(Scope, ServiceAccountId), Problem> {
        let found = self.service_account_home(org, reference).await?;
        let at = found.map_or(ScopePath::Org, |(_, at)| at);
        let scope = self.access.allow(caller, org, permission, at).await?;
        let (id, _) = found.ok_or_else(|| Problem::not_found("service account"))?;
        Ok((scope, id))
    }

    pub(crate) async fn account(
        &self,
        org: OrgId,
        reference: &str,
    ) -> Result<Option<sql::Found>, Problem> {
        let mut tx = self.db.tenant(org).await?;
        sql::find(&mut tx, org, reference).await.map_err(problem)
    }

    async fn shown(&self, org: OrgId, id: ServiceAccountId) -> Result<ServiceAccount, Problem> {
        let mut tx = self.db.tenant(org).await?;
        let filter = sql::Filter { only: Some(id), team: None, after: None, at_most: 1 };
        let (within, now) = (Within::ANYWHERE, self.clock.now());
        let rows = sql::list(&mut tx, org, filter, &within, now).await.map_err(problem)?;
        rows.into_iter().next().map(shown).ok_or_else(|| Problem::not_found("service account"))?
    }
}

fn shown(row: sql::Row) -> Result<ServiceAccount, Problem> {
    let slug: Slug = stored(&row.slug)?;
    Ok(ServiceAccount {
        id: row.id,
        slug,
        name: stored(&row.name)?,
        team: stored(&row.team)?,
        project: row.project.as_deref().map(stored).transpose()?,
        tokens: count(row.tokens),
        created_at: row.created_at,
        disabled_at: row.disabled_at,
        last_used_at: row.last_used_at,
    })
}
