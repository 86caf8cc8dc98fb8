//! Waiting: who asks is told when a person has decided, without asking again and again.
//!
//! A decision sends its approval's id to every server. That is a hint and no more: who waits looks
//! at the row itself, with the rights that hold then, and now and then also without a hint.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::Utc;
use ralex_api::approvals::{Approval, ApprovalState};
use ralex_kernel::{ApprovalId, Caller, Code, OrgId, Problem};
use ralex_store::{Feed, Hint};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};
use tokio::time::{Instant, timeout};

use crate::Approvals;

/// What decisions are told on.
pub(crate) const CHANNEL: &str = "ralex_approval";
/// The longest that one request waits. Most proxies give up after a minute.
const LONGEST: Duration = Duration::from_secs(50);
/// How many wait at a server at once; each is a request of its own.
const PLACES: usize = 500;
/// How often it is looked without a hint.
const UNASKED: Duration = Duration::from_secs(5);
/// The least between two looks, where this clock and the database's differ.
const LEAST: Duration = Duration::from_millis(200);

/// Those who wait at this server.
pub(crate) struct Waits {
    places: Semaphore,
    /// An approval that was decided; nothing where everybody looks.
    hints: Sender<Option<ApprovalId>>,
    is_over: AtomicBool,
}

impl Waits {
    pub fn new() -> Self {
        Self {
            places: Semaphore::new(PLACES),
            hints: broadcast::channel(256).0,
            is_over: AtomicBool::new(false),
        }
    }

    fn wake(&self, which: Option<ApprovalId>) {
        // Fails only where nobody waits.
        self.hints.send(which).ok();
    }
}

impl Approvals {
    /// The approval as soon as it no longer waits for a person, or as it is after `patience`.
    pub async fn wait(
        &self,
        caller: &Caller,
        org: OrgId,
        id: ApprovalId,
        patience: Duration,
    ) -> Result<Approval, Problem> {
        if patience > LONGEST {
            let message = format!("must be between 0 and {}", LONGEST.as_secs());
            return Err(Problem::field("wait_seconds", message));
        }
        let waits = &self.0.waits;
        let until = Instant::now() + patience;
        // From before the first look, so that nothing is missed after it.
        let mut hints = waits.hints.subscribe();
        let mut place = None;
        loop {
            let approval = self.read(caller, org, id).await?;
            let left = until.saturating_duration_since(Instant::now());
            let is_over = left.is_zero() || waits.is_over.load(Ordering::Acquire);
            if approval.state != ApprovalState::Pending || is_over {
                return Ok(approval);
            }
            if place.is_none() {
                place = Some(waits.places.try_acquire().map_err(|_| crowded())?);
            }
            let by_itself = (approval.expires_at - Utc::now()).to_std().unwrap_or_default();
            let pause = by_itself.max(LEAST).min(UNASKED).min(left);
            timeout(pause, hear(&mut hints, id)).await.ok();
        }
    }

    /// Lets everybody who waits go with what is known, since the server ends.
    pub fn end_waits(&self) {
        self.0.waits.is_over.store(true, Ordering::Release);
        self.0.waits.wake(None);
    }

    /// Passes on what the servers tell each other, for as long as it is asked.
    pub(crate) async fn listen(&self) {
        let mut feed = Feed::listen(&self.0.db, &[CHANNEL]);
        loop {
            let which = match feed.next().await {
                Hint::Sent { payload, .. } => payload.parse().ok(),
                Hint::Connected => None,
            };
            self.0.waits.wake(which);
        }
    }
}

/// Until there is a reason to look at it.
async fn hear(hints: &mut Receiver<Option<ApprovalId>>, id: ApprovalId) {
    loop {
        match hints.recv().await {
            Ok(Some(other)) if other != id => {}
            Ok(Some(_) | None) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn crowded() -> Problem {
    let detail = format!("{PLACES} requests wait for approvals here already. Wait a moment.");
    Problem::new(Code::Unavailable, detail).with_retry_after(5)
}
