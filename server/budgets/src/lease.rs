//! Leases: what a node has in hand of its budgets, to send a call before its record is durable.
//!
//! A call that takes its worst case from a lease may go out at once, while its hold and its intent
//! are being written: should the node die in between, the lease still covers it, and is counted as
//! spent until it is known better. Writing the hold takes the same amount out of the lease, so that
//! the database always knows `spent + held + leased <= limit`.
//!
//! A lease is as large as calls on their way have needed lately, and never more than a part of what
//! is left, so that near a limit there is none and every call is decided in the database. It goes
//! back when it is not used, when another node is short of it, and when the node ends. A node that
//! has not said that it lives for a while takes nothing more out of its leases, well before others
//! take it for dead.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ralex_kernel::{Money, NodeId};
use tokio::sync::Notify;

use crate::charge::PeriodKey;
use crate::hold::{Claim, Hold};

/// How long after it said so a node believes that it lives; others believe it for twice as long.
pub(crate) const ALIVE: Duration = Duration::from_secs(15);
/// How long nothing is leased of a period that somebody was short of.
const COLD: Duration = Duration::from_secs(5);
/// How many times what is on its way is kept in hand.
const SPARE: i64 = 4;
/// A lease is at most this part of what is left.
pub(crate) const PART: i64 = 8;
/// And all leases together, also those of nodes that have died and are not missed yet, are at most
/// this part of it when one is taken, so that no number of deaths withholds the rest from others.
pub(crate) const TOGETHER: i64 = 4;
/// Periods that a node has leases of at most.
const MOST: usize = 65_536;

/// What this node has in hand.
#[derive(Clone, Debug, Default)]
pub struct Leases(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when something is to be given back.
    due: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Until when this node is surely known to live.
    alive: Option<Instant>,
    /// Whether the last batch was written. Where it was not, nobody knows what is in hand.
    sure: bool,
    hands: HashMap<PeriodKey, Hand>,
}

/// The lease of one period.
#[derive(Debug, Default)]
struct Hand {
    /// Not promised to any call.
    free: Money,
    /// Taken by calls whose holds are not written yet.
    promised: Money,
    /// How large it should be.
    want: Money,
    /// The most that was promised at a time since the last look.
    peak: Money,
    used: bool,
    /// Nothing is leased until then.
    cold: Option<Instant>,
    /// All that is free goes back.
    due: bool,
    /// A batch that changed it may have been written or not.
    unsure: bool,
}

/// What goes back of a lease: so much, but for what is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Give {
    pub amount: Money,
    pub keep: Money,
}

/// What one batch does with a node's leases.
#[derive(Clone, Debug)]
pub struct Leasing {
    pub(crate) node: NodeId,
    pub(crate) wants: HashMap<PeriodKey, Money>,
    pub(crate) gives: BTreeMap<PeriodKey, Give>,
}

impl Leases {
    /// Says that the database was told, by a statement that began at `begun`, that this node lives.
    pub fn alive(&self, begun: Instant) {
        let mut state = self.0.state.lock();
        if state.alive.is_none_or(|until| begun > until) {
            // Others may have taken it for dead meanwhile, and its leases from it.
            state.doubt();
        }
        state.alive = Some(begun + ALIVE);
    }

    /// Takes the worst case of a call out of the leases of all its budgets, or out of none. A soft
    /// budget refuses nobody and needs no lease.
    pub fn promise(&self, hold: &Hold) -> bool {
        let mut state = self.0.state.lock();
        let mut enough = state.sure && state.is_alive();
        for key in binding(hold) {
            // Every one that is short is remembered, so that all of them have enough the next time.
            enough &= state.hand(key).is_some_and(|hand| hand.has(hold.amount));
        }
        if enough {
            for key in binding(hold) {
                if let Some(hand) = state.hands.get_mut(&key) {
                    hand.take(hold.amount);
                }
            }
        }
        enough
    }

