//! Load: calls at a constant rate, or as many at once as are given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ralex_kernel::Money;
use tokio::sync::mpsc;

use super::latency::Latencies;
use crate::rig::{Request, Seen, Wire};

/// Connections are opened and caches filled before anything is counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// Where calls go.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub request: Request,
}

/// What all calls of a phase, warm-up included, came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub answered: u64,
    pub failed: u64,
    pub cost: Money,
    /// One failure's words.
    pub failure: Option<String>,
}

/// What was measured of a phase.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// To the answer's last byte.
    pub whole: Latencies,
    /// To the first byte of its body.
    pub first: Latencies,
    /// Of stamped streams: how long their first token was under way.
    pub behind: Latencies,
    /// Parts in which bodies arrived, of all calls.
    pub arrivals: u64,
    /// Calls that were counted.
    pub calls: u32,
    pub tally: Tally,
}

impl Tally {
    pub fn add(&mut self, seen: &Seen, outcome: std::io::Result<()>) -> bool {
        if outcome.is_ok() && seen.ended && seen.status == Some(200) {
            self.answered += 1;
            if let Some(cost) = &seen.cost {
                self.cost += cost.parse().unwrap_or_default();
            }
            return true;
        }
        self.failed += 1;
        let body = String::from_utf8_lossy(&seen.body);
        self.failure = Some(format!("status {:?}, {outcome:?}: {body}", seen.status));
        false
    }

    pub fn extend(&mut self, other: Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.cost += other.cost;
        self.failure = self.failure.take().or(other.failure);
    }
}

impl Measured {
    fn add(&mut self, since: Instant, count: bool, seen: &Seen, outcome: std::io::Result<()>) {
        let ended = Instant::now();
        if self.tally.add(seen, outcome) && count {
            self.calls += 1;
            self.whole.add(ended - since);
            self.first.add(seen.first.unwrap_or(ended) - since);
            seen.behind.into_iter().for_each(|behind| self.behind.add(behind));
            self.arrivals += u64::from(seen.arrivals);
        }
    }

    pub fn extend(&mut self, other: Self) {
        self.whole.extend(other.whole);
        self.first.extend(other.first);
        self.behind.extend(other.behind);
        self.arrivals += other.arrivals;
        self.calls += other.calls;
        self.tally.extend(other.tally);
    }
}

/// Calls that arrive at a constant rate, whatever became of the ones before. Each is measured from
/// the moment at which it was due, so that a stall is seen by all whom it would have met.
pub async fn open_loop(target: &Target, per_second: u32, length: Duration) -> Measured {
    let measured = Arc::new(Mutex::new(Measured::default()));
    let idle = Arc::new(Mutex::new(Vec::<Wire>::new()));
    let counted_from = Instant::now() + WARM_UP;
    let mut due = arrivals(per_second, WARM_UP + length);
    let mut calls = Vec::new();
    while let Some(due) = due.recv().await {
        let (measured, idle, target) = (measured.clone(), idle.clone(), target.clone());
        calls.push(tokio::spawn(async move {
            let mut seen = Seen::default();
            let pooled = idle.lock().pop();
            let outcome = async {
                let mut wire = match pooled {
                    Some(wire) => wire,
                    None => Wire::connect(target.address).await?,
                };
                wire.call(&target.request, &mut seen, None).await?;
                idle.lock().push(wire);
                Ok(())
            };
            let outcome = outcome.await;
            measured.lock().add(due, due >= counted_from, &seen, outcome);
        }));
    }
    for call in calls {
        call.await.ok();
    }
    std::mem::take(&mut *measured.lock())
}

/// A thread of its own keeps the time: a runtime's timers are exact to a millisecond only.
fn arrivals(per_second: u32, length: Duration) -> mpsc::UnboundedReceiver<Instant> {
    let (tell, told) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let begun = Instant::now();
        let pace = Duration::from_secs(1) / per_second;
        let mut due = begun;
        while due < begun + length {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if tell.send(due).is_err() {
                return;
            }
            due += pace;
        }
    });
    told
}

/// So many callers at once, each with its next call as soon as the one before is answered.
pub async fn closed_loop(target: &Target, callers: u32, length: Duration) -> Measured {
    let counted_from = Instant::now() + WARM_UP;
    let until = counted_from + length;
    let callers: Vec<_> =
        (0..callers).map(|_| tokio::spawn(caller(target.clone(), counted_from, until))).collect();
    let mut all = Measured::default();
    for caller in callers {
        if let Ok(measured) = caller.await {
            all.extend(measured);
        }
    }
    all
}

async fn caller(target: Target, counted_from: Instant, until: Instant) -> Measured {
    let mut measured = Measured::default();
    let mut wire = None;
    let mut seen = Seen::default();
    while Instant::now() < until {
        seen = Seen { body: std::mem::take(&mut seen.body), ..Seen::default() };
        seen.body.clear();
        let since = Instant::now();
        let outcome = async {
            if wire.is_none() {
                wire = Some(Wire::connect(target.address).await?);
            }
            match &mut wire {
                Some(wire) => wire.call(&target.request, &mut seen, None).await,
                None => Ok(()),
            }
        };
        let outcome = outcome.await;
        if outcome.is_err() {
            wire = None;
        }
        let counts = since >= counted_from && Instant::now() <= until;
        measured.add(since, counts, &seen, outcome);
    }
    measured
}
