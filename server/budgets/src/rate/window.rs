//! What a node has in hand of every rate limit, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::known::{Demand, Limit};
use super::{Key, Shortage};
use crate::sql::rate::Answer;

/// A refusal is believed for so long at most: others may give back meanwhile.
const BELIEVED: Duration = Duration::from_millis(250);
/// How long other nodes may take to give back what they were asked for.
const GIVING: Duration = Duration::from_millis(50);
/// What nobody has asked for since then goes back.
const IDLE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Windows(HashMap<Key, Window>);

/// What became of a demand.
#[derive(Debug)]
pub(crate) enum Room {
    /// All of it was taken, each in its slot.
    Taken(Vec<i64>),
    /// More has to be asked for first.
    Short,
    Refused(Shortage),
    /// There may be room in a moment, since others were asked for what they have in hand.
    Later(Duration, Shortage),
}

/// One limit.
#[derive(Debug, Default)]
pub(crate) struct Window {
    slot: i64,
    /// When the slot ends, or a moment before.
    until: Option<Instant>,
    now: Slot,
    /// Slots that have ended and still count.
    past: BTreeMap<i64, Slot>,
    /// How long a slot is, and how many a window has.
    length: Duration,
    slots: u32,
    amount: u64,
    /// What nobody had taken when that was last asked.
    room: u64,
    no_room: Option<NoRoom>,
    /// What was used of the slot before.
    pace: u64,
    /// Refusals that were not told yet.
    refused: u64,
    asked: Option<Instant>,
    /// Another node is short of it.
    due: bool,
    /// The limit was deleted.
    gone: bool,
}

/// What was taken of one slot, and used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    given: u64,
    used: u64,
    /// What the database surely has as taken.
    told: Option<u64>,
}

impl Default for Slot {
    fn default() -> Self {
        Self { given: 0, used: 0, told: Some(0) }
    }
}

#[derive(Clone, Copy, Debug)]
struct NoRoom {
    smallest: u64,
    at: Instant,
    /// When there will be room, as far as is known.
    free: Option<Instant>,
    asked_back: bool,
}

/// What a node asks of one limit, and gives back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asking {
    pub smallest: u64,
    pub needed: u64,
    pub spare: u64,
    pub refused: u64,
    /// What was used of slots that more was taken of.
    pub used: Vec<(i64, u64)>,
}

impl Windows {
    /// Takes all of it or nothing.
    pub fn take(&mut self, demands: &[Demand]) -> Room {
        let now = Instant::now();
        let mut short = false;
        for Demand { limit, units } in demands {
            let window = self.0.entry(limit.key()).or_default();
            window.asked = Some(now);
            if window.has(*units, now) {
                continue;
            }
            if let Some(shortage) = window.refusal(limit, *units, now) {
                if let Some(pause) = window.giving(now) {
                    return Room::Later(pause, shortage);
                }
                window.refused += 1;
                return Room::Refused(shortage);
            }
            short = true;
        }
        if short {
            return Room::Short;
        }
        let take = |demand: &Demand| {
            let window = self.0.entry(demand.limit.key()).or_default();
            window.now.used += demand.units;
            window.slot
        };
        Room::Taken(demands.iter().map(take).collect())
    }

    /// Gives back what was taken for a call that nobody waits for any more.
    pub fn give_back(&mut self, demands: &[Demand], slots: &[i64]) {
        for (Demand { limit, units }, slot) in demands.iter().zip(slots) {
            self.correct(limit.key(), *slot, (*units, 0));
        }
    }

    /// Asks again of these limits, though they were said to have no room.
    pub fn ask_again(&mut self, demands: &[Demand]) {
        for Demand { limit, .. } in demands {
            if let Some(window) = self.0.get_mut(&limit.key()) {
                window.no_room = None;
            }
        }
    }

    /// Another node is short of a limit.
    pub fn recall(&mut self, key: Key) {
        if let Some(window) = self.0.get_mut(&key) {
            window.due = true;
        }
    }

    /// Counts a refusal.
    pub fn refuse(&mut self, limit: &Limit) {
        if let Some(window) = self.0.get_mut(&limit.key()) {
            window.refused += 1;
        }
    }

    /// Says what was really used of what was taken in a slot.
    pub fn correct(&mut self, key: Key, slot: i64, (was, is): (u64, u64)) {
        if let Some(window) = self.0.get_mut(&key) {
            window.correct(slot, was, is);
        }
    }

    /// What is left of a limit, and how long until all of it is.
    pub fn standing(&self, limit: &Limit) -> (u64, Duration) {
        let Some(window) = self.0.get(&limit.key()) else { return (limit.amount, Duration::ZERO) };
        let left = window.room + window.now.given.saturating_sub(window.now.used);
        let left = left.min(window.amount);
        let full = if left == window.amount { Duration::ZERO } else { limit.window };
        (left, full)
    }

    /// What to ask of these limits and to give back of any. `all`: everything that is not used.
    pub fn asking(&mut self, wants: &HashMap<Key, (u64, u64)>, all: bool) -> Vec<(Key, Asking)> {
        let now = Instant::now();
        for key in wants.keys() {
            self.0.entry(*key).or_default().asked = Some(now);
        }
        self.0.retain(|_, window| !window.is_forgotten(now));
        let mut asking: Vec<(Key, Asking)> = Vec::new();
        for (key, window) in &mut self.0 {
            let (smallest, needed) = wants.get(key).copied().unwrap_or_default();
            // Before more is taken all goes back, since what is in hand is too little by itself.
            let all = all || needed > 0 || window.due || window.is_idle(now);
            window.due = false;
            let used = window.give_back(all);
            let refused = std::mem::take(&mut window.refused);
            if needed > 0 || refused > 0 || !used.is_empty() {
                let spare = if needed > 0 { window.pace.max(window.now.used) } else { 0 };
                asking.push((*key, Asking { smallest, needed, spare, refused, used }));
            }
        }
        asking
    }