    /// What a batch with these holds should have in hand when it is written, and what it gives
    /// back: what is due, and all that is free of `needed`. The batch must be followed by
    /// [`Leases::written`], [`Leases::not_written`] or [`Leases::unsure`].
    pub fn leasing(&self, node: NodeId, holds: &[Hold], needed: &[PeriodKey]) -> Leasing {
        let mut state = self.0.state.lock();
        for key in needed {
            if let Some(hand) = state.hands.get_mut(key) {
                hand.due = true;
            }
        }
        let gives = state.hands.iter_mut().filter_map(|(key, hand)| Some((*key, hand.give()?)));
        let gives = gives.collect();
        let alive = state.is_alive();
        let mut wants = HashMap::new();
        for key in holds.iter().flat_map(binding).filter(|_| alive) {
            if let Some(hand) = state.hands.get(&key).filter(|hand| !hand.is_cold()) {
                wants.insert(key, hand.want);
            }
        }
        Leasing { node, wants, gives }
    }

    /// A batch was written: `holds` are no promises any more, and `leases` are what the database
    /// says of each period that the batch locked.
    pub fn written<'a>(
        &self,
        holds: impl Iterator<Item = &'a Hold>,
        leases: &[(PeriodKey, Money)],
    ) {
        let mut state = self.0.state.lock();
        state.sure = true;
        for hold in holds.filter(|hold| hold.claim == Claim::Promised) {
            for key in binding(hold) {
                if let Some(hand) = state.hands.get_mut(&key) {
                    hand.promised = (hand.promised - hold.amount).max(Money::ZERO);
                }
            }
        }
        for (key, amount) in leases {
            if let Some(hand) = state.hand(*key) {
                hand.free = (*amount - hand.promised).max(Money::ZERO);
                hand.unsure = false;
            }
        }
    }

    /// A batch was given up before anything of it was written.
    pub fn not_written(&self, leasing: &Leasing) {
        let mut state = self.0.state.lock();
        for (key, give) in &leasing.gives {
            if let Some(hand) = state.hands.get_mut(key) {
                hand.due = true;
                if !hand.unsure {
                    hand.free += give.amount;
                }
            }
        }
    }

    /// A batch failed, and nobody knows whether it was written: until one is, nothing is in hand.
    pub fn unsure(&self) {
        let mut state = self.0.state.lock();
        state.sure = false;
        state.doubt();
    }

    /// Whether a batch of these holds leaves all leases as they are: what promises take out is put
    /// back at once, nothing goes back, and all are as large as they should be.
    pub fn stay(&self, holds: &[Hold]) -> bool {
        let state = self.0.state.lock();
        if state.hands.values().any(Hand::owes) {
            return false;
        }
        let promised = holds.iter().any(|hold| hold.claim == Claim::Promised);
        let mut hands = holds.iter().flat_map(binding).map(|key| state.hands.get(&key));
        let is_enough =
            |hand: &Hand| times(hand.free.saturating_add(hand.promised), 2) >= hand.want;
        if state.is_alive() {
            hands.all(|hand| hand.is_none_or(|hand| hand.is_cold() || is_enough(hand)))
        } else {
            !promised
        }
    }

    /// A batch was written that left all leases as they are.
    pub fn stayed(&self, holds: &[Hold]) {
        let mut state = self.0.state.lock();
        state.sure = true;
        for hold in holds.iter().filter(|hold| hold.claim == Claim::Promised) {
            for key in binding(hold) {
                if let Some(hand) = state.hands.get_mut(&key) {
                    hand.promised = (hand.promised - hold.amount).max(Money::ZERO);
                    hand.free += hold.amount;
                }
            }
        }
    }

    /// Somebody is short of what this node may have in hand.
    pub fn recall(&self, key: PeriodKey) {
        let mut state = self.0.state.lock();
        let Some(hand) = state.hands.get_mut(&key) else { return };
        hand.cool();
        hand.due |= hand.free.is_positive();
        let due = hand.due;
        drop(state);
        if due {
            self.0.due.notify_one();
        }
    }

    /// What others asked for may not have been heard for a while.
    pub fn recall_all(&self) {
        let mut state = self.0.state.lock();
        for hand in state.hands.values_mut() {
            hand.due |= hand.free.is_positive();
        }
        drop(state);
        self.0.due.notify_one();
    }

    /// Gives back what has not been used since the last look, and makes the rest as large as is
    /// needed.
    pub fn look(&self) {
        let mut state = self.0.state.lock();
        state.hands.retain(|_, hand| hand.look());
        let due = state.hands.values().any(Hand::owes);
        drop(state);
        if due {
            self.0.due.notify_one();
        }
    }

    /// Gives everything back, since this node says no more that it lives: what it still does may
    /// take longer than others wait before they take it for dead.
    pub fn retire(&self) {
        let mut state = self.0.state.lock();
        state.alive = None;
        for hand in state.hands.values_mut() {
            hand.cool();
            hand.due = true;
        }
        drop(state);
        self.0.due.notify_one();
    }

    /// Whether all promises are kept, so that the rest may be given back for good.
    pub fn are_settled(&self) -> bool {
        let state = self.0.state.lock();
        state.sure && state.hands.values().all(|hand| !hand.promised.is_positive())
    }

    /// Whether this node has something in hand of any of these.
    pub fn have(&self, keys: &[PeriodKey]) -> bool {
        let state = self.0.state.lock();
        let hands = keys.iter().filter_map(|key| state.hands.get(key));
        hands.into_iter().any(|hand| hand.unsure || hand.free.is_positive())
    }

    /// Whether something is to be given back.
    pub fn owe(&self) -> bool {
        self.0.state.lock().hands.values().any(Hand::owes)
    }

    /// Returns when something is to be given back.
    pub async fn due(&self) {
        self.0.due.notified().await;
    }
}

