//! Several keys of one provider: the one with the fewest calls under way comes first, and equal
//! ones take turns.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use ralex_kernel::SecretId;
use ralex_vault::KeyRef;

/// How many calls of this node use each key now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    in_use: Mutex<HashMap<SecretId, u32>>,
    turn: AtomicUsize,
}

/// A key in use, until it is dropped.
#[derive(Debug)]
pub(crate) struct InUse {
    keys: Keys,
    id: SecretId,
}

impl Keys {
    /// Puts keys into the order in which to try them.
    pub fn order(&self, mut keys: Vec<KeyRef>) -> Vec<KeyRef> {
        if keys.len() > 1 {
            let turn = self.0.turn.fetch_add(1, Ordering::Relaxed) % keys.len();
            keys.rotate_left(turn);
            let in_use = self.0.in_use.lock();
            keys.sort_by_key(|key| in_use.get(&key.secret).copied().unwrap_or(0));
        }
        keys
    }

    pub fn begin(&self, id: SecretId) -> InUse {
        *self.0.in_use.lock().entry(id).or_default() += 1;
        InUse { keys: self.clone(), id }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut in_use = self.keys.0.in_use.lock();
        if let Some(count) = in_use.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                in_use.remove(&self.id);
            }
        }
    }
}
