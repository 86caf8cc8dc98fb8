//! Pruning: when somebody says so, and by itself once an hour.

use std::pin::pin;
use std::time::Duration;

use chrono::Utc;
use ralex_api::retention::AuditPruned;
use ralex_kernel::{Code, OrgId, Problem};
use ralex_store::problem;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::{Retention, class, sql};

/// How often is looked what may go; nothing waits for it.
const PACE: Duration = Duration::from_hours(1);

impl Retention {
    /// Prunes what every organisation's retention lets go, until `shutdown`. Nodes that do it at
    /// once wait for each other and find nothing left.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => {}
            }
            // A batch that is under way is rolled back when the process ends.
            tokio::select! {
                () = &mut shutdown => return,
                done = self.prune_all() => if let Err(problem) = done {
                    warn!("audit logs cannot be pruned, the next try is in an hour: {}", problem.detail);
                },
            }
        }
    }

    async fn prune_all(&self) -> Result<(), Problem> {
        let mut tx = self.0.db.system("tell which audit logs have a retention").await?;
        let orgs = sql::orgs(&mut tx).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        for org in orgs {
            match self.prune(org).await {
                Ok(_) => {}
                Err(held) if held.code == Code::Conflict => {
                    info!(org.id = %org, "the audit log of org {org} is not pruned: {}", held.detail);
                }
                Err(problem) => {
                    warn!(org.id = %org, "the audit log of org {org} cannot be pruned: {}", problem.detail);
                }
            }
        }
        Ok(())
    }

    /// Takes away what the organisation's retention lets go.
    pub async fn prune(&self, org: OrgId) -> Result<AuditPruned, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let days = sql::days(&mut tx, org).await.map_err(problem)?;
        let holds = sql::holds(&mut tx, org).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        if let Some(hold) = holds.first() {
            let detail = format!("The log is held, so nothing is pruned: {}", hold.reason);
            return Err(Problem::new(Code::Conflict, detail));
        }
        let rules = class::rules(&self.0.classes, &days, Utc::now());
        let pruned = self.0.audit.prune(org, &rules).await?;
        metrics::counter!("ralex_audit_pruned_events_total").increment(pruned.count);
        Ok(AuditPruned {
            count: pruned.count,
            first_index: pruned.span.map(|span| span.0),
            last_index: pruned.span.map(|span| span.1),
        })
    }
}
