//! Rate limits: how many requests and tokens calls may take within any window of so many seconds.
//!
//! A window is counted in slots, a sixtieth of it each. A node takes what its calls need from
//! PostgreSQL for one slot at a time, a little more than that while there is plenty, and gives it to
//! calls from memory; what a slot's calls did not need goes back. What was taken in a slot counts
//! until the slot has left the window, so within no window of that length more is given out than the
//! limit, on however many nodes and whatever becomes of them, and at most a sixtieth of the window
//! passes before what is free again can be taken. A call counts at the moment at which it was let
//! through: with the most that it may use first, and when it has ended with what it used.

mod known;
mod limit;
mod refresh;
mod taken;
mod window;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ralex_access::Access;
use ralex_kernel::{Code, NodeId, OrgId, Problem, RateLimitId};
use ralex_store::Db;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub use known::{Demand, Limit};
pub use taken::{Standing, Taken};

use refresh::{Ask, Refresher};
use taken::Part;
pub(crate) use window::Asking;
use window::{Room, Windows};

/// A limit, wherever it is.
pub(crate) type Key = (OrgId, RateLimitId);

/// Asks that wait to be answered together.
const QUEUE: usize = 8_192;
/// How often a call asks again when what came was taken by others who waited.
const ROUNDS: u32 = 16;

/// The service.
#[derive(Clone)]
pub struct Rates {
    db: Db,
    access: Arc<Access>,
    known: known::Cache,
    windows: Arc<Mutex<Windows>>,
    asks: mpsc::Sender<Ask>,
}

/// Why a call does not fit.
#[derive(Clone, Debug)]
pub enum Shortage {
    /// A limit has no room for it now, and will have some after a while.
    NoRoom { limit: Arc<Limit>, needed: u64, after: Duration },
    /// It needs more than a limit ever has.
    TooLarge { limit: Arc<Limit>, needed: u64 },
    /// Nobody can say.
    Away(Problem),
}

impl Rates {
    /// Starts the service. The task ends, and what is in hand goes back, when the service is gone.
    pub fn start(db: &Db, access: Arc<Access>, node: NodeId) -> (Self, JoinHandle<()>) {
        let windows = Arc::new(Mutex::new(Windows::default()));
        let (asks, asked) = mpsc::channel(QUEUE);
        let refresher = Refresher::new(db.clone(), node, Arc::clone(&windows));
        let task = tokio::spawn(refresher.run(asked));
        (Self { db: db.clone(), access, known: known::cache(), windows, asks }, task)
    }

    /// Takes what a call needs of every limit, or of none.
    ///
    /// # Errors
    /// The first limit that has no room for it.
    pub async fn take(&self, demands: &[Demand]) -> Result<Taken, Shortage> {
        let mut waited = false;
        let mut room = self.windows.lock().take(demands);
        for _ in 0..ROUNDS {
            match room {
                Room::Taken(slots) => {
                    let parts = demands.iter().zip(slots).map(|(it, slot)| Part::of(it, slot));
                    return Ok(Taken::new(Arc::clone(&self.windows), parts.collect()));
                }
                Room::Refused(shortage) => return Err(shortage.counted()),
                Room::Later(_, shortage) if waited => {
                    if let Some(limit) = shortage.limit() {
                        self.windows.lock().refuse(limit);
                    }
                    return Err(shortage.counted());
                }
                Room::Later(pause, _) => {
                    tokio::time::sleep(pause).await;
                    waited = true;
                    self.windows.lock().ask_again(demands);
                }
                Room::Short => {}
            }
            room = self.ask(demands.to_vec()).await.map_err(Shortage::Away)?;
        }
        Err(Shortage::Away(away()))
    }

    /// Has more taken from the database for a call, along with others that wait.
    async fn ask(&self, demands: Vec<Demand>) -> Result<Room, Problem> {
        let (done, told) = oneshot::channel();
        self.asks.send(Ask { demands, done }).await.map_err(|_| away())?;
        told.await.map_err(|_| away())?
    }
}

fn away() -> Problem {
    let detail = "The rate limits could not be asked just now. Send the request again.";
    Problem::new(Code::Unavailable, detail).with_retry_after(1)
}

impl Shortage {
    /// Whether only one model or provider is out of reach.
    pub fn is_apart(&self) -> bool {
        self.limit().is_some_and(|limit| limit.only.is_some())
    }

    fn limit(&self) -> Option<&Limit> {
        match self {
            Self::NoRoom { limit, .. } | Self::TooLarge { limit, .. } => Some(limit),
            Self::Away(_) => None,
        }
    }

    /// Why it is refused, in a few words.
    pub fn why(&self) -> String {
        match self {
            Self::NoRoom { limit, .. } => format!("the limit of {limit} is reached"),
            Self::TooLarge { limit, needed } => {
                format!("it may need {needed} of the limit of {limit}")
            }
            Self::Away(problem) => problem.detail.clone(),
        }
    }

    /// The refusal as its caller reads it.
    pub fn problem(&self) -> Problem {
        match self {
            Self::NoRoom { limit, needed, after } => {
                let seconds = after.as_millis().div_ceil(1_000).max(1);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                let unit = limit.measure.unit();
                let detail = format!(
                    "The rate limit of {limit} is reached: this call may need {needed} {unit}. \
                     Send it again in {seconds} s, or have the limit raised."
                );
                Problem::new(Code::RateLimited, detail).with_retry_after(seconds)
            }
            Self::TooLarge { limit, needed } => {
                let unit = limit.measure.unit();
                let detail = format!(
                    "This call may need {needed} {unit}, which is more than the rate limit of {limit} \
                     ever lets through. Ask for a shorter answer, send less, or have the limit raised."
                );
                Problem::new(Code::RateLimited, detail)
            }
            Self::Away(problem) => problem.clone(),
        }
    }

    fn counted(self) -> Self {
        if let Some(limit) = self.limit() {
            let measure = limit.measure.as_str();
            metrics::counter!("ralex_rate_limited_total", "measure" => measure).increment(1);
        }
        self
    }
}
