//! Approvals as people see and decide them.

use chrono::{TimeDelta, Utc};
use ralex_access::{Permission, Reach, Scope};
use ralex_api::approvals::{Approval, ApprovalsQuery};
use ralex_api::page::{Page, PageQuery};
use ralex_audit::{ApprovalEvent, Event, record};
use ralex_kernel::{ApprovalId, Caller, Code, OrgId, Problem, ScopePath, UserId};
use ralex_store::{Tenant, problem};
use uuid::Uuid;

use crate::sql::{self, Decision, Filter, Stored};
use crate::{Approvals, count};

const REASON: usize = 500;

/// What a person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Approve,
    Deny,
}

impl Approvals {
    /// What waits and what was decided where the caller may see it, the newest first.
    pub async fn list(
        &self,
        caller: &Caller,
        reach: &Reach,
        query: &ApprovalsQuery,
    ) -> Result<Page<Approval>, Problem> {
        let page = PageQuery { cursor: query.cursor.clone(), limit: query.limit };
        let asker = query.asker.as_deref().map(str::parse::<Uuid>).transpose();
        let filter = Filter {
            everywhere: reach.everywhere(),
            teams: reach.teams(),
            projects: reach.projects(),
            only: None,
            before: page.after()?,
            state: query.state,
            rule: query.rule.as_deref(),
            model: query.model.as_deref(),
            asker: asker.map_err(|_| Problem::field("asker", "is no id"))?,
            at_most: page.size() + 1,
        };
        let mut tx = self.0.db.tenant(reach.org()).await?;
        let stored = sql::select(&mut tx, reach.org(), &filter).await.map_err(problem)?;
        drop(tx);
        let mut items = Vec::with_capacity(stored.len());
        for stored in stored {
            items.push(self.shown(caller, reach.org(), stored).await?);
        }
        Ok(Page::of(items, page.size(), |approval: &Approval| approval.id.to_string()))
    }

    /// Where an approval belongs, so that the right to it can be asked for there. Who holds nothing
    /// in the organisation is told that there is none.
    pub async fn place(
        &self,
        caller: &Caller,
        org: OrgId,
        id: ApprovalId,
    ) -> Result<ScopePath, Problem> {
        self.0.access.belongs(caller, org).await?;
        let mut tx = self.0.db.tenant(org).await?;
        one(&mut tx, org, id).await.map(|stored| stored.place())
    }

    /// One, for who asked for it, and for who may see what waits there.
    pub async fn read(
        &self,
        caller: &Caller,
        org: OrgId,
        id: ApprovalId,
    ) -> Result<Approval, Problem> {
        self.0.access.belongs(caller, org).await?;
        let mut tx = self.0.db.tenant(org).await?;
        let stored = one(&mut tx, org, id).await?;
        drop(tx);
        if !stored.is_of(caller.subject) {
            self.0.access.allow(caller, org, Permission::ApprovalRead, stored.place()).await?;
        }
        self.shown(caller, org, stored).await
    }

    /// How many wait that the caller may decide about.
    pub async fn waiting(&self, caller: &Caller, reach: &Reach) -> Result<u64, Problem> {
        // Nobody but a person decides.
        let Some(person) = caller.subject.user() else { return Ok(0) };
        let mut tx = self.0.db.tenant(reach.org()).await?;
        let count = sql::waiting_for(&mut tx, reach, person).await.map_err(problem)?;
        Ok(count.unsigned_abs())
    }

    /// Approves or denies what waits. Whoever is first decides.
    pub async fn decide(
        &self,
        scope: &Scope,
        id: ApprovalId,
        verdict: Verdict,
        reason: &str,
    ) -> Result<Approval, Problem> {
        let org = scope.org();
        let Some(person) = scope.caller().subject.user() else {
            let detail = "Only a person decides about approvals, and no token of a team.";
            return Err(Problem::new(Code::Forbidden, detail));
        };
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON {
            let message = format!("has to have between 1 and {REASON} characters");
            return Err(Problem::field("reason", message));
        }
        let mut tx = self.0.db.tenant(org).await?;
        sql::lock(&mut tx, org, id).await.map_err(problem)?;
        let stored = within(&mut tx, scope, id).await?;
        decidable(&stored, person)?;
        let settings = sql::settings(&mut tx, org).await.map_err(problem)?;
        let minutes = match verdict {
            Verdict::Approve => settings.approved_minutes,
            Verdict::Deny => settings.denied_minutes,
        };
        let until = Utc::now() + TimeDelta::minutes(minutes.into());
        let once = settings.once;
        let decision = Decision { verdict, by: person, reason, once, until };
        sql::decide(&mut tx, org, id, &decision).await.map_err(problem)?;
        let (asker, reason) = (stored.asker.clone(), reason.to_owned());
        let event = match verdict {
            Verdict::Approve => {
                ApprovalEvent::Approved { approval: id, asker, reason, once, until }
            }
            Verdict::Deny => ApprovalEvent::Denied { approval: id, asker, reason, until },
        };
        record(&mut tx, scope.author(), Event::Approval(event)).await.map_err(problem)?;
        let decided = within(&mut tx, scope, id).await?;
        sql::tell(&mut tx, id).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count(match verdict {
            Verdict::Approve => "approved",
            Verdict::Deny => "denied",
        });
        self.shown(scope.caller(), org, decided).await
    }

    /// Excerpts are for those who may decide: others have no need of them.
    async fn shown(
        &self,
        caller: &Caller,
        org: OrgId,
        stored: Stored,
    ) -> Result<Approval, Problem> {
        let at = stored.place();
        let asked = self.0.access.judge_caller(caller, org, Permission::ApprovalDecide, at);
        let person = caller.subject.user();
        let may =
            person.is_some_and(|person| !stored.asked_by(person)) && asked.await?.is_allowed();
        stored.shown(may)
    }
}

async fn one(tx: &mut Tenant, org: OrgId, id: ApprovalId) -> Result<Stored, Problem> {
    let found = sql::select(tx, org, &Filter::only(id)).await.map_err(problem)?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("approval"))
}

/// One within the scope; others do not exist for its holder.
async fn within(tx: &mut Tenant, scope: &Scope, id: ApprovalId) -> Result<Stored, Problem> {
    let stored = one(tx, scope.org(), id).await?;
    if stored.place().is_within(scope.path()) {
        Ok(stored)
    } else {
        Err(Problem::not_found("approval"))
    }
}

fn decidable(stored: &Stored, person: UserId) -> Result<(), Problem> {
    if stored.asked_by(person) {
        let detail = "Nobody decides about what they asked for themselves, or by a token of their \
                      own making. Ask someone else who may.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    match stored.state.as_str() {
        "pending" => Ok(()),
        "expired" => {
            let detail = "Nobody decided in time. Whoever asked may ask again.";
            Err(Problem::new(Code::Conflict, detail))
        }
        decided => {
            let word = if decided == "denied" { "denied" } else { "approved" };
            let who = stored.decided_by.as_deref().unwrap_or("somebody");
            Err(Problem::new(Code::Conflict, format!("It is {word} already, by {who}.")))
        }
    }
}
