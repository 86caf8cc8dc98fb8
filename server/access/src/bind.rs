//! Bindings: giving roles and taking them away, within what the giver holds.
//!
//! Every change first raises the organisation's policy version, whose row lock makes changes wait
//! for each other, and then reads the rows anew inside its own transaction. So the rules see what
//! is, not what this node remembers, and two owners cannot remove each other at once.

use std::collections::HashSet;

use ralex_api::access::RoleName;
use ralex_audit::Event;
use ralex_kernel::{BindingId, Code, OrgId, Problem, ScopePath, Subject, UserId};
use ralex_store::OnConstraint;
use sqlx::PgConnection;

use crate::access::Access;
use crate::denial::place;
use crate::policies::{OWNER, SERVICE};
use crate::rows::{Binding, Effect, Holder};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::{Permission, sql};

/// A role that a person holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub id: BindingId,
    pub user: UserId,
    pub role: RoleName,
    pub at: ScopePath,
}

impl Access {
    /// Gives a member a role. The giver must hold all that the role allows at that place, or the
    /// right to give just this role, which nobody can use for themselves.
    pub async fn bind(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        user: UserId,
        role: &RoleName,
        at: ScopePath,
    ) -> Result<BindingId, Problem> {
        if !self.node.policies.has_role(role.as_str()) {
            return Err(Problem::field("role", format!("is not a role: \"{role}\"")));
        }
        if role.as_str() == SERVICE {
            return Err(Problem::field("role", "is what team tokens hold; people cannot"));
        }
        let current = self.lock(conn, scope.org()).await?;
        if !current.tree().contains(at) {
            return Err(Problem::not_found("team or project"));
        }
        if !current.is_member(user) {
            return Err(Problem::not_found("member"));
        }
        self.may_give(&current, scope, role.as_str(), at, Some(user))?;
        let id = BindingId::generate();
        let by = scope.caller().subject.to_string();
        let new = sql::NewBinding { id, user, role: role.as_str(), at, by };
        let taken = Problem::new(Code::AlreadyExists, "The person holds this role there already.");
        sql::insert(&mut *conn, scope.org(), new).await.or_problem([("binding_exists", taken)])?;
        let event = Event::RoleBound {
            binding: id,
            subject: Subject::User(user).to_string(),
            role: role.to_string(),
            scope: at,
        };
        ralex_audit::record(conn, scope.author(), event).await.map_err(ralex_store::problem)?;
        Ok(id)
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
    /// membership. Denials go too, since without a membership there is nothing to deny.
    pub async fn unbind_all(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        user: UserId,
    ) -> Result<u32, Problem> {
        let current = self.lock(conn, scope.org()).await?;
        let held = current.rows().bindings.iter().filter(|b| b.holder == Holder::User(user));
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
            self.may_give(current, scope, &binding.role, at, None)?;
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
        to: Option<UserId>,
    ) -> Result<(), Problem> {
        let subject = match scope.caller().subject {
            Subject::System => return Ok(()),
            subject @ (Subject::User(_) | Subject::Token { .. } | Subject::Service { .. }) => {
                subject
            }
        };
        let own = current.permissions(subject, at, self.clock().now());
        if !own.contains(Permission::RoleBind) {
            return Err(Problem::new(
                Code::Forbidden,
                format!("You need the permission {} {}.", Permission::RoleBind, place(at)),
            ));
        }
        let missing = self.node.policies.permissions_of(role).without(own);
        let by_name = to.is_none_or(|user| subject.user() != Some(user))
            && self.binds_by_name(current, subject, role, at);
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

    /// Whether a live role of the subject at this place names `role` as one that it may give.
    fn binds_by_name(
        &self,
        current: &Snapshot,
        subject: Subject,
        role: &str,
        at: ScopePath,
    ) -> bool {
        let now = self.clock().now();
        subject.user().is_some_and(|user| {
            current.roles_at(user, at, now).any(|own| self.node.policies.may_bind(own, role))
        })
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

/// An owner whose role ends some day, or has not begun, does not count.
fn is_lasting_owner(current: &Snapshot, binding: &Binding) -> bool {
    let is_member = match binding.holder {
        Holder::User(user) => current.is_member(user),
        Holder::Machine(_) => false,
    };
    is_member
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

fn subject(holder: Holder) -> String {
    match holder {
        Holder::User(user) => format!("user:{user}"),
        Holder::Machine(id) => format!("sa:{id}"),
    }
}
