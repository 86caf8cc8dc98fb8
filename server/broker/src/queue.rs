//! Turns: how many calls of a provider run at once, and who is next when all places are taken.
//!
//! Each provider has so many places on this node. Where none is free a call waits, and the next
//! free place goes by weighted fair queueing: every team has its own line for each priority, and
//! lines are served in proportion to the priority's weight, so that one team's flood does not keep
//! another's single call waiting. A call that has waited too long is told when to come again.
//!
//! What always holds: a place is given back when its permit is dropped, also by a caller who left
//! while waiting; nobody waits while a place is free.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ralex_api::routing::Priority;
use ralex_kernel::{Code, OrgId, Problem, ProviderId, ScopePath, TeamId};
use tokio::sync::oneshot;

/// How many calls run and wait.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Calls of one provider at once.
    pub at_once: u32,
    /// Calls that may wait for a place of one provider.
    pub waiting: u32,
    pub longest_wait: Duration,
}

impl Default for Places {
    fn default() -> Self {
        Self { at_once: 10_000, waiting: 10_000, longest_wait: Duration::from_secs(30) }
    }
}

/// What a place costs a line: the less, the more of them it gets.
const fn cost(priority: Priority) -> u64 {
    match priority {
        Priority::High => 1,
        Priority::Normal => 4,
        Priority::Low => 16,
    }
}

type Gate = (OrgId, ProviderId);
type Line = (Option<TeamId>, Priority);

/// All providers' places on this node. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Places,
    gates: Mutex<HashMap<Gate, State>>,
}

#[derive(Debug, Default)]
struct State {
    running: u32,
    /// By the virtual time at which each would be done, then by arrival.
    waiting: BTreeMap<(u64, u64), oneshot::Sender<()>>,
    arrivals: u64,
    /// The virtual time, which advances with every place that is given.
    now: u64,
    /// When each line's last call would be done.
    lines: HashMap<Line, u64>,
}

/// A place; given to the next one when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    queue: Queue,
    gate: Gate,
}

/// One that waits; leaves when it is dropped.
struct Waiting<'a> {
    queue: &'a Queue,
    gate: Gate,
    ticket: (u64, u64),
    turn: oneshot::Receiver<()>,
    taken: bool,
}

impl Queue {
    pub fn new(places: Places) -> Self {
        Self(Arc::new(Inner { places, gates: Mutex::default() }))
    }

    /// Waits for a place at a provider.
    ///
    /// # Errors
    /// Where too many wait already, or this one has waited for too long.
    pub async fn place(
        &self,
        org: OrgId,
        provider: ProviderId,
        at: ScopePath,
        priority: Priority,
    ) -> Result<Permit, Problem> {
        self.place_until(org, provider, at, priority, self.patience()).await
    }

    /// When one that begins to wait now has waited for too long.
    pub fn patience(&self) -> Instant {
        Instant::now() + self.0.places.longest_wait
    }

    /// The same as [`Queue::place`] for one that has waited elsewhere: until then, and once that is
    /// over, only for a place that is free.
    pub async fn place_until(
        &self,
        org: OrgId,
        provider: ProviderId,
        at: ScopePath,
        priority: Priority,
        until: Instant,
    ) -> Result<Permit, Problem> {
        let gate = (org, provider);
        let began = Instant::now();
        let Some(mut waiting) = self.enter(gate, (at.team(), priority))? else {
            return Ok(Permit { queue: self.clone(), gate });
        };
        metrics::gauge!("ralex_queue_waiting").increment(1.0);
        let turn = tokio::time::timeout_at(until.into(), &mut waiting.turn).await;
        metrics::gauge!("ralex_queue_waiting").decrement(1.0);
        metrics::histogram!("ralex_queue_seconds", "priority" => priority.as_str())
            .record(began.elapsed());
        if !matches!(turn, Ok(Ok(()))) {
            return Err(too_many("This call waited too long for its turn."));
        }
        waiting.taken = true;
        Ok(Permit { queue: self.clone(), gate })
    }

    /// Takes a free place at once, and gives nothing; or joins a line.
    fn enter(&self, gate: Gate, line: Line) -> Result<Option<Waiting<'_>>, Problem> {
        let places = &self.0.places;
        let mut gates = self.0.gates.lock();
        let state = gates.entry(gate).or_default();
        if state.running < places.at_once {
            state.running += 1;
            return Ok(None);
        }
        if state.waiting.len() >= usize::try_from(places.waiting).unwrap_or(usize::MAX) {
            return Err(too_many("Too many calls wait for this provider."));
        }
        let (ticket, turn) = state.join(line);
        Ok(Some(Waiting { queue: self, gate, ticket, turn, taken: false }))
    }

    fn give_back(&self, gate: Gate) {
        let mut gates = self.0.gates.lock();
        if let Some(state) = gates.get_mut(&gate) {
            state.release();
            if state.running == 0 {
                gates.remove(&gate);
            }
        }
    }
}

impl State {
    fn join(&mut self, line: Line) -> ((u64, u64), oneshot::Receiver<()>) {
        let begins = self.lines.get(&line).copied().unwrap_or(0).max(self.now);
        let done = begins + cost(line.1);
        self.lines.insert(line, done);
        self.arrivals += 1;
        let ticket = (done, self.arrivals);
        let (call, turn) = oneshot::channel();
        self.waiting.insert(ticket, call);
        (ticket, turn)
    }

