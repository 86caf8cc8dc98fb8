//! Provisioned groups: an organisation's directory decides who is in them, people decide what they hold.
//!
//! Whoever speaks for the directory could put themselves into each of these groups, so who lets it speak
//! must be able to give all that they hold. From then on a role that is given to such a group is the
//! directory's to hand out; separation of duty and the last owner are still kept, whoever asks.

use std::collections::HashSet;

use ralex_api::access::{BindingEffect, Group, NewGroup, RoleName};
use ralex_audit::{Author, Event, ScimEvent};
use ralex_kernel::{BindingId, Code, GroupId, Name, Problem, ScopePath, Slug, UserId};
use ralex_store::{OnConstraint, problem};
use sqlx::PgConnection;

use crate::access::Access;
use crate::bind::subject;
use crate::bindings::{Bearer, Wanted};
use crate::groups::{has_ended, held_by};
use crate::rows::{Binding, Effect, Holder};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql::group as sql;
use crate::{Permission, duties, owners};

impl Access {
    /// Refuses to let anyone speak for the directory who could not give all that its groups hold to
    /// themselves.
    pub async fn may_provision(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
    ) -> Result<(), Problem> {
        let current = self.lock(conn, scope.org()).await?;
        let oneself = scope.caller().subject.user().map(Bearer::User);
        let now = self.clock().now();
        let groups = current.rows().groups.iter().filter(|group| group.provisioned);
        let held = groups.flat_map(|group| held_by(&current, group.id));
        for held in held.filter(|held| !has_ended(held, now)) {
            let at = held.scope().unwrap_or(ScopePath::Org);
            match held.effect {
                Effect::Allow => {
                    let until = held.expires_at;
                    self.may_hand_out(&current, scope, (&held.role, at), until, oneself)?;
                }
                Effect::Deny => drop(self.may(&current, scope, Permission::RoleDeny, at)?),
            }
        }
        Ok(())
    }

    /// Makes a group of the directory's, with nobody in it, that holds nothing.
    pub async fn provision_group(
        &self,
        conn: &mut PgConnection,
        author: &Author,
        (id, slug, name): (GroupId, Slug, Name),
    ) -> Result<(), Problem> {
        let detail = format!("There is a group \"{slug}\" already.");
        let taken = Problem::new(Code::AlreadyExists, detail);
        let new = NewGroup { slug, name };
        sql::insert(&mut *conn, author.org, id, &new, &author.subject.to_string())
            .await
            .or_problem([("people_group_slug_taken", taken)])?;
        let event = Event::GroupCreated { group: id, slug: new.slug, name: new.name };
        ralex_audit::record(conn, author, event).await.map_err(problem)?;
        Ok(())
    }

    pub async fn rename_provisioned(
        &self,
        conn: &mut PgConnection,
        author: &Author,
        group: GroupId,
        name: Name,
    ) -> Result<(), Problem> {
        if sql::rename(&mut *conn, author.org, group, &name).await.map_err(problem)? {
            let event = Event::GroupUpdated { group, name };
            ralex_audit::record(conn, author, event).await.map_err(problem)?;
        }
        Ok(())
    }

    /// Has just these people be in a group of the directory's, and tells how many came and went.
    pub async fn set_people(
        &self,
        conn: &mut PgConnection,
        author: &Author,
        group: GroupId,
        wanted: &[UserId],
    ) -> Result<(u32, u32), Problem> {
        let current = self.lock(&mut *conn, author.org).await?;
        let wanted: HashSet<_> = wanted.iter().copied().collect();
        let before: HashSet<_> = current.people_of(group).iter().copied().collect();
        let mut joining: Vec<_> = wanted.difference(&before).copied().collect();
        let mut leaving: Vec<_> = before.difference(&wanted).copied().collect();
        joining.sort_unstable();
        leaving.sort_unstable();
        self.may_join(&current, group, &joining)?;
        let by = author.subject.to_string();
        for &user in &joining {
            sql::add(&mut *conn, author.org, group, user, &by).await.map_err(problem)?;
            let event = Event::GroupMemberAdded { group, user };
            ralex_audit::record(&mut *conn, author, event).await.map_err(problem)?;
        }
        for &user in &leaving {
            sql::remove(&mut *conn, author.org, group, user).await.map_err(problem)?;
            let event = Event::GroupMemberRemoved { group, user };
            ralex_audit::record(&mut *conn, author, event).await.map_err(problem)?;
        }
        let count = |people: &[UserId]| u32::try_from(people.len()).unwrap_or(u32::MAX);
        Ok((count(&joining), count(&leaving)))
    }

