//! Bindings: giving roles and taking them away, within what the giver holds.
//!
//! Every change first raises the organisation's policy version, whose row lock makes changes wait
//! for each other, and then reads the rows anew inside its own transaction. So the rules see what
//! is, not what this node remembers, and two owners cannot remove each other at once.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use ralex_api::access::{BindingEffect, RoleName};
use ralex_audit::Event;
use ralex_kernel::{
    AccessRequestId, BindingId, Caller, Code, GroupId, OrgId, Problem, ScopePath, ServiceAccountId,
    Subject, UserId,
};
use ralex_store::OnConstraint;
use sqlx::PgConnection;

use crate::access::Access;
use crate::bindings::{Bearer, Wanted};
use crate::denial::place;
use crate::glass::Glass;
use crate::narrow::within;
use crate::policies::{OWNER, SERVICE};
use crate::rows::{Binding, Effect, Holder};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql::Origin;
use crate::standing::Standing;
use crate::unsettled::Unsettled;
use crate::{Permission, Permissions, duties, groups, owners, sql};

/// A role that a person holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub id: BindingId,
    pub user: UserId,
    pub role: RoleName,
    pub at: ScopePath,
    /// The group by which they hold it.
    pub group: Option<GroupId>,
}

impl Access {
    /// Gives a member or a service account a role, or denies it to them. The giver must hold all
    /// that the role allows at that place, or the right to give just this role, which nobody can
    /// use for themselves; who denies must hold the right to deny.
    pub async fn bind(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        wanted: Wanted,
    ) -> Result<BindingId, Problem> {
        let current = self.lock(&mut *conn, scope.org()).await?;
        self.no_owner_by_the_way(&mut *conn, scope, &current, &wanted).await?;
        self.bind_for(conn, scope, wanted, None).await
    }

    /// The same, for a request that this answers.
    pub(crate) async fn bind_for(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        wanted: Wanted,
        request: Option<AccessRequestId>,
    ) -> Result<BindingId, Problem> {
        let Wanted { bearer, role, at, effect, .. } = &wanted;
        self.check_times(&wanted)?;
        let current = self.lock(conn, scope.org()).await?;
        check_role(&current, *bearer, role)?;
        if !current.tree().contains(*at) {
            return Err(Problem::not_found("team or project"));
        }
        match *bearer {
            Bearer::User(user) => present(&current, user)?,
            Bearer::Account(account) => {
                let known = sql::has_account(&mut *conn, scope.org(), account).await;
                if !known.map_err(ralex_store::problem)? {
                    return Err(Problem::not_found("service account"));
                }
            }
            Bearer::Group(group) if !current.has_group(group) => {
                return Err(Problem::not_found("group"));
            }
            Bearer::Group(_) => {}
        }
        match effect {
            BindingEffect::Allow => {
                let until = wanted.expires_at;
                self.may_hand_out(&current, scope, (role.as_str(), *at), until, Some(*bearer))?;
                let now = self.clock().now();
                duties::keep_apart(&current, bearer.holder(), role.as_str(), now)?;
            }
            BindingEffect::Deny => {
                self.may(&current, scope, Permission::RoleDeny, *at)?;
                owners::keep_one_undenied(&current, *at, |owner| {
                    reaches(&current, *bearer, Holder::User(owner))
                })?;
            }
        }
        self.insert(conn, scope, wanted, request).await
    }

    async fn insert(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        wanted: Wanted,
        request: Option<AccessRequestId>,
    ) -> Result<BindingId, Problem> {
        let id = BindingId::generate();
        let by = scope.caller().subject.to_string();
        let taken = Problem::new(Code::AlreadyExists, "There is this very binding already.");
        let origin = Origin { request, ..Origin::by(&by) };
        sql::insert(&mut *conn, scope.org(), id, &wanted, origin)
            .await
            .or_problem([("binding_exists", taken)])?;
        let event = Event::RoleBound {
            binding: id,
            subject: subject(wanted.bearer.holder()),
            role: wanted.role.to_string(),
            scope: wanted.at,
            effect: Some(wanted.effect).filter(|effect| *effect == BindingEffect::Deny),
            not_before: wanted.not_before,
            expires_at: wanted.expires_at,
        };
        ralex_audit::record(conn, scope.author(), event).await.map_err(ralex_store::problem)?;
        Ok(id)
    }

