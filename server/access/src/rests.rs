//! What somebody may only for a while: what they make by it ends with it.

use chrono::{DateTime, Utc};
use ralex_kernel::Problem;
use uuid::Uuid;

use crate::access::Access;
use crate::rows::{Binding, Effect, Holder};
use crate::scope::Scope;

/// What ends, and by which alone somebody may do something: a role, or an opened break-glass access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForAWhile {
    pub rests_on: Uuid,
    pub until: DateTime<Utc>,
}

impl ForAWhile {
    /// Until when something lives that its maker may make only for a while.
    ///
    /// # Errors
    /// `invalid_request` where it was to live longer.
    pub fn end(
        rests_on: Option<Self>,
        asked: Option<DateTime<Utc>>,
    ) -> Result<Option<DateTime<Utc>>, Problem> {
        let Some(Self { until, .. }) = rests_on else { return Ok(asked) };
        if asked.is_some_and(|asked| asked > until) {
            let rule = format!("is after {until}, when that ends by which you may make it");
            return Err(Problem::field("expires_at", rule));
        }
        Ok(asked.or(Some(until)))
    }
}

impl Access {
    /// What a proven right ends with; nothing where it rests on something that lasts, too.
    pub async fn for_a_while(&self, scope: &Scope) -> Result<Option<ForAWhile>, Problem> {
        if let Some(glass) = scope.glass() {
            return Ok(Some(ForAWhile { rests_on: glass.id.uuid(), until: glass.until }));
        }
        let (user, permission) = (scope.caller().subject.user(), scope.permission());
        let (Some(user), Some(permission)) = (user, permission) else { return Ok(None) };
        let (current, now) = (self.snapshot(scope.org()).await?, self.clock().now());
        let groups = current.groups_of(user);
        let gives = |binding: &&Binding| {
            let theirs = match binding.holder {
                Holder::User(holder) => holder == user,
                Holder::Group(group) => groups.contains(&group),
                Holder::Machine(_) => false,
            };
            theirs
                && binding.effect == Effect::Allow
                && binding.not_before.is_none_or(|start| start <= now)
                && binding.expires_at.is_none_or(|end| now < end)
                && binding.scope().is_some_and(|at| scope.path().is_within(at))
                && current.roles().permissions_of(&binding.role).contains(permission)
        };
        let mut longest = None;
        for binding in current.rows().bindings.iter().filter(gives) {
            let Some(until) = binding.expires_at else { return Ok(None) };
            if longest.is_none_or(|it: ForAWhile| it.until < until) {
                longest = Some(ForAWhile { rests_on: binding.id.uuid(), until });
            }
        }
        Ok(longest)
    }
}
