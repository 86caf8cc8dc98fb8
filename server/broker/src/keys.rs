//! Several keys of one provider, each used within what its vendor allows a minute and in
//! proportion to its weight; equal ones take turns.
//!
//! Counted on this node: with several nodes each key may see that much more, and a key that its
//! vendor then limits is left alone by its circuit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ralex_kernel::SecretId;
use ralex_vault::KeyRef;

const MINUTE: Duration = Duration::from_mins(1);

/// How each key is used on this node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    load: Mutex<HashMap<SecretId, Load>>,
    turn: AtomicUsize,
}

/// What a key has to carry: now, in the minute that runs, and in the one before it.
#[derive(Clone, Copy, Debug)]
struct Load {
    in_use: u32,
    began: Instant,
    now: Rate,
    before: Rate,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    requests: u64,
    tokens: u64,
}

/// A key in use, until it is dropped.
#[derive(Debug)]
pub(crate) struct InUse {
    keys: Keys,
    id: SecretId,
}

impl Keys {
    /// Puts keys into the order in which to try them: those within their limits first, and of
    /// these the one that carries the least for its weight.
    pub fn order(&self, mut keys: Vec<KeyRef>) -> Vec<KeyRef> {
        if keys.len() > 1 {
            let turn = self.0.turn.fetch_add(1, Ordering::Relaxed) % keys.len();
            keys.rotate_left(turn);
            let (now, load) = (Instant::now(), self.0.load.lock());
            keys.sort_by_key(|key| rank(key, load.get(&key.secret), now));
        }
        keys
    }

    pub fn begin(&self, id: SecretId) -> InUse {
        let now = Instant::now();
        let mut load = self.0.load.lock();
        let load = load.entry(id).or_insert_with(|| Load::new(now));
        load.turn(now);
        load.in_use += 1;
        load.now.requests += 1;
        InUse { keys: self.clone(), id }
    }
}

/// Whether it is over its limits, whether it is only a reserve, and what it carries for its weight.
fn rank(key: &KeyRef, load: Option<&Load>, now: Instant) -> (bool, bool, u64) {
    let Some(load) = load else { return (false, key.limits.weight == 0, 0) };
    let rate = load.last_minute(now);
    let over = |limit: Option<u32>, used| limit.is_some_and(|limit| used >= u64::from(limit));
    let limits = &key.limits;
    let over = over(limits.requests_per_minute, rate.requests)
        || over(limits.tokens_per_minute, rate.tokens);
    let share = u64::from(load.in_use) * 1_000 / u64::from(limits.weight.max(1))
        + rate.requests / u64::from(limits.weight.max(1));
    (over, limits.weight == 0, share)
}

impl Load {
    const fn new(now: Instant) -> Self {
        let none = Rate { requests: 0, tokens: 0 };
        Self { in_use: 0, began: now, now: none, before: none }
    }

    fn turn(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.began);
        if passed >= MINUTE {
            self.before = if passed < 2 * MINUTE { self.now } else { Rate::default() };
            self.now = Rate::default();
            self.began = now;
        }
    }

    /// The running minute, and as much of the one before it as is not a minute old yet.
    fn last_minute(&self, now: Instant) -> Rate {
        let mut load = *self;
        load.turn(now);
        let passed = now.saturating_duration_since(load.began).min(MINUTE);
        let left = u64::try_from(MINUTE.saturating_sub(passed).as_millis()).unwrap_or(0);
        let part = |count: u64| count * left / 60_000;
        Rate {
            requests: load.now.requests + part(load.before.requests),
            tokens: load.now.tokens + part(load.before.tokens),
        }
    }
}

impl InUse {
    /// Counts what a call with the key used.
    pub fn used(&self, tokens: u64) {
        let now = Instant::now();
        if let Some(load) = self.keys.0.load.lock().get_mut(&self.id) {
            load.turn(now);
            load.now.tokens = load.now.tokens.saturating_add(tokens);
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(load) = self.keys.0.load.lock().get_mut(&self.id) {
            load.in_use = load.in_use.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(requests: u64, before: u64, began: Instant) -> Load {
        let rate = |requests| Rate { requests, tokens: 0 };
        Load { in_use: 0, began, now: rate(requests), before: rate(before) }
    }

    #[test]
    fn the_last_minute_slides() {
        let began = Instant::now();
        let half = load(10, 40, began).last_minute(began + Duration::from_secs(30));
        assert_eq!(half.requests, 10 + 20);
        let later = load(10, 40, began).last_minute(began + Duration::from_mins(1));
        assert_eq!(later.requests, 10, "what ran is what was before");
        let much_later = load(10, 40, began).last_minute(began + Duration::from_secs(200));
        assert_eq!(much_later.requests, 0);
    }
}
