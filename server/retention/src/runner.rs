//! Pruning: when somebody says so, and by itself once an hour.

use std::time::Duration;

use chrono::Utc;
use ralex_api::retention::{AuditPruned, PruneQuery};
use ralex_audit::Pruning;
use ralex_kernel::{Code, OrgId, Problem};
use ralex_store::problem;
use sqlx::PgConnection;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::{Retention, class, sql};

/// How often is looked what may go; nothing waits for it.
const PACE: Duration = Duration::from_hours(1);

impl Retention {
    /// Prunes what every organisation's retention lets go, and deletes organisations whose time is over,
    /// until `shutdown`. Nodes that do it at once wait for each other and find nothing left.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        // What is under way is rolled back when the process ends.
        tokio::select! {
            () = shutdown => {}
            _ = async { tokio::join!(self.prune_at_times(), self.depart_at_times()) } => {}
        }
    }

    async fn prune_at_times(&self) {
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(problem) = self.prune_all().await {
                warn!(
                    "audit logs cannot be pruned, the next try is in an hour: {}",
                    problem.detail
                );
            }
        }
    }

    async fn prune_all(&self) -> Result<(), Problem> {
        let mut tx = self.0.db.system("tell which audit logs have a retention").await?;
        let orgs = sql::orgs(&mut tx).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        for org in orgs {
            let log = self.prune_log(org, false).await.map(|_| ());
            let records = self.prune_records(org).await.map(|_| ());
            for (what, done) in [("the audit log", log), ("calls", records)] {
                match done {
                    Ok(()) => {}
                    Err(held) if held.code == Code::Conflict => {
                        info!(org.id = %org, "{what} of org {org}: not pruned: {}", held.detail);
                    }
                    Err(problem) => {
                        warn!(org.id = %org, "{what} of org {org}: cannot be pruned: {}", problem.detail);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes away what the organisation's retention lets go, if wanted into an archive that begins
    /// anew with all that the log still says.
    pub async fn prune(&self, org: OrgId, query: PruneQuery) -> Result<AuditPruned, Problem> {
        let pruned = self.prune_log(org, query.archive_anew).await?;
        Ok(AuditPruned { records: self.prune_records(org).await?, ..pruned })
    }

    async fn prune_log(&self, org: OrgId, anew: bool) -> Result<AuditPruned, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let days = sql::days(&mut tx, org).await.map_err(problem)?;
        not_held(&mut tx, org).await?;
        tx.rollback().await.map_err(problem)?;
        let rules = class::rules(&self.0.classes, &days, Utc::now());
        let archive = self.archive(org, &rules, anew).await?;
        let pruned = self.0.audit.prune(org, &rules, archive.as_deref()).await;
        let pruned = self.told(org, Pruning::Events, pruned).await?;
        metrics::counter!("ralex_audit_pruned_events_total").increment(pruned.count);
        Ok(AuditPruned {
            count: pruned.count,
            first_index: pruned.span.map(|span| span.0),
            last_index: pruned.span.map(|span| span.1),
            archives: pruned.archives,
            records: 0,
        })
    }
}

/// While anything is held, nothing goes.
pub(crate) async fn not_held(conn: &mut PgConnection, org: OrgId) -> Result<(), Problem> {
    let holds = sql::holds(conn, org).await.map_err(problem)?;
    holds.first().map_or(Ok(()), |hold| {
        let detail = format!("The log is held, so nothing is pruned: {}", hold.reason);
        Err(Problem::new(Code::Conflict, detail))
    })
}