    /// Takes in what the database said when it was asked at `asked`.
    pub fn answered(&mut self, asking: &[(Key, Asking)], answers: &[Answer], asked: Instant) {
        for (key, sent) in asking {
            let window = self.0.entry(*key).or_default();
            match answers.iter().find(|answer| answer.key() == *key) {
                Some(answer) => window.answered(sent, answer, asked),
                None => window.gone = true,
            }
        }
    }

    /// Nobody knows whether what was asked was done.
    pub fn unanswered(&mut self, asking: &[(Key, Asking)]) {
        for (key, sent) in asking {
            if let Some(window) = self.0.get_mut(key) {
                window.refused += sent.refused;
                if sent.needed > 0 {
                    window.now.told = None;
                }
            }
        }
    }
}

impl Window {
    fn has(&self, units: u64, now: Instant) -> bool {
        let fits = self.now.given >= self.now.used.saturating_add(units);
        self.gone || units == 0 || (fits && self.until.is_some_and(|until| now < until))
    }

    /// Why it is refused without being asked for, where that is known.
    fn refusal(&self, limit: &Arc<Limit>, needed: u64, now: Instant) -> Option<Shortage> {
        let amount = if self.amount > 0 { self.amount } else { limit.amount };
        if needed > amount {
            return Some(Shortage::TooLarge { limit: Arc::clone(limit), needed });
        }
        let no_room = self.no_room.filter(|it| needed >= it.smallest)?;
        let free = no_room.free.unwrap_or(no_room.at + self.length);
        if now >= free.min(no_room.at + BELIEVED) {
            return None;
        }
        Some(Shortage::NoRoom { limit: Arc::clone(limit), needed, after: free - now })
    }

    /// How long to wait for what other nodes were asked for.
    fn giving(&self, now: Instant) -> Option<Duration> {
        let no_room = self.no_room.filter(|it| it.asked_back)?;
        let since = now.saturating_duration_since(no_room.at);
        GIVING.checked_sub(since)
    }

    fn correct(&mut self, slot: i64, was: u64, is: u64) {
        let slot = if slot == self.slot { Some(&mut self.now) } else { self.past.get_mut(&slot) };
        let Some(slot) = slot else { return };
        slot.used = slot.used.saturating_sub(was).saturating_add(is);
        if is < was {
            // There may be room again.
            self.no_room = None;
        }
    }

    fn is_idle(&self, now: Instant) -> bool {
        self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= IDLE)
    }

    /// Whether nothing of it counts any more.
    fn is_forgotten(&self, now: Instant) -> bool {
        let long = self.length * (self.slots + 2);
        let over = self.asked.is_none_or(|it| now.saturating_duration_since(it) > long.max(IDLE));
        over && self.refused == 0
    }

    /// Takes out what was taken and is not used: of slots that have ended, and `all` of this one.
    fn give_back(&mut self, all: bool) -> Vec<(i64, u64)> {
        let over = self.until.is_none_or(|until| Instant::now() >= until);
        let current =
            (all || over || self.now.used > self.now.given).then_some((&self.slot, &mut self.now));
        let slots = self.past.iter_mut().chain(current);
        slots.filter_map(|(slot, it)| Some((*slot, it.give_back()?))).collect()
    }

    fn answered(&mut self, sent: &Asking, answer: &Answer, asked: Instant) {
        for (slot, used) in &sent.used {
            let slot =
                if *slot == self.slot { Some(&mut self.now) } else { self.past.get_mut(slot) };
            if let Some(slot) = slot {
                slot.told = Some(*used);
            }
        }
        if answer.slot != self.slot {
            self.pace = self.now.used;
            self.past.insert(self.slot, self.now);
            // A clock that was set back finds its slots again.
            self.now = self.past.remove(&answer.slot).unwrap_or_default();
            self.slot = answer.slot;
            let oldest = answer.slot - i64::from(answer.slots);
            self.past.retain(|slot, _| *slot >= oldest);
        }
        self.now.given += answer.given;
        self.now.told = self.now.told.map(|told| told + answer.given);
        self.until = Some(asked + answer.left);
        (self.length, self.slots) = (answer.length, answer.slots);
        (self.amount, self.room, self.gone) = (answer.amount, answer.room, false);
        let nothing = sent.smallest > 0 && answer.given == 0;
        self.no_room = nothing.then(|| NoRoom {
            smallest: sent.smallest,
            at: Instant::now(),
            free: answer.free.map(|free| asked + free),
            asked_back: answer.asked_back,
        });
    }
}

impl Slot {
    /// What was used, where the database has something else. Nothing beyond it is given to calls
    /// any more.
    fn give_back(&mut self) -> Option<u64> {
        if self.given == self.used && self.told == Some(self.used) {
            return None;
        }
        self.given = self.used;
        self.told = None;
        Some(self.used)
    }
}

#[cfg(test)]
mod tests;
