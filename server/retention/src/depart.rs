//! Departure: an organisation that operators have had deleted goes when its time is over.
//!
//! What goes, and when, the database decides (`org_erase`): nothing before the time, nothing under a hold.
//! What is left is one line in `deleted_org`, with the end of its audit log.

use std::time::Duration;

use ralex_kernel::{OrgId, Problem};
use ralex_store::problem;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::Retention;
use crate::sql::{depart, erase};

/// How often is looked what may go; nothing waits for it.
const PACE: Duration = Duration::from_mins(1);
/// How many rows go in one transaction.
const BATCH: i32 = 20_000;

impl Retention {
    /// Deletes every organisation whose time is over.
    pub(crate) async fn depart_at_times(&self) {
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(problem) = self.depart_all().await {
                warn!(
                    "organisations cannot be deleted, the next try is in a minute: {}",
                    problem.detail
                );
            }
        }
    }

    /// Nodes that do it at once wait for each other and find nothing left; one that dies in the middle
    /// leaves the rest to the next look.
    async fn depart_all(&self) -> Result<(), Problem> {
        let mut tx = self.0.db.system("tell which organisations are to be deleted").await?;
        let due = depart::due(&mut tx).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        for org in due {
            match self.depart(org).await {
                Ok(()) => {
                    info!(org.id = %org, "organisation {org} is deleted, as an operator asked");
                }
                Err(why) => {
                    metrics::counter!("ralex_org_deletion_failures_total").increment(1);
                    warn!(org.id = %org, "organisation {org} cannot be deleted, the next try is in a minute: {}", why.detail);
                }
            }
        }
        Ok(())
    }

    async fn depart(&self, org: OrgId) -> Result<(), Problem> {
        // The end of the log is written down before any of it goes.
        let mut tx = self.0.db.system("write down what is left of an organisation").await?;
        depart::remember(&mut tx, org).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        loop {
            let mut tx = self.0.db.system("delete what an organisation has").await?;
            let people = depart::only_here(&mut tx, org).await.map_err(problem)?;
            let gone = depart::erase(&mut tx, org, BATCH).await.map_err(problem)?;
            if gone < 0 {
                return Ok(());
            }
            if gone == 0 {
                // Whoever belonged nowhere else has nothing here any more that an account is for.
                for person in people {
                    erase::remove_account(&mut tx, person.id, &person.email_key)
                        .await
                        .map_err(problem)?;
                }
                depart::done(&mut tx, org).await.map_err(problem)?;
                tx.commit().await.map_err(problem)?;
                metrics::counter!("ralex_orgs_deleted_total").increment(1);
                return Ok(());
            }
            tx.commit().await.map_err(problem)?;
        }
    }
}
