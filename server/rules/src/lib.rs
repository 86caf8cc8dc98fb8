//! Rules about calls: which are allowed, asked about or denied.
//!
//! A rule is a row: an effect, the actions and resources that it is about, whose calls, and a
//! condition in CEL on the call's arguments and labels, its caller, the time and the budget that is
//! left. `judge` is a pure function of the rules and a [`Call`]; model calls ask it today, whatever
//! else calls something asks it the same question.
//!
//! What always holds: rules narrow what roles give and never add to it; denying goes before asking
//! and asking before allowing, in whatever order the rows come; a condition was parsed, bounded and
//! tried before it was stored, and one that fails on a real call counts as met where it would stop
//! the call and as not met where it would let it pass. Compiled rules are kept by the version of the
//! organisation's policies, so a change holds with the next call here and within a second elsewhere.
//!
//! Uses `access`, `audit` and `identity`; used by `broker`.

mod bounds;
mod call;
mod condition;
mod facts;
#[cfg(test)]
mod hostile;
mod judge;
mod pattern;
#[cfg(test)]
mod proofs;
mod rule;
mod ruleset;
mod settings;
mod simulate;
mod sql;
mod terms;
mod trial;

use std::fmt;
use std::sync::Arc;

use ralex_access::Access;
use ralex_identity::Identity;
use ralex_kernel::Clock;
use ralex_store::Db;

pub use call::{ACTIONS, Arguments, Call, Left, Phase, Resource, Who};
pub use judge::{Applied, Verdict, judge};
pub use ruleset::{Compiled, Rules, Uses};

/// The rules of this process. Cheap to clone.
#[derive(Clone)]
pub struct CallRules(Arc<Inner>);

struct Inner {
    db: Db,
    access: Arc<Access>,
    identity: Identity,
    clock: Clock,
    sets: ruleset::Sets,
    default_max_output: u64,
}

impl CallRules {
    /// `default_max_output` counts where a call does not say how long its answer may be.
    pub fn new(
        db: Db,
        access: Arc<Access>,
        identity: Identity,
        clock: Clock,
        default_max_output: u64,
    ) -> Self {
        let sets = ruleset::sets();
        Self(Arc::new(Inner { db, access, identity, clock, sets, default_max_output }))
    }

    /// What rules read as the most tokens of an answer: what the caller says, or the default.
    pub fn max_output(&self, said: Option<u64>) -> u64 {
        said.unwrap_or(self.0.default_max_output)
    }
}

impl fmt::Debug for CallRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallRules")
    }
}
