//! Letters to those who decide: when a review opens, three days before its end, and at its end.

use std::collections::HashSet;

use ralex_kernel::{AccessReviewId, GroupId, OrgId, Problem, ScopePath, UserId};
use ralex_store::{Error, problem};
use sqlx::PgConnection;
use uuid::Uuid;

use super::on_behalf;
use crate::Permission;
use crate::access::Access;
use crate::letter::{Occasion, Written, givers, time};
use crate::snapshot::Snapshot;
use crate::sql::letter::{self as sql, Letter};
use crate::sql::review::{self as all, Stored};
use crate::sql::review_item;

impl Access {
    /// Has those who decide be told.
    pub(super) async fn write_to(
        &self,
        conn: &mut PgConnection,
        current: &Snapshot,
        review: &Stored,
        occasion: Occasion,
    ) -> Result<(), sqlx::Error> {
        let (org, now) = (current.org(), self.clock().now());
        let places = review_item::places(conn, org, review.id).await?;
        let people = self.reviewers(current, review, &places);
        sql::insert(conn, org, (review.id.uuid(), occasion), &people, now).await
    }

    /// Has those who decide be told that little time is left, once.
    pub(super) async fn remind(&self, org: OrgId, id: AccessReviewId) -> Result<(), Error> {
        let mut tx = self.db().tenant(org).await?;
        let Some(review) = all::hold(&mut tx, org, id).await? else { return Ok(()) };
        let Ok(current) = self.read(&mut tx, org).await else { return Ok(()) };
        all::reminded(&mut tx, org, id, self.clock().now()).await?;
        if review_item::undecided(&mut tx, org, id).await? > 0 {
            self.write_to(&mut tx, &current, &review, Occasion::Soon).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Those whom a review names, or else whoever may take roles away where something is reviewed.
    fn reviewers(&self, current: &Snapshot, review: &Stored, places: &[ScopePath]) -> Vec<Uuid> {
        let named = review.people.iter().copied().map(UserId::from);
        let groups = review.groups.iter().map(|group| GroupId::from(*group));
        let grouped = groups.flat_map(|group| current.people_of(group).to_vec());
        let candidates: HashSet<UserId> = if review.names_reviewers() {
            named.chain(grouped).collect()
        } else {
            givers(current).map(|(_, user)| user).collect()
        };
        let may = |user: &UserId| {
            let caller = on_behalf(*user);
            let now = self.clock().now();
            let rights = |at: &ScopePath| current.permissions(caller.subject, *at, now);
            places.iter().any(|at| rights(at).contains(Permission::RoleBind))
        };
        candidates.into_iter().filter(may).map(UserId::uuid).collect()
    }

    pub(crate) async fn about_review(
        &self,
        letter: &Letter,
        occasion: Occasion,
    ) -> Result<Option<Written>, Problem> {
        let mut tx = self.db().tenant(letter.org).await?;
        let id = AccessReviewId::from(letter.id);
        let found = all::find(&mut tx, letter.org, id).await.map_err(problem)?;
        let Some(review) = found else { return Ok(None) };
        let (org, name) = (&letter.org_name, &review.name);
        let until = review.due_at.map(time).unwrap_or_default();
        let (subject, text) = match occasion {
            Occasion::Opened => (
                format!("Access review \"{name}\" of {org} is open until {until}"),
                "You are among those who decide who keeps which role.",
            ),
            Occasion::Soon => (
                format!("Access review \"{name}\" of {org} ends on {until}"),
                "Some roles are not decided about yet.",
            ),
            Occasion::Closed | Occasion::Asked | Occasion::Decided => (
                format!("Access review \"{name}\" of {org} is closed"),
                "What was decided is done. Its evidence can be signed and downloaded.",
            ),
        };
        let place = (format!("reviews&review={id}"), "People, Access reviews".to_owned());
        Ok(Some(Written { subject, text: text.to_owned(), place }))
    }
}
