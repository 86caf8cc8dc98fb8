//! Doing what a review decided: some items in one transaction, each of them once.
//!
//! A transaction holds the organisation's rights and the review, looks at each binding as it is then, and
//! ends the item with what it did. A server that dies leaves whole transactions behind, and whichever
//! looks next goes on with what is left.

use ralex_api::access_reviews::{AccessReviewState, ReviewOutcome};
use ralex_audit::{AccessReviewEvent, Author, Entry, Event, record, record_all};
use ralex_kernel::{AccessReviewId, OrgId, Problem};
use ralex_store::{Tenant, problem};

use super::close::ended_event;
use super::{author, count, one};
use crate::access::Access;
use crate::letter::Occasion;
use crate::owners;
use crate::policies::OWNER;
use crate::rows::{Binding, Effect};
use crate::snapshot::Snapshot;
use crate::sql::review::{self as sql, Stored};
use crate::sql::review_item::{self, Item};

/// Items of one transaction, so that changes by hand wait for a moment only.
const AT_ONCE: i64 = 100;

/// What came of an item, and what stood in the way.
type Ended = (ReviewOutcome, Option<String>);

impl Access {
    /// Does all that is left of a closing review.
    pub(crate) async fn carry_out(&self, org: OrgId, id: AccessReviewId) -> Result<(), Problem> {
        while self.carry_some(org, id, AT_ONCE).await? {}
        Ok(())
    }

    /// Does some of it; false where nothing is left.
    pub(crate) async fn carry_some(
        &self,
        org: OrgId,
        id: AccessReviewId,
        at_once: i64,
    ) -> Result<bool, Problem> {
        let mut tx = self.db().tenant(org).await?;
        let mut current = self.lock(&mut tx, org).await?;
        let review = one(sql::hold(&mut tx, org, id).await)?;
        if review.stands()? != AccessReviewState::Closing {
            return Ok(false);
        }
        let items = review_item::left(&mut tx, org, id, at_once).await.map_err(problem)?;
        if items.is_empty() {
            self.finish(&mut tx, &current, &review).await?;
            tx.commit().await.map_err(problem)?;
            return Ok(false);
        }
        let (mut entries, mut removed) = (Vec::new(), 0_u32);
        for item in &items {
            let ended = self.end_item(&mut tx, &current, item).await?;
            removed += u32::from(ended.0 == ReviewOutcome::Removed);
            if ended.0 == ReviewOutcome::Removed && item.role == OWNER {
                // Whether another owner may go depends on those that are left now.
                current = self.read(&mut tx, org).await?;
            }
            let (ids, now) = ([item.binding.uuid()], self.clock().now());
            let what = (ended.0, ended.1.as_deref());
            review_item::end(&mut tx, org, (id, &ids), what, now).await.map_err(problem)?;
            entries.push(Entry::new(author(org, item.decided_by), ended_event(id, item, ended)));
        }
        record_all(&mut tx, entries).await.map_err(problem)?;
        if removed > 0 {
            self.commit(tx, org).await?;
        } else {
            tx.commit().await.map_err(problem)?;
        }
        metrics::counter!("ralex_access_reviews_removed_total").increment(removed.into());
        Ok(true)
    }

    async fn end_item(
        &self,
        tx: &mut Tenant,
        current: &Snapshot,
        item: &Item,
    ) -> Result<Ended, Problem> {
        let mut bindings = current.rows().bindings.iter();
        let Some(found) = bindings.find(|binding| binding.id == item.binding) else {
            return Ok((ReviewOutcome::Gone, None));
        };
        if !is_same(found, item) {
            let why =
                "It is not what was reviewed any more. Look at it in the next review, or by hand.";
            return Ok((ReviewOutcome::Changed, Some(why.to_owned())));
        }
        if !item.is_to_go() {
            return Ok((ReviewOutcome::Kept, None));
        }
        if let Some(why) = stands_in_the_way(current, found) {
            return Ok((ReviewOutcome::Refused, Some(why)));
        }
        self.end(tx, &author(current.org(), item.decided_by), &[found]).await?;
        Ok((ReviewOutcome::Removed, None))
    }

    async fn finish(
        &self,
        tx: &mut Tenant,
        current: &Snapshot,
        review: &Stored,
    ) -> Result<(), Problem> {
        let org = current.org();
        if !sql::close(tx, org, review.id, self.clock().now()).await.map_err(problem)? {
            return Ok(());
        }
        let counted = review_item::counted(tx, org, review.id).await.map_err(problem)?;
        let event = AccessReviewEvent::Closed { access_review: review.id, counted };
        record(tx, &Author::system(org), Event::AccessReview(event)).await.map_err(problem)?;
        self.write_to(tx, current, review, Occasion::Closed).await.map_err(problem)?;
        count("closed");
        Ok(())
    }
}

/// Whether a binding still is what was written down.
fn is_same(binding: &Binding, item: &Item) -> bool {
    binding.holder == item.holder()
        && binding.effect == Effect::Allow
        && binding.role == item.role
        && binding.scope() == Some(item.place())
        && binding.not_before == item.not_before
        && binding.expires_at == item.expires_at
}

/// Why a binding cannot be taken away, and what to do instead.
fn stands_in_the_way(current: &Snapshot, binding: &Binding) -> Option<String> {
    if binding.managed_by.is_some() {
        let why = "Single sign-on says so, and would give it anew with the next login. Take the person \
                   out of the group at the provider, or change what that group gives here.";
        return Some(why.to_owned());
    }
    owners::keep_one(current, &[binding]).err().map(|kept| kept.detail)
}
