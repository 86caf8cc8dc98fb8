//! Portability: an organisation takes all that it has with it, as one archive that it can check by itself.
//!
//! What always holds: what is exported is recorded before its first byte leaves, and once more when it has
//! left or broke off; it is of one moment, whatever is written meanwhile; keys, digests and whatever belongs
//! to a person alone are not in it, since the role that reads may not read them; an operator carries it and
//! cannot read it; and its manifest comes last, so that a part is never taken for the whole. However much
//! there is, only a page of it is held at a time.
//!
//! Uses `audit`, `access` and `identity`; used by the binary, whose command checks archives offline.

mod archive;
mod begin;
#[cfg(test)]
mod catalog;
pub mod check;
mod manifest;
mod recipient;
mod send;
mod sql;
mod withheld;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use ralex_audit::Audit;
use ralex_identity::Identity;
use ralex_kernel::Problem;
use ralex_store::Db;
use tokio::sync::Semaphore;

/// So many exports run on one server at once: each holds a connection and a snapshot of the database.
const AT_ONCE: usize = 2;

/// The parts of an archive, in order.
pub type Parts = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Problem>> + Send>>;

/// An archive that is ready to be sent.
pub struct Outgoing {
    pub filename: String,
    pub encrypted: bool,
    pub parts: Parts,
}

/// Exports of this process. Cheap to clone.
#[derive(Clone)]
pub struct Portability(Arc<Inner>);

struct Inner {
    db: Db,
    audit: Audit,
    identity: Identity,
    turns: Arc<Semaphore>,
}

impl Portability {
    pub fn new(db: Db, audit: Audit, identity: Identity) -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self(Arc::new(Inner { db, audit, identity, turns }))
    }
}

impl fmt::Debug for Portability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Portability")
    }
}
