//! Suspension: a member who holds nothing until they are let back in.
//!
//! All that they were given stays in the rows and counts nowhere, so whoever suspends somebody, or lets
//! them back in, is held to the same rules as who takes or gives all of it.

use ralex_kernel::{OrgId, Problem, ScopePath, UserId};
use sqlx::PgConnection;

use crate::access::Access;
use crate::groups::held_by;
use crate::owners;
use crate::rows::{Effect, Holder};
use crate::scope::Scope;
use crate::snapshot::Snapshot;

impl Access {
    /// Refuses to suspend somebody who holds what the caller could not take, or without whom no owner
    /// would be left.
    pub async fn may_suspend(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        user: UserId,
    ) -> Result<(), Problem> {
        let current = self.lock(conn, scope.org()).await?;
        self.may_govern(&current, scope, user)?;
        owners::keep_one_without(&current, user)
    }

    /// Refuses to let somebody back in to whom the caller could not give all that they hold.
    pub async fn may_resume(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        user: UserId,
    ) -> Result<(), Problem> {
        let current = self.lock(conn, scope.org()).await?;
        self.may_govern(&current, scope, user)
    }

    /// Refuses where no owner would be left without somebody, or not the one who may come in if single
    /// sign-on fails.
    pub async fn may_do_without(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        user: UserId,
    ) -> Result<(), Problem> {
        owners::keep_one_without(&self.lock(conn, org).await?, user)
    }

    fn may_govern(&self, current: &Snapshot, scope: &Scope, user: UserId) -> Result<(), Problem> {
        if !current.is_member(user) && !current.is_suspended(user) {
            return Err(Problem::not_found("member"));
        }
        let own = current.rows().bindings.iter().filter(|held| held.holder == Holder::User(user));
        let by_group = current.groups_of(user).iter().flat_map(|group| held_by(current, *group));
        for held in own.chain(by_group).filter(|held| held.effect == Effect::Allow) {
            let at = held.scope().unwrap_or(ScopePath::Org);
            self.may_give(current, scope, &held.role, at, None)?;
        }
        Ok(())
    }
}
