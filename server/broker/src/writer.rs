//! The group-commit writer: holds, intents, settlements and outcomes of many calls in one
//! transaction.
//!
//! A call waits only for its own batch, and while one batch commits the next one gathers. What
//! opens a call, or holds more for another try of it, fails when the database does not answer, so
//! nothing goes out unrecorded. What closes a call is kept and tried again until it is written;
//! each settlement is counted once, however often it is tried.

mod entry;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ralex_audit::{Author, CallOpened};
use ralex_budgets::{Counted, Ending, Extended, Extension, Hold, OpenCall, Settlement};
use ralex_kernel::{Code, Problem};
use ralex_store::Db;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use entry::{answer, closed, decided, extended, row, unwanted};

/// Calls opened, and calls closed, by one transaction at most.
const BATCH: usize = 256;
/// Calls that may wait to be opened before new ones are turned away.
const WAITING: usize = 4096;
/// How long one batch may take; the database's own limits are longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries while the database does not answer.
const BACKOFF: Duration = Duration::from_millis(200);
/// Between two looks for a call whose opening is in doubt, and how many: longer together than the
/// database lets a transaction of a lost connection live.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LOOKS: u8 = 12;

/// A call that is about to go out.
pub(crate) struct Opening {
    pub hold: Hold,
    pub row: OpenCall,
    pub author: Author,
    pub intent: CallOpened,
    /// Why it is refused whatever it would cost; nothing is held for it.
    pub refused: Option<Code>,
}

/// A call that has ended.
#[derive(Clone)]
pub(crate) struct Closing {
    pub settlement: Settlement,
    pub author: Author,
    /// How often to look again where there is no such call: nothing for one that was surely
    /// opened, more for one whose opening may yet be committed by a connection that was lost.
    pub looks: u8,
}

/// More to hold for a call that is about to be tried again.
pub(crate) struct Extending {
    pub extension: Extension,
    pub author: Author,
}

type Opened = Result<(), Problem>;
type OpenQueue = (Box<Opening>, oneshot::Sender<Opened>);
type ExtendQueue = (Extending, oneshot::Sender<Extended>);

/// What a batch did.
struct Written {
    answers: Vec<Opened>,
    extended: Vec<Extended>,
    /// Indexes of the closings whose calls were not there.
    missing: Vec<usize>,
}

enum Close {
    Call(Box<Closing>),
    /// Answered when all that was closed before it is written.
    Barrier(oneshot::Sender<()>),
}

/// The handle that calls write through.
#[derive(Clone)]
pub(crate) struct Writer {
    opens: mpsc::Sender<OpenQueue>,
    extends: mpsc::UnboundedSender<ExtendQueue>,
    closes: mpsc::UnboundedSender<Close>,
}

impl Writer {
    /// Starts the writer; it ends when every handle is gone and all is written.
    pub fn start(db: Db) -> (Self, tokio::task::JoinHandle<()>) {
        let (opens, open_queue) = mpsc::channel(WAITING);
        let (extends, extend_queue) = mpsc::unbounded_channel();
        let (closes, close_queue) = mpsc::unbounded_channel();
        let mut work = Work {
            db,
            open_queue,
            extend_queue,
            close_queue,
            closing: VecDeque::new(),
            doubtful: VecDeque::new(),
            barriers: vec![],
        };
        let task = tokio::spawn(async move { work.run().await });
        (Self { opens, extends, closes }, task)
    }

    /// Holds the worst case and records the intent; returns when both are durable.
    ///
    /// # Errors
    /// `budget_exhausted` where it does not fit, `unavailable` where it could not be recorded.
    pub async fn open(&self, opening: Opening) -> Opened {
        let (reply, answer) = oneshot::channel();
        self.opens.try_send((Box::new(opening), reply)).map_err(|_| overloaded())?;
        answer.await.map_err(|_| not_recorded())?
    }

    /// Holds more for an open call; returns when that is durable. Refused also where it could not
    /// be recorded: the call then keeps what it holds, or holds more than it needs until it ends.
    pub async fn extend(&self, extending: Extending) -> Extended {
        let (reply, answer) = oneshot::channel();
        if self.extends.send((extending, reply)).is_err() {
            return Extended::Refused;
        }
        answer.await.unwrap_or(Extended::Refused)
    }

