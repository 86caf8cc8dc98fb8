//! What an organisation asks of everybody in it. `access` holds callers to it.

use ralex_access::Scope;
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
        let asked = sql::second_factor_required(&mut tx, org).await.map_err(problem)?;
        let second_factor_required = asked.ok_or_else(|| Problem::not_found("organisation"))?;
        Ok(OrgSecurity { second_factor_required })
    }

    /// Changes what is asked; on every node within a second.
    ///
    /// # Errors
    /// `conflict` where whoever asks others for a second factor has none, since they would shut
    /// themselves out with this very change.
    pub async fn update_org_security(
        &self,
        scope: &Scope,
        change: &UpdateOrgSecurity,
    ) -> Result<OrgSecurity, Problem> {
        let org = scope.org();
        let second_factor_required = change.second_factor_required;
        if second_factor_required && !scope.caller().second_factor {
            let detail = "You would shut yourself out, since you have no second factor. Register \
                          one first: POST /api/v1/auth/totp.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let mut tx = self.db.tenant(org).await?;
        let changed = sql::require_second_factor(&mut tx, org, second_factor_required).await;
        if changed.map_err(problem)? {
            let event = FactorEvent::Asked { org, second_factor_required };
            ralex_audit::record(&mut tx, scope.author(), Event::Factor(event))
                .await
                .map_err(problem)?;
            self.access.commit(tx, org).await?;
        }
        Ok(OrgSecurity { second_factor_required })
    }
}
