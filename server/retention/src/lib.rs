//! Retention: how long an organisation's audit log says what it says.
//!
//! What always holds: an organisation that has said nothing keeps everything; what it says, and
//! whether the log is held, changes only when two people agree; while there is a hold nothing is
//! pruned; pruning takes events whose time is over, never their hashes, never what a sink has yet
//! to send or the log of logs does not hold, and tells of each place in the log itself.
//!
//! Uses `audit` and `access`; used by the binary.

mod class;
mod request;
mod runner;
mod sql;

use std::fmt;
use std::sync::Arc;

use ralex_access::Access;
use ralex_audit::Audit;
use ralex_kernel::Problem;
use ralex_store::Db;

use class::Class;
pub use request::Verdict;

/// Retention in this process. Cheap to clone.
#[derive(Clone)]
pub struct Retention(Arc<Inner>);

struct Inner {
    db: Db,
    access: Arc<Access>,
    audit: Audit,
    classes: Vec<Class>,
}

impl Retention {
    pub fn new(db: Db, access: Arc<Access>, audit: Audit) -> Result<Self, Problem> {
        Ok(Self(Arc::new(Inner { db, access, audit, classes: class::built_in()? })))
    }
}

impl fmt::Debug for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Retention")
    }
}
