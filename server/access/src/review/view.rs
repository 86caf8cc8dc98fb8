//! Reviews as their readers see them: what is at places where they may read reviews, or take roles away.

use std::collections::HashMap;
use std::sync::Arc;

use ralex_api::access_reviews::{
    AccessReview, AccessReviewItem, AccessReviewItemsQuery, AccessReviewState, AccessReviewsQuery,
    ReviewCounts,
};
use ralex_api::page::{Page, PageQuery};
use ralex_kernel::{AccessReviewId, Caller, OrgId, Problem};
use ralex_store::problem;
use sqlx::PgConnection;
use uuid::Uuid;

use super::campaign::home;
use super::{one, person};
use crate::Permission;
use crate::access::Access;
use crate::snapshot::Snapshot;
use crate::sql::review::{self as sql, Filter, May, Stored};
use crate::sql::review_item::{self, Filter as Items, Seen};

impl Access {
    /// Reviews that are about something that the caller may see, newest first.
    pub async fn access_reviews(
        &self,
        caller: &Caller,
        org: OrgId,
        query: &AccessReviewsQuery,
    ) -> Result<Page<AccessReview>, Problem> {
        let (snapshot, seen) = self.reads_reviews(caller, org).await?;
        let page = PageQuery { cursor: query.cursor.clone(), limit: query.limit };
        let (before, size) = (page.after()?, page.size());
        let filter = Filter { only: None, before, state: query.state, seen };
        let mut tx = self.db().tenant(org).await?;
        let found = sql::select(&mut tx, org, &filter, size + 1).await.map_err(problem)?;
        let ids: Vec<Uuid> = found.iter().map(|review| review.id.uuid()).collect();
        let counts = review_item::counts(&mut tx, org, &ids, &filter.seen).await;
        let counts: HashMap<_, _> = counts.map_err(problem)?.into_iter().collect();
        let own = about_reader(&mut tx, &snapshot, caller, &ids).await?;
        let shown = found.into_iter().map(|review| {
            let counts = counts.get(&review.id).cloned().unwrap_or_else(nothing);
            let is_own = own.contains(&review.id);
            self.shown_review(&snapshot, caller, review, (counts, is_own))
        });
        let shown = shown.collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(shown, size, |review: &AccessReview| review.id.to_string()))
    }

    pub async fn access_review(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessReviewId,
    ) -> Result<AccessReview, Problem> {
        let (snapshot, seen) = self.reads_reviews(caller, org).await?;
        let filter = Filter { only: Some(id), seen, ..Filter::default() };
        let mut tx = self.db().tenant(org).await?;
        let found = sql::select(&mut tx, org, &filter, 1).await;
        let review = one(found.map(|all| all.into_iter().next()))?;
        let counts = review_item::counts(&mut tx, org, &[id.uuid()], &filter.seen).await;
        let counts = counts.map_err(problem)?.into_iter().next().map_or_else(nothing, |it| it.1);
        let own = about_reader(&mut tx, &snapshot, caller, &[id.uuid()]).await?;
        self.shown_review(&snapshot, caller, review, (counts, !own.is_empty()))
    }

    /// What is reviewed, in the order in which it was given.
    pub async fn review_items(
        &self,
        caller: &Caller,
        org: OrgId,
        (id, query): (AccessReviewId, &AccessReviewItemsQuery),
    ) -> Result<Page<AccessReviewItem>, Problem> {
        let review = self.visible_review(caller, org, id).await?;
        let (snapshot, seen) = self.reads_reviews(caller, org).await?;
        let page = PageQuery { cursor: query.cursor.clone(), limit: query.limit };
        let (after, size) = (page.after()?, page.size());
        let filter = Items { after, bindings: Vec::new(), only: query.only, seen };
        let mut tx = self.db().tenant(org).await?;
        let found = review_item::select(&mut tx, org, id, &filter, size + 1).await;
        drop(tx);
        let now = self.clock().now();
        let is_open = review.stands()? == AccessReviewState::Open
            && review.due_at.is_none_or(|due| now < due);
        let decider = person(caller).ok().filter(|_| is_open);
        let shown = found.map_err(problem)?.into_iter().map(|item| {
            let may = decider
                .is_some_and(|by| self.may_review(&snapshot, caller, (&review, by), &item).is_ok());
            item.shown(may)
        });
        let shown = shown.collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(shown, size, |item: &AccessReviewItem| item.binding.to_string()))
    }

    /// A review, where the caller may know of it.
    pub(super) async fn visible_review(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessReviewId,
    ) -> Result<Stored, Problem> {
        let (_, seen) = self.reads_reviews(caller, org).await?;
        let filter = Filter { only: Some(id), seen, ..Filter::default() };
        let mut tx = self.db().tenant(org).await?;
        let found = sql::select(&mut tx, org, &filter, 1).await;
        one(found.map(|all| all.into_iter().next()))
    }

    /// Where the caller sees reviews: where they may read them, and where they may decide in them. A
    /// problem where that is nowhere.
    async fn reads_reviews(
        &self,
        caller: &Caller,
        org: OrgId,
    ) -> Result<(Arc<Snapshot>, Seen), Problem> {
        let snapshot = self.snapshot(org).await?;
        let reads = self.where_allowed(&snapshot, caller, Permission::ReviewRead);
        let decides = self.where_allowed(&snapshot, caller, Permission::RoleBind);
        if reads.is_none() && decides.is_none() {
            self.allow_somewhere(caller, org, Permission::ReviewRead).await?;
        } else {
            self.belongs(caller, org).await?;
        }
        let (reads, decides) = (reads.unwrap_or_default(), decides.unwrap_or_default());
        let seen = Seen {
            everywhere: reads.everywhere || decides.everywhere,
            teams: [reads.teams, decides.teams].concat(),
            projects: [reads.projects, decides.projects].concat(),
        };
        Ok((snapshot, seen))
    }

    fn shown_review(
        &self,
        snapshot: &Arc<Snapshot>,
        caller: &Caller,
        review: Stored,
        (counts, is_own): (ReviewCounts, bool),
    ) -> Result<AccessReview, Problem> {
        let (state, at) = (review.stands()?, home(snapshot, review.place()));
        let may = |permission| self.decide_for(snapshot, caller, permission, at).is_allowed();
        let manages = may(Permission::ReviewManage) && person(caller).is_ok();
        let opened = review.due_at.is_some();
        let may = May {
            close: manages && state == AccessReviewState::Open && counts.undecided == 0,
            cancel: manages
                && (state == AccessReviewState::Scheduled
                    || state == AccessReviewState::Open && !is_own),
            sign: manages && state == AccessReviewState::Closed && review.signed_at.is_none(),
            export: opened && may(Permission::ReviewRead),
        };
        review.shown(counts, may)
    }
}

/// Those of these reviews that are about who reads them.
async fn about_reader(
    conn: &mut PgConnection,
    snapshot: &Snapshot,
    caller: &Caller,
    reviews: &[Uuid],
) -> Result<Vec<AccessReviewId>, Problem> {
    let Some(user) = caller.subject.user() else { return Ok(Vec::new()) };
    let person = (user, snapshot.groups_of(user));
    sql::concerning(conn, snapshot.org(), reviews, person).await.map_err(problem)
}

const fn nothing() -> ReviewCounts {
    ReviewCounts {
        items: 0,
        undecided: 0,
        keep: 0,
        remove: 0,
        kept: 0,
        removed: 0,
        refused: 0,
        gone: 0,
        changed: 0,
    }
}
