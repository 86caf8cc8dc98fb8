//! Sending: one process of all looks what is due, and sends for each sink one batch after another.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use ralex_audit::{Author, Event, SinkEvent, record};
use ralex_kernel::{Problem, SinkId};
use ralex_store::{Leader, Leadership, problem};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::Sinks;
use crate::delivery::{Outcome, Receiver};
use crate::sql::{self, Due, Moved};

/// How often is looked what is due.
const PACE: Duration = Duration::from_millis(500);
/// So many sinks are sent to at a time; a slow one holds up no other until all are slow.
const AT_A_TIME: usize = 32;
/// The longest wait before the next try.
const LONGEST_WAIT: u64 = 900;

type Lead = Arc<Mutex<Leadership>>;

impl Sinks {
    /// Sends until `shutdown`; what is under way then is sent again by the next process.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sending = Sending::default();
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                Some(ended) = sending.tasks.join_next(), if !sending.tasks.is_empty() => {
                    if let Ok((id, more)) = ended {
                        sending.busy.remove(&id);
                        if !more { continue }
                    }
                }
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.look(&mut sending).await {
                warn!(%error, "audit sinks cannot be looked after, the next try is soon: {error}");
            }
        }
    }

    /// Begins what is due, where this process leads.
    async fn look(&self, sending: &mut Sending) -> Result<(), ralex_store::Error> {
        if let Some(lead) = &sending.lead
            && !lead.lock().await.is_held().await
        {
            sending.lead = None;
        }
        if sending.lead.is_none() {
            let lead = Leader::acquire(&self.0.db, "audit sinks").await?;
            sending.lead = lead.map(|lead| Arc::new(Mutex::new(lead)));
        }
        let Some(lead) = &sending.lead else { return Ok(()) };
        let mut tx = self.0.db.system("tell which audit sinks are due").await?;
        let due = sql::due(&mut tx).await?;
        let (parked, behind) = sql::health(&mut tx).await?;
        tx.rollback().await?;
        metrics::gauge!("ralex_audit_sinks_parked").set(gauge(parked));
        metrics::gauge!("ralex_audit_sinks_behind").set(gauge(behind));
        for due in due {
            if sending.tasks.len() >= AT_A_TIME {
                break;
            }
            if sending.busy.insert(due.id) {
                let (sinks, lead) = (self.clone(), Arc::clone(lead));
                sending.tasks.spawn(async move {
                    let id = due.id;
                    let sent = sinks.send(&due, &lead).await;
                    if let Err(problem) = &sent {
                        let why = &problem.detail;
                        warn!(sink = %id, "an audit sink cannot be sent to: {why}");
                    }
                    (id, sent.unwrap_or(false))
                });
            }
        }
        Ok(())
    }

    /// Sends one batch and moves the cursor. True where more may be due.
    async fn send(&self, due: &Due, lead: &Lead) -> Result<bool, Problem> {
        let from = u64::try_from(due.next_index).unwrap_or(0);
        let limit = u32::try_from(due.at_once).unwrap_or(1);
        // As the organisation's own, so that row security guards what leaves.
        let mut tx = self.0.db.tenant(due.org_id).await?;
        let batch = self.0.audit.onward(&mut tx, due.org_id, from, limit).await?;
        tx.rollback().await.map_err(problem)?;
        if batch.next == from {
            return Ok(false);
        }
        let receiver = Receiver::of_due(due)?;
        let outcome = if batch.told.is_empty() {
            // What retention took away is nobody's any more.
            Outcome::Taken { status: 0 }
        } else {
            self.deliver(&receiver, &batch.told).await?
        };
        metrics::counter!("ralex_audit_sink_deliveries_total", "outcome" => outcome.name())
            .increment(1);
        let more = !matches!(outcome, Outcome::Failed { .. });
        self.note(due, lead, outcome, batch.next).await?;
        Ok(more)
    }

    async fn note(
        &self,
        due: &Due,
        lead: &Lead,
        outcome: Outcome,
        next: u64,
    ) -> Result<(), Problem> {
        let mut tx = self.0.db.system("move the cursor of an audit sink").await?;
        lead.lock().await.check(&mut tx).await?;
        let moved = match outcome {
            Outcome::Taken { .. } => Moved::Taken {
                next: i64::try_from(next).unwrap_or(i64::MAX),
                at_once: due.at_once.saturating_mul(2).min(due.batch_size),
            },
            // Which one of them it is shows when fewer are sent.
            Outcome::Refused { why } if due.at_once > 1 => {
                Moved::Narrowed { at_once: due.at_once / 2, why }
            }
            Outcome::Refused { why } => Moved::Parked { why },
            Outcome::Failed { why, retry_after } => {
                let doubled = 1_u64 << u32::try_from(due.failures).unwrap_or(0).min(10);
                let wait = retry_after.unwrap_or(0).max(doubled).min(LONGEST_WAIT);
                let wait = TimeDelta::seconds(i64::try_from(wait).unwrap_or(1));
                Moved::Failed { why, again: Utc::now() + wait }
            }
        };
        let noted = sql::note(&mut tx, due, &moved).await.map_err(problem)?;
        if noted && let Moved::Parked { why } = moved {
            let index = u64::try_from(due.next_index).unwrap_or(0);
            warn!(sink = %due.id, index, "an audit sink is parked, and waits for a person: {why}");
            let event = Event::Sink(SinkEvent::Parked { sink: due.id, index, why });
            record(&mut tx, &Author::system(due.org_id), event).await.map_err(problem)?;
        }
        tx.commit().await.map_err(problem)
    }
}

/// What this process does at the moment.
#[derive(Default)]
struct Sending {
    lead: Option<Lead>,
    tasks: JoinSet<(SinkId, bool)>,
    busy: HashSet<SinkId>,
}

fn gauge(count: i64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
