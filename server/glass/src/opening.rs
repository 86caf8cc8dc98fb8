//! Opening: one asks, another one confirms, and it ends.
//!
//! Whoever takes a step holds the lock of the organisation's glass until its transaction ends, so that of
//! many who confirm, withdraw and end at once one is first, and the others find what that one has done.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_access::Permission;
use ralex_api::break_glass::{BreakGlassOpening, BreakGlassState, OpenBreakGlass};
use ralex_audit::{Author, BreakGlassEvent, Event, record};
use ralex_identity::{GlassAct, GlassProof};
use ralex_kernel::{BreakGlassId, Caller, Code, OrgId, Problem, ScopePath, UserId};
use ralex_store::{OnConstraint, Tenant, problem};
use sqlx::PgConnection;

use crate::BreakGlass;
use crate::list::Reader;
use crate::named::{hindered, named};
use crate::sql::opening::{self as sql, New, Stored};
use crate::sql::{self as armed, letter::Step};

/// How long the second person has.
pub(crate) const TO_CONFIRM: TimeDelta = TimeDelta::minutes(15);
const REASON: std::ops::RangeInclusive<usize> = 10..=1_000;
const SHORTEST_MINUTES: u32 = 5;

/// Counts a step.
pub(crate) fn count(event: &'static str) {
    metrics::counter!("ralex_break_glass_total", "event" => event).increment(1);
}

impl BreakGlass {
    /// Refuses whoever is not named, before their authenticator is asked for anything. What they want to
    /// confirm has to wait.
    pub async fn may_sign(
        &self,
        caller: &Caller,
        org: OrgId,
        opening: Option<BreakGlassId>,
    ) -> Result<GlassAct, Problem> {
        let now = self.0.clock.now();
        let mut tx = self.0.db.system("see who may open the break-glass access").await?;
        let user = named(&mut tx, caller, org, now).await?;
        let Some(id) = opening else { return Ok(GlassAct::Open(org)) };
        let stored = one(sql::find(&mut tx, org, id, now).await)?;
        may_confirm(&stored, user)?;
        Ok(GlassAct::Confirm(id))
    }

