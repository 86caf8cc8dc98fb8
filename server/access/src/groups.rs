//! Groups: people who are given roles together.
//!
//! Whoever lets someone into a group gives them all that the group holds, and whoever removes them
//! takes it, so both are held to the same rules as giving and taking the roles one by one.

use ralex_api::access::{Group, GroupMember, NewGroup, UpdateGroup};
use ralex_api::page::{Page, PageQuery};
use ralex_audit::Event;
use ralex_kernel::{Code, GroupId, OrgId, Problem, ScopePath, UserId};
use ralex_store::{OnConstraint, problem};
use sqlx::PgConnection;

use crate::access::Access;
use crate::bind::present;
use crate::bindings::Bearer;
use crate::provision::keep_provisioned;
use crate::rows::{Binding, Effect, Holder};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql::group as sql;
use crate::{Permission, duties, owners};

impl Access {
    /// The group of this id or slug.
    pub async fn group_of(&self, org: OrgId, reference: &str) -> Result<Option<GroupId>, Problem> {
        let mut tx = self.db().tenant(org).await?;
        sql::find(&mut tx, org, reference).await.map_err(problem)
    }

    /// Makes a group with nobody in it, that holds nothing.
    pub async fn create_group(&self, scope: &Scope, new: NewGroup) -> Result<Group, Problem> {
        let mut tx = self.db().tenant(scope.org()).await?;
        let id = self.make_group(&mut tx, scope, new).await?;
        self.commit(tx, scope.org()).await?;
        self.group(scope, id).await
    }

    /// Makes such a group within a transaction.
    pub(crate) async fn make_group(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        new: NewGroup,
    ) -> Result<GroupId, Problem> {
        let (org, id) = (scope.org(), GroupId::generate());
        let by = scope.caller().subject.to_string();
        let detail = format!("There is a group \"{}\" already.", new.slug);
        let taken = Problem::new(Code::AlreadyExists, detail);
        sql::insert(&mut *conn, org, id, &new, &by)
            .await
            .or_problem([("people_group_slug_taken", taken)])?;
        let event = Event::GroupCreated { group: id, slug: new.slug, name: new.name };
        ralex_audit::record(conn, scope.author(), event).await.map_err(problem)?;
        Ok(id)
    }

    pub async fn groups(&self, scope: &Scope, page: &PageQuery) -> Result<Page<Group>, Problem> {
        let (org, size) = (scope.org(), page.size());
        let mut tx = self.db().tenant(org).await?;
        let found = sql::list(&mut tx, org, None, page.after()?, size + 1).await;
        Ok(Page::of(found.map_err(problem)?, size, |group: &Group| group.id.to_string()))
    }

    pub async fn group(&self, scope: &Scope, id: GroupId) -> Result<Group, Problem> {
        let mut tx = self.db().tenant(scope.org()).await?;
        let found = sql::list(&mut tx, scope.org(), Some(id), None, 1).await.map_err(problem)?;
        found.into_iter().next().ok_or_else(|| Problem::not_found("group"))
    }

    /// Renames a group.
    pub async fn update_group(
        &self,
        scope: &Scope,
        id: GroupId,
        change: UpdateGroup,
    ) -> Result<Group, Problem> {
        let mut tx = self.db().tenant(scope.org()).await?;
        keep_provisioned(&self.lock(&mut tx, scope.org()).await?, id)?;
        if sql::rename(&mut tx, scope.org(), id, &change.name).await.map_err(problem)? {
            let event = Event::GroupUpdated { group: id, name: change.name };
            ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
            self.commit(tx, scope.org()).await?;
        }
        self.group(scope, id).await
    }

