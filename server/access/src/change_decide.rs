//! Decisions about changes that take two people.
//!
//! Who confirms is somebody else, with the same right at the same place, by what counts of them for
//! deciding about others ([`Standing`]), and no account that whoever asked made a moment ago. Both
//! people's rights are looked at in the transaction that does it, with the organisation's rights locked.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::changes::{ChangeRequest, ChangeState};
use ralex_audit::{Author, ChangeEvent, Entry, Event, record, record_all};
use ralex_kernel::{Caller, ChangeRequestId, Code, OrgId, Problem, ScopePath, UserId};
use ralex_store::{Error, Sweeper, System, problem};
use sqlx::PgConnection;

use crate::access::Access;
use crate::bind::present;
use crate::change::Change;
use crate::requests::{checked, decider, person, standing};
use crate::scope::{Confirming, Scope};
use crate::snapshot::Snapshot;
use crate::sql::change::{self as sql, Stored};
use crate::standing::Standing;
use crate::unsettled::{Unsettled, lately};

/// For how long an account does not count beside who made it, and saw its first password. As long as a
/// change may wait at most.
pub(crate) const MADE_LATELY: TimeDelta = TimeDelta::days(7);

const SWEEPER: Sweeper = Sweeper {
    name: "change_requests",
    why: "end changes that nobody confirmed in time",
    pace: Duration::from_secs(15),
    at_once: 500,
};

/// A change that the caller may confirm, and the proof to do it by.
#[derive(Debug)]
pub struct ToConfirm {
    pub scope: Scope,
    pub change: Change,
}

/// Counts a step.
pub(crate) fn count(event: &'static str) {
    metrics::counter!("ralex_change_requests_total", "event" => event).increment(1);
}

impl Access {
    /// What the caller is about to confirm. That is proven anew where it is done.
    pub async fn to_confirm(
        &self,
        caller: &Caller,
        org: OrgId,
        id: ChangeRequestId,
        reason: Option<&str>,
    ) -> Result<ToConfirm, Problem> {
        let by = decider(caller)?;
        let reason = reason.filter(|it| !it.trim().is_empty()).map(checked).transpose()?;
        let stored = self.seen_change(caller, org, id).await?;
        let scope = self.allow(caller, org, stored.permission()?, stored.place()).await?;
        let (current, now) = (self.snapshot(org).await?, self.clock().now());
        let mut tx = self.db().tenant(org).await?;
        may_second(&mut tx, &current, &stored, by, now).await?;
        still_waits(&stored)?;
        let confirming = Confirming { id, reason: reason.map(str::to_owned) };
        Ok(ToConfirm { scope: scope.for_confirming(confirming), change: stored.change()? })
    }

