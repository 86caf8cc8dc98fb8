//! Reviews that open, close, go on and are told of by time, by whichever server looks first.

use std::time::Duration;

use ralex_kernel::{AccessReviewId, OrgId, Problem};
use ralex_store::{Error, Sweeper, System};
use tracing::warn;

use crate::access::Access;
use crate::sql::review as sql;

const SWEEPER: Sweeper = Sweeper {
    name: "access_reviews",
    why: "open and close reviews of access",
    pace: Duration::from_secs(10),
    at_once: 500,
};

impl Access {
    /// Looks after reviews, at once and then steadily, until `shutdown`.
    pub async fn run_reviews(&self, shutdown: impl Future<Output = ()>) {
        SWEEPER.run(shutdown, || self.sweep_reviews()).await;
    }

    /// Does all that is due, and returns how much that was.
    pub async fn sweep_reviews(&self) -> Result<u64, Error> {
        let mut tx = self.db().system("give reviews of reopened organisations more days").await?;
        sql::extend_reopened(&mut tx).await?;
        tx.commit().await?;
        SWEEPER.all(self.db(), |tx| self.sweep_due(tx)).await
    }

    async fn sweep_due(&self, mut tx: System) -> Result<u64, Error> {
        let late = sql::late(&mut tx, self.clock().now(), SWEEPER.at_once).await?;
        let mut done = 0;
        for (org, id, what) in late {
            match self.step(org, id, &what).await {
                Ok(()) => done += 1,
                // One review that cannot go on now keeps no other one waiting.
                Err(why) => {
                    warn!(access_review.id = %id, "the review {id} does not go on: {}", why.detail);
                }
            }
        }
        tx.rollback().await?;
        // All of them were looked at; a full round would have this asked again.
        Ok(done.min(SWEEPER.at_once.unsigned_abs() - 1))
    }

    async fn step(&self, org: OrgId, id: AccessReviewId, what: &str) -> Result<(), Problem> {
        match what {
            "scheduled" => Ok(self.open_review(org, id).await?),
            "soon" => Ok(self.remind(org, id).await?),
            "open" => {
                self.begin_closing(org, id).await?;
                self.carry_out(org, id).await
            }
            _ => self.carry_out(org, id).await,
        }
    }
}
