//! What goes wrong between us and the database, named for what the caller can do about it.

use ralex_kernel::{Code, Problem};
use tracing::{error, warn};

/// The SQLSTATE of a text that holds the one character PostgreSQL has no place for. No text of ours
/// does, so a caller sent it, in a field or reference that is not checked any closer.
const NOT_A_TEXT: &str = "22021";

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database is away, full or overloaded; the same thing can succeed a moment later.
    #[error("the database does not answer")]
    Unavailable(#[source] Option<sqlx::Error>),
    /// The database refused, which is a mistake of ours.
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
    /// The session did not take the organisation; nothing was read or written.
    #[error("the database session did not take the organisation")]
    TenantNotSet,
    /// Another process leads now, so this one must not write what only a leader may.
    #[error("another process leads now")]
    LeadershipLost,
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_unavailable(&error) { Self::Unavailable(Some(error)) } else { Self::Database(error) }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(Some(source)) | Error::Database(source) => problem(source),
            Error::Unavailable(None) | Error::LeadershipLost => unavailable(),
            Error::TenantNotSet => {
                error!("a database session did not take the organisation");
                internal()
            }
        }
    }
}

/// The problem that a caller sees for a failed query: try again in a second, or a mistake of ours.
///
/// The error is logged here, since the problem tells nothing of it.
pub fn problem(error: sqlx::Error) -> Problem {
    if is_unavailable(&error) {
        warn!(error = %error, "the database does not answer: {error}");
        return unavailable();
    }
    if has_code(&error, NOT_A_TEXT) {
        let detail = "The request holds a character (U+0000) that no text can have here.";
        return Problem::new(Code::InvalidRequest, detail);
    }
    let database = error.as_database_error();
    error!(
        error = %error,
        db.code = database.and_then(sqlx::error::DatabaseError::code).as_deref(),
        db.constraint = database.and_then(sqlx::error::DatabaseError::constraint),
        "the database refused a statement: {error}",
    );
    internal()
}

fn unavailable() -> Problem {
    Problem::new(Code::Unavailable, "The database does not answer; try again in a moment.")
        .with_retry_after(1)
}

fn internal() -> Problem {
    Problem::new(Code::Internal, "Something failed inside Ralex; the log says more.")
}

/// Whether the same statement can succeed later without anyone changing it.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| is_passing(code.as_ref()))
        }
        // This enum is sqlx's and open; what it adds is not known to pass by itself.
        _ => false,
    }
}

/// The SQLSTATEs that say nothing about the statement itself.
fn is_passing(code: &str) -> bool {
    // Connections (08), resources such as a full disk (53), shutdowns and time limits (57P, 57014).
    code.starts_with("08")
        || code.starts_with("53")
        || code.starts_with("57P")
        || matches!(
            code,
            "57014" // statement timeout
                | "55P03" // lock timeout
                | "40001" // serialization failure
                | "40P01" // deadlock
                | "25P03" // idle in transaction for too long
                | "25P04" // transaction for too long
                | "25006" // a replica, for as long as a failover takes
        )
}

/// Whether the database refused with this SQLSTATE.
pub(crate) fn has_code(error: &sqlx::Error, code: &str) -> bool {
    let found = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    found.is_some_and(|found| found == code)
}

/// The name of the constraint that a statement ran into, if that is why it failed.
pub fn violated(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.constraint()
}

/// Turns the violation of a constraint into the error that it means.
pub trait OnConstraint<T> {
    /// `error` where the constraint `name` refused; what `E` makes of it otherwise.
    fn on_constraint<E: From<sqlx::Error>>(self, name: &str, error: E) -> Result<T, E>;

    /// The same for functions that answer with a [`Problem`]. `constraints` are pairs of a
    /// constraint's name and the problem that its violation means.
    fn or_problem<const N: usize>(self, constraints: [(&str, Problem); N]) -> Result<T, Problem>;
}

impl<T> OnConstraint<T> for Result<T, sqlx::Error> {
    fn on_constraint<E: From<sqlx::Error>>(self, name: &str, error: E) -> Result<T, E> {
        self.map_err(|source| if violated(&source) == Some(name) { error } else { source.into() })
    }

    fn or_problem<const N: usize>(self, constraints: [(&str, Problem); N]) -> Result<T, Problem> {
        self.map_err(|source| {
            let name = violated(&source);
            match constraints.into_iter().find(|(known, _)| name == Some(*known)) {
                Some((_, meant)) => meant,
                None => problem(source),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_is_a_503_with_retry_after_one_second() {
        let problem = Problem::from(Error::from(sqlx::Error::PoolTimedOut));
        assert_eq!((problem.status, problem.retry_after), (503, Some(1)));
    }

    #[test]
    fn a_mistake_of_ours_is_a_500_that_tells_nothing_of_the_database() {
        let source = sqlx::Error::Protocol("secret detail".into());
        let problem = Problem::from(Error::from(source));
        assert_eq!(problem.status, 500);
        assert!(!format!("{problem:?}").contains("secret detail"));
    }
}
