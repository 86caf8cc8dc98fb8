//! The group-commit writer: holds, intents, settlements and outcomes of many calls in one
//! transaction each, on two lanes.
//!
//! A call waits only for its own batch, and while one batch commits the next one gathers. What this
//! node's leases cover may be sent while its record is on its way, and is answered when that is
//! durable; everything else is sent after. What opens a call, or holds more for another try of it,
//! fails when the database does not answer, so nobody gets an answer without a record; what was
//! sent is recorded as soon as the database is back. What closes a call is kept and tried again until it is written;
//! each settlement is counted once, however often it is tried. Nobody waits for a closing, so it
//! has a lane of its own; but nobody is refused for money that a closing would give back.

mod at_once;
mod closing;
mod entry;
mod linger;
mod opening;
mod waiting;

use std::time::{Duration, Instant};

use ralex_audit::{Author, CallOpened};
use ralex_budgets::{Claim, Extension, Hold, Leases, OpenCall, Settlement};
use ralex_kernel::{BudgetId, Code, Money, NodeId, Problem};
use ralex_store::Db;
use tokio::sync::{mpsc, oneshot};

use closing::{Closes, Closings};
use linger::{Linger, Needed};
use opening::Openings;
use waiting::Queues;

/// Calls opened, and calls closed, by one transaction at most.
const BATCH: usize = 256;
/// As many of a lane are written without waiting for more: a transaction costs little beside them.
const ENOUGH: usize = 32;
/// Calls that may wait to be opened before new ones are turned away.
const WAITING: usize = 4096;
/// How long one batch may take; the database's own limits are longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look for a call whose opening is in doubt before giving it up: longer together
/// than the database lets a transaction of a lost connection live.
const LOOKS: u8 = 12;
/// Between two tries while the database does not answer.
const BACKOFF: Duration = Duration::from_millis(200);

/// A call that is about to go out.
pub(crate) struct Opening {
    pub hold: Hold,
    pub row: OpenCall,
    pub author: Author,
    pub intent: CallOpened,
    /// Why it is refused whatever it would cost; nothing is held for it.
    pub refused: Option<Code>,
    /// It does nothing but spend, so it may be sent while its record is on its way.
    pub overlaps: bool,
    pub otherwise: Otherwise,
}

/// What becomes of a call that the budgets have not enough left for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// It is refused, and that is recorded.
    Refused,
    /// Where it is a budget of one model or provider it goes elsewhere and is opened again, and
    /// nothing is recorded yet.
    Elsewhere,
    /// It is opened again for less, and nothing is recorded yet.
    Shorter,
}

/// The record of a call that is on its way to the database.
pub(crate) struct Recording {
    /// Whether the call may be sent already.
    pub promised: bool,
    answer: oneshot::Receiver<Opened>,
    /// Told when somebody first waits for it.
    needed: Option<Needed>,
}

/// What became of a record that was not written.
pub(crate) struct Unrecorded {
    pub problem: Problem,
    /// What else there is to it; on the heap, since there hardly ever is.
    pub then: Option<Box<Then>>,
}

/// What follows on a record that was not written.
pub(crate) enum Then {
    /// The call may have been sent, so it is tried again.
    Again(Recording),
    /// The call is opened again, elsewhere or for less: this budget has not enough left.
    Elsewhere(BudgetId),
}

impl From<Problem> for Unrecorded {
    fn from(problem: Problem) -> Self {
        Self { problem, then: None }
    }
}

impl Unrecorded {
    /// The record that is tried again.
    pub fn again(self) -> Option<Recording> {
        match *self.then? {
            Then::Again(recording) => Some(recording),
            Then::Elsewhere(_) => None,
        }
    }

    /// The budget for which the call is opened again, elsewhere or for less.
    pub fn elsewhere(&self) -> Option<BudgetId> {
        match self.then.as_deref()? {
            Then::Elsewhere(budget) => Some(*budget),
            Then::Again(_) => None,
        }
    }
}

impl Recording {
    fn new(promised: bool) -> (oneshot::Sender<Opened>, Self) {
        let (reply, answer) = oneshot::channel();
        (reply, Self { promised, answer, needed: None })
    }

    /// Returns when it is durable, which is soon once somebody waits. Dropping the future loses
    /// nothing.
    pub async fn durable(&mut self) -> Opened {
        if let Some(needed) = self.needed.take() {
            needed.now(self.answer.is_empty());
        }
        (&mut self.answer).await.unwrap_or_else(|_| Err(not_recorded().into()))
    }