    /// Refuses to let anyone act as a service account that holds what they could not give it: whoever
    /// makes it a token has all that it holds.
    pub async fn may_act_as(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        account: ServiceAccountId,
    ) -> Result<(), Problem> {
        let current = self.lock(conn, scope.org()).await?;
        let (bearer, now) = (Bearer::Account(account), self.clock().now());
        let held = current.rows().bindings.iter().filter(|held| {
            held.holder == bearer.holder()
                && held.effect == Effect::Allow
                && held.expires_at.is_none_or(|end| now < end)
        });
        for held in held {
            let at = held.scope().unwrap_or(ScopePath::Org);
            let until = held.expires_at;
            self.may_hand_out(&current, scope, (&held.role, at), until, Some(bearer))?;
        }
        Ok(())
    }

    /// Takes a role away, which needs the same rights as giving it. The last owner stays.
    pub async fn unbind(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        binding: BindingId,
    ) -> Result<(), Problem> {
        let current = self.lock(conn, scope.org()).await?;
        let found = current.rows().bindings.iter().find(|b| b.id == binding);
        let found = found.ok_or_else(|| Problem::not_found("binding"))?;
        self.take(conn, scope, &current, &[found]).await
    }

    /// Takes away all that a person holds, and says how much that was: for the end of a
    /// membership. Denials stay: who comes back is not free of them by having left.
    pub async fn unbind_all(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        user: UserId,
    ) -> Result<u32, Problem> {
        let current = self.lock(conn, scope.org()).await?;
        let held = current
            .rows()
            .bindings
            .iter()
            .filter(|b| b.holder == Holder::User(user) && b.effect == Effect::Allow);
        let held: Vec<_> = held.collect();
        self.take(conn, scope, &current, &held).await?;
        self.end_groups(conn, scope, &current, user).await?;
        Ok(u32::try_from(held.len()).unwrap_or(u32::MAX))
    }

