//! What an organisation asks of everybody in it. `access` holds callers to it.

use ralex_access::{Change, Done, Scope};
use ralex_api::factors::{OrgSecurity, UpdateOrgSecurity};
use ralex_audit::{Event, FactorEvent};
use ralex_kernel::{Code, Problem};
use ralex_store::problem;

use crate::Identity;
use crate::sql::user as sql;

impl Identity {
    pub async fn org_security(&self, scope: &Scope) -> Result<OrgSecurity, Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        let found = sql::security(&mut tx, org).await.map_err(problem)?;
        found.ok_or_else(|| Problem::not_found("organisation"))
    }

    /// Changes what is asked; what is not named stays. On every node within a second. To ask for less may
    /// take two people.
    ///
    /// # Errors
    /// `conflict` where whoever asks others for a second factor has none, since they would shut
    /// themselves out with this very change.
    pub async fn update_org_security(
        &self,
        scope: &Scope,
        change: &UpdateOrgSecurity,
    ) -> Result<Done<OrgSecurity>, Problem> {
        let org = scope.org();
        if change.second_factor_required == Some(true) && !scope.caller().second_factor {
            let detail = "You would shut yourself out, since you have no second factor. Register \
                          one first: POST /api/v1/auth/totp or POST /api/v1/auth/passkeys.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let mut tx = self.db.tenant(org).await?;
        let before = sql::lock_security(&mut tx, org).await.map_err(problem)?;
        let changed = sql::set_security(&mut tx, org, change).await.map_err(problem)?;
        if let Some(after) = changed {
            let OrgSecurity { second_factor_required, device_login } = after;
            let event = FactorEvent::Asked { org, second_factor_required, device_login };
            ralex_audit::record(&mut tx, scope.author(), Event::Factor(event))
                .await
                .map_err(problem)?;
            let asks_less = before == Some(true) && !second_factor_required;
            let device_login = change.device_login;
            let guarded = asks_less.then_some(Change::SecondFactorOff { device_login });
            return Ok(self.access.commit_change(tx, scope, guarded).await?.map(|()| after));
        }
        drop(tx);
        Ok(Done::Now(self.org_security(scope).await?))
    }
}
