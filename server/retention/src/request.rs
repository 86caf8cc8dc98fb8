//! What two people agree about: one asks, another decides, and only then it holds.

use chrono::{TimeDelta, Utc};
use ralex_access::{Permission, Scope};
use ralex_api::retention::{
    AuditRequest, AuditRequestKind, AuditRequestState, AuditRetention, NewAuditRequest,
    RetentionClass,
};
use ralex_audit::{Event, LogEvent, Retained, hold_still, record};
use ralex_kernel::{AuditRequestId, Caller, Code, HoldId, OrgId, Problem, ScopePath, UserId};
use ralex_store::problem;
use sqlx::PgConnection;

use crate::sql::{self, New, Stored};
use crate::{Retention, records};

const LONGEST_REASON: usize = 500;
/// So many wait at most.
const MOST: i64 = 20;
/// How long a second person has.
const DAYS_TO_DECIDE: i64 = 7;

/// What the second person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Approve,
    Deny,
}

impl Retention {
    /// How long the log is kept, what holds it, and what waits for a second person.
    pub async fn show(&self, caller: &Caller, org: OrgId) -> Result<AuditRetention, Problem> {
        let may = self.may(caller, org).await?;
        let mut tx = self.0.db.tenant(org).await?;
        let days = sql::days(&mut tx, org).await.map_err(problem)?;
        let holds = sql::holds(&mut tx, org).await.map_err(problem)?;
        let mut requests = sql::requests(&mut tx, org, None).await.map_err(problem)?;
        let records = sql::pruned_calls(&mut tx, org).await.map_err(problem)?;
        let mut may_approve = Vec::with_capacity(requests.len());
        for request in &requests {
            may_approve.push(may && self.counts(&mut tx, caller, (org, request)).await?);
        }
        tx.rollback().await.map_err(problem)?;
        self.name(org, &mut requests).await?;
        let classes = self.0.classes.iter().map(|class| RetentionClass {
            class: class.name.clone(),
            label: class.label.clone(),
            minimum_days: class.minimum_days,
            days: days.get(&class.name).copied(),
            actions: class.actions.clone(),
        });
        Ok(AuditRetention {
            classes: classes
                .chain([self.0.records.shown(days.get(records::CLASS).copied())])
                .collect(),
            holds,
            requests: requests
                .into_iter()
                .zip(may_approve)
                .map(|(request, may)| shown(request, may))
                .collect::<Result<_, _>>()?,
            pruned: self.0.audit.pruned_count(org).await?,
            prunable_below: self.0.audit.prunable_below(org).await?,
            archive: self.archive_status(org).await?,
            records,
        })
    }

