//! Reports: evidence for auditors, made from what the system knows and provable by its own log.
//!
//! What always holds: every format of a report is written from the same rows; its hashes are in the
//! audit log, so the log vouches for the file; it holds no secret, no prompt and no answer; it is made
//! with the rights that its asker has at that moment; each period of a schedule is reported once; and
//! a report whose process died is taken up again by the next. It says what is so and never that
//! anything conforms.
//!
//! Uses `audit`, `access`, `usage`, `budgets`, `sinks` and `mail`; used by the binary.

mod calendar;
mod check;
mod compliance;
mod document;
mod download;
mod frame;
mod kinds;
mod letter;
mod make;
mod packed;
mod pdf;
mod report;
mod runner;
mod sample;
mod schedule;
mod sql;
mod work;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ralex_access::Access;
use ralex_audit::Audit;
use ralex_kernel::{Clock, Problem};
use ralex_mail::Mailer;
use ralex_sinks::Sinks;
use ralex_store::Db;
use ralex_usage::Usage;
use tokio::sync::Notify;

use compliance::Book;
pub use download::{Download, Parts};

/// The reports of this process. Cheap to clone.
#[derive(Clone)]
pub struct Reports(Arc<Inner>);

/// How much is made, and how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest file of a report, in bytes.
    pub bytes: usize,
    /// For how many days a report is kept.
    pub days: u32,
}

/// What reports are made from and with.
pub struct Sources {
    pub db: Db,
    pub access: Arc<Access>,
    pub audit: Audit,
    pub usage: Usage,
    pub sinks: Sinks,
    pub mailer: Mailer,
    pub clock: Clock,
}

pub(crate) struct Inner {
    db: Db,
    access: Arc<Access>,
    audit: Audit,
    usage: Usage,
    sinks: Sinks,
    mailer: Mailer,
    clock: Clock,
    limits: Limits,
    book: Book,
    /// Something was asked for.
    wanted: Notify,
}

impl Reports {
    /// Reads the frameworks: those in the folder `compliance` of the operator's policies, where there
    /// is one, or the built-in ones.
    pub fn open(
        sources: Sources,
        limits: Limits,
        policies: Option<&Path>,
    ) -> Result<Self, Problem> {
        let Sources { db, access, audit, usage, sinks, mailer, clock } = sources;
        let book = Book::load(policies)?;
        let wanted = Notify::new();
        let inner = Inner { db, access, audit, usage, sinks, mailer, clock, limits, book, wanted };
        Ok(Self(Arc::new(inner)))
    }
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reports")
    }
}
