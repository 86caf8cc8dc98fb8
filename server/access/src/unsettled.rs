//! What is new, and so does not count yet of those who decide about others: whoever asks for something
//! must not have appointed, a moment before, who agrees to it.
//!
//! A role that the deployment itself gave counts at once: that is an organisation's first owner, and
//! nobody who asks for anything has chosen them.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::{BindingId, GroupId, Problem, UserId};
use ralex_store::problem;
use sqlx::PgConnection;

use crate::define::impossible;
use crate::roles::{OwnRole, Roles};
use crate::snapshot::Snapshot;
use crate::sql::unsettled as sql;
use crate::sql::unsettled::Was;

/// For how long what is new does not count.
pub(crate) const SETTLED_AFTER: TimeDelta = TimeDelta::hours(24);

/// What is new, of some people.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    /// Groups that they joined.
    pub groups: HashSet<(UserId, GroupId)>,
    /// Roles that they, or groups, were given.
    pub bindings: HashSet<BindingId>,
    /// What the organisation's own roles allowed all the time, where one of them has changed.
    pub roles: Option<Roles>,
}

/// What is new of these people.
pub(crate) async fn lately(
    conn: &mut PgConnection,
    current: &Snapshot,
    people: &[UserId],
    now: DateTime<Utc>,
) -> Result<Unsettled, Problem> {
    let (org, since) = (current.org(), now - SETTLED_AFTER);
    let groups = sql::joined_since(&mut *conn, org, people, since).await.map_err(problem)?;
    let bindings = sql::given_since(&mut *conn, org, people, since).await.map_err(problem)?;
    let was = sql::roles_since(&mut *conn, org, since).await.map_err(problem)?;
    let roles = if was.is_empty() { None } else { Some(all_the_time(current, &was)?) };
    Ok(Unsettled { groups, bindings, roles })
}

/// Own roles with only what each of them named at every moment.
fn all_the_time(current: &Snapshot, was: &[Was]) -> Result<Roles, Problem> {
    let settled = |role: &OwnRole| {
        let mut settled = role.clone();
        for was in was.iter().filter(|was| was.name == role.name) {
            settled.permissions.retain(|it| !was.is_first && was.permissions.contains(it));
            settled.includes.retain(|it| !was.is_first && was.includes.contains(it));
        }
        settled
    };
    let own: Vec<_> = current.roles().own().map(settled).collect();
    current.roles().with_own(&own).map_err(impossible)
}
