//! Explanations: whether somebody may do something, why or why not, and who can.
//!
//! They ask the very snapshot that decides, so an explanation is never of other rules than those
//! that hold.

use chrono::{DateTime, Utc};
use ralex_api::access::{Able, ExplainReason, Explanation, RoleName};
use ralex_api::page::{Page, PageQuery};
use ralex_kernel::{BindingId, Problem, ScopePath, Subject};
use ralex_store::problem;

use crate::access::Access;
use crate::bindings::Bearer;
use crate::scope::{Basis, Scope};
use crate::snapshot::{Decision, Snapshot};
use crate::{Permission, sql};

/// Somebody who can be asked about.
#[derive(Clone, Debug)]
pub(crate) struct Somebody {
    pub subject: Subject,
    /// As answers write it (`user:<id>`).
    pub written: String,
    pub name: String,
    pub disabled: bool,
    pub suspended: bool,
}

impl Somebody {
    fn judge(
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
        match snapshot.judge(self.subject, permission, at, now) {
            Decision::Allow { by: Basis::Binding(id) } => (ExplainReason::Role, Some(id)),
            Decision::Allow { by: Basis::Service | Basis::System } => (ExplainReason::Home, None),
            Decision::Deny { by: Some(id), .. } => (ExplainReason::Denied, Some(id)),
            Decision::Deny { by: None, .. } => (ExplainReason::NotHeld, None),
        }
    }
}

const fn allows(reason: ExplainReason) -> bool {
    matches!(reason, ExplainReason::Role | ExplainReason::Home)
}

impl Access {
    /// Whether somebody may do something at a place, and what decides it. `scope` is the proof
    /// that the asker may see the roles there, and `written` how the place is called.
    pub async fn explain(
        &self,
        scope: &Scope,
        bearer: Bearer,
        permission: Permission,
        written: String,
    ) -> Result<Explanation, Problem> {
        let (org, at) = (scope.org(), scope.path());
        let snapshot = self.snapshot(org).await?;
        let mut tx = self.db().tenant(org).await?;
        let found = sql::somebodies(&mut tx, org, Some(bearer)).await.map_err(problem)?;
        let found = found.into_iter().next();
        let who = found.ok_or_else(|| Problem::not_found("person or program"))?;
        let (reason, binding) = who.judge(&snapshot, (permission, at), self.clock().now());
        let binding = match binding {
            Some(id) => sql::binding(&mut tx, org, id).await.map_err(problem)?,
            None => None,
        };
        let all = snapshot.roles();
        let gives = |role: &RoleName| all.permissions_of(role.as_str()).contains(permission);
        let roles = all.shown().into_iter().map(|role| role.name).filter(gives);
        Ok(Explanation {
            subject: who.written,
            subject_name: who.name,
            permission: permission.to_string(),
            scope: written,
            allowed: allows(reason),
            reason,
            binding,
            roles: roles.collect(),
        })
    }

    /// All people, service accounts and teams' own tokens that may do something at a place, in the
    /// order of how they are written.
    pub async fn who_can(
        &self,
        scope: &Scope,
        permission: Permission,
        page: &PageQuery,
    ) -> Result<Page<Able>, Problem> {
        let (org, at) = (scope.org(), scope.path());
        let snapshot = self.snapshot(org).await?;
        let mut tx = self.db().tenant(org).await?;
        let all = sql::somebodies(&mut tx, org, None).await.map_err(problem)?;
        drop(tx);
        let (now, after) = (self.clock().now(), page.cursor.as_deref().unwrap_or_default());
        let size = page.size();
        let able = all.into_iter().filter(|who| who.written.as_str() > after).filter_map(|who| {
            let (reason, binding) = who.judge(&snapshot, (permission, at), now);
            let held = |id| snapshot.rows().bindings.iter().find(|binding| binding.id == id);
            allows(reason).then(|| Able {
                subject: who.written,
                subject_name: who.name,
                reason,
                role: binding.and_then(held).map(|binding| RoleName(binding.role.clone())),
                binding,
            })
        });
        let most = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1);
        Ok(Page::of(able.take(most).collect(), size, |able: &Able| able.subject.clone()))
    }
}
