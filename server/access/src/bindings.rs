//! Bindings as they are asked for: made, listed and ended by those who may.

use chrono::{DateTime, Utc};
use ralex_api::access::{Binding as Shown, BindingEffect, RoleName};
use ralex_api::page::{Page, PageQuery};
use ralex_kernel::{
    BindingId, Caller, GroupId, OrgId, Problem, ScopePath, ServiceAccountId, UserId,
};
use ralex_store::problem;
use uuid::Uuid;

use crate::Permission;
use crate::access::Access;
use crate::change::{Change, Done};
use crate::roles::Roles;
use crate::rows::{Binding, Effect, Holder};
use crate::scope::Scope;
use crate::sql::{self, history};

/// Who can be bound to a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer {
    User(UserId),
    Account(ServiceAccountId),
    Group(GroupId),
}

/// A binding as it is wished for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub bearer: Bearer,
    pub role: RoleName,
    pub at: ScopePath,
    pub effect: BindingEffect,
    /// From when on it holds; at once when absent.
    pub not_before: Option<DateTime<Utc>>,
    /// Until when it holds; until it is taken away when absent.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Which bindings are listed.
#[derive(Clone, Debug)]
pub struct Which {
    pub bearer: Option<Bearer>,
    pub role: Option<RoleName>,
    /// Those at this place or below it.
    pub within: ScopePath,
}

impl Wanted {
    /// A role for a person, from now on and without an end.
    pub const fn role(user: UserId, role: RoleName, at: ScopePath) -> Self {
        let (effect, bearer) = (BindingEffect::Allow, Bearer::User(user));
        Self { bearer, role, at, effect, not_before: None, expires_at: None }
    }

    /// Whether it makes somebody an owner, by what the role allows.
    pub(crate) fn makes_owner(&self, roles: &Roles) -> bool {
        self.effect == BindingEffect::Allow && roles.is_owner(self.role.as_str())
    }

    /// What of it may take two people.
    fn change(&self, roles: &Roles) -> Option<Change> {
        let Self { bearer: Bearer::User(user), not_before, expires_at, .. } = *self else {
            return None;
        };
        let role = self.role.to_string();
        let change = Change::OwnerGive { user, role, not_before, expires_at };
        self.makes_owner(roles).then_some(change)
    }
}

impl Bearer {
    pub(crate) const fn holder(self) -> Holder {
        match self {
            Self::User(user) => Holder::User(user),
            Self::Account(account) => Holder::Machine(account.uuid()),
            Self::Group(group) => Holder::Group(group),
        }
    }

    /// As the table has it.
    pub(crate) const fn columns(self) -> (&'static str, Uuid) {
        match self {
            Self::User(user) => ("user", user.uuid()),
            Self::Account(account) => ("sa", account.uuid()),
            Self::Group(group) => ("grp", group.uuid()),
        }
    }
}

impl Access {
    /// The proof that a role may be given at a place, or denied there.
    pub async fn allow_binding(
        &self,
        caller: &Caller,
        org: OrgId,
        effect: BindingEffect,
        at: ScopePath,
    ) -> Result<Scope, Problem> {
        let permission = match effect {
            BindingEffect::Allow => Permission::RoleBind,
            BindingEffect::Deny => Permission::RoleDeny,
        };
        self.allow(caller, org, permission, at).await
    }

    /// Gives a role to somebody, or denies it to them whatever else they hold.
    pub async fn create_binding(
        &self,
        scope: &Scope,
        wanted: Wanted,
    ) -> Result<Done<Shown>, Problem> {
        let org = scope.org();
        let mut tx = self.db().tenant(org).await?;
        let current = self.lock(&mut tx, org).await?;
        let change = wanted.change(current.roles());
        if change.is_none() {
            self.no_owner_by_the_way(&mut tx, scope, &current, &wanted).await?;
        }
        let id = self.bind_for(&mut tx, scope, wanted, None).await?;
        let found = sql::binding(&mut tx, org, id).await.map_err(problem)?;
        let found = found.ok_or_else(|| Problem::not_found("binding"))?;
        Ok(self.commit_change(tx, scope, change).await?.map(|()| found))
    }

    /// Bindings as they are, or as they were, oldest first, those included that have ended or not
    /// begun.
    pub async fn bindings(
        &self,
        scope: &Scope,
        which: &Which,
        at: Option<DateTime<Utc>>,
        page: &PageQuery,
    ) -> Result<Page<Shown>, Problem> {
        let (org, size) = (scope.org(), page.size());
        let mut tx = self.db().tenant(org).await?;
        let found = match at {
            None => sql::bindings(&mut tx, org, which, page.after()?, size + 1).await,
            Some(at) => {
                self.check_moment(&mut tx, org, at).await?;
                let after = page.after()?;
                history::bindings(&mut tx, org, (which, at), (None, after), size + 1).await
            }
        };
        Ok(Page::of(found.map_err(problem)?, size, |binding: &Shown| binding.id.to_string()))
    }

    /// Takes a role away, or a denial of one.
    pub async fn delete_binding(
        &self,
        caller: &Caller,
        org: OrgId,
        id: BindingId,
    ) -> Result<(), Problem> {
        let snapshot = self.snapshot(org).await?;
        let found = snapshot.rows().bindings.iter().find(|binding| binding.id == id);
        let at = found.and_then(Binding::scope).unwrap_or(ScopePath::Org);
        let effect = match found.map(|binding| binding.effect) {
            Some(Effect::Deny) => BindingEffect::Deny,
            Some(Effect::Allow) | None => BindingEffect::Allow,
        };
        let scope = self.allow_binding(caller, org, effect, at).await?;
        let mut tx = self.db().tenant(org).await?;
        self.unbind(&mut tx, &scope, id).await?;
        self.commit(tx, org).await
    }
}
