//! How long the record of a call that is under way may wait for others to be written with it.
//!
//! A transaction costs the database about as much for one call as for ten, and the record of a call
//! that was sent is needed when its answer is there, which a provider takes its time for. So it
//! waits a part of the shortest time that answers of its model took lately, and no longer once
//! anybody waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ralex_kernel::ModelId;
use tokio::sync::Notify;

/// The longest that a record waits for company.
const LONGEST: Duration = Duration::from_millis(20);
/// The part of a model's shortest time that is waited: writing takes time, too.
const PART: u32 = 4;
/// A longer time counts only a little against a shorter one: who waits for a record in vain loses
/// more than who writes one early.
const SLOWLY: u32 = 16;
/// Models that times are kept of; of any other nothing waits.
const MOST: usize = 4096;

/// What is known of how soon records are needed.
#[derive(Clone, Default)]
pub(super) struct Linger(Arc<Known>);

#[derive(Default)]
struct Known {
    hurry: Notify,
    soonest: Mutex<HashMap<ModelId, Duration>>,
}

/// What tells when one call's record is needed.
pub(super) struct Needed {
    linger: Linger,
    model: Option<ModelId>,
    since: Instant,
}

impl Linger {
    /// By when a call of this model that is sent now should be on its way to the database.
    pub fn until(&self, model: Option<ModelId>) -> Instant {
        let soonest = self.0.soonest.lock();
        let soonest = model.and_then(|model| soonest.get(&model).copied());
        Instant::now() + (soonest.unwrap_or_default() / PART).min(LONGEST)
    }

    /// For a call of this model that is sent now.
    pub fn needed(&self, model: Option<ModelId>) -> Needed {
        Needed { linger: self.clone(), model, since: Instant::now() }
    }

    /// Returns when somebody waits for a record.
    pub async fn hurry(&self) {
        self.0.hurry.notified().await;
    }

    fn learn(&self, model: ModelId, took: Duration) {
        let mut known = self.0.soonest.lock();
        if known.len() >= MOST && !known.contains_key(&model) {
            known.clear();
        }
        let soonest = known.entry(model).or_insert(took);
        *soonest = took.min(*soonest + took.saturating_sub(*soonest) / SLOWLY);
    }
}

impl Needed {
    /// The answer is there, and waits for the record if that is not written yet.
    pub fn now(self, waits: bool) {
        if let Some(model) = self.model {
            self.linger.learn(model, self.since.elapsed());
        }
        if waits {
            self.linger.0.hurry.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(linger: &Linger, model: ModelId) -> Duration {
        linger.until(Some(model)).saturating_duration_since(Instant::now())
    }

    #[test]
    fn a_model_that_answers_at_once_is_never_waited_for_and_a_slow_one_only_so_long() {
        let (linger, quick, slow) = (Linger::default(), ModelId::generate(), ModelId::generate());
        assert_eq!(waits(&linger, slow), Duration::ZERO, "nothing is known of it");
        linger.learn(slow, Duration::from_secs(3));
        assert!(waits(&linger, slow) <= LONGEST && waits(&linger, slow) > LONGEST / 2);
        linger.learn(quick, Duration::from_millis(2));
        assert!(waits(&linger, quick) <= Duration::from_millis(2) / PART);
        linger.learn(slow, Duration::from_millis(2));
        linger.learn(slow, Duration::from_millis(50));
        assert!(waits(&linger, slow) <= Duration::from_millis(5) / PART, "one quick answer counts");
        for _ in 0..200 {
            linger.learn(slow, Duration::from_millis(50));
        }
        assert!(waits(&linger, slow) > Duration::from_millis(10), "and is forgotten in time");
        assert_eq!(linger.until(None).saturating_duration_since(Instant::now()), Duration::ZERO);
    }
}
