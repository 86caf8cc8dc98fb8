//! Approvals: what waits for a person before it goes on.
//!
//! Something that a gate stops is *asked* about: it leaves a row behind that says who wants what,
//! where and why it was stopped, and what it asks for is refused until a person who may, and who
//! is not the asker, has decided. Who then asks for the same again is let pass, or is told why not.
//! Model calls are what is asked about today; runs of agents are to be later, by a kind of their own.
//!
//! What always holds: a decision binds one asker, one place and one content, by a keyed hash over
//! all of it, and the rules that asked; nobody decides what they asked for themselves; of two who
//! decide at once one does, and of two who use one approval at once one passes; every step is in
//! the audit log in the transaction that takes it; of the content only some words around what was
//! found are kept, without the value, and only while it waits.
//!
//! Uses `access` and `audit`; used by `broker`.

mod approval;
mod ask;
mod settings;
mod sql;
mod sweep;
mod wait;

use std::fmt;
use std::sync::Arc;

use ralex_access::Access;
use ralex_store::Db;
use zeroize::Zeroizing;

pub use approval::Verdict;
pub use ask::{Answer, Question};
pub use sweep::sweep;
use wait::Waits;

/// The approvals of this process. Cheap to clone.
#[derive(Clone)]
pub struct Approvals(Arc<Inner>);

struct Inner {
    db: Db,
    access: Arc<Access>,
    /// What fingerprints are made with, so that nobody who reads the table can try contents.
    key: Zeroizing<[u8; 32]>,
    waits: Waits,
}

impl Approvals {
    pub fn new(db: Db, access: Arc<Access>, key: Zeroizing<[u8; 32]>) -> Self {
        Self(Arc::new(Inner { db, access, key, waits: Waits::new() }))
    }
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Approvals")
    }
}

/// Counts a step.
fn count(event: &'static str) {
    metrics::counter!("ralex_approvals_total", "event" => event).increment(1);
}
