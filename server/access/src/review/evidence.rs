//! Evidence: what was reviewed, who decided what and why, what came of it, and who signed that.

use chrono::{DateTime, SecondsFormat, Utc};
use ralex_api::access_reviews::{AccessReview, AccessReviewState};
use ralex_audit::{AccessReviewEvent, Event, record};
use ralex_kernel::sheet::harmless;
use ralex_kernel::{AccessReviewId, Caller, Code, OrgId, Problem};
use ralex_store::problem;

use super::{checked, count, one, person};
use crate::Permission;
use crate::access::Access;
use crate::sql::review::{self as sql, Stored};
use crate::sql::review_item::{self, Filter, Item, Seen};

/// Rows that are read at a time.
const PAGE: i64 = 1_000;

const COLUMNS: [&str; 27] = [
    "review",
    "review_name",
    "review_state",
    "review_ended_at",
    "signed_by",
    "signed_at",
    "signed_note",
    "binding",
    "subject",
    "subject_name",
    "people",
    "role",
    "scope",
    "not_before",
    "expires_at",
    "origin",
    "given_by",
    "given_at",
    "last_used_at",
    "advice",
    "advice_why",
    "decision",
    "decided_by",
    "decided_at",
    "reason",
    "outcome",
    "outcome_why",
];

impl Access {
    /// Signs what came of a closed review, once.
    pub async fn sign_review(
        &self,
        caller: &Caller,
        org: OrgId,
        (id, note): (AccessReviewId, &str),
    ) -> Result<AccessReview, Problem> {
        let scope = self.manager(caller, org, id).await?;
        let (by, note, now) = (person(caller)?, checked("note", note)?, self.clock().now());
        let mut tx = self.db().tenant(org).await?;
        let review = one(sql::hold(&mut tx, org, id).await)?;
        if review.stands()? != AccessReviewState::Closed {
            let detail = "It is not closed yet. What came of it is signed when all of it is done.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        if review.signed_at.is_some() {
            return Err(Problem::new(Code::Conflict, "It is signed already."));
        }
        sql::sign(&mut tx, org, (id, by), (note, now)).await.map_err(problem)?;
        let counted = review_item::counted(&mut tx, org, id).await.map_err(problem)?;
        let event = AccessReviewEvent::Signed { access_review: id, note: note.to_owned(), counted };
        record(&mut tx, scope.author(), Event::AccessReview(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("signed");
        self.access_review(caller, org, id).await
    }

    /// All of a review as a table (RFC 4180), with nothing that a spreadsheet would run.
    pub async fn review_evidence(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessReviewId,
    ) -> Result<Vec<u8>, Problem> {
        let at = self.place_of_review(caller, org, id).await?;
        let scope = self.allow(caller, org, Permission::ReviewRead, at).await?;
        let mut tx = self.db().tenant(org).await?;
        let review = one(sql::find(&mut tx, org, id).await)?;
        let mut filter = Filter { seen: Seen::all(), ..Filter::default() };
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(COLUMNS).map_err(unwritten)?;
        let mut items = 0_u32;
        loop {
            let page =
                review_item::select(&mut tx, org, id, &filter, PAGE).await.map_err(problem)?;
            for item in &page {
                table.write_record(row(&review, item).map(harmless)).map_err(unwritten)?;
            }
            items = items.saturating_add(u32::try_from(page.len()).unwrap_or(u32::MAX));
            let Some(last) = page.last() else { break };
            filter.after = Some(last.binding);
        }
        let event = AccessReviewEvent::Exported { access_review: id, items };
        record(&mut tx, scope.author(), Event::AccessReview(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        table.into_inner().map_err(unwritten)
    }
}

fn row(review: &Stored, item: &Item) -> [String; COLUMNS.len()] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        review.id.to_string(),
        review.name.to_string(),
        review.state.clone(),
        time(review.ended_at),
        text(&review.signer),
        time(review.signed_at),
        text(&review.signed_note),
        item.binding.to_string(),
        item.written.clone(),
        item.subject_name.clone(),
        if item.kind == "grp" { people(item) } else { String::new() },
        item.role.clone(),
        item.scope.clone(),
        time(item.not_before),
        time(item.expires_at),
        item.origin.clone(),
        item.given_by.clone(),
        time(Some(item.given_at)),
        time(item.last_used_at),
        item.advice.clone(),
        item.advice_why.clone(),
        text(&item.decision),
        text(&item.decider),
        time(item.decided_at),
        text(&item.reason),
        text(&item.outcome),
        text(&item.outcome_why),
    ]
}

/// Who was in a group: the first hundred by name, and how many more.
fn people(item: &Item) -> String {
    let more = item.people.len().saturating_sub(item.people_names.len());
    let names = item.people_names.join(" ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

fn time(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
}

fn unwritten(why: impl std::fmt::Display) -> Problem {
    tracing::error!("a table of a review cannot be written: {why}");
    Problem::new(Code::Internal, "The table cannot be written.")
}
