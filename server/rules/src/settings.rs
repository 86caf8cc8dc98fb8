//! What holds for a call that no rule is about.

use ralex_access::Scope;
use ralex_api::call_rules::{CallEffect, CallRuleSettings, SetCallRuleSettings};
use ralex_audit::{CallRuleEvent, Event, record};
use ralex_kernel::{Code, Problem};
use ralex_store::problem;

use crate::{CallRules, sql};

impl CallRules {
    pub async fn settings(&self, scope: &Scope) -> Result<CallRuleSettings, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let stored = sql::default_effect(&mut tx, scope.org()).await.map_err(problem)?;
        Ok(CallRuleSettings { default_effect: named(&stored)? })
    }

    /// Holds from the next call on.
    pub async fn set_settings(
        &self,
        scope: &Scope,
        set: SetCallRuleSettings,
    ) -> Result<CallRuleSettings, Problem> {
        let (org, default_effect) = (scope.org(), set.default_effect);
        let mut tx = self.0.db.tenant(org).await?;
        let before = named(&sql::default_effect(&mut tx, org).await.map_err(problem)?)?;
        let by = scope.caller().subject.to_string();
        sql::set_default_effect(&mut tx, org, default_effect, &by).await.map_err(problem)?;
        let event = CallRuleEvent::Configured {
            org,
            default_effect: default_effect.as_str(),
            before: before.as_str(),
        };
        record(&mut tx, scope.author(), Event::CallRule(event)).await.map_err(problem)?;
        self.0.access.commit(tx, org).await?;
        Ok(CallRuleSettings { default_effect })
    }
}

fn named(stored: &str) -> Result<CallEffect, Problem> {
    let unreadable = || Problem::new(Code::Internal, "The stored settings cannot be read.");
    CallEffect::named(stored).ok_or_else(unreadable)
}
