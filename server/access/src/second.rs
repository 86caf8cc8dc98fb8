//! The second person of what other crates keep themselves: who counts as one.
//!
//! The same rules as for changes that take two people ([`crate::change_decide`]).

use ralex_kernel::{Caller, Code, OrgId, Problem, ScopePath, UserId};
use sqlx::PgConnection;

use crate::Permission;
use crate::access::Access;
use crate::bind::present;
use crate::change_decide::are_two;
use crate::requests::{decider, standing};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::unsettled::{Unsettled, lately};

impl Access {
    /// Lets the holder of a proof agree to what somebody else asked for by the same right at the same place,
    /// and refuses whoever does not count beside them. Both people's rights are looked at with the
    /// organisation's rights locked until this transaction ends, which does what was asked for.
    pub async fn agree(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        asker: UserId,
    ) -> Result<(), Problem> {
        let by = decider(scope.caller())?;
        let Some(permission) = scope.permission() else { return Ok(()) };
        let (current, now) = (self.lock(&mut *conn, scope.org()).await?, self.clock().now());
        let at = scope.path();
        self.counts(&mut *conn, &current, (by, asker), (permission, at)).await?;
        present(&current, asker)
            .and_then(|()| {
                standing(&current, asker, &Unsettled::default(), now).holds(permission, at)
            })
            .map_err(gone)
    }

    /// Whether a caller would count as the second person, as things stand.
    pub async fn could_agree(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        (org, asker): (OrgId, UserId),
        (permission, at): (Permission, ScopePath),
    ) -> Result<bool, Problem> {
        let Ok(by) = decider(caller) else { return Ok(false) };
        let current = self.snapshot(org).await?;
        let counts = self.counts(conn, &current, (by, asker), (permission, at)).await;
        Ok(counts.is_ok())
    }

    async fn counts(
        &self,
        conn: &mut PgConnection,
        current: &Snapshot,
        (by, asker): (UserId, UserId),
        (permission, at): (Permission, ScopePath),
    ) -> Result<(), Problem> {
        let now = self.clock().now();
        are_two(&mut *conn, current.org(), (by, asker), now).await?;
        let new = lately(conn, current, &[by], now).await?;
        standing(current, by, &new, now).needs(permission, at)
    }
}

/// Nobody agrees to what is nobody's wish any more.
fn gone(why: Problem) -> Problem {
    let detail = format!("Whoever asked for it could not do it any more. {}", why.detail);
    Problem::new(Code::Conflict, detail)
}