    /// What the end of a membership takes that came by groups. What a group denies to the person
    /// becomes their own denial, since the group does not know them any more when they come back.
    async fn end_groups(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        current: &Snapshot,
        user: UserId,
    ) -> Result<(), Problem> {
        let bearer = Bearer::User(user);
        let own = current.rows().bindings.iter().filter(|own| own.holder == bearer.holder());
        // Two groups may deny the same, which the person is denied once.
        let mut denied: HashSet<_> = own
            .filter(|own| own.effect == Effect::Deny)
            .map(|own| (own.role.as_str(), own.scope()))
            .collect();
        let groups = current.groups_of(user).iter();
        for held in groups.flat_map(|group| groups::held_by(current, *group)) {
            let at = held.scope().unwrap_or(ScopePath::Org);
            match held.effect {
                Effect::Allow => self.may_give(current, scope, &held.role, at, None)?,
                Effect::Deny => {
                    if denied.insert((held.role.as_str(), held.scope())) {
                        let role = RoleName(held.role.clone());
                        let (not_before, expires_at) = (held.not_before, held.expires_at);
                        let effect = BindingEffect::Deny;
                        let wanted = Wanted { bearer, role, at, effect, not_before, expires_at };
                        self.insert(&mut *conn, scope, wanted, None).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Every role that these people hold in the organisation and that is alive now, by their groups
    /// too.
    pub async fn bindings_of(
        &self,
        scope: &Scope,
        people: &[UserId],
    ) -> Result<Vec<Bound>, Problem> {
        let snapshot = self.snapshot(scope.org()).await?;
        let now = self.clock().now();
        let live = |b: &&Binding| {
            b.effect == Effect::Allow
                && b.not_before.is_none_or(|start| start <= now)
                && b.expires_at.is_none_or(|end| now < end)
        };
        let bound = |binding: &Binding| {
            let (group, users) = match binding.holder {
                Holder::User(user) => (None, vec![user]),
                Holder::Group(group) => (Some(group), snapshot.people_of(group).to_vec()),
                Holder::Machine(_) => (None, Vec::new()),
            };
            let at = binding.scope().unwrap_or(ScopePath::Org);
            let (id, role) = (binding.id, RoleName(binding.role.clone()));
            let asked = users.into_iter().filter(|user| people.contains(user));
            asked.map(move |user| Bound { id, user, role: role.clone(), at, group }).collect()
        };
        let bindings = snapshot.rows().bindings.iter().filter(live);
        Ok(bindings.flat_map::<Vec<_>, _>(bound).collect())
    }

    /// Makes other changes of this organisation's rights wait, and reads how things stand.
    pub(crate) async fn lock(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
    ) -> Result<Snapshot, Problem> {
        sql::bump(&mut *conn, org).await.map_err(ralex_store::problem)?;
        self.read(conn, org).await
    }

    /// Reads how things stand, and holds nobody up.
    pub(crate) async fn read(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
    ) -> Result<Snapshot, Problem> {
        let rows = sql::load(conn, org).await.map_err(ralex_store::problem)?;
        let rows = rows.ok_or_else(|| Problem::not_found("organisation"))?;
        Snapshot::compile(org, rows, &self.node.policies).map_err(|why| {
            tracing::error!(org.id = %org, "the rights in {org} make no sense: {why}");
            Problem::new(Code::Internal, "The organisation's rights cannot be read.")
        })
    }

    pub(crate) async fn take(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        current: &Snapshot,
        bindings: &[&Binding],
    ) -> Result<(), Problem> {
        for binding in bindings {
            let at = binding.scope().unwrap_or(ScopePath::Org);
            match binding.effect {
                Effect::Allow => self.may_give(current, scope, &binding.role, at, None)?,
                Effect::Deny => drop(self.may(current, scope, Permission::RoleDeny, at)?),
            }
        }
        owners::keep_one(current, bindings)?;
        let ids: Vec<_> = bindings.iter().map(|binding| binding.id).collect();
        sql::delete(&mut *conn, scope.org(), &ids).await.map_err(ralex_store::problem)?;
        for binding in bindings {
            let event = Event::RoleUnbound {
                binding: binding.id,
                subject: subject(binding.holder),
                role: binding.role.clone(),
                scope: binding.scope().unwrap_or(ScopePath::Org),
            };
            ralex_audit::record(&mut *conn, scope.author(), event)
                .await
                .map_err(ralex_store::problem)?;
        }
        Ok(())
    }

    /// [`Self::may_give`] for what is held until some day, or for good: it must not outlive what the
    /// giver holds for a while, or that would be for good by way of somebody else.
    pub(crate) fn may_hand_out(
        &self,
        current: &Snapshot,
        scope: &Scope,
        (role, at): (&str, ScopePath),
        until: Option<DateTime<Utc>>,
        to: Option<Bearer>,
    ) -> Result<(), Problem> {
        self.may_give(current, scope, role, at, to)?;
        let (giver, now) = (scope.caller().subject, self.clock().now());
        if giver == Subject::System {
            return Ok(());
        }
        Standing::of(current, giver, &Unsettled::default(), now).until(until).gives_on(role, at)
    }

    /// The rule that keeps anyone from giving, or taking, more than they have.
    pub(crate) fn may_give(
        &self,
        current: &Snapshot,
        scope: &Scope,
        role: &str,
        at: ScopePath,
        to: Option<Bearer>,
    ) -> Result<(), Problem> {
        let to_one_of = |user| to.is_some_and(|to| reaches(current, to, Holder::User(user)));
        Self::may_by_glass(scope, role, to_one_of)?;
        self.gives(current, (scope.caller(), scope.glass()), (role, at), to)
    }

    /// The same for who has not been asked anything else.
    pub(crate) fn may_give_by(
        &self,
        current: &Snapshot,
        caller: &Caller,
        (role, at): (&str, ScopePath),
        to: Option<Bearer>,
    ) -> Result<(), Problem> {
        self.gives(current, (caller, None), (role, at), to)
    }

    fn gives(
        &self,
        current: &Snapshot,
        (caller, glass): (&Caller, Option<Glass>),
        (role, at): (&str, ScopePath),
        to: Option<Bearer>,
    ) -> Result<(), Problem> {
        let Some(own) = self.holds(current, (caller, glass), Permission::RoleBind, at)? else {
            return Ok(());
        };
        let giver = holder(caller.subject);
        let missing = current.roles().permissions_of(role).without(own);
        let to_oneself = |giver| to.is_some_and(|to| reaches(current, to, giver));
        // By name only the person gives; a token that was narrowed has what it was narrowed to.
        let by_name = caller.narrowed.is_none()
            && giver.is_some_and(|giver| {
                !to_oneself(giver) && self.binds_by_name(current, giver, role, at)
            });
        match missing.iter().next() {
            Some(permission) if !by_name => Err(Problem::new(
                Code::GrantExceedsOwn,
                format!(
                    "The role {role} allows {permission}, which you do not hold {}; nobody can \
                     give or take what they do not hold.",
                    place(at)
                ),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// What the caller holds at a place, this permission among it; nothing where the deployment
    /// itself asks, which needs none.
    pub(crate) fn may(
        &self,
        current: &Snapshot,
        scope: &Scope,
        permission: Permission,
        at: ScopePath,
    ) -> Result<Option<Permissions>, Problem> {
        self.holds(current, (scope.caller(), scope.glass()), permission, at)
    }

    fn holds(
        &self,
        current: &Snapshot,
        (caller, glass): (&Caller, Option<Glass>),
        permission: Permission,
        at: ScopePath,
    ) -> Result<Option<Permissions>, Problem> {
        let subject = caller.subject;
        if subject == Subject::System {
            return Ok(None);
        }
        let usual = within(caller, current.permissions(subject, at, self.clock().now()));
        let own = glass.map_or(usual, |glass| usual.union(glass.rights));
        if !own.contains(permission) {
            let detail = format!("You need the permission {permission} {}.", place(at));
            return Err(Problem::new(Code::Forbidden, detail));
        }
        Ok(Some(own))
    }

    fn check_times(&self, wanted: &Wanted) -> Result<(), Problem> {
        let Some(end) = wanted.expires_at else { return Ok(()) };
        if end <= self.clock().now() {
            return Err(Problem::field("expires_at", "is in the past"));
        }
        if wanted.not_before.is_some_and(|start| start >= end) {
            return Err(Problem::field("expires_at", "is not after `not_before`"));
        }
        Ok(())
    }

    /// Whether a live role of the giver at this place names `role` as one that it may give.
    fn binds_by_name(&self, current: &Snapshot, giver: Holder, role: &str, at: ScopePath) -> bool {
        let now = self.clock().now();
        current.roles_at(giver, at, now).any(|own| current.roles().may_bind(own, role))
    }
}

/// Refuses where somebody is no member, or is suspended: what they are given then would surprise whoever
/// lets them back in.
pub(crate) fn present(current: &Snapshot, user: UserId) -> Result<(), Problem> {
    if current.is_suspended(user) {
        let detail = "This member is suspended. Let them back in first.";
        return Err(Problem::new(Code::Conflict, detail));
    }
    if !current.is_member(user) {
        return Err(Problem::not_found("member"));
    }
    Ok(())
}

pub(crate) fn check_role(
    current: &Snapshot,
    bearer: Bearer,
    role: &RoleName,
) -> Result<(), Problem> {
    if !current.roles().has(role.as_str()) {
        return Err(Problem::field("role", format!("is not a role: \"{role}\"")));
    }
    if role.as_str() == SERVICE {
        let rule = "is what programs hold at their home by themselves; it cannot be given";
        return Err(Problem::field("role", rule));
    }
    match bearer {
        Bearer::Account(_) if role.as_str() == OWNER => {
            Err(Problem::field("role", "is for people: a program owns nothing"))
        }
        // Who owns the organisation must be told by name, and by nobody who only fills groups.
        Bearer::Group(_) if role.as_str() == OWNER => {
            Err(Problem::field("role", "is for people by name, not for groups"))
        }
        Bearer::User(_) | Bearer::Account(_) | Bearer::Group(_) => Ok(()),
    }
}

/// Whether what this bearer is given, this holder has.
fn reaches(current: &Snapshot, bearer: Bearer, holder: Holder) -> bool {
    match (bearer, holder) {
        (Bearer::Group(group), Holder::User(user)) => current.groups_of(user).contains(&group),
        (bearer, holder) => bearer.holder() == holder,
    }
}

/// Whose bindings a subject acts by; the deployment itself needs none.
pub(crate) fn holder(subject: Subject) -> Option<Holder> {
    let machine = || subject.machine().map(|(id, ..)| Holder::Machine(id));
    subject.user().map(Holder::User).or_else(machine)
}

pub(crate) fn subject(holder: Holder) -> String {
    match holder {
        Holder::User(user) => format!("user:{user}"),
        Holder::Machine(id) => format!("sa:{id}"),
        Holder::Group(group) => format!("group:{group}"),
    }
}
