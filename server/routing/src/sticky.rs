//! Staying together: which of several places the calls of one session go to.

#![expect(clippy::cast_precision_loss, reason = "estimates need no more than a few digits")]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ralex_kernel::OrgId;

use crate::classify::hash;

/// A node remembers so many sessions; where there are more, the oldest are ranked anew.
const MOST: usize = 50_000;

/// The model that a session's ranked calls went to, for a while, on this node.
#[derive(Debug, Default)]
pub(crate) struct Sticky(Mutex<HashMap<(OrgId, u64), (String, Instant)>>);

impl Sticky {
    pub fn model(&self, org: OrgId, session: &str, stays: Duration) -> Option<String> {
        let sessions = self.0.lock();
        let (model, since) = sessions.get(&(org, spread(session, "session")))?;
        (since.elapsed() < stays).then(|| model.clone())
    }

    pub fn remember(&self, org: OrgId, session: &str, model: &str, stays: Duration) {
        let mut sessions = self.0.lock();
        if sessions.len() >= MOST {
            sessions.retain(|_, (_, since)| since.elapsed() < stays);
        }
        if sessions.len() >= MOST {
            sessions.clear();
        }
        let key = (org, spread(session, "session"));
        sessions.insert(key, (model.to_owned(), Instant::now()));
    }
}

/// A number that only these two texts decide, spread evenly (the finaliser of splitmix64 over
/// FNV-1a), the same on every node.
pub(crate) fn spread(one: &str, other: &str) -> u64 {
    let mut z = hash(&[one, "\u{1f}", other]).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The same of a drawn number, between 0 and 1.
pub(crate) fn share(draw: u64, of: &str) -> f64 {
    spread(&draw.to_string(), of) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_spread_evenly_and_the_same_every_time() {
        let below = (0..10_000u64).filter(|draw| share(*draw, "canary") < 0.1).count();
        assert!((900..1100).contains(&below), "{below}");
        assert_eq!(spread("a", "b"), spread("a", "b"));
        assert_ne!(spread("ab", ""), spread("a", "b"));
    }

    #[test]
    fn a_session_is_remembered_for_its_time_and_in_its_organisation() {
        let (sticky, org, long) = (Sticky::default(), OrgId::generate(), Duration::from_mins(1));
        sticky.remember(org, "s", "m", long);
        assert_eq!(sticky.model(org, "s", long).as_deref(), Some("m"));
        assert_eq!(sticky.model(org, "s", Duration::ZERO), None);
        assert_eq!(sticky.model(OrgId::generate(), "s", long), None);
    }
}
