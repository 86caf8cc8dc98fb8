//! Denials: what a caller is told, and what the audit log keeps.
//!
//! A denial is recorded in a transaction of its own. Each kind of denial of a subject is recorded
//! once a minute and a subject has a limit a minute, so that a flood cannot fill the disk; what
//! is left out is counted.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use parking_lot::Mutex;
use ralex_audit::{Author, Event};
use ralex_kernel::{Code, OrgId, Problem, ScopePath, Subject};
use ralex_store::Db;
use tracing::warn;

use crate::Permission;

const WINDOW: Duration = Duration::from_mins(1);
/// Denials of one subject in one organisation that are recorded in a window.
const MOST_OF_ONE: usize = 30;
/// Subjects that are remembered at a time.
const MOST_SUBJECTS: usize = 10_000;
/// How long a denied caller waits for the record of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was asked for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Denial {
    pub permission: Permission,
    pub at: ScopePath,
}

/// Which denials were recorded lately.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    lately: Mutex<HashMap<(Subject, OrgId), Window>>,
}

#[derive(Debug, Default)]
struct Window {
    opened: Duration,
    recorded: HashSet<Denial>,
}

impl Denials {
    /// Whether this one is to be recorded. `now` is a time that nobody sets.
    pub fn is_due(&self, who: (Subject, OrgId), denial: Denial, now: Duration) -> bool {
        let mut lately = self.lately.lock();
        if !lately.contains_key(&who) && lately.len() >= MOST_SUBJECTS {
            lately.retain(|_, window| now.saturating_sub(window.opened) < WINDOW);
            if lately.len() >= MOST_SUBJECTS {
                return false;
            }
        }
        let fresh = || Window { opened: now, recorded: HashSet::new() };
        let window = lately.entry(who).or_insert_with(fresh);
        if now.saturating_sub(window.opened) >= WINDOW {
            *window = fresh();
        }
        window.recorded.len() < MOST_OF_ONE && window.recorded.insert(denial)
    }
}

/// Writes the denial down. Where that fails it is logged; a denial stays a denial.
pub(crate) async fn record(db: Db, author: Author, denial: Denial) {
    let event =
        Event::AccessDenied { permission: denial.permission.as_str().to_owned(), scope: denial.at };
    let write = async {
        let mut tx = db.tenant(author.org).await?;
        ralex_audit::record(&mut tx, &author, event).await?;
        tx.commit().await?;
        Ok::<_, ralex_store::Error>(())
    };
    let failure = match tokio::time::timeout(PATIENCE, write).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the database did not answer in time".to_owned(),
    };
    metrics::counter!("ralex_access_denials_unrecorded_total").increment(1);
    warn!(org.id = %author.org, "a denial was not recorded: {failure}");
}

/// What the caller is told who may know of the organisation.
pub(crate) fn problem(denial: Denial) -> Problem {
    let place = place(denial.at);
    let detail = format!(
        "You need the permission {} {place}. Ask an administrator for a role that has it.",
        denial.permission
    );
    Problem::new(Code::Forbidden, detail)
}

/// What the caller is told whose token is narrowed: a role would change nothing.
pub(crate) fn narrowed(denial: Denial) -> Problem {
    let detail = format!(
        "This token is narrowed to other permissions than {}. Make one that has it among its \
         permissions.",
        denial.permission
    );
    Problem::new(Code::Forbidden, detail)
}

pub(crate) fn place(at: ScopePath) -> String {
    match at {
        ScopePath::Org => "in this organisation".to_owned(),
        ScopePath::Team { team } => format!("in team {team}"),
        ScopePath::Project { project, .. } => format!("in project {project}"),
    }
}
