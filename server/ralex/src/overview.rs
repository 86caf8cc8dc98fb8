//! How things stand, put together from every part.

use std::sync::Arc;

use ralex_access::{Access, Scope};
use ralex_api::overview::{HealthItem, Overview};
use ralex_api::resilience::CircuitState;
use ralex_audit::Audit;
use ralex_broker::Broker;
use ralex_budgets::Budgets;
use ralex_kernel::Problem;
use ralex_routing::Routing;
use ralex_store::Db;
use ralex_usage::Usage;

/// What tells of the health of each part.
pub struct Health {
    pub db: Db,
    pub access: Arc<Access>,
    pub audit: Audit,
    pub routing: Routing,
    pub broker: Broker,
    pub budgets: Arc<Budgets>,
    pub usage: Usage,
}

impl Health {
    /// The overview of an organisation: its numbers, and the state of what serves it.
    pub async fn overview(&self, scope: &Scope) -> Result<Overview, Problem> {
        let numbers = self.usage.numbers(scope).await?;
        let mut health = vec![self.database(), self.policy(), self.audit(scope)];
        health.extend(self.providers(scope).await?);
        Ok(Overview {
            today: numbers.today,
            last_30_days: numbers.last_30_days,
            hours: numbers.hours,
            open_calls: self.budgets.open_calls(scope).await?,
            health,
        })
    }

    /// A provider is well when it could be called, and its calls do not fail.
    async fn providers(&self, scope: &Scope) -> Result<Vec<HealthItem>, Problem> {
        let mut items = self.routing.health(scope).await?;
        let report = self.broker.health(scope).await?;
        for provider in report.providers {
            let alone = provider.enabled && provider.circuit == Some(CircuitState::Open);
            let name = format!("provider:{}", provider.provider);
            if let Some(item) = items.iter_mut().find(|item| alone && item.ok && item.name == name)
            {
                item.ok = false;
                "Calls of it fail, so that it, a model or a key of it is left alone for now; see \
                 Health."
                    .clone_into(&mut item.detail);
            }
        }
        Ok(items)
    }

    /// The numbers were just read from it, so it answers; how busy the pool is can still be told.
    fn database(&self) -> HealthItem {
        let (open, idle) = self.db.connections();
        let detail = format!("It answers; {open} connections are open, {idle} of them idle.");
        HealthItem { name: "database".to_owned(), ok: true, detail }
    }

    fn policy(&self) -> HealthItem {
        let status = self.access.status();
        let detail = match (status.open, status.disagreements) {
            (true, 0) => {
                "Decisions use policies that were read within the last seconds.".to_owned()
            }
            (true, count) => format!(
                "{count} decisions differed from the reference; look for `casbin` in the log."
            ),
            (false, _) => "Policies could not be read lately, so nothing is decided.".to_owned(),
        };
        HealthItem {
            name: "policy".to_owned(),
            ok: status.open && status.disagreements == 0,
            detail,
        }
    }

    fn audit(&self, scope: &Scope) -> HealthItem {
        let status = self.audit.status();
        let refused = status.refused.iter().find(|refused| refused.org == scope.org());
        let wrong = refused.is_some() || status.broken.is_some();
        let (ok, detail) = match (wrong, &status.conflict, status.pending) {
            (true, _, _) => (
                false,
                "The log is not what was written, so no new head is signed. Verify it now."
                    .to_owned(),
            ),
            (false, Some(conflict), _) => (false, format!("A witness objects: {conflict}.")),
            (false, None, 0) => (true, "Every event has its place in the signed log.".to_owned()),
            (false, None, count) => {
                (true, format!("{count} events wait for their place in the log."))
            }
        };
        HealthItem { name: "audit".to_owned(), ok, detail }
    }
}
