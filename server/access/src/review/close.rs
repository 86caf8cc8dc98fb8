//! How a review closes: at its time, or before by who manages it, once nothing is left to be decided.
//!
//! Closing only settles what is to be done. What nobody decided is decided here, as was said when the
//! review was set up; doing it comes after, and goes on wherever a server died.

use ralex_api::access_reviews::{AccessReview, AccessReviewState, ReviewDecision, ReviewOutcome};
use ralex_audit::{AccessReviewEvent, Author, Entry, Event, record, record_all};
use ralex_kernel::{AccessReviewId, Caller, Code, OrgId, Problem, UserId};
use ralex_store::{Tenant, problem};
use uuid::Uuid;

use super::{count, on_behalf, one, person, subject_of};
use crate::access::Access;
use crate::snapshot::Snapshot;
use crate::sql::review::{self as sql, Stored};
use crate::sql::review_item::{self, Decided, Filter, Item, Seen};

impl Access {
    /// Closes a review before its time, and does what was decided.
    pub async fn close_review(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessReviewId,
    ) -> Result<AccessReview, Problem> {
        self.manager(caller, org, id).await?;
        let by = person(caller)?;
        let mut tx = self.db().tenant(org).await?;
        // The organisation first and a review after, like whoever does what was decided.
        let current = self.lock(&mut tx, org).await?;
        let review = one(sql::hold(&mut tx, org, id).await)?;
        stands_open(&review)?;
        let left = review_item::undecided(&mut tx, org, id).await.map_err(problem)?;
        if left > 0 {
            let detail = format!(
                "{left} are not decided about yet. Decide, or wait until the review closes by itself."
            );
            return Err(Problem::new(Code::Conflict, detail));
        }
        self.settle_review(&mut tx, &current, (&review, Some(by)), &Author::of(caller, org))
            .await?;
        tx.commit().await.map_err(problem)?;
        self.carry_out(org, id).await?;
        self.access_review(caller, org, id).await
    }

    /// Settles what is to be done of a review whose time is over.
    pub(crate) async fn begin_closing(
        &self,
        org: OrgId,
        id: AccessReviewId,
    ) -> Result<(), Problem> {
        let mut tx = self.db().tenant(org).await?;
        let current = self.lock(&mut tx, org).await?;
        let review = one(sql::hold(&mut tx, org, id).await)?;
        let is_over = review.due_at.is_some_and(|due| due <= self.clock().now());
        if review.stands()? == AccessReviewState::Open && is_over {
            let system = Author::system(org);
            self.settle_review(&mut tx, &current, (&review, None), &system).await?;
            tx.commit().await.map_err(problem)?;
        }
        Ok(())
    }

    async fn settle_review(
        &self,
        tx: &mut Tenant,
        current: &Snapshot,
        (review, by): (&Stored, Option<UserId>),
        author: &Author,
    ) -> Result<(), Problem> {
        let (org, id, now) = (author.org, review.id, self.clock().now());
        let undecided = self.decide_rest(tx, current, review).await?;
        sql::closing(tx, org, (id, by), now).await.map_err(problem)?;
        let event = AccessReviewEvent::Closing {
            access_review: id,
            undecided,
            undecided_are: review.undecided.clone(),
        };
        record(tx, author, Event::AccessReview(event)).await.map_err(problem)?;
        count("closing");
        Ok(())
    }

    /// Decides what nobody did, and says how much that was. What is taken away so is taken in the name of
    /// who set the review up, and only what they could take by hand.
    async fn decide_rest(
        &self,
        tx: &mut Tenant,
        current: &Snapshot,
        review: &Stored,
    ) -> Result<u32, Problem> {
        use ralex_api::access_reviews::ReviewItemsOnly::Undecided;
        let (org, id, now) = (current.org(), review.id, self.clock().now());
        let filter = Filter { only: Some(Undecided), seen: Seen::all(), ..Filter::default() };
        let rest = review_item::select(tx, org, id, &filter, i64::MAX).await.map_err(problem)?;
        let decision =
            if review.removes_undecided() { ReviewDecision::Remove } else { ReviewDecision::Keep };
        let decided = Decided { decision, by: None, reason: None, now };
        let ids: Vec<Uuid> = rest.iter().map(|item| item.binding.uuid()).collect();
        review_item::decide(tx, org, (id, &ids), &decided).await.map_err(problem)?;
        if decision == ReviewDecision::Remove {
            for item in &rest {
                self.refuse_what_exceeds(tx, current, review, item).await?;
            }
        }
        Ok(u32::try_from(rest.len()).unwrap_or(u32::MAX))
    }

    async fn refuse_what_exceeds(
        &self,
        tx: &mut Tenant,
        current: &Snapshot,
        review: &Stored,
        item: &Item,
    ) -> Result<(), Problem> {
        let (org, now) = (current.org(), self.clock().now());
        let stands = current.rows().bindings.iter().any(|binding| binding.id == item.binding);
        let setter = on_behalf(review.created_by);
        let may = self.may_give_by(current, &setter, (&item.role, item.place()), None);
        if !stands || may.is_ok() {
            return Ok(());
        }
        let why = "Nobody decided, and whoever set up the review could not take it away. Somebody who \
                   can may do so by hand.";
        let (outcome, ids) = (ReviewOutcome::Refused, [item.binding.uuid()]);
        let ended = review_item::end(tx, org, (review.id, &ids), (outcome, Some(why)), now).await;
        if ended.map_err(problem)? > 0 {
            let event = ended_event(review.id, item, (outcome, Some(why.to_owned())));
            let entry = Entry::new(Author::system(org), event);
            record_all(tx, vec![entry]).await.map_err(problem)?;
        }
        Ok(())
    }
}

/// That something came of an item.
pub(super) fn ended_event(
    review: AccessReviewId,
    item: &Item,
    (outcome, why): (ReviewOutcome, Option<String>),
) -> Event {
    Event::AccessReview(AccessReviewEvent::ItemEnded {
        access_review: review,
        binding: item.binding,
        subject: subject_of(item),
        role: item.role.clone(),
        outcome: outcome.as_str(),
        why,
    })
}

fn stands_open(review: &Stored) -> Result<(), Problem> {
    let detail = match review.stands()? {
        AccessReviewState::Open => return Ok(()),
        AccessReviewState::Scheduled => "This review has not opened yet. Cancel it, if need be.",
        AccessReviewState::Closing => "It is being closed already.",
        AccessReviewState::Closed => "It is closed already.",
        AccessReviewState::Cancelled => "It was cancelled.",
    };
    Err(Problem::new(Code::Conflict, detail))
}