    /// Returns when it is durable, however often that has to be tried; false where it never is.
    async fn at_last(mut self) -> bool {
        loop {
            match self.durable().await {
                Ok(()) => return true,
                Err(unrecorded) => match unrecorded.again() {
                    Some(again) => self = again,
                    None => return false,
                },
            }
        }
    }
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

type Opened = Result<(), Unrecorded>;
/// With the instant until which it may wait for others.
type OpenQueue = (Box<Opening>, Instant, oneshot::Sender<Opened>);
type ExtendQueue = (Extending, oneshot::Sender<Further>);
/// All that an open call holds now; else the budget that has not enough left for more, if it is that.
pub(crate) type Further = Result<Money, Option<BudgetId>>;

/// The handle that calls write through.
#[derive(Clone)]
pub(crate) struct Writer {
    opens: mpsc::Sender<OpenQueue>,
    extends: mpsc::UnboundedSender<ExtendQueue>,
    closes: Closes,
    leases: Leases,
    linger: Linger,
}

impl Writer {
    /// Starts the writer of a node; it ends when every handle is gone and all is written.
    pub fn start(db: &Db, node: NodeId, leases: &Leases) -> (Self, tokio::task::JoinHandle<()>) {
        let (opens, open_queue) = mpsc::channel(WAITING);
        let (extends, extend_queue) = mpsc::unbounded_channel();
        let (closes, closings) = Closings::start(db);
        let (leases, linger) = (leases.clone(), Linger::default());
        let queues = Queues::new(open_queue, extend_queue, linger.clone());
        let openings = Openings::new((db, node), queues, (closes.clone(), leases.clone()));
        let (heard, db) = (leases.clone(), db.clone());
        let task = tokio::spawn(async move {
            tokio::select! {
                ((), ()) = async { tokio::join!(openings.run(), closings.run()) } => {}
                () = heard.hear(&db) => {}
            }
        });
        (Self { opens, extends, closes, leases, linger }, task)
    }

    /// Has the worst case held and the intent recorded. Where this node's leases cover the call, it
    /// may be sent before that is done.
    ///
    /// # Errors
    /// `unavailable` where too many wait already.
    pub fn begin(&self, mut opening: Opening) -> Result<Recording, Problem> {
        let place = self.opens.try_reserve().map_err(|_| overloaded())?;
        let covered = opening.overlaps && opening.refused.is_none();
        let promised = covered && self.leases.promise(&opening.hold);
        opening.hold.claim = match opening.otherwise {
            _ if promised => Claim::Promised,
            // Less of it may fit at once, and the rest has time until it is needed.
            Otherwise::Shorter => Claim::Firm,
            Otherwise::Refused | Otherwise::Elsewhere => Claim::Patient,
        };
        let (reply, mut recording) = Recording::new(promised);
        let until = if promised {
            let model = opening.row.model_id;
            recording.needed = Some(self.linger.needed(model));
            self.linger.until(model)
        } else {
            Instant::now()
        };
        place.send((Box::new(opening), until, reply));
        Ok(recording)
    }

    /// Holds the worst case and records the intent; returns when both are durable.
    ///
    /// # Errors
    /// `budget_exhausted` where it does not fit, `unavailable` where it could not be recorded.
    pub async fn open(&self, opening: Opening) -> Result<(), Problem> {
        let opening = Opening { overlaps: false, ..opening };
        self.begin(opening)?.durable().await.map_err(|unrecorded| unrecorded.problem)
    }

    /// Holds more for an open call; returns when that is durable. Refused also where it could not
    /// be recorded: the call then keeps what it holds, or holds more than it needs until it ends.
    pub async fn extend(&self, extending: Extending) -> Further {
        let (reply, answer) = oneshot::channel();
        if self.extends.send((extending, reply)).is_err() {
            return Err(None);
        }
        answer.await.unwrap_or(Err(None))
    }

    /// Hands over the end of a call, which is written for sure and soon.
    pub fn close(&self, closing: Closing) {
        self.closes.close(closing);
    }

    /// The same for a call whose record is still on its way.
    pub fn close_after(&self, recording: Recording, closing: Closing) {
        self.closes.close_after(recording, closing);
    }

    /// Waits until all that was closed before is written, so that one reads one's own calls.
    pub async fn barrier(&self, patience: Duration) {
        tokio::time::timeout(patience, self.closes.barrier()).await.ok();
    }
}

/// Tells of a batch that was written.
fn measured(lane: &'static str, begun: Instant, size: usize) {
    metrics::histogram!("ralex_writer_batch_seconds", "lane" => lane).record(begun.elapsed());
    metrics::counter!("ralex_writer_operations_total", "lane" => lane)
        .increment(u64::try_from(size).unwrap_or(0));
}

fn not_recorded() -> Problem {
    let detail = "The call could not be recorded, so it was not sent. Try again in a moment.";
    Problem::new(Code::Unavailable, detail).with_retry_after(1)
}

fn not_answered() -> Problem {
    let detail =
        "The call could not be recorded, so its answer is not given. Try again in a moment.";
    Problem::new(Code::Unavailable, detail).with_retry_after(1)
}

fn overloaded() -> Problem {
    let detail = "Too many calls wait to be recorded. Try again in a moment.";
    Problem::new(Code::Unavailable, detail).with_retry_after(1)
}
