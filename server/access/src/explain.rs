//! Explanations: whether somebody may do something, why or why not, and who can.
//!
//! They ask the very snapshot that decides, or one that is built in the same way of how the rows were
//! then, so an explanation is never of other rules than those that hold.

use chrono::{DateTime, Utc};
use ralex_api::access::{Able, ExplainReason, Explanation, RoleName};
use ralex_api::page::{Page, PageQuery};
use ralex_kernel::{BindingId, Caller, OrgId, Problem, ScopePath, Subject};

use crate::able::{Where, Who};
use crate::access::Access;
use crate::bindings::Bearer;
use crate::scope::{Basis, Scope};
use crate::snapshot::{Decision, Snapshot};
use crate::{Permission, Permissions};

/// Somebody who can be asked about.
#[derive(Clone, Debug)]
pub(crate) struct Somebody {
    pub subject: Subject,
    /// As answers write it (`user:<id>`).
    pub written: String,
    pub name: String,
    pub disabled: bool,
    pub suspended: bool,
    /// What a team's token is narrowed to.
    pub narrowed: Option<Permissions>,
}

impl Somebody {
    pub fn judge(
        &self,
        snapshot: &Snapshot,
        (permission, at): (Permission, ScopePath),
        now: DateTime<Utc>,
    ) -> (ExplainReason, Option<BindingId>) {
        if self.disabled {
            return (ExplainReason::Disabled, None);
        }
        if self.suspended {
            return (ExplainReason::Suspended, None);
        }
        if self.narrowed.is_some_and(|only| !only.contains(permission)) {
            return (ExplainReason::NotHeld, None);
        }
        match snapshot.judge(self.subject, permission, at, now) {
            Decision::Allow { by: Basis::Binding(id) } => (ExplainReason::Role, Some(id)),
            Decision::Allow { by: Basis::Service | Basis::System | Basis::BreakGlass(_) } => {
                (ExplainReason::Home, None)
            }
            Decision::Deny { by: Some(id), .. } => (ExplainReason::Denied, Some(id)),
            Decision::Deny { by: None, .. } => (ExplainReason::NotHeld, None),
        }
    }
}

pub(crate) const fn allows(reason: ExplainReason) -> bool {
    matches!(reason, ExplainReason::Role | ExplainReason::Home | ExplainReason::BreakGlass)
}

/// What is asked about: what, where, and how it was when.
#[derive(Clone, Debug)]
pub struct Asked {
    pub permission: Permission,
    pub place: ScopePath,
    /// How the place is called.
    pub written: String,
    /// As it was then; as it is now when absent.
    pub at: Option<DateTime<Utc>>,
}

impl Access {
    /// The proof that rights at a place may be seen. What is no more is seen by who may see all.
    pub async fn allow_asking(
        &self,
        caller: &Caller,
        org: OrgId,
        place: ScopePath,
    ) -> Result<Scope, Problem> {
        let is_there = self.snapshot(org).await?.tree().contains(place);
        let place = if is_there { place } else { ScopePath::Org };
        self.allow(caller, org, Permission::RoleRead, place).await
    }

    /// Whether somebody may do something at a place, or could, and what decides it. `scope` is the
    /// proof that the asker may see the roles there.
    pub async fn explain(
        &self,
        scope: &Scope,
        bearer: Bearer,
        asked: Asked,
    ) -> Result<Explanation, Problem> {
        let org = scope.org();
        let mut tx = self.db().tenant(org).await?;
        let seen = self.seen(&mut tx, org, asked.at).await?;
        let found = seen.somebodies(&mut tx, org, Some(bearer)).await?;
        let found = found.into_iter().next();
        let who = found.ok_or_else(|| Problem::not_found("person or program"))?;
        let (snapshot, permission) = (&seen.snapshot, asked.permission);
        let (mut reason, binding) = who.judge(snapshot, (permission, asked.place), seen.now);
        let mut break_glass = None;
        if let (ExplainReason::NotHeld, Some(user)) = (reason, who.subject.user())
            && let Some((id, rights)) = self.glass_at(&mut tx, org, user, seen.now).await?
            && rights.contains(permission)
        {
            (reason, break_glass) = (ExplainReason::BreakGlass, Some(id));
        }
        let binding = match binding {
            Some(id) => seen.binding(&mut tx, org, id).await?,
            None => None,
        };
        let all = snapshot.roles();
        let gives = |role: &RoleName| all.permissions_of(role.as_str()).contains(permission);
        let roles = all.shown().into_iter().map(|role| role.name).filter(gives);
        Ok(Explanation {
            subject: who.written,
            subject_name: who.name,
            permission: permission.to_string(),
            scope: asked.written,
            allowed: allows(reason),
            reason,
            binding,
            break_glass,
            roles: roles.collect(),
            at: asked.at,
        })
    }

    /// All people, service accounts and teams' own tokens that may do something at a place, or
    /// could, in the order of how they are written.
    pub async fn who_can(
        &self,
        scope: &Scope,
        asked: &Asked,
        page: &PageQuery,
    ) -> Result<Page<Able>, Problem> {
        let rights = [(asked.permission, Where::At(asked.place))];
        self.able(scope, (Who::All, &rights), asked.at, page).await
    }
}