    /// Asks for it to be opened. `proof` is of who asks, for just this.
    pub async fn ask(
        &self,
        caller: &Caller,
        org: OrgId,
        proof: &GlassProof,
        open: &OpenBreakGlass,
    ) -> Result<BreakGlassOpening, Problem> {
        must_be(proof, GlassAct::Open(org))?;
        let reason = checked(&open.reason)?;
        let now = self.0.clock.now();
        let mut tx = self.0.db.system("ask for the break-glass access").await?;
        let user = named(&mut tx, caller, org, now).await?;
        must_sign(proof, user)?;
        self.0.access.lock_glass(&mut tx, org).await?;
        let terms = armed::terms(&mut tx, org).await.map_err(problem)?.ok_or_else(not_armed)?;
        let minutes = open.minutes.unwrap_or(terms.longest_minutes);
        if !(SHORTEST_MINUTES..=terms.longest_minutes).contains(&minutes) {
            let rule = format!("must be between {SHORTEST_MINUTES} and {}", terms.longest_minutes);
            return Err(Problem::field("minutes", rule));
        }
        self.settle(&mut tx, Some(org), now).await?;
        let (id, until) = (BreakGlassId::generate(), now + TO_CONFIRM);
        let new = New { id, drill: open.drill, minutes, reason, asker: user, now, until };
        let detail = "The break-glass access is open already, or somebody asks for it. Confirm that, or \
                      have it withdrawn or ended first.";
        let taken = Problem::new(Code::Conflict, detail);
        let stored = sql::insert(&mut tx, org, &new, &terms).await;
        stored.or_problem([("break_glass_opening_current", taken)])?;
        armed::letter::add(&mut tx, org, id, Step::Asked, now).await.map_err(problem)?;
        let event = BreakGlassEvent::Asked {
            opening: id,
            drill: open.drill,
            reason: reason.to_owned(),
            minutes,
            confirm_until: until,
        };
        let author = Author::of(caller, org);
        record(&mut tx, &author, Event::BreakGlass(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("asked");
        self.opening(caller, org, id).await
    }

    /// Agrees to what somebody else has asked for: from this moment both hold what it gives, or a drill is
    /// over. `proof` is of who agrees, for just this.
    pub async fn confirm(
        &self,
        caller: &Caller,
        org: OrgId,
        id: BreakGlassId,
        proof: &GlassProof,
    ) -> Result<BreakGlassOpening, Problem> {
        must_be(proof, GlassAct::Confirm(id))?;
        let now = self.0.clock.now();
        let mut tx = self.0.db.system("confirm the break-glass access").await?;
        let user = named(&mut tx, caller, org, now).await?;
        must_sign(proof, user)?;
        self.0.access.lock_glass(&mut tx, org).await?;
        let stored = one(sql::find(&mut tx, org, id, now).await)?;
        may_confirm(&stored, user)?;
        still_counts(&mut tx, org, (&stored, user), now).await?;
        let until = now + if stored.drill { TimeDelta::zero() } else { stored.time() };
        sql::confirm(&mut tx, org, id, (user, now, until)).await.map_err(problem)?;
        let (asker, opening) = (stored.asked_by_id, id);
        let (event, step) = if stored.drill {
            (BreakGlassEvent::Drilled { opening, asker }, Step::Ended)
        } else {
            let permissions = stored.permissions.clone();
            (BreakGlassEvent::Opened { opening, asker, permissions, until }, Step::Opened)
        };
        armed::letter::add(&mut tx, org, id, step, now).await.map_err(problem)?;
        let author = Author::of(caller, org);
        record(&mut tx, &author, Event::BreakGlass(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count(if stored.drill { "drilled" } else { "opened" });
        self.opening(caller, org, id).await
    }

    /// Takes back what was asked for, or ends what is open, at once and on every node: by one of the two,
    /// by an owner, or by who may arm it.
    pub async fn end(
        &self,
        caller: &Caller,
        org: OrgId,
        id: BreakGlassId,
    ) -> Result<BreakGlassOpening, Problem> {
        let reader = self.reader(caller, org).await?;
        let by = reader.user.ok_or_else(|| Problem::not_found("organisation"))?;
        let now = self.0.clock.now();
        let mut tx = self.0.db.tenant(org).await?;
        self.0.access.lock_glass(&mut tx, org).await?;
        let found = sql::find(&mut tx, org, id, now).await.map_err(problem)?;
        if !found.as_ref().map_or(reader.sees_all(), |stored| reader.may_end(stored)) {
            drop(tx);
            // The answer is the problem: who belongs here and may not is told so.
            let asked = (Permission::BreakGlassArm, ScopePath::Org);
            self.0.access.allow(caller, org, asked.0, asked.1).await?;
            return Err(Problem::new(Code::Conflict, "Your rights have changed. Try again."));
        }
        let stored = one(Ok(found))?;
        let state = match stored.state()? {
            BreakGlassState::Asked => BreakGlassState::Withdrawn,
            BreakGlassState::Open => BreakGlassState::Ended,
            BreakGlassState::Withdrawn | BreakGlassState::Expired | BreakGlassState::Ended => {
                return Err(Problem::new(Code::Conflict, "It is over already."));
            }
        };
        sql::end(&mut tx, org, id, (state, by, now)).await.map_err(problem)?;
        armed::letter::ended(&mut tx, org, (id, state), now).await.map_err(problem)?;
        let event = stored.ended(state, now, false);
        record(&mut tx, &Author::of(caller, org), Event::BreakGlass(event))
            .await
            .map_err(problem)?;
        self.close(tx, org).await?;
        count(state.as_str());
        self.opening_for(&reader, org, id).await
    }

    /// What was made under it is remembered by the version of the rights, which this raises.
    async fn close(&self, tx: Tenant, org: OrgId) -> Result<(), Problem> {
        self.0.access.commit(tx, org).await
    }

    pub(crate) async fn opening(
        &self,
        caller: &Caller,
        org: OrgId,
        id: BreakGlassId,
    ) -> Result<BreakGlassOpening, Problem> {
        let reader = self.reader(caller, org).await?;
        self.opening_for(&reader, org, id).await
    }

    async fn opening_for(
        &self,
        reader: &Reader,
        org: OrgId,
        id: BreakGlassId,
    ) -> Result<BreakGlassOpening, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        reader.shown(one(sql::find(&mut tx, org, id, self.0.clock.now()).await)?)
    }
}

/// Refuses where somebody may not agree to this.
fn may_confirm(stored: &Stored, user: UserId) -> Result<(), Problem> {
    if stored.asked_by_id == user {
        let detail = "Nobody confirms what they asked for themselves. Another named person has to.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let detail = match stored.state()? {
        BreakGlassState::Asked => return Ok(()),
        BreakGlassState::Open => "It is confirmed already, and open.",
        BreakGlassState::Withdrawn => "It was withdrawn. Ask anew where it is still needed.",
        BreakGlassState::Expired => {
            "Nobody confirmed it in time. Ask anew where it is still needed."
        }
        BreakGlassState::Ended => "It is over already.",
    };
    Err(Problem::new(Code::Conflict, detail))
}

/// Refuses where whoever asked could not any more, or the two may be one person.
async fn still_counts(
    conn: &mut PgConnection,
    org: OrgId,
    (stored, user): (&Stored, UserId),
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let asker = stored.asked_by_id;
    let found = armed::standing(&mut *conn, org, asker, now).await.map_err(problem)?;
    if let Some(why) = found.as_ref().map_or(Some("the person has left"), hindered) {
        let detail = format!("Whoever asked for it could not open it any more: {why}.");
        return Err(Problem::new(Code::Conflict, detail));
    }
    if armed::made_lately(conn, (user, asker), now).await.map_err(problem)? {
        let detail = "One of you has made the other one's account in the last 7 days, so you do not \
                      count as two people yet. Another named person has to confirm it.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(())
}

fn must_be(proof: &GlassProof, act: GlassAct) -> Result<(), Problem> {
    if proof.act() == act {
        return Ok(());
    }
    Err(Problem::new(Code::StepUpRequired, "The passkey signed for something else."))
}

fn must_sign(proof: &GlassProof, user: UserId) -> Result<(), Problem> {
    if proof.user() == user {
        return Ok(());
    }
    Err(Problem::new(Code::StepUpRequired, "The passkey of somebody else has signed."))
}

fn checked(reason: &str) -> Result<&str, Problem> {
    let reason = reason.trim();
    if REASON.contains(&reason.chars().count()) {
        return Ok(reason);
    }
    let rule = format!("has to have between {} and {} characters", REASON.start(), REASON.end());
    Err(Problem::field("reason", rule))
}

pub(crate) fn one(found: Result<Option<Stored>, sqlx::Error>) -> Result<Stored, Problem> {
    found.map_err(problem)?.ok_or_else(|| Problem::not_found("break-glass opening"))
}

fn not_armed() -> Problem {
    Problem::new(Code::Conflict, "The break-glass access is not armed here.")
}