    /// Hands over the end of a call, which is written for sure and soon.
    pub fn close(&self, closing: Closing) {
        if self.closes.send(Close::Call(Box::new(closing))).is_err() {
            error!("the writer has ended before a call did; the sweeper will count it as lost");
        }
    }

    /// Waits until all that was closed before is written, so that one reads one's own calls.
    pub async fn barrier(&self, patience: Duration) {
        let (reply, answer) = oneshot::channel();
        if self.closes.send(Close::Barrier(reply)).is_ok() {
            tokio::time::timeout(patience, answer).await.ok();
        }
    }
}

struct Work {
    db: Db,
    open_queue: mpsc::Receiver<OpenQueue>,
    extend_queue: mpsc::UnboundedReceiver<ExtendQueue>,
    close_queue: mpsc::UnboundedReceiver<Close>,
    /// Ended calls that are not yet written.
    closing: VecDeque<Closing>,
    /// Calls that were not there, and when to look again; the earliest first.
    doubtful: VecDeque<(Instant, Closing)>,
    /// Whom to tell when as many closings as stand here are written.
    barriers: Vec<(usize, oneshot::Sender<()>)>,
}

/// Those who wait for a batch.
#[derive(Default)]
struct Waiting {
    opens: Vec<OpenQueue>,
    extends: Vec<ExtendQueue>,
}

impl Work {
    async fn run(&mut self) {
        while let Some(waiting) = self.gather().await {
            let closes: Vec<_> = self.closing.iter().take(BATCH).cloned().collect();
            let begun = Instant::now();
            let size = waiting.opens.len() + waiting.extends.len() + closes.len();
            // A connection that falls silent tells nobody; no caller is made to wait for TCP.
            let written = tokio::time::timeout(PATIENCE, self.write(&waiting, &closes)).await;
            match written.unwrap_or_else(|_| Err(not_recorded())) {
                Ok(Written { answers, extended, missing }) => {
                    metrics::histogram!("ralex_writer_batch_seconds").record(begun.elapsed());
                    metrics::counter!("ralex_writer_operations_total")
                        .increment(u64::try_from(size).unwrap_or(0));
                    self.doubt(&closes, &missing);
                    self.written(closes.len());
                    for ((_, reply), extended) in waiting.extends.into_iter().zip(extended) {
                        // Who left meanwhile closes the call, and with it all that it holds.
                        reply.send(extended).ok();
                    }
                    for ((opening, reply), answer) in waiting.opens.into_iter().zip(answers) {
                        // A caller that left while its batch was written leaves an open call.
                        if reply.send(answer).is_err_and(|answer| answer.is_ok()) {
                            self.closing.push_back(unwanted(*opening, Ending::Canceled, None));
                        }
                    }
                }
                Err(problem) => {
                    metrics::counter!("ralex_writer_failures_total").increment(1);
                    warn!(code = problem.code.as_str(), "a batch of {size} was not written");
                    self.failed(waiting);
                    tokio::time::sleep(BACKOFF).await;
                }
            }
        }
    }