    /// The rules that hold whoever decides who is in a group.
    fn may_join(
        &self,
        current: &Snapshot,
        group: GroupId,
        joining: &[UserId],
    ) -> Result<(), Problem> {
        let now = self.clock().now();
        for held in held_by(current, group).filter(|held| !has_ended(held, now)) {
            match held.effect {
                Effect::Allow => {
                    for user in joining {
                        let apart =
                            duties::keep_apart(current, Holder::User(*user), &held.role, now);
                        apart.map_err(|why| {
                            let detail = format!("The user {user} cannot join: {}", why.detail);
                            Problem::new(why.code, detail)
                        })?;
                    }
                }
                Effect::Deny => {
                    let at = held.scope().unwrap_or(ScopePath::Org);
                    owners::keep_one_undenied(current, at, |owner| joining.contains(&owner))?;
                }
            }
        }
        Ok(())
    }

    /// Deletes a group of the directory's and all that it gave. What it denies its people becomes their
    /// own denial: the directory does not free anyone of what a person denied them.
    pub async fn end_group(
        &self,
        conn: &mut PgConnection,
        author: &Author,
        group: GroupId,
    ) -> Result<(), Problem> {
        let current = self.lock(&mut *conn, author.org).await?;
        for user in current.people_of(group) {
            self.keep_denials(&mut *conn, author, &current, (*user, &[group])).await?;
        }
        let held: Vec<_> = held_by(&current, group).collect();
        self.end(&mut *conn, author, &held).await?;
        let slug = sql::delete(&mut *conn, author.org, group).await.map_err(problem)?;
        let slug = slug.ok_or_else(|| Problem::not_found("group"))?;
        let people = u32::try_from(current.people_of(group).len()).unwrap_or(u32::MAX);
        let event = Event::GroupDeleted { group, slug, people };
        ralex_audit::record(conn, author, event).await.map_err(problem)?;
        Ok(())
    }

    /// Takes away all that a person holds, since the directory ends their membership, and says how much
    /// that was. Denials stay, also those by a group.
    pub async fn end_all(
        &self,
        conn: &mut PgConnection,
        author: &Author,
        user: UserId,
    ) -> Result<u32, Problem> {
        let current = self.lock(&mut *conn, author.org).await?;
        owners::keep_one_without(&current, user)?;
        let own = current.rows().bindings.iter();
        let own = own.filter(|b| b.holder == Holder::User(user) && b.effect == Effect::Allow);
        let own: Vec<_> = own.collect();
        self.end(&mut *conn, author, &own).await?;
        let groups = current.groups_of(user);
        self.keep_denials(conn, author, &current, (user, groups)).await?;
        Ok(u32::try_from(own.len()).unwrap_or(u32::MAX))
    }

    async fn keep_denials(
        &self,
        conn: &mut PgConnection,
        author: &Author,
        current: &Snapshot,
        (user, groups): (UserId, &[GroupId]),
    ) -> Result<(), Problem> {
        let denies = |b: &&Binding| b.effect == Effect::Deny;
        let own = current.rows().bindings.iter().filter(denies);
        let own = own.filter(|b| b.holder == Holder::User(user));
        // Two groups may deny the same, which the person is denied once.
        let mut known: HashSet<_> = own.map(|b| (b.role.as_str(), b.scope())).collect();
        let by_group = groups.iter().flat_map(|group| held_by(current, *group)).filter(denies);
        for held in by_group {
            if !known.insert((held.role.as_str(), held.scope())) {
                continue;
            }
            let wanted = Wanted {
                bearer: Bearer::User(user),
                role: RoleName(held.role.clone()),
                at: held.scope().unwrap_or(ScopePath::Org),
                effect: BindingEffect::Deny,
                not_before: held.not_before,
                expires_at: held.expires_at,
            };
            let (id, by) = (BindingId::generate(), author.subject.to_string());
            crate::sql::insert(&mut *conn, author.org, id, &wanted, crate::sql::Origin::by(&by))
                .await
                .map_err(problem)?;
            let event = Event::RoleBound {
                binding: id,
                subject: subject(Holder::User(user)),
                role: held.role.clone(),
                scope: wanted.at,
                effect: Some(BindingEffect::Deny),
                not_before: held.not_before,
                expires_at: held.expires_at,
            };
            ralex_audit::record(&mut *conn, author, event).await.map_err(problem)?;
        }
        Ok(())
    }

    /// Lets people decide again who is in a group that a directory made.
    pub async fn release_group(&self, scope: &Scope, group: GroupId) -> Result<Group, Problem> {
        let mut tx = self.db().tenant(scope.org()).await?;
        if sql::release(&mut tx, scope.org(), group).await.map_err(problem)? {
            let event = Event::Scim(ScimEvent::GroupReleased { group });
            ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
            self.commit(tx, scope.org()).await?;
        }
        self.group(scope, group).await
    }
}

/// Refuses to have people decide about a group that a directory decides about.
pub(crate) fn keep_provisioned(current: &Snapshot, group: GroupId) -> Result<(), Problem> {
    let provisioned = current.rows().groups.iter().any(|it| it.id == group && it.provisioned);
    if !provisioned {
        return Ok(());
    }
    let detail = "Your organisation's directory (SCIM) decides about this group and who is in it. \
                  Change it there, or release the group first: POST …/groups/{group}/release.";
    Err(Problem::new(Code::Conflict, detail))
}
