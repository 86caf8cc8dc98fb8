//! Reviews: what was done under an opened glass is looked at by somebody who was not in it.

use ralex_access::Scope;
use ralex_api::break_glass::{BreakGlassOpening, BreakGlassState};
use ralex_audit::{BreakGlassEvent, Event, record};
use ralex_kernel::{BreakGlassId, Code, Problem, UserId};
use ralex_store::problem;

use crate::BreakGlass;
use crate::opening::{count, one};
use crate::sql::letter;
use crate::sql::opening::{self as sql, Stored};

const NOTE: std::ops::RangeInclusive<usize> = 10..=2_000;

impl BreakGlass {
    /// Closes the review of a use that is over. `scope` is the proof that the caller may arm it.
    pub async fn review(
        &self,
        scope: &Scope,
        id: BreakGlassId,
        note: &str,
    ) -> Result<BreakGlassOpening, Problem> {
        let (org, note) = (scope.org(), checked(note)?);
        let by = scope.caller().subject.user().ok_or_else(|| {
            Problem::new(Code::Forbidden, "Only people review the use of the break-glass access.")
        })?;
        let now = self.0.clock.now();
        let mut tx = self.0.db.tenant(org).await?;
        self.0.access.lock_glass(&mut tx, org).await?;
        self.settle(&mut tx, Some(org), now).await?;
        let stored = one(sql::find(&mut tx, org, id, now).await)?;
        may_review(&stored, by)?;
        sql::review(&mut tx, org, id, (by, note, now)).await.map_err(problem)?;
        letter::reviewed(&mut tx, org, id).await.map_err(problem)?;
        let (opening, asker) = (id, stored.asked_by_id);
        let event = BreakGlassEvent::Reviewed { opening, asker, note: note.to_owned() };
        record(&mut tx, scope.author(), Event::BreakGlass(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("reviewed");
        self.opening(scope.caller(), org, id).await
    }
}

/// Refuses where there is nothing to review, or not for this person.
pub(crate) fn may_review(stored: &Stored, by: UserId) -> Result<(), Problem> {
    if stored.is_of(by) {
        let detail = "Nobody reviews what they opened themselves. Another one who may arm the \
                      break-glass access has to.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let detail = match stored.state()? {
        BreakGlassState::Ended if stored.drill => {
            "A drill gives nothing, so there is no review of it."
        }
        BreakGlassState::Ended if stored.is_reviewed() => "It is reviewed already.",
        BreakGlassState::Ended => return Ok(()),
        BreakGlassState::Asked | BreakGlassState::Open => "It is not over yet. End it first.",
        BreakGlassState::Withdrawn | BreakGlassState::Expired => {
            "It was never open, so there is nothing to review."
        }
    };
    Err(Problem::new(Code::Conflict, detail))
}

fn checked(note: &str) -> Result<&str, Problem> {
    let note = note.trim();
    if NOTE.contains(&note.chars().count()) {
        return Ok(note);
    }
    let rule = format!("has to have between {} and {} characters", NOTE.start(), NOTE.end());
    Err(Problem::field("note", rule))
}
