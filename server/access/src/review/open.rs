//! How a review opens: what is held is written down, and the next review of the series with it.

use chrono::{DateTime, Months, TimeDelta, Utc};
use ralex_api::access_reviews::{AccessReviewState, ReviewRepeats, ReviewedKind};
use ralex_audit::{AccessReviewEvent, Author, Event, record};
use ralex_kernel::{AccessReviewId, OrgId};
use ralex_store::Error;

use super::{RECENT, count};
use crate::access::Access;
use crate::letter::Occasion;
use crate::policies::SERVICE;
use crate::sql::review::{self as sql, Stored};
use crate::sql::review_item::{self, Selection};
use crate::sql::{self as all};

impl Access {
    /// Opens a review whose time has come, once.
    pub(super) async fn open_review(&self, org: OrgId, id: AccessReviewId) -> Result<(), Error> {
        // As the system: when somebody last logged in belongs to no organisation.
        let mut tx = self.db().system("write down what a review of access is about").await?;
        // What is written down is what holds at one moment, so changes of rights wait.
        all::bump(&mut tx, org).await?;
        let now = self.clock().now();
        let scheduled = AccessReviewState::Scheduled.as_str();
        let Some(review) = sql::hold(&mut tx, org, id).await? else { return Ok(()) };
        if review.state != scheduled || review.opens_at > now {
            return Ok(());
        }
        let Ok(current) = self.read(&mut tx, org).await else { return Ok(()) };
        let roles: Vec<_> = current.roles().shown().into_iter().map(|it| it.name.0).collect();
        let known: Vec<_> = roles.into_iter().filter(|role| role != SERVICE).collect();
        let kinds: Vec<_> = review.subjects.iter().map(|it| column(it)).collect();
        let selection = Selection {
            review: id,
            at: review.place(),
            roles: &review.roles,
            kinds: &kinds,
            known: &known,
            now,
            since: now - RECENT,
        };
        let items = review_item::capture(&mut tx, org, &selection).await?;
        let due_at = now + TimeDelta::days(review.due_days.into());
        sql::opened(&mut tx, org, id, (now, due_at)).await?;
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let event = AccessReviewEvent::Opened { access_review: id, items, due_at };
        record(&mut tx, &Author::system(org), Event::AccessReview(event)).await?;
        self.follow(&mut tx, org, &review).await?;
        self.write_to(&mut tx, &current, &review, Occasion::Opened).await?;
        tx.commit().await?;
        count("opened");
        Ok(())
    }
}

fn column(kind: &str) -> String {
    match ReviewedKind::named(kind) {
        Some(ReviewedKind::User) | None => "user",
        Some(ReviewedKind::ServiceAccount) => "sa",
        Some(ReviewedKind::Group) => "grp",
    }
    .to_owned()
}

/// Which review of the series follows, and when it opens: the first whose time is still to come, so that a
/// long standstill is not followed by many at once.
pub(super) fn next(review: &Stored, now: DateTime<Utc>) -> Option<(i32, DateTime<Utc>)> {
    let months = match ReviewRepeats::named(&review.repeats)? {
        ReviewRepeats::Never => return None,
        ReviewRepeats::Monthly => 1,
        ReviewRepeats::Quarterly => 3,
        ReviewRepeats::Yearly => 12,
    };
    (review.round..=i32::MAX)
        .map(|rounds| {
            let passed = Months::new(rounds.unsigned_abs().saturating_mul(months));
            Some((rounds.checked_add(1)?, review.series_at.checked_add_months(passed)?))
        })
        .find(|next| next.is_none_or(|(_, opens_at)| opens_at > now))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(from: &str, repeats: ReviewRepeats, round: i32) -> Stored {
        let at = from.parse().unwrap();
        Stored {
            id: AccessReviewId::generate(),
            name: "Rights".parse().unwrap(),
            state: "scheduled".to_owned(),
            team: None,
            project: None,
            scope: "org".to_owned(),
            scope_name: "Acme".to_owned(),
            roles: Vec::new(),
            subjects: Vec::new(),
            undecided: "keep".to_owned(),
            repeats: repeats.to_string(),
            round,
            series_at: at,
            due_days: 14,
            opens_at: at,
            created_by: ralex_kernel::UserId::generate(),
            creator: "ann@example.com".to_owned(),
            created_at: at,
            due_at: None,
            ended_at: None,
            closer: None,
            signer: None,
            signed_at: None,
            signed_note: None,
            next: None,
            people: Vec::new(),
            groups: Vec::new(),
            reviewers: Vec::new(),
        }
    }

    fn after(review: &Stored, now: &str) -> Option<(i32, String)> {
        let found = next(review, now.parse().unwrap());
        found.map(|(round, at)| (round, at.format("%Y-%m-%d").to_string()))
    }

    #[test]
    fn a_series_keeps_its_day_and_skips_what_was_missed() {
        let from = "2026-01-31T09:00:00Z";
        let first = series(from, ReviewRepeats::Monthly, 1);
        assert_eq!(after(&first, from), Some((2, "2026-02-28".to_owned())));
        let second = series(from, ReviewRepeats::Monthly, 2);
        assert_eq!(after(&second, "2026-02-28T09:00:00Z"), Some((3, "2026-03-31".to_owned())));
        assert_eq!(after(&second, "2026-07-01T00:00:00Z"), Some((7, "2026-07-31".to_owned())));
        let quarterly = series(from, ReviewRepeats::Quarterly, 1);
        assert_eq!(after(&quarterly, from), Some((2, "2026-04-30".to_owned())));
        let yearly = series("2028-02-29T00:00:00Z", ReviewRepeats::Yearly, 1);
        assert_eq!(after(&yearly, "2028-02-29T00:00:00Z"), Some((2, "2029-02-28".to_owned())));
        assert_eq!(after(&series(from, ReviewRepeats::Never, 1), from), None);
    }
}