    /// Waits for work and takes what is there; nothing when all is done for good.
    async fn gather(&mut self) -> Option<Waiting> {
        let mut waiting = Waiting::default();
        self.look_again();
        if self.closing.is_empty() {
            let due = self.doubtful.front().map(|(due, _)| *due);
            let look = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into());
            tokio::select! {
                Some(open) = self.open_queue.recv() => waiting.opens.push(open),
                Some(extend) = self.extend_queue.recv() => waiting.extends.push(extend),
                Some(close) = self.close_queue.recv() => self.take(close),
                () = look, if due.is_some() => self.look_again(),
                else => return None,
            }
        }
        while waiting.opens.len() < BATCH {
            let Ok(open) = self.open_queue.try_recv() else { break };
            waiting.opens.push(open);
        }
        while waiting.extends.len() < BATCH {
            let Ok(extend) = self.extend_queue.try_recv() else { break };
            waiting.extends.push(extend);
        }
        while self.closing.len() < BATCH {
            let Ok(close) = self.close_queue.try_recv() else { break };
            self.take(close);
        }
        // A caller that has gone while it waited wants nothing sent, so nothing is opened.
        waiting.opens.retain(|(_, reply)| !reply.is_closed());
        waiting.extends.retain(|(_, reply)| !reply.is_closed());
        Some(waiting)
    }

    /// Keeps what was not there for another look, where its opening is in doubt.
    fn doubt(&mut self, closes: &[Closing], missing: &[usize]) {
        for closing in missing.iter().filter_map(|&at| closes.get(at)) {
            if let Some(looks) = closing.looks.checked_sub(1) {
                let closing = Closing { looks, ..closing.clone() };
                self.doubtful.push_back((Instant::now() + LOOK_EVERY, closing));
            }
        }
    }

    fn look_again(&mut self) {
        while self.doubtful.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            self.closing.extend(self.doubtful.pop_front().map(|(_, closing)| closing));
        }
    }

    fn take(&mut self, close: Close) {
        match close {
            Close::Call(closing) => self.closing.push_back(*closing),
            Close::Barrier(reply) if self.closing.is_empty() => drop(reply.send(())),
            Close::Barrier(reply) => self.barriers.push((self.closing.len(), reply)),
        }
    }

    fn written(&mut self, closed: usize) {
        self.closing.drain(..closed);
        for (before, reply) in std::mem::take(&mut self.barriers) {
            match before.checked_sub(closed) {
                Some(left) if left > 0 => self.barriers.push((left, reply)),
                _ => drop(reply.send(())),
            }
        }
    }

    /// Turns away those who wait. A commit whose answer was lost may have gone through all the
    /// same, or may yet, so each of their calls is closed again at no cost, and looked for again
    /// where there is none.
    fn failed(&mut self, waiting: Waiting) {
        for (_, reply) in waiting.extends {
            reply.send(Extended::Refused).ok();
        }
        for (opening, reply) in waiting.opens {
            let code = Some(Code::Unavailable);
            let closing = unwanted(*opening, Ending::Error, code);
            self.closing.push_back(Closing { looks: LOOKS, ..closing });
            reply.send(Err(not_recorded())).ok();
        }
    }

    async fn write(&self, waiting: &Waiting, closes: &[Closing]) -> Result<Written, Problem> {
        let Waiting { opens, extends } = waiting;
        if opens.is_empty() && extends.is_empty() && closes.is_empty() {
            return Ok(Written { answers: vec![], extended: vec![], missing: vec![] });
        }
        let wanted = opens.iter().filter(|(opening, _)| opening.refused.is_none());
        let holds: Vec<_> = wanted.map(|(opening, _)| opening.hold.clone()).collect();
        let extensions: Vec<_> = extends.iter().map(|(one, _)| one.extension).collect();
        let settlements: Vec<_> = closes.iter().map(|close| close.settlement.clone()).collect();
        let mut tx = self.db.system("write a batch of calls").await?;
        let done = ralex_budgets::commit(&mut tx, &settlements, &extensions, &holds)
            .await
            .map_err(ralex_store::problem)?;
        let mut held = done.held.into_iter();
        let held: Vec<_> = opens
            .iter()
            .map(|(open, _)| if open.refused.is_none() { held.next() } else { None })
            .collect();
        let rows: Vec<_> =
            opens.iter().zip(&held).map(|((open, _), held)| row(open, held.as_ref())).collect();
        ralex_budgets::open_calls(&mut tx, &rows).await.map_err(ralex_store::problem)?;
        let mut entries = Vec::with_capacity(opens.len() + extends.len() + closes.len());
        entries.extend(closes.iter().zip(&done.settled).filter_map(closed));
        entries.extend(
            extends.iter().zip(&done.extended).filter_map(|((one, _), done)| extended(one, *done)),
        );
        let decisions = opens.iter().zip(&held);
        entries.extend(decisions.map(|((open, _), held)| decided(open, held.as_ref())));
        ralex_audit::record_all(&mut tx, entries).await.map_err(ralex_store::problem)?;
        tx.commit().await.map_err(ralex_store::problem)?;
        let missing = done.settled.iter().enumerate();
        let missing = missing.filter(|(_, one)| one.counted == Counted::Unknown);
        Ok(Written {
            missing: missing.map(|(at, _)| at).collect(),
            extended: done.extended,
            answers: held.into_iter().map(answer).collect(),
        })
    }
}

fn not_recorded() -> Problem {
    let detail = "The call could not be recorded, so it was not sent. Try again in a moment.";
    Problem::new(Code::Unavailable, detail).with_retry_after(1)
}

fn overloaded() -> Problem {
    let detail = "Too many calls wait to be recorded. Try again in a moment.";
    Problem::new(Code::Unavailable, detail).with_retry_after(1)
}
