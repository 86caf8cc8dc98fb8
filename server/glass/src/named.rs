//! Who may open it: the people that it is armed with, by what the database says of them now.

use chrono::{DateTime, Utc};
use ralex_access::breaks;
use ralex_kernel::{Caller, Code, OrgId, Problem, UserId};
use ralex_store::problem;
use sqlx::PgConnection;

use crate::sql::{Standing, standing};

/// Refuses whoever may not take part in opening it. Who does not belong to the organisation is not told
/// that there is one.
pub(crate) async fn named(
    conn: &mut PgConnection,
    caller: &Caller,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<UserId, Problem> {
    let Some(user) = caller.subject.user() else { return Err(no_organisation()) };
    let found = standing(conn, org, user, now).await.map_err(problem)?;
    let Some(standing) = found else { return Err(no_organisation()) };
    if let Some(why) = hindered(&standing) {
        return Err(Problem::new(Code::Forbidden, format!("You cannot open it: {why}.")));
    }
    if breaks(caller, org).is_none() {
        let detail = "The break-glass access is opened in a session of the console, by somebody who came \
                      in with a second factor. A token does not count, nor does the single sign-on of \
                      another organisation.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(user)
}

/// Why somebody could not open it now.
pub(crate) fn hindered(standing: &Standing) -> Option<&'static str> {
    if standing.org_closed {
        return Some("the organisation is closed by the deployment's operators");
    }
    if !standing.is_named {
        return Some("it is armed with other people, or not at all");
    }
    if standing.is_disabled || standing.is_suspended {
        return Some("the person is not let in");
    }
    if standing.is_denied {
        return Some("something is denied to the person in this organisation");
    }
    if !standing.has_passkey {
        return Some("the person has no passkey");
    }
    None
}

fn no_organisation() -> Problem {
    Problem::not_found("organisation")
}
