//! Records of calls: taken away once their time is over, a few at a time and the oldest first, each
//! time in one transaction with the event that tells of it.
//!
//! Only the database's own function can remove them. It adds what they cost and used to sums that stay,
//! and keeps what must be kept whatever is asked here.

use chrono::{DateTime, Utc};
use ralex_api::retention::RetentionClass;
use ralex_audit::{Author, Event, Pruning, RecordsEvent, hold_still, record};
use ralex_kernel::{Code, OrgId, Problem};
use ralex_store::problem;
use serde::Deserialize;

use crate::runner::not_held;
use crate::{Retention, sql};

/// The class that stands beside those of events.
pub(crate) const CLASS: &str = "records";
/// So many go in one transaction.
const AT_ONCE: i32 = 5_000;

/// What may be chosen for them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Records {
    pub label: String,
    pub minimum_days: u32,
}

impl Records {
    pub fn shown(&self, days: Option<u32>) -> RetentionClass {
        RetentionClass {
            class: CLASS.to_owned(),
            label: self.label.clone(),
            minimum_days: self.minimum_days,
            days,
            actions: Vec::new(),
        }
    }
}

impl Retention {
    /// Takes away the records of calls that are older than the organisation wants them kept, and
    /// returns how many those were.
    pub(crate) async fn prune_records(&self, org: OrgId) -> Result<u64, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let days = sql::days(&mut tx, org).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let Some(days) = days.get(CLASS).copied() else { return Ok(0) };
        let done = self.prune_older(org, days.max(self.0.records.minimum_days)).await;
        match done {
            Err(held) if held.code == Code::Conflict => Err(held),
            done => self.told(org, Pruning::Records, done).await,
        }
    }

    async fn prune_older(&self, org: OrgId, days: u32) -> Result<u64, Problem> {
        // What routing learns from them it learns before they go.
        self.0.routing.learn(org).await?;
        let (mut all, mut since) = (0, DateTime::UNIX_EPOCH);
        while let Some((count, last_at)) = self.prune_some(org, days, since).await? {
            metrics::counter!("ralex_calls_pruned_total").increment(count);
            all += count;
            since = last_at;
        }
        while self.prune_runs(org).await? > 0 {}
        Ok(all)
    }

    /// Runs whose calls are all gone, with what budgets per run counted of them.
    async fn prune_runs(&self, org: OrgId) -> Result<i64, Problem> {
        let mut tx = self.0.db.system("prune runs whose calls are gone").await?;
        hold_still(&mut tx, org).await.map_err(problem)?;
        not_held(&mut tx, org).await?;
        let gone = sql::prune_runs(&mut tx, org, AT_ONCE).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(gone)
    }

    /// How many, and when the last of them began; nothing where none is left to prune.
    async fn prune_some(
        &self,
        org: OrgId,
        days: u32,
        since: DateTime<Utc>,
    ) -> Result<Option<(u64, DateTime<Utc>)>, Problem> {
        let mut tx = self.0.db.system("prune records of calls").await?;
        hold_still(&mut tx, org).await.map_err(problem)?;
        not_held(&mut tx, org).await?;
        let least = i32::try_from(days).unwrap_or(i32::MAX);
        let gone = sql::prune_calls(&mut tx, org, least, since, AT_ONCE).await.map_err(problem)?;
        let (Some(first_at), Some(last_at)) = (gone.first_at, gone.last_at) else {
            tx.rollback().await.map_err(problem)?;
            return Ok(None);
        };
        let count = gone.calls.unsigned_abs();
        let event = RecordsEvent::Pruned { count, first_at, last_at, days };
        let author = Author::system(org);
        record(&mut tx, &author, Event::Records(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(Some((count, last_at)))
    }
}
