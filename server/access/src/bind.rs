//! Bindings: giving roles and taking them away, within what the giver holds.
//!
//! Every change first raises the organisation's policy version, whose row lock makes changes wait
//! for each other, and then reads the rows anew inside its own transaction. So the rules see what
//! is, not what this node remembers, and two owners cannot remove each other at once.

use std::collections::HashSet;

use ralex_api::access::{BindingEffect, RoleName};
use ralex_audit::Event;
use ralex_kernel::{BindingId, Code, OrgId, Problem, ScopePath, ServiceAccountId, Subject, UserId};
use ralex_store::OnConstraint;
use sqlx::PgConnection;

use crate::access::Access;
use crate::bindings::{Bearer, Wanted};
use crate::denial::place;
use crate::policies::{OWNER, SERVICE};
use crate::rows::{Binding, Effect, Holder};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::{Permission, Permissions, sql};

/// A role that a person holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub id: BindingId,
    pub user: UserId,
    pub role: RoleName,
    pub at: ScopePath,
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
        let Wanted { bearer, role, at, effect, .. } = &wanted;
        self.check_role(*bearer, role)?;
        self.check_times(&wanted)?;
        let current = self.lock(conn, scope.org()).await?;
        if !current.tree().contains(*at) {
            return Err(Problem::not_found("team or project"));
        }
        match *bearer {
            Bearer::User(user) if !current.is_member(user) => {
                return Err(Problem::not_found("member"));
            }
            Bearer::Account(account) => {
                let known = sql::has_account(&mut *conn, scope.org(), account).await;
                if !known.map_err(ralex_store::problem)? {
                    return Err(Problem::not_found("service account"));
                }
            }
            Bearer::User(_) => {}
        }
        match effect {
            BindingEffect::Allow => {
                self.may_give(&current, scope, role.as_str(), *at, Some(*bearer))?;
                self.keep_duties_apart(&current, *bearer, role.as_str())?;
            }
            BindingEffect::Deny => {
                self.may(&current, scope, Permission::RoleDeny, *at)?;
                keep_an_undenied_owner(&current, *bearer, *at)?;
            }
        }
        let id = BindingId::generate();
        let by = scope.caller().subject.to_string();
        let taken = Problem::new(Code::AlreadyExists, "There is this very binding already.");
        sql::insert(&mut *conn, scope.org(), id, &wanted, &by)
            .await
            .or_problem([("binding_exists", taken)])?;
        let event = Event::RoleBound {
            binding: id,
            subject: subject(bearer.holder()),
            role: role.to_string(),
            scope: *at,
            effect: Some(*effect).filter(|effect| *effect == BindingEffect::Deny),
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
            self.may_give(&current, scope, &held.role, at, Some(bearer))?;
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
        Ok(u32::try_from(held.len()).unwrap_or(u32::MAX))
    }

    /// Every role that a person holds in the organisation and that is alive now.
    pub async fn bindings_of(&self, scope: &Scope) -> Result<Vec<Bound>, Problem> {
        let snapshot = self.snapshot(scope.org()).await?;
        let now = self.clock().now();
        let live = |b: &&Binding| {
            b.effect == Effect::Allow
                && b.not_before.is_none_or(|start| start <= now)
                && b.expires_at.is_none_or(|end| now < end)
        };
        Ok(snapshot.rows().bindings.iter().filter(live).filter_map(bound).collect())
    }

    /// Makes other changes of this organisation's rights wait, and reads how things stand.
    async fn lock(&self, conn: &mut PgConnection, org: OrgId) -> Result<Snapshot, Problem> {
        sql::bump(&mut *conn, org).await.map_err(ralex_store::problem)?;
        let rows = sql::load(conn, org).await.map_err(ralex_store::problem)?;
        let rows = rows.ok_or_else(|| Problem::not_found("organisation"))?;
        Snapshot::compile(org, rows, &self.node.policies).map_err(|why| {
            tracing::error!(org.id = %org, "the rights in {org} make no sense: {why}");
            Problem::new(Code::Internal, "The organisation's rights cannot be read.")
        })
    }

    async fn take(
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
        keep_an_owner(current, bindings)?;
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

    /// The rule that keeps anyone from giving, or taking, more than they have.
    fn may_give(
        &self,
        current: &Snapshot,
        scope: &Scope,
        role: &str,
        at: ScopePath,
        to: Option<Bearer>,
    ) -> Result<(), Problem> {
        let Some(own) = self.may(current, scope, Permission::RoleBind, at)? else { return Ok(()) };
        let giver = holder(scope.caller().subject);
        let missing = self.node.policies.permissions_of(role).without(own);
        let by_name = to.is_none_or(|to| Some(to.holder()) != giver)
            && giver.is_some_and(|giver| self.binds_by_name(current, giver, role, at));
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
    fn may(
        &self,
        current: &Snapshot,
        scope: &Scope,
        permission: Permission,
        at: ScopePath,
    ) -> Result<Option<Permissions>, Problem> {
        let subject = scope.caller().subject;
        if subject == Subject::System {
            return Ok(None);
        }
        let own = current.permissions(subject, at, self.clock().now());
        if !own.contains(permission) {
            let detail = format!("You need the permission {permission} {}.", place(at));
            return Err(Problem::new(Code::Forbidden, detail));
        }
        Ok(Some(own))
    }

    fn check_role(&self, bearer: Bearer, role: &RoleName) -> Result<(), Problem> {
        if !self.node.policies.has_role(role.as_str()) {
            return Err(Problem::field("role", format!("is not a role: \"{role}\"")));
        }
        if role.as_str() == SERVICE {
            let rule = "is what programs hold at their home by themselves; it cannot be given";
            return Err(Problem::field("role", rule));
        }
        if role.as_str() == OWNER && matches!(bearer, Bearer::Account(_)) {
            return Err(Problem::field("role", "is for people: a program owns nothing"));
        }
        Ok(())
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

    /// The rule that who checks does not also do: some roles exclude others, wherever they are held
    /// in the organisation.
    fn keep_duties_apart(
        &self,
        current: &Snapshot,
        bearer: Bearer,
        role: &str,
    ) -> Result<(), Problem> {
        let (policies, now) = (&self.node.policies, self.clock().now());
        let held = current.rows().bindings.iter().find(|held| {
            held.holder == bearer.holder()
                && held.effect == Effect::Allow
                && held.expires_at.is_none_or(|end| now < end)
                && policies.are_apart(&held.role, role)
        });
        held.map_or(Ok(()), |held| {
            let held = &held.role;
            let detail = format!(
                "The roles {held} and {role} exclude each other: who checks does not also do. Take \
                 the role {held} away first."
            );
            Err(Problem::new(Code::Conflict, detail))
        })
    }

    /// Whether a live role of the giver at this place names `role` as one that it may give.
    fn binds_by_name(&self, current: &Snapshot, giver: Holder, role: &str, at: ScopePath) -> bool {
        let now = self.clock().now();
        current.roles_at(giver, at, now).any(|own| self.node.policies.may_bind(own, role))
    }
}

/// Refuses what would leave the organisation without an owner for good who can log in.
fn keep_an_owner(current: &Snapshot, taken: &[&Binding]) -> Result<(), Problem> {
    let taken: HashSet<_> = taken.iter().map(|binding| binding.id).collect();
    let mut owners = current.rows().bindings.iter().filter(|b| is_lasting_owner(current, b));
    if !owners.clone().any(|owner| taken.contains(&owner.id))
        || owners.any(|owner| !taken.contains(&owner.id))
    {
        return Ok(());
    }
    let detail = "This is the organisation's last owner. Make someone else an owner first.";
    Err(Problem::new(Code::LastOwner, detail))
}

/// Refuses to deny anything to the only owner to whom nothing is denied.
fn keep_an_undenied_owner(
    current: &Snapshot,
    denied: Bearer,
    at: ScopePath,
) -> Result<(), Problem> {
    let mut owners = current.rows().bindings.iter().filter(|b| is_lasting_owner(current, b));
    let is_owner = owners.clone().any(|owner| owner.holder == denied.holder());
    if at != ScopePath::Org || !is_owner || owners.any(|owner| owner.holder != denied.holder()) {
        return Ok(());
    }
    let detail = "This is the organisation's last owner. Make someone else an owner first.";
    Err(Problem::new(Code::LastOwner, detail))
}

/// An owner whose role ends some day, or has not begun, does not count, nor does one to whom
/// anything is denied in the whole organisation.
fn is_lasting_owner(current: &Snapshot, binding: &Binding) -> bool {
    let is_member = match binding.holder {
        Holder::User(user) => current.is_member(user),
        Holder::Machine(_) => false,
    };
    let denied = |b: &Binding| {
        b.holder == binding.holder && b.effect == Effect::Deny && b.scope() == Some(ScopePath::Org)
    };
    is_member
        && !current.rows().bindings.iter().any(denied)
        && binding.role == OWNER
        && binding.effect == Effect::Allow
        && binding.scope() == Some(ScopePath::Org)
        && binding.not_before.is_none()
        && binding.expires_at.is_none()
}

fn bound(binding: &Binding) -> Option<Bound> {
    match binding.holder {
        Holder::User(user) => Some(Bound {
            id: binding.id,
            user,
            role: RoleName(binding.role.clone()),
            at: binding.scope()?,
        }),
        Holder::Machine(_) => None,
    }
}

/// Whose bindings a subject acts by; the deployment itself needs none.
fn holder(subject: Subject) -> Option<Holder> {
    let machine = || subject.machine().map(|(id, ..)| Holder::Machine(id));
    subject.user().map(Holder::User).or_else(machine)
}

fn subject(holder: Holder) -> String {
    match holder {
        Holder::User(user) => format!("user:{user}"),
        Holder::Machine(id) => format!("sa:{id}"),
    }
}
