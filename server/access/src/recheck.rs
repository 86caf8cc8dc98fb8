//! A second opinion: a sample of live decisions is asked of casbin again, out of the way.
//!
//! The queue is short and a full one drops, so the sample never slows a decision. A difference is
//! a mistake of ours: it is logged as an error and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use ralex_kernel::{ScopePath, Subject};
use tokio::sync::mpsc;
use tracing::{error, warn};

use crate::Permission;
use crate::snapshot::Snapshot;

const QUEUE: usize = 64;

/// A decision as it was made.
#[derive(Debug)]
pub(crate) struct Sample {
    pub snapshot: Arc<Snapshot>,
    pub subject: Subject,
    pub permission: Permission,
    pub at: ScopePath,
    pub now: DateTime<Utc>,
    pub allowed: bool,
}

/// Takes samples and counts differences.
#[derive(Debug)]
pub(crate) struct Recheck {
    one_in: u64,
    decisions: AtomicU64,
    disagreements: AtomicU64,
    checked: AtomicU64,
    queue: mpsc::Sender<Sample>,
    waiting: Mutex<Option<mpsc::Receiver<Sample>>>,
}

impl Recheck {
    pub fn one_in(one_in: u64) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        Self {
            one_in: one_in.max(1),
            decisions: AtomicU64::new(0),
            disagreements: AtomicU64::new(0),
            checked: AtomicU64::new(0),
            queue,
            waiting: Mutex::new(Some(waiting)),
        }
    }

    /// Takes this decision into the sample if it is its turn.
    pub fn offer(&self, sample: impl FnOnce() -> Sample) {
        let count = self.decisions.fetch_add(1, Ordering::Relaxed);
        if count.is_multiple_of(self.one_in) {
            // A full queue is the plan, not a failure.
            self.queue.try_send(sample()).ok();
        }
    }

    pub fn disagreements(&self) -> u64 {
        self.disagreements.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// Checks samples for as long as it is polled.
    pub async fn run(&self) {
        let Some(mut waiting) = self.waiting.lock().take() else { return };
        while let Some(sample) = waiting.recv().await {
            self.check(&sample).await;
        }
    }

    pub async fn check(&self, sample: &Sample) {
        let answer = match sample.snapshot.reference(sample.subject).await {
            Ok(oracle) => oracle.allows(sample.subject, sample.permission, sample.at, sample.now),
            Err(error) => Err(error),
        };
        self.checked.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("ralex_access_rechecks_total").increment(1);
        match answer {
            Ok(allowed) if allowed == sample.allowed => {}
            Ok(allowed) => {
                self.disagreements.fetch_add(1, Ordering::Relaxed);
                metrics::counter!("ralex_access_disagreements_total").increment(1);
                error!(
                    org.id = %sample.snapshot.org(),
                    subject = %sample.subject,
                    permission = %sample.permission,
                    scope = %sample.at,
                    snapshot.allowed = sample.allowed,
                    casbin.allowed = allowed,
                    "a decision differs from casbin's: this is a mistake in Ralex, please report it",
                );
            }
            Err(error) => warn!("casbin could not check a decision: {error}"),
        }
    }
}
