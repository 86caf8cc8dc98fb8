//! Decisions in a review: to keep what somebody holds, or to take it away.
//!
//! Whoever decides is asked at that moment, by the rules of taking a role away by hand. A decision can be
//! changed until the review closes; what was decided by then is done, also where whoever decided has
//! lost the right meanwhile, perhaps by another decision of the same review.

use std::collections::HashSet;

use ralex_api::access_reviews::{AccessReview, AccessReviewState, DecideReview, ReviewDecision};
use ralex_audit::{AccessReviewEvent, Author, Event, record};
use ralex_kernel::{AccessReviewId, Caller, Code, GroupId, OrgId, Problem, UserId};
use ralex_store::problem;
use uuid::Uuid;

use super::{checked, count, one, person};
use crate::Permission;
use crate::access::Access;
use crate::rows::Holder;
use crate::snapshot::Snapshot;
use crate::sql::review::{self as sql, Stored};
use crate::sql::review_item::{self, Decided, Filter, Item, Seen};

/// Items decided at once.
const MOST: usize = 500;

impl Access {
    /// Decides about some items of an open review; about all of them, or where one cannot be, about none.
    pub async fn decide_review(
        &self,
        caller: &Caller,
        org: OrgId,
        (id, decide): (AccessReviewId, DecideReview),
    ) -> Result<AccessReview, Problem> {
        self.visible_review(caller, org, id).await?;
        self.allow_somewhere(caller, org, Permission::RoleBind).await?;
        let (by, now) = (person(caller)?, self.clock().now());
        let DecideReview { bindings, decision, reason } = decide;
        let bindings: HashSet<Uuid> = bindings.into_iter().map(Uuid::from).collect();
        let bindings: Vec<Uuid> = bindings.into_iter().collect();
        if bindings.is_empty() || bindings.len() > MOST {
            return Err(Problem::field("bindings", format!("must be between 1 and {MOST}")));
        }
        let reason = reason.as_deref().map(|it| checked("reason", it)).transpose()?;
        let mut tx = self.db().tenant(org).await?;
        let review = one(sql::hold(&mut tx, org, id).await)?;
        is_open(&review, now)?;
        let current = self.read(&mut tx, org).await?;
        let filter = Filter { bindings: bindings.clone(), seen: Seen::all(), ..Filter::default() };
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        let items = review_item::select(&mut tx, org, id, &filter, most).await.map_err(problem)?;
        if items.len() < bindings.len() {
            return Err(Problem::field("bindings", "names what is not in this review"));
        }
        for item in &items {
            self.may_review(&current, caller, (&review, by), item)?;
            if reason.is_none() && item.needs_reason(decision) {
                return Err(wants_reason(item, decision));
            }
        }
        let decided = Decided { decision, by: Some(by), reason, now };
        review_item::decide(&mut tx, org, (id, &bindings), &decided).await.map_err(problem)?;
        let event = AccessReviewEvent::Decided {
            access_review: id,
            bindings: items.iter().map(|item| item.binding).collect(),
            decision: decision.as_str(),
            reason: reason.map(str::to_owned),
        };
        let author = Author::of(caller, org);
        record(&mut tx, &author, Event::AccessReview(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("decided");
        self.access_review(caller, org, id).await
    }

    /// Refuses where somebody may not decide about an item now.
    pub(super) fn may_review(
        &self,
        current: &Snapshot,
        caller: &Caller,
        (review, by): (&Stored, UserId),
        item: &Item,
    ) -> Result<(), Problem> {
        if review.names_reviewers() && !is_named(current, review, by) {
            let detail = "This review names who decides in it, and you are not among them.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        if let Some(how) = concerns(current, item, by) {
            let detail = format!(
                "Nobody decides about themselves: {how}. Leave {} to somebody else.",
                item.subject_name
            );
            return Err(Problem::new(Code::Forbidden, detail));
        }
        self.may_give_by(current, caller, (&item.role, item.place()), None)
    }
}

fn is_named(current: &Snapshot, review: &Stored, by: UserId) -> bool {
    let groups = current.groups_of(by);
    review.people.contains(&by.uuid())
        || review.groups.iter().any(|group| groups.contains(&GroupId::from(*group)))
}

/// In which way somebody would decide about themselves: now, or when the review opened.
fn concerns(current: &Snapshot, item: &Item, by: UserId) -> Option<&'static str> {
    match item.holder() {
        Holder::User(user) if user == by => Some("this is what you hold yourself"),
        Holder::Group(group)
            if current.groups_of(by).contains(&group) || item.people.contains(&by.uuid()) =>
        {
            Some("you are in this group")
        }
        Holder::Machine(_) if item.makers.contains(&by.uuid()) => {
            Some("you made this program, or have seen a secret of it")
        }
        Holder::User(_) | Holder::Group(_) | Holder::Machine(_) => None,
    }
}

fn is_open(review: &Stored, now: chrono::DateTime<chrono::Utc>) -> Result<(), Problem> {
    let detail = match review.stands()? {
        AccessReviewState::Open if review.due_at.is_none_or(|due| now < due) => return Ok(()),
        AccessReviewState::Scheduled => "This review has not opened yet.",
        AccessReviewState::Cancelled => "This review was cancelled.",
        AccessReviewState::Open | AccessReviewState::Closing | AccessReviewState::Closed => {
            "This review is over. Give or take roles by hand, or set up another review."
        }
    };
    Err(Problem::new(Code::Conflict, detail))
}

fn wants_reason(item: &Item, decision: ReviewDecision) -> Problem {
    let rule = match decision {
        ReviewDecision::Remove => "is needed to remove something".to_owned(),
        ReviewDecision::Keep => format!(
            "is needed to keep what is recommended to be removed (the role {} of {})",
            item.role, item.subject_name
        ),
    };
    Problem::field("reason", rule)
}
