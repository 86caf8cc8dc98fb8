//! Following the audit log: each event with a place in the tree is looked at once.
//!
//! The cursor of an organisation moves in the transaction that writes the alerts, so a server that
//! dies in between leaves both as they were, and whoever looks next begins at the same event.

use std::time::Duration;

use ralex_kernel::OrgId;
use ralex_store::{Error, Sweeper, System};

use super::fact::{Found, Step, read};
use super::raise::raise;
use super::{Alerts, place, sql};

const FOLLOWER: Sweeper = Sweeper {
    name: "alerts",
    why: "raise alerts from the audit log",
    pace: Duration::from_secs(1),
    // One organisation a transaction; where there was one, there may be another.
    at_once: 1,
};
/// So much of a log is looked at in one transaction.
const STRIDE: i64 = 4_000;

impl Alerts {
    /// Raises alerts from the audit log, until `shutdown`.
    pub async fn follow(&self, shutdown: impl Future<Output = ()>) {
        FOLLOWER.run(shutdown, || self.catch_up()).await;
    }

    /// Looks at all that is new, unless another server does. Returns in how many steps.
    pub(crate) async fn catch_up(&self) -> Result<u64, Error> {
        FOLLOWER.all(&self.0.db, async |tx| self.step(tx).await).await
    }

    async fn step(&self, mut tx: System) -> Result<u64, Error> {
        let Some(behind) = sql::cursor::behind(&mut tx).await? else { return Ok(0) };
        let to = behind.size.min(behind.next + STRIDE);
        let events = sql::cursor::events(&mut tx, behind.org, behind.next, to).await?;
        let watch = &self.0.book.watch;
        let steps = events.iter().filter_map(|event| read(event, watch)).collect();
        self.take(&mut tx, behind.org, steps).await?;
        sql::cursor::advance(&mut tx, behind.org, to).await?;
        tx.commit().await?;
        Ok(1)
    }

    /// Takes steps in their order: what ends something comes after what began it.
    async fn take(&self, tx: &mut System, org: OrgId, steps: Vec<Step>) -> Result<(), Error> {
        let mut found = Vec::new();
        for step in steps {
            let (subject, kinds) = match step {
                Step::Raise(it) => {
                    // Who passes 50 and 80 percent by one call has passed 80.
                    found.retain(|earlier: &Found| !it.replaces(earlier));
                    found.push(it);
                    continue;
                }
                Step::Ended { subject, kinds } => (subject, Some(kinds)),
                Step::Gone { subject } => (subject, None),
            };
            self.raise_found(tx, org, std::mem::take(&mut found)).await?;
            let now = self.0.parts.clock.now();
            match kinds {
                Some(kinds) => sql::alerts::end(tx, org, &subject, kinds, now).await?,
                None => sql::alerts::end_all(tx, org, &subject, now).await?,
            }
        }
        self.raise_found(tx, org, found).await
    }

    pub(crate) async fn raise_found(
        &self,
        tx: &mut System,
        org: OrgId,
        found: Vec<Found>,
    ) -> Result<(), Error> {
        if found.is_empty() {
            return Ok(());
        }
        let raises = place::placed(tx, org, found).await?;
        raise(tx, &self.0.book, self.0.parts.clock.now(), raises).await?;
        Ok(())
    }
}