impl State {
    /// Nothing where a node has as many leases as it may.
    fn hand(&mut self, key: PeriodKey) -> Option<&mut Hand> {
        let full = self.hands.len() >= MOST;
        match self.hands.entry(key) {
            Entry::Occupied(hand) => Some(hand.into_mut()),
            Entry::Vacant(_) if full => None,
            Entry::Vacant(slot) => Some(slot.insert(Hand::default())),
        }
    }

    fn doubt(&mut self) {
        for hand in self.hands.values_mut() {
            hand.free = Money::ZERO;
            (hand.unsure, hand.due) = (true, true);
        }
    }

    fn is_alive(&self) -> bool {
        self.alive.is_some_and(|until| Instant::now() < until)
    }
}

impl Hand {
    fn has(&mut self, amount: Money) -> bool {
        self.used = true;
        if self.free >= amount {
            return true;
        }
        self.want = self.want.max(times(self.promised.saturating_add(amount), SPARE));
        false
    }

    fn take(&mut self, amount: Money) {
        self.free = self.free - amount;
        self.promised += amount;
        self.peak = self.peak.max(self.promised);
    }

    fn owes(&self) -> bool {
        self.due && (self.unsure || self.free.is_positive())
    }

    /// Takes out what is due.
    fn give(&mut self) -> Option<Give> {
        let owes = self.owes();
        self.due = false;
        if !owes {
            return None;
        }
        let amount = if self.unsure { Money::MAX } else { std::mem::take(&mut self.free) };
        Some(Give { amount, keep: self.promised })
    }

    fn is_cold(&self) -> bool {
        self.cold.is_some_and(|until| Instant::now() < until)
    }

    fn cool(&mut self) {
        self.cold = Some(Instant::now() + COLD);
        self.want = Money::ZERO;
    }

    /// Whether it is still to be remembered.
    fn look(&mut self) -> bool {
        let used = std::mem::take(&mut self.used);
        if used && !self.is_cold() {
            self.want = times(self.peak, SPARE);
        } else if !used {
            self.want = Money::ZERO;
        }
        self.peak = self.promised;
        self.due |= self.free > times(self.want, 2);
        let holds = self.promised.is_positive() || self.free.is_positive();
        used || holds || self.unsure || self.is_cold()
    }
}

/// The budgets that can refuse a call.
fn binding(hold: &Hold) -> impl Iterator<Item = PeriodKey> + '_ {
    let charges = hold.charges.iter().filter(|charge| charge.hard && hold.amount.is_positive());
    charges.map(|charge| charge.key(hold.org))
}

fn times(amount: Money, times: i64) -> Money {
    Money::nanos(amount.as_nanos().saturating_mul(times))
}