    /// Confirms what this transaction has done, which must be just what was asked for.
    pub(crate) async fn confirm(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        confirming: &Confirming,
        change: Option<&Change>,
    ) -> Result<(), Problem> {
        let (org, by) = (scope.org(), decider(scope.caller())?);
        let current = self.lock(&mut *conn, org).await?;
        let now = self.clock().now();
        let stored = one(sql::hold(&mut *conn, org, confirming.id, None, now).await)?;
        still_waits(&stored)?;
        if stored.place() != scope.path() || change != Some(&stored.change()?) {
            let detail = "What it rests on has changed since it was asked for. Whoever wants it still \
                          has to ask anew.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        may_second(&mut *conn, &current, &stored, by, now).await?;
        still_asks(&current, &stored, now).map_err(|why| {
            let detail = format!("Whoever asked for it could not do it any more. {}", why.detail);
            Problem::new(Code::Conflict, detail)
        })?;
        let reason = confirming.reason.as_deref();
        let done = (ChangeState::Confirmed, Some(by), reason);
        sql::decide(&mut *conn, org, confirming.id, done, now).await.map_err(problem)?;
        let event = ChangeEvent::Confirmed {
            change_request: confirming.id,
            what: stored.action()?.as_str(),
            target: stored.target,
            asker: stored.asker_id,
            reason: reason.map(str::to_owned),
        };
        record(conn, scope.author(), Event::Change(event)).await.map_err(problem)?;
        Ok(())
    }

    /// What was confirmed could not be done: where that is not because of who confirmed it, it never will
    /// be, and the request ends. The answer is what to tell them.
    pub async fn give_up_change(
        &self,
        scope: &Scope,
        id: ChangeRequestId,
        why: Problem,
    ) -> Result<Problem, Problem> {
        let (org, by, now) = (scope.org(), person(scope.caller())?, self.clock().now());
        let mut tx = self.db().tenant(org).await?;
        let current = self.lock(&mut tx, org).await?;
        let stored = one(sql::hold(&mut tx, org, id, None, now).await)?;
        let was_theirs = may_second(&mut tx, &current, &stored, by, now).await.is_err();
        if was_theirs || still_waits(&stored).is_err() {
            return Ok(why);
        }
        let fields = why.errors.iter().map(|field| format!(" {}: {}", field.path, field.message));
        let reason: String = format!("{}{}", why.detail, fields.collect::<String>());
        let ended = (ChangeState::Stale, None, Some(reason.as_str()));
        sql::decide(&mut tx, org, id, ended, now).await.map_err(problem)?;
        let asker = stored.asker_id;
        let event = ChangeEvent::Stale { change_request: id, asker, reason: reason.clone() };
        record(&mut tx, scope.author(), Event::Change(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("stale");
        let detail = format!("Nothing was done: this can no longer be confirmed. {reason}");
        Ok(Problem::new(Code::Conflict, detail))
    }

    /// Refuses what somebody else asks for.
    pub async fn refuse_change(
        &self,
        caller: &Caller,
        org: OrgId,
        id: ChangeRequestId,
        reason: &str,
    ) -> Result<ChangeRequest, Problem> {
        let (by, reason) = (decider(caller)?, checked(reason)?);
        let stored = self.seen_change(caller, org, id).await?;
        let scope = self.allow(caller, org, stored.permission()?, stored.place()).await?;
        if stored.asker_id == by {
            let detail = "You asked for it yourself. Withdraw it instead.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let now = self.clock().now();
        let mut tx = self.db().tenant(org).await?;
        still_waits(&one(sql::hold(&mut tx, org, id, None, now).await)?)?;
        let done = (ChangeState::Refused, Some(by), Some(reason));
        sql::decide(&mut tx, org, id, done, now).await.map_err(problem)?;
        let (asker, reason) = (stored.asker_id, reason.to_owned());
        let event = ChangeEvent::Refused { change_request: id, asker, reason };
        record(&mut tx, scope.author(), Event::Change(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("refused");
        self.change_request(caller, org, id).await
    }

    /// Takes back what one asked for.
    pub async fn withdraw_change(
        &self,
        caller: &Caller,
        org: OrgId,
        id: ChangeRequestId,
    ) -> Result<ChangeRequest, Problem> {
        let by = person(caller)?;
        if self.seen_change(caller, org, id).await?.asker_id != by {
            let detail = "Only who asked for it can withdraw it. Refuse it instead.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let now = self.clock().now();
        let mut tx = self.db().tenant(org).await?;
        still_waits(&one(sql::hold(&mut tx, org, id, None, now).await)?)?;
        let done = (ChangeState::Withdrawn, None, None);
        sql::decide(&mut tx, org, id, done, now).await.map_err(problem)?;
        let event = Event::Change(ChangeEvent::Withdrawn { change_request: id });
        record(&mut tx, &Author::of(caller, org), event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("withdrawn");
        self.change_request(caller, org, id).await
    }

    /// Everybody who may confirm it now.
    pub async fn seconds(&self, org: OrgId, id: ChangeRequestId) -> Result<Vec<UserId>, Problem> {
        let (current, now) = (self.snapshot(org).await?, self.clock().now());
        let mut tx = self.db().tenant(org).await?;
        let stored = one(sql::find(&mut tx, org, id, None, now).await)?;
        let mut seconds = Vec::new();
        for user in current.rows().members.iter().copied().filter(|it| current.rows().counts(*it)) {
            if may_second(&mut tx, &current, &stored, user, now).await.is_ok() {
                seconds.push(user);
            }
        }
        Ok(seconds)
    }

    /// Ends what nobody confirmed in time, at once and then steadily, until `shutdown`.
    pub async fn run_changes(&self, shutdown: impl Future<Output = ()>) {
        SWEEPER.run(shutdown, || self.sweep_and_count()).await;
    }

    /// Ends all that is late, and returns how much that was.
    pub async fn sweep_changes(&self) -> Result<u64, Error> {
        SWEEPER.all(self.db(), |tx| self.sweep_late(tx)).await
    }

    async fn sweep_and_count(&self) -> Result<u64, Error> {
        let ended = self.sweep_changes().await?;
        let mut tx = self.db().system("count changes that wait for a second person").await?;
        let waiting = sql::waiting(&mut tx, self.clock().now()).await?;
        tx.rollback().await?;
        metrics::gauge!("ralex_change_requests_pending")
            .set(f64::from(u32::try_from(waiting).unwrap_or(u32::MAX)));
        Ok(ended)
    }

    async fn sweep_late(&self, mut tx: System) -> Result<u64, Error> {
        let late = sql::expire_some(&mut tx, SWEEPER.at_once, self.clock().now()).await?;
        let entries = late.iter().map(|it| Entry::new(Author::system(it.org), it.event()));
        record_all(&mut tx, entries.collect()).await?;
        tx.commit().await?;
        for _ in &late {
            count("expired");
        }
        Ok(late.len() as u64)
    }
}

/// Refuses whoever is no second person for this, or may not do it themselves.
async fn may_second(
    conn: &mut PgConnection,
    current: &Snapshot,
    stored: &Stored,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    are_two(&mut *conn, current.org(), (by, stored.asker_id), now).await?;
    let new = lately(&mut *conn, current, &[by], now).await?;
    counts(&standing(current, by, &new, now), stored)
}

/// Refuses where who decides may be the same as who asked.
pub(crate) async fn are_two(
    conn: &mut PgConnection,
    org: OrgId,
    (by, asker): (UserId, UserId),
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    if asker == by {
        let detail = "Nobody confirms what they asked for themselves. Ask someone else who may.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let made = sql::made_lately(conn, org, (by, asker), now - MADE_LATELY).await;
    if made.map_err(problem)? {
        let detail = "In the last 7 days your account was made by whoever asked for this, or by single \
                      sign-on or a directory, so you do not count as a second person yet. Leave it to \
                      somebody else.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(())
}

/// Refuses where what counts of somebody is not enough to confirm this.
pub(crate) fn counts(standing: &Standing<'_>, stored: &Stored) -> Result<(), Problem> {
    standing.needs(stored.permission()?, stored.place())?;
    reaches(standing, &stored.change()?, stored.place())
}

/// Refuses where whoever asked could not do it alone now, also by what they hold for a while.
fn still_asks(current: &Snapshot, stored: &Stored, now: DateTime<Utc>) -> Result<(), Problem> {
    present(current, stored.asker_id)?;
    let (change, new) = (stored.change()?, Unsettled::default());
    let until = match &change {
        Change::OwnerGive { expires_at, .. } => *expires_at,
        Change::SecretDelete { .. }
        | Change::BudgetUpdate { .. }
        | Change::BudgetIncrease { .. }
        | Change::BudgetDelete { .. }
        | Change::SecondFactorOff { .. }
        | Change::SignOnOff { .. }
        | Change::SignOnMove { .. }
        | Change::BreakGlassArm { .. }
        | Change::FourEyes { .. } => None,
    };
    let asker = standing(current, stored.asker_id, &new, now);
    asker.holds(stored.permission()?, stored.place())?;
    reaches(&asker.until(until), &change, stored.place())
}

/// Refuses where this would give more than counts of somebody.
fn reaches(standing: &Standing<'_>, change: &Change, at: ScopePath) -> Result<(), Problem> {
    match change {
        Change::OwnerGive { role, .. } => standing.could_give(role, at),
        Change::BreakGlassArm { after: Some(after), .. } => standing.could_arm(after),
        Change::SecretDelete { .. }
        | Change::BudgetUpdate { .. }
        | Change::BudgetIncrease { .. }
        | Change::BudgetDelete { .. }
        | Change::SecondFactorOff { .. }
        | Change::SignOnOff { .. }
        | Change::SignOnMove { .. }
        | Change::BreakGlassArm { after: None, .. }
        | Change::FourEyes { .. } => Ok(()),
    }
}

pub(crate) fn one(found: Result<Option<Stored>, sqlx::Error>) -> Result<Stored, Problem> {
    found.map_err(problem)?.ok_or_else(|| Problem::not_found("change request"))
}

fn still_waits(stored: &Stored) -> Result<(), Problem> {
    let detail = match stored.state()? {
        ChangeState::Pending => return Ok(()),
        ChangeState::Confirmed => "It is confirmed already, and done.",
        ChangeState::Refused => "It is refused already.",
        ChangeState::Withdrawn => "Whoever asked has withdrawn it.",
        ChangeState::Expired => "Nobody confirmed it in time. Whoever asked may ask again.",
        ChangeState::Stale => "It could not be done any more. Whoever asked may ask again.",
    };
    Err(Problem::new(Code::Conflict, detail))
}
