//! Reviews of access: at intervals people look at who holds what, and what nobody stands up for is taken
//! away.
//!
//! What always holds: a review is about the bindings that it wrote down when it opened and about no
//! other; each of them ends in one outcome, once, whichever server dies in between; nobody decides
//! about themselves; who decides must be able to take such a role away by hand at that moment; and
//! what by hand cannot be taken away is not taken away here. A review of a series brings forth the
//! next one in the transaction that opens it, so there is one, on however many servers.

mod campaign;
mod carry;
mod close;
mod decide;
mod evidence;
mod letters;
mod open;
mod run;
mod view;

use chrono::TimeDelta;
use ralex_kernel::{Caller, Code, Credential, OrgId, Problem, RequestId, Subject, UserId};
use ralex_store::problem;

use crate::sql::review::Stored;

/// What was used or given since then is not old.
pub(crate) const RECENT: TimeDelta = TimeDelta::days(90);
const REASON: usize = 500;

/// Only people set up reviews and decide in them. A token that is narrowed gives no more than it has, and
/// that is not known of what comes of a decision.
fn person(caller: &Caller) -> Result<UserId, Problem> {
    if caller.is_narrowed() {
        let detail = "A narrowed token decides nothing in reviews of access. Use a session, or a \
                      token that is not narrowed.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    caller.subject.user().ok_or_else(|| {
        let detail = "Only people set up reviews of access and decide in them, and no token of a \
                      program. Log in as the person who does.";
        Problem::new(Code::Forbidden, detail)
    })
}

/// Somebody who is not there: what they decided or set up is done for them.
fn on_behalf(user: UserId) -> Caller {
    Caller {
        subject: Subject::User(user),
        credential: Credential::Internal,
        second_factor: false,
        sign_on: None,
        by_device: false,
        narrowed: None,
        models: None,
        request: RequestId::generate(),
        address: None,
    }
}

/// In whose name something is recorded: theirs who decided it, or the deployment's where time did.
fn author(org: OrgId, by: Option<UserId>) -> ralex_audit::Author {
    let system = ralex_audit::Author::system(org);
    match by {
        Some(user) => ralex_audit::Author { subject: Subject::User(user), ..system },
        None => system,
    }
}

fn checked<'a>(field: &'static str, text: &'a str) -> Result<&'a str, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > REASON {
        let message = format!("has to have between 1 and {REASON} characters");
        return Err(Problem::field(field, message));
    }
    Ok(text)
}

fn one(found: Result<Option<Stored>, sqlx::Error>) -> Result<Stored, Problem> {
    found.map_err(problem)?.ok_or_else(|| Problem::not_found("access review"))
}

/// Counts a step.
fn count(event: &'static str) {
    metrics::counter!("ralex_access_reviews_total", "event" => event).increment(1);
}

/// As an event names one.
fn subject_of(item: &crate::sql::review_item::Item) -> String {
    crate::bind::subject(item.holder())
}
