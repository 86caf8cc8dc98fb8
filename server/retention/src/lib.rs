//! Retention: how long an organisation's audit log says what it says, and single calls are recorded.
//!
//! What always holds: an organisation that has said nothing keeps everything; what it says, and
//! whether the log is held, changes only when two people agree; while there is a hold nothing is
//! pruned; pruning takes events whose time is over, never their hashes, never what a sink has yet
//! to send or the log of logs does not hold, and tells of each place in the log itself. Records of
//! calls are kept by the same rules, and pruned once their sums are where they stay.
//!
//! Uses `audit`, `access` and `routing`, which learns from calls before they go; used by the binary.

mod archive;
mod certificate;
mod class;
mod depart;
mod erase;
mod failure;
mod records;
mod request;
mod runner;
mod sql;

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ralex_access::Access;
use ralex_audit::Audit;
use ralex_kernel::Problem;
use ralex_routing::Routing;
use ralex_store::Db;
use tokio::sync::Mutex;

use class::{Class, Classes};
use records::Records;
pub use request::Verdict;

/// Retention in this process. Cheap to clone.
#[derive(Clone)]
pub struct Retention(Arc<Inner>);

struct Inner {
    db: Db,
    access: Arc<Access>,
    audit: Audit,
    routing: Routing,
    classes: Vec<Class>,
    records: Records,
    /// The folder of archives.
    archive: Option<PathBuf>,
    /// By their SHA-256, the files of it that this server has read and found as they were written.
    intact: Mutex<HashSet<String>>,
}

impl Retention {
    pub fn new(
        db: Db,
        access: Arc<Access>,
        audit: Audit,
        routing: Routing,
        archive: Option<PathBuf>,
    ) -> Result<Self, Problem> {
        let Classes { class: classes, records } = class::built_in()?;
        let intact = Mutex::default();
        Ok(Self(Arc::new(Inner { db, access, audit, routing, classes, records, archive, intact })))
    }
}

impl fmt::Debug for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Retention")
    }
}
