//! Confirming: the same is done again, by the proof of who confirms, and ends with the confirmation.

use ralex_access::{Bearer, Change, Done, GlassTerms, GlassWish, Rules, Scope, ToConfirm, Wanted};
use ralex_api::access::{BindingEffect, RoleName};
use ralex_api::budgets::{NewIncrease, UpdateBudget};
use ralex_api::changes::{ChangeRequest, ChangeState, SetFourEyes};
use ralex_api::factors::UpdateOrgSecurity;
use ralex_api::sso::EnforceSso;
use ralex_kernel::{Caller, ChangeRequestId, Code, OrgId, Problem};

use crate::Changes;

impl Changes {
    /// Agrees to what somebody else asks for, and does it in the same transaction.
    ///
    /// # Errors
    /// `conflict` where it cannot be done any more; it has ended then, and nothing is done.
    pub async fn confirm(
        &self,
        caller: &Caller,
        org: OrgId,
        id: ChangeRequestId,
        reason: Option<&str>,
    ) -> Result<ChangeRequest, Problem> {
        let access = &self.0.access;
        let ToConfirm { scope, change } = access.to_confirm(caller, org, id, reason).await?;
        if let Err(why) = self.carry_out(&scope, change).await {
            // What failed here may go well in a moment.
            if why.code.status() >= 500 {
                return Err(why);
            }
            return Err(access.give_up_change(&scope, id, why).await?);
        }
        let request = access.confirmed_change(&scope, id).await?;
        if request.state == ChangeState::Pending {
            // A service that had nothing to do has not come to the end, where it is confirmed.
            let why = Problem::new(Code::Conflict, "It is so already.");
            return Err(access.give_up_change(&scope, id, why).await?);
        }
        Ok(request)
    }

    async fn carry_out(&self, scope: &Scope, change: Change) -> Result<(), Problem> {
        let services = &self.0;
        match change {
            Change::SecretDelete { secret, .. } => {
                services.vault.delete(scope, secret).await.map(forget)
            }
            Change::BudgetUpdate { budget, after, degrade_at, .. } => {
                let (limit, hard) = (Some(after.limit), Some(after.hard));
                let change = UpdateBudget { limit, hard, degrade_at };
                services.budgets.update(scope, budget, change).await.map(forget)
            }
            Change::BudgetIncrease { budget, amount, until, reason, .. } => {
                let new = NewIncrease { amount, until, reason };
                services.budgets.increase(scope, budget, new).await.map(forget)
            }
            Change::BudgetDelete { budget, .. } => {
                services.budgets.delete(scope, budget).await.map(forget)
            }
            Change::OwnerGive { user, role, not_before, expires_at } => {
                let wanted = Wanted {
                    bearer: Bearer::User(user),
                    role: RoleName(role),
                    at: scope.path(),
                    effect: BindingEffect::Allow,
                    not_before,
                    expires_at,
                };
                services.access.create_binding(scope, wanted).await.map(forget)
            }
            Change::SecondFactorOff { device_login } => {
                let off = Some(false);
                let change = UpdateOrgSecurity { second_factor_required: off, device_login };
                services.identity.update_org_security(scope, &change).await.map(forget)
            }
            Change::SignOnOff { .. } => services.sso.relax(scope).await.map(forget),
            Change::SignOnMove { after, .. } => {
                let (provider, break_glass) = (after.provider.to_string(), after.break_glass);
                let wished = EnforceSso { provider, break_glass: break_glass.to_string() };
                services.sso.enforce(scope, wished).await.map(forget)
            }
            Change::BreakGlassArm { after: Some(after), .. } => {
                let GlassTerms { people, role, longest_minutes, .. } = after;
                let (role, longest_minutes) = (Some(RoleName(role)), Some(longest_minutes));
                let arm = GlassWish { people, role, longest_minutes };
                services.access.arm_glass(scope, arm).await.map(forget)
            }
            Change::BreakGlassArm { after: None, .. } => {
                services.access.disarm_glass(scope).await.map(forget)
            }
            Change::FourEyes { after, .. } => {
                let Rules { actions, budget_limit, pending_minutes } = after;
                let set = SetFourEyes { actions, budget_limit, pending_minutes };
                services.access.set_four_eyes(scope, set).await.map(forget)
            }
        }
    }
}

/// What there is now is told by the request.
fn forget<T>(_: Done<T>) {}
