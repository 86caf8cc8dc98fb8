//! The lane of what ends: settlements and outcomes, kept until they are written.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ralex_budgets::{Batch, Counted, Settlement};
use ralex_kernel::Problem;
use ralex_store::{Db, Dedicated};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::entry::closed;
use super::{BACKOFF, BATCH, Closing, ENOUGH, LOOKS, PATIENCE, Recording, measured, not_recorded};

/// How long the first closing of a batch waits for others. A transaction costs the database about
/// as much for one call as for ten, and nobody waits for this one who does not say so.
const GATHER: Duration = Duration::from_millis(20);
/// Between two looks for a call whose opening is in doubt.
const LOOK_EVERY: Duration = Duration::from_secs(5);

enum Close {
    Call(Box<Closing>),
    /// Answered when all that was closed before it is written.
    Barrier(oneshot::Sender<()>),
}

/// The way into the lane.
#[derive(Clone)]
pub(super) struct Closes {
    queue: mpsc::UnboundedSender<Close>,
    unwritten: Arc<AtomicUsize>,
}

impl Closes {
    pub fn close(&self, closing: Closing) {
        self.unwritten.fetch_add(1, Ordering::AcqRel);
        self.send(closing);
    }

    /// The same when the call's record has been written.
    pub fn close_after(&self, recording: Recording, closing: Closing) {
        self.unwritten.fetch_add(1, Ordering::AcqRel);
        let closes = self.clone();
        tokio::spawn(async move {
            let looks = if recording.at_last().await { 0 } else { LOOKS };
            closes.send(Closing { looks, ..closing });
        });
    }

    fn send(&self, closing: Closing) {
        if self.queue.send(Close::Call(Box::new(closing))).is_err() {
            error!("the writer has ended before a call did; the sweeper will count it as lost");
        }
    }

    /// Whether a call has ended that may still hold money.
    pub fn any_unwritten(&self) -> bool {
        self.unwritten.load(Ordering::Acquire) > 0
    }

    /// Waits until all that was closed before is written.
    pub async fn barrier(&self) {
        let (reply, answer) = oneshot::channel();
        if self.queue.send(Close::Barrier(reply)).is_ok() {
            answer.await.ok();
        }
    }
}

pub(super) struct Closings {
    db: Dedicated,
    queue: mpsc::UnboundedReceiver<Close>,
    unwritten: Arc<AtomicUsize>,
    /// Ended calls that are not yet written.
    closing: VecDeque<Closing>,
    /// Calls that were not there, and when to look again; the earliest first.
    doubtful: VecDeque<(Instant, Closing)>,
    /// Whom to tell when as many closings as stand here are written.
    barriers: Vec<(usize, oneshot::Sender<()>)>,
}

impl Closings {
    pub fn start(db: &Db) -> (Closes, Self) {
        let (sender, queue) = mpsc::unbounded_channel();
        let unwritten = Arc::new(AtomicUsize::new(0));
        let closes = Closes { queue: sender, unwritten: unwritten.clone() };
        let lane = Self {
            db: db.dedicated("close calls"),
            queue,
            unwritten,
            closing: VecDeque::new(),
            doubtful: VecDeque::new(),
            barriers: vec![],
        };
        (closes, lane)
    }

    pub async fn run(mut self) {
        while self.gather().await {
            let closes: Vec<_> = self.closing.iter().take(BATCH).cloned().collect();
            if closes.is_empty() {
                continue;
            }
            let begun = Instant::now();
            // A connection that falls silent tells nobody; no caller is made to wait for TCP.
            let written = tokio::time::timeout(PATIENCE, self.write(&closes)).await;
            match written.unwrap_or_else(|_| Err(not_recorded())) {
                Ok(missing) => {
                    measured("close", begun, closes.len());
                    self.doubt(&closes, &missing);
                    self.written(closes.len());
                }
                Err(problem) => {
                    let code = problem.code.as_str();
                    metrics::counter!("ralex_writer_failures_total", "lane" => "close")
                        .increment(1);
                    warn!(code, "{} ended calls were not written yet", closes.len());
                    tokio::time::sleep(BACKOFF).await;
                }
            }
        }
        self.db.close().await;
    }

    /// Waits for work and takes what is there; false when all is done for good.
    async fn gather(&mut self) -> bool {
        self.look_again();
        if self.closing.is_empty() {
            let due = self.doubtful.front().map(|(due, _)| *due);
            let look = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into());
            tokio::select! {
                Some(close) = self.queue.recv() => self.take(close),
                () = look, if due.is_some() => self.look_again(),
                else => return false,
            }
        }
        let last_call = tokio::time::Instant::now() + GATHER;
        while self.closing.len() < ENOUGH && self.barriers.is_empty() {
            match tokio::time::timeout_at(last_call, self.queue.recv()).await {
                Ok(Some(close)) => self.take(close),
                Ok(None) | Err(_) => break,
            }
        }
        while self.closing.len() < BATCH {
            let Ok(close) = self.queue.try_recv() else { break };
            self.take(close);
        }
        true
    }

    fn take(&mut self, close: Close) {
        match close {
            Close::Call(closing) => self.closing.push_back(*closing),
            Close::Barrier(reply) if self.closing.is_empty() => drop(reply.send(())),
            Close::Barrier(reply) => self.barriers.push((self.closing.len(), reply)),
        }
    }

    /// Keeps what was not there for another look, where its opening is in doubt.
    fn doubt(&mut self, closes: &[Closing], missing: &[usize]) {
        for closing in missing.iter().filter_map(|&at| closes.get(at)) {
            if let Some(looks) = closing.looks.checked_sub(1) {
                let closing = Closing { looks, ..closing.clone() };
                self.unwritten.fetch_add(1, Ordering::AcqRel);
                self.doubtful.push_back((Instant::now() + LOOK_EVERY, closing));
            }
        }
    }

    fn look_again(&mut self) {
        while self.doubtful.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            self.closing.extend(self.doubtful.pop_front().map(|(_, closing)| closing));
        }
    }

    fn written(&mut self, closed: usize) {
        self.closing.drain(..closed);
        self.unwritten.fetch_sub(closed, Ordering::AcqRel);
        for (before, reply) in std::mem::take(&mut self.barriers) {
            match before.checked_sub(closed) {
                Some(left) if left > 0 => self.barriers.push((left, reply)),
                _ => drop(reply.send(())),
            }
        }
    }

    /// Settles and records; returns the indexes of those whose calls were not there.
    async fn write(&mut self, closes: &[Closing]) -> Result<Vec<usize>, Problem> {
        let settlements: Vec<Settlement> =
            closes.iter().map(|close| close.settlement.clone()).collect();
        let mut tx = self.db.begin().await?;
        let batch = Batch { settlements: &settlements, ..Batch::default() };
        let done = ralex_budgets::commit(&mut tx, &batch).await.map_err(ralex_store::problem)?;
        let entries = closes.iter().zip(&done.settled).filter_map(closed).collect();
        ralex_audit::record_all(&mut tx, entries).await.map_err(ralex_store::problem)?;
        tx.commit().await.map_err(ralex_store::problem)?;
        let missing = done.settled.iter().enumerate();
        let missing = missing.filter(|(_, one)| one.counted == Counted::Unknown);
        Ok(missing.map(|(at, _)| at).collect())
    }
}
