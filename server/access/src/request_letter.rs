//! Letters about requests for access: to those who may approve one when it is made, and to who asked when
//! it is decided.
//!
//! A letter says nothing of who asked for what and why, since whoever reads somebody's mail may not know
//! of it. Who may approve is asked again before each letter leaves: whoever lost the right, approved
//! already or left meanwhile gets none, and neither does anybody once it is decided.

use std::cmp::Reverse;

use ralex_api::access_requests::AccessRequestState;
use ralex_kernel::{AccessRequestId, OrgId, Problem, UserId};
use ralex_store::problem;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::Access;
use crate::letter::{Occasion, Written, givers, there, time};
use crate::requests::standing;
use crate::snapshot::Snapshot;
use crate::sql::letter::{self as sql, Letter};
use crate::sql::request::{self, New, Stored};
use crate::unsettled::lately;

/// So many people are told of one request, those nearest to its place first.
const MOST_TOLD: usize = 50;

impl Access {
    /// Has those be told who may approve what is asked for.
    pub(crate) async fn tell_approvers(
        &self,
        conn: &mut PgConnection,
        current: &Snapshot,
        asked: &New<'_>,
    ) -> Result<(), Problem> {
        let (org, now) = (current.org(), asked.now);
        let mut near: Vec<_> = givers(current)
            .filter(|(at, user)| asked.at.is_within(*at) && *user != asked.user)
            .collect();
        near.sort_unstable_by_key(|(at, user)| (Reverse(*at), *user));
        let mut people: Vec<UserId> = Vec::new();
        for (_, user) in near {
            if !people.contains(&user) {
                people.push(user);
            }
        }
        let new = lately(conn, current, &people, now).await?;
        let role = asked.role.as_str();
        let may = |user: &UserId| standing(current, *user, &new, now).may_give(role, asked.at);
        people.retain(|user| may(user).is_ok());
        let told: Vec<Uuid> = people.into_iter().take(MOST_TOLD).map(UserId::uuid).collect();
        let what = (asked.id.uuid(), Occasion::Asked);
        sql::insert(conn, org, what, &told, now).await.map_err(problem)
    }

    /// Has who asked be told that it is decided.
    pub(crate) async fn tell_asker(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        (id, user): (AccessRequestId, UserId),
    ) -> Result<(), Problem> {
        let (what, now) = ((id.uuid(), Occasion::Decided), self.clock().now());
        sql::insert(conn, org, what, &[user.uuid()], now).await.map_err(problem)
    }

    /// Nothing where there is nothing to decide any more for whom it is to.
    pub(crate) async fn about_asked(&self, letter: &Letter) -> Result<Option<Written>, Problem> {
        let Some(current) = there(self.snapshot(letter.org).await)? else { return Ok(None) };
        let Some(stored) = self.told_of(letter).await? else { return Ok(None) };
        if stored.stands()? != AccessRequestState::Pending || stored.is_approved_by(letter.user) {
            return Ok(None);
        }
        let now = self.clock().now();
        let mut tx = self.db().tenant(letter.org).await?;
        let new = lately(&mut tx, &current, &[letter.user], now).await?;
        let standing = standing(&current, letter.user, &new, now);
        if standing.may_give(&stored.role, stored.place()).is_err() {
            return Ok(None);
        }
        let until = time(stored.pending_until);
        Ok(Some(Written {
            subject: format!("Somebody in {} asks for access for a while", letter.org_name),
            text: format!(
                "You may approve or deny it until {until}; nothing is given before that. This letter \
                 says nothing of who asks for what."
            ),
            place: place(),
        }))
    }

    pub(crate) async fn about_decided(&self, letter: &Letter) -> Result<Option<Written>, Problem> {
        let Some(stored) = self.told_of(letter).await? else { return Ok(None) };
        let org = &letter.org_name;
        let (subject, text) = match stored.expires_at {
            Some(until) => (
                format!("Your request for access in {org} is approved"),
                format!("What you asked for holds until {}.", time(until)),
            ),
            None => (
                format!("Your request for access in {org} is denied"),
                "Who denied it has said why.".to_owned(),
            ),
        };
        Ok(Some(Written { subject, text, place: place() }))
    }

    async fn told_of(&self, letter: &Letter) -> Result<Option<Stored>, Problem> {
        let mut tx = self.db().tenant(letter.org).await?;
        let (id, now) = (AccessRequestId::from(letter.id), self.clock().now());
        request::find(&mut tx, letter.org, id, now).await.map_err(problem)
    }
}

fn place() -> (String, String) {
    ("access".to_owned(), "People, Access requests".to_owned())
}