    /// Hands the place to whoever is next, or frees it.
    fn release(&mut self) {
        while let Some(((done, _), call)) = self.waiting.pop_first() {
            self.now = self.now.max(done);
            // Who has left meanwhile is passed over.
            if call.send(()).is_ok() {
                return;
            }
        }
        self.running = self.running.saturating_sub(1);
        // Nobody waits: the past counts for nobody any more.
        self.lines.clear();
        self.now = 0;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.queue.give_back(self.gate);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let waited = {
            let mut gates = self.queue.0.gates.lock();
            gates.get_mut(&self.gate).and_then(|state| state.waiting.remove(&self.ticket))
        };
        // Called at the moment of leaving: the place goes on to the next.
        if waited.is_none() && self.turn.try_recv().is_ok() {
            self.queue.give_back(self.gate);
        }
    }
}

fn too_many(what: &str) -> Problem {
    metrics::counter!("ralex_queue_refused_total").increment(1);
    let detail = format!("{what} Try again in a moment, or with fewer calls at once.");
    Problem::new(Code::Unavailable, detail).with_retry_after(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(at_once: u32, waiting: u32) -> Queue {
        Queue::new(Places { at_once, waiting, longest_wait: Duration::from_secs(5) })
    }

    fn gate() -> Gate {
        (OrgId::generate(), ProviderId::generate())
    }

    fn running(queue: &Queue, gate: Gate) -> u32 {
        queue.0.gates.lock().get(&gate).map_or(0, |state| state.running)
    }

    /// The order in which waiting lines are served when places come free one by one.
    fn served(queue: &Queue, gate: Gate, lines: &[(&str, Line)]) -> Vec<String> {
        let mut waiting: Vec<_> = lines
            .iter()
            .map(|(name, line)| (*name, queue.enter(gate, *line).unwrap().unwrap()))
            .collect();
        let mut order = Vec::new();
        while !waiting.is_empty() {
            queue.give_back(gate);
            let next = waiting.iter_mut().position(|(_, one)| one.turn.try_recv().is_ok()).unwrap();
            let (name, mut one) = waiting.remove(next);
            one.taken = true;
            order.push(name.to_owned());
        }
        order
    }

    #[tokio::test]
    async fn a_flood_of_one_team_keeps_another_waiting_for_one_turn_only() {
        let (queue, gate) = (queue(1, 100), gate());
        let _running = queue.place(gate.0, gate.1, ScopePath::Org, Priority::Normal).await.unwrap();
        let flood = (Some(TeamId::generate()), Priority::Normal);
        let single = (Some(TeamId::generate()), Priority::Normal);
        let lines = [("flood", flood), ("flood", flood), ("flood", flood), ("single", single)];
        let order = served(&queue, gate, &lines);
        assert_eq!(order, ["flood", "single", "flood", "flood"]);
    }

    #[tokio::test]
    async fn priorities_share_by_their_weight_and_none_starves() {
        let (queue, gate) = (queue(1, 100), gate());
        let _running = queue.place(gate.0, gate.1, ScopePath::Org, Priority::Normal).await.unwrap();
        let lines: Vec<(&str, Line)> = std::iter::repeat_n(("low", (None, Priority::Low)), 4)
            .chain(std::iter::repeat_n(("high", (None, Priority::High)), 40))
            .collect();
        let order = served(&queue, gate, &lines);
        assert_eq!(order[0], "high", "although it came later");
        let first_low = order.iter().position(|name| name == "low").unwrap();
        assert_eq!(first_low, 15, "after as many as the weights say: {order:?}");
    }

    #[tokio::test]
    async fn who_leaves_gives_the_place_back_and_nobody_waits_beside_a_free_one() {
        let (queue, gate) = (queue(1, 100), gate());
        let first = queue.place(gate.0, gate.1, ScopePath::Org, Priority::Normal).await.unwrap();
        let gone = queue.enter(gate, (None, Priority::Normal)).unwrap().unwrap();
        let called = queue.enter(gate, (None, Priority::Normal)).unwrap().unwrap();
        drop(gone);
        drop(first);
        // Called, and left before it could take the place.
        drop(called);
        assert_eq!(running(&queue, gate), 0);
        queue.place(gate.0, gate.1, ScopePath::Org, Priority::Normal).await.unwrap();
    }

    #[tokio::test]
    async fn who_cannot_wait_is_told_when_to_come_again() {
        let longest_wait = Duration::from_millis(20);
        let queue = Queue::new(Places { at_once: 1, waiting: 1, longest_wait });
        let gate = gate();
        let place = || queue.place(gate.0, gate.1, ScopePath::Org, Priority::Normal);
        let _running = place().await.unwrap();
        let late = place().await.unwrap_err();
        assert_eq!((late.code, late.retry_after), (Code::Unavailable, Some(2)));
        let _waiting = queue.enter(gate, (None, Priority::Low)).unwrap().unwrap();
        let full = place().await.unwrap_err();
        assert!(full.detail.contains("Too many"), "{}", full.detail);
    }
}