    /// Asks for something, which changes nothing yet.
    pub async fn ask(&self, scope: &Scope, new: NewAuditRequest) -> Result<AuditRequest, Problem> {
        let (org, person) = (scope.org(), person(scope.caller())?);
        let reason = said(&new.reason)?;
        self.check(&new)?;
        let subject = match new.kind {
            AuditRequestKind::Erasure => {
                Some(self.erasable(org, new.person.as_deref(), &reason).await?)
            }
            AuditRequestKind::Retention | AuditRequestKind::Hold | AuditRequestKind::Lift => None,
        };
        let id = AuditRequestId::generate();
        let row = New {
            id,
            kind: new.kind.as_str(),
            class: new.class.as_deref(),
            days: new.days.and_then(|days| i32::try_from(days).ok()),
            hold: new.hold,
            subject,
            reason: &reason,
            asked_by: person,
            expires_at: Utc::now() + TimeDelta::days(DAYS_TO_DECIDE),
        };
        let mut tx = self.0.db.tenant(org).await?;
        if sql::waiting(&mut tx, org).await.map_err(problem)? >= MOST {
            let detail = format!("{MOST} requests wait already; decide about those first.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        if let Some(hold) = new.hold {
            let holds = sql::holds(&mut tx, org).await.map_err(problem)?;
            if !holds.iter().any(|it| it.id == hold) {
                return Err(Problem::field("hold", "is no hold that is not lifted"));
            }
        }
        sql::ask(&mut tx, org, &row).await.map_err(problem)?;
        let what = what(new.kind, new.class, new.days, new.hold, subject)?;
        let event = LogEvent::Asked { request: id, what, reason: reason.clone() };
        record(&mut tx, scope.author(), Event::Log(event)).await.map_err(problem)?;
        let asked = shown(one(&mut tx, org, id).await?, false)?;
        tx.commit().await.map_err(problem)?;
        Ok(asked)
    }

    /// Decides about a request of somebody else's; who asked may only take it back.
    pub async fn decide(
        &self,
        scope: &Scope,
        id: AuditRequestId,
        verdict: Verdict,
        reason: &str,
    ) -> Result<AuditRequest, Problem> {
        let (org, person) = (scope.org(), decider(scope.caller())?);
        let reason = said(reason)?;
        let mut tx = self.0.db.tenant(org).await?;
        // Nobody prunes between the decision that the log is held and its commit.
        hold_still(&mut tx, org).await.map_err(problem)?;
        let stored = one(&mut tx, org, id).await?;
        let state = match verdict {
            Verdict::Approve if stored.subject.is_some() => {
                tx.rollback().await.map_err(problem)?;
                let done = self.erase(scope, id, person, reason).await;
                if let Err(why) = &done {
                    self.not_erased(scope, id, why).await?;
                }
                return done;
            }
            Verdict::Approve => {
                self.0.access.agree(&mut tx, scope, stored.asked_by).await?;
                "approved"
            }
            Verdict::Deny => "denied",
        };
        if !sql::decide(&mut tx, org, id, person, state).await.map_err(problem)? {
            return Err(decided_already());
        }
        let event = match verdict {
            Verdict::Deny => LogEvent::Denied { request: id, reason },
            Verdict::Approve => {
                let what = self.carry_out(&mut tx, org, &stored).await?;
                let asked_by = stored.asker.clone().unwrap_or_default();
                LogEvent::Changed { request: id, what, asked_by, reason }
            }
        };
        record(&mut tx, scope.author(), Event::Log(event)).await.map_err(problem)?;
        let decided = shown(one(&mut tx, org, id).await?, false)?;
        tx.commit().await.map_err(problem)?;
        Ok(decided)
    }

    /// Does what two people agree about.
    async fn carry_out(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        stored: &Stored,
    ) -> Result<Retained, Problem> {
        let days = stored.days.and_then(|days| u32::try_from(days).ok());
        match what(kind(&stored.kind)?, stored.class.clone(), days, stored.hold, stored.subject)? {
            Retained::Retention { class, days } => {
                sql::set_days(conn, org, &class, stored.days).await.map_err(problem)?;
                Ok(Retained::Retention { class, days })
            }
            Retained::Hold { .. } => {
                let id = HoldId::generate();
                sql::hold(conn, org, id, &stored.reason).await.map_err(problem)?;
                Ok(Retained::Hold { hold: Some(id) })
            }
            Retained::Lift { hold } => {
                if !sql::lift(conn, org, hold).await.map_err(problem)? {
                    return Err(Problem::new(Code::Conflict, "This hold is lifted already."));
                }
                Ok(Retained::Lift { hold })
            }
            // That has a transaction of its own.
            Retained::Erasure { .. } => Err(unknown()),
        }
    }

    fn check(&self, new: &NewAuditRequest) -> Result<(), Problem> {
        let of_another = |field: &str| Problem::field(field, "is for another kind of request");
        if new.kind != AuditRequestKind::Lift && new.hold.is_some() {
            return Err(of_another("hold"));
        }
        if new.kind != AuditRequestKind::Erasure && new.person.is_some() {
            return Err(of_another("person"));
        }
        match new.kind {
            AuditRequestKind::Lift if new.hold.is_none() => {
                return Err(Problem::field("hold", "is needed"));
            }
            AuditRequestKind::Hold | AuditRequestKind::Lift | AuditRequestKind::Erasure => {
                let field = new.class.as_ref().map(|_| "class").or(new.days.map(|_| "days"));
                return field.map_or(Ok(()), |field| Err(of_another(field)));
            }
            AuditRequestKind::Retention => {}
        }
        let least = self.0.classes.iter().map(|class| (class.name.as_str(), class.minimum_days));
        let least: Vec<(&str, u32)> =
            least.chain([(records::CLASS, self.0.records.minimum_days)]).collect();
        let named = least.iter().find(|(name, _)| Some(*name) == new.class.as_deref());
        let Some((_, minimum)) = named.copied() else {
            let names: Vec<&str> = least.iter().map(|(name, _)| *name).collect();
            return Err(Problem::field("class", format!("must be one of {}", names.join(", "))));
        };
        match new.days {
            Some(days) if !(minimum..=36_500).contains(&days) => {
                let rule = format!("must be between {minimum} and 36500");
                Err(Problem::field("days", rule))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether who reads may decide at all.
    async fn may(&self, caller: &Caller, org: OrgId) -> Result<bool, Problem> {
        let judged =
            self.0.access.judge_caller(caller, org, Permission::AuditRetain, ScopePath::Org);
        Ok(judged.await?.is_allowed())
    }

    /// Whether who reads counts beside who asked.
    async fn counts(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        (org, request): (OrgId, &Stored),
    ) -> Result<bool, Problem> {
        let waits = request.state == "pending" && request.expires_at > Utc::now();
        let by = (Permission::AuditRetain, ScopePath::Org);
        let two = (org, request.asked_by);
        Ok(waits && self.0.access.could_agree(conn, caller, two, by).await?)
    }
}

pub(crate) async fn one(
    conn: &mut PgConnection,
    org: OrgId,
    id: AuditRequestId,
) -> Result<Stored, Problem> {
    let found = sql::requests(conn, org, Some(id)).await.map_err(problem)?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("request"))
}

pub(crate) fn decided_already() -> Problem {
    Problem::new(Code::Conflict, "It is decided already, or nobody decided in time.")
}

fn person(caller: &Caller) -> Result<UserId, Problem> {
    caller.subject.user().ok_or_else(|| {
        let detail = "Only people ask for this and decide about it, and no token of a team.";
        Problem::new(Code::Forbidden, detail)
    })
}

/// A token that is narrowed agrees to nothing that lasts.
fn decider(caller: &Caller) -> Result<UserId, Problem> {
    if caller.is_narrowed() {
        let detail = "A narrowed token decides about nothing that the log keeps. Use a session, or a \
                      token that is not narrowed.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    person(caller)
}

fn said(reason: &str) -> Result<String, Problem> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        let rule = format!("must be a text of at most {LONGEST_REASON} characters");
        return Err(Problem::field("reason", rule));
    }
    Ok(reason.to_owned())
}

fn kind(word: &str) -> Result<AuditRequestKind, Problem> {
    AuditRequestKind::named(word).ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::new(Code::Internal, "This request is of a kind that this server does not know.")
}

fn what(
    kind: AuditRequestKind,
    class: Option<String>,
    days: Option<u32>,
    hold: Option<HoldId>,
    subject: Option<UserId>,
) -> Result<Retained, Problem> {
    match kind {
        AuditRequestKind::Retention => {
            class.map(|class| Retained::Retention { class, days }).ok_or_else(unknown)
        }
        AuditRequestKind::Hold => Ok(Retained::Hold { hold: None }),
        AuditRequestKind::Lift => hold.map(|hold| Retained::Lift { hold }).ok_or_else(unknown),
        AuditRequestKind::Erasure => {
            subject.map(|person| Retained::Erasure { person }).ok_or_else(unknown)
        }
    }
}

pub(crate) fn shown(stored: Stored, may_approve: bool) -> Result<AuditRequest, Problem> {
    let state = match AuditRequestState::named(&stored.state).ok_or_else(unknown)? {
        AuditRequestState::Pending if stored.expires_at <= Utc::now() => AuditRequestState::Expired,
        state => state,
    };
    let pending = state == AuditRequestState::Pending;
    // Once it is decided, only their id is shown.
    let known = stored.person.filter(|_| pending);
    let person = stored.subject.map(|id| known.unwrap_or_else(|| format!("user:{id}")));
    Ok(AuditRequest {
        id: stored.id,
        kind: kind(&stored.kind)?,
        state,
        class: stored.class,
        days: stored.days.and_then(|days| u32::try_from(days).ok()),
        hold: stored.hold,
        person,
        reason: stored.reason,
        may_approve: pending && may_approve,
        asked_by: stored.asker.unwrap_or_else(|| stored.asked_by.to_string()),
        asked_at: stored.asked_at,
        expires_at: stored.expires_at,
        decided_by: stored.decider,
        decided_at: stored.decided_at,
    })
}