    /// Deletes a group and takes away all that it gave, which needs the same rights as that.
    pub async fn delete_group(&self, scope: &Scope, id: GroupId) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.db().tenant(org).await?;
        let current = self.lock(&mut tx, org).await?;
        keep_provisioned(&current, id)?;
        let held: Vec<_> = held_by(&current, id).collect();
        self.take(&mut tx, scope, &current, &held).await?;
        let slug = sql::delete(&mut tx, org, id).await.map_err(problem)?;
        let slug = slug.ok_or_else(|| Problem::not_found("group"))?;
        let people = u32::try_from(current.people_of(id).len()).unwrap_or(u32::MAX);
        let event = Event::GroupDeleted { group: id, slug, people };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.commit(tx, org).await
    }

    /// The people of a group, in the order of their ids.
    pub async fn group_members(
        &self,
        scope: &Scope,
        id: GroupId,
        page: &PageQuery,
    ) -> Result<Page<GroupMember>, Problem> {
        let (org, size) = (scope.org(), page.size());
        let mut tx = self.db().tenant(org).await?;
        let found = sql::people(&mut tx, org, id, (None, page.after()?), size + 1).await;
        let by_id = |member: &GroupMember| member.user.id.to_string();
        Ok(Page::of(found.map_err(problem)?, size, by_id))
    }

    /// Lets a member of the organisation into a group. To do it again is no error.
    pub async fn add_to_group(
        &self,
        scope: &Scope,
        group: GroupId,
        user: UserId,
    ) -> Result<GroupMember, Problem> {
        let org = scope.org();
        let mut tx = self.db().tenant(org).await?;
        let joined = self.join(&mut tx, scope, group, user).await?;
        let found = sql::people(&mut tx, org, group, (Some(user), None), 1).await;
        let found = found.map_err(problem)?.into_iter().next();
        if joined {
            self.commit(tx, org).await?;
        }
        found.ok_or_else(|| Problem::not_found("member"))
    }

    /// Removes somebody from a group. To do it again is no error.
    pub async fn remove_from_group(
        &self,
        scope: &Scope,
        group: GroupId,
        user: UserId,
    ) -> Result<(), Problem> {
        let mut tx = self.db().tenant(scope.org()).await?;
        if self.leave(&mut tx, scope, group, user).await? {
            self.commit(tx, scope.org()).await?;
        }
        Ok(())
    }

    /// Lets somebody into a group within a transaction; false where they were in it.
    pub async fn join(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        group: GroupId,
        user: UserId,
    ) -> Result<bool, Problem> {
        let current = self.lock(&mut *conn, scope.org()).await?;
        if !current.has_group(group) {
            return Err(Problem::not_found("group"));
        }
        keep_provisioned(&current, group)?;
        present(&current, user)?;
        if current.groups_of(user).contains(&group) {
            return Ok(false);
        }
        self.no_owner_by_group(&mut *conn, scope, &current, group).await?;
        let now = self.clock().now();
        for held in held_by(&current, group).filter(|held| !has_ended(held, now)) {
            let at = held.scope().unwrap_or(ScopePath::Org);
            match held.effect {
                Effect::Allow => {
                    let (until, to) = (held.expires_at, Some(Bearer::User(user)));
                    self.may_hand_out(&current, scope, (&held.role, at), until, to)?;
                    duties::keep_apart(&current, Holder::User(user), &held.role, now)?;
                }
                Effect::Deny => {
                    self.may(&current, scope, Permission::RoleDeny, at)?;
                    owners::keep_one_undenied(&current, at, |owner| owner == user)?;
                }
            }
        }
        let by = scope.caller().subject.to_string();
        sql::add(&mut *conn, scope.org(), group, user, &by).await.map_err(problem)?;
        let event = Event::GroupMemberAdded { group, user };
        ralex_audit::record(conn, scope.author(), event).await.map_err(problem)?;
        Ok(true)
    }

    /// Removes somebody from a group within a transaction; false where they were not in it.
    pub async fn leave(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        group: GroupId,
        user: UserId,
    ) -> Result<bool, Problem> {
        let current = self.lock(&mut *conn, scope.org()).await?;
        if !current.has_group(group) {
            return Err(Problem::not_found("group"));
        }
        keep_provisioned(&current, group)?;
        let now = self.clock().now();
        for held in held_by(&current, group).filter(|held| !has_ended(held, now)) {
            let at = held.scope().unwrap_or(ScopePath::Org);
            match held.effect {
                Effect::Allow => self.may_give(&current, scope, &held.role, at, None)?,
                Effect::Deny => drop(self.may(&current, scope, Permission::RoleDeny, at)?),
            }
        }
        if !sql::remove(&mut *conn, scope.org(), group, user).await.map_err(problem)? {
            return Ok(false);
        }
        let event = Event::GroupMemberRemoved { group, user };
        ralex_audit::record(conn, scope.author(), event).await.map_err(problem)?;
        Ok(true)
    }
}

pub(crate) fn held_by(current: &Snapshot, group: GroupId) -> impl Iterator<Item = &Binding> {
    let of_group = move |held: &&Binding| held.holder == Holder::Group(group);
    current.rows().bindings.iter().filter(of_group)
}

pub(crate) fn has_ended(held: &Binding, now: chrono::DateTime<chrono::Utc>) -> bool {
    held.expires_at.is_some_and(|end| end <= now)
}
