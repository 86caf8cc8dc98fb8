//! How requests for access end: withdrawn, given back, taken away, or by time.
//!
//! Time ends what was given by itself: a binding says until when it holds, on every node. What is
//! swept up afterwards is only the record of it, once, by whichever node looks first. A request
//! whose binding somebody took away by another way has ended as well, which its reader sees at
//! once and the log when it is swept.

use std::time::Duration;

use ralex_api::access_requests::{AccessEnding, AccessRequest, AccessRequestState};
use ralex_audit::{AccessRequestEvent, Author, Entry, Event, record, record_all};
use ralex_kernel::{AccessRequestId, Caller, Code, OrgId, Problem};
use ralex_store::{Error, Sweeper, System, problem};

use crate::Permission;
use crate::access::Access;
use crate::request_decide::still_waits;
use crate::requests::{one, person};
use crate::scope::Scope;
use crate::sql::request_end as sql;
use crate::sql::{self as all, request};

const SWEEPER: Sweeper = Sweeper {
    name: "access_requests",
    why: "end requests for access that are late",
    pace: Duration::from_secs(15),
    at_once: 500,
};

/// Counts a step.
pub(crate) fn count(event: &'static str) {
    metrics::counter!("ralex_access_requests_total", "event" => event).increment(1);
}

impl Access {
    /// Takes back what one asked for.
    pub async fn withdraw_access(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessRequestId,
    ) -> Result<AccessRequest, Problem> {
        if person(caller)? != self.visible(caller, org, id).await? {
            let detail = "Only who asked for it can withdraw it. Deny it instead.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let now = self.clock().now();
        let mut tx = self.db().tenant(org).await?;
        still_waits(&one(request::hold(&mut tx, org, id, now).await)?)?;
        request::withdraw(&mut tx, org, id, now).await.map_err(problem)?;
        let event = Event::AccessRequest(AccessRequestEvent::Withdrawn { access_request: id });
        record(&mut tx, &Author::of(caller, org), event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("withdrawn");
        self.access_request(caller, org, id).await
    }

    /// Ends what a request gave before its time: by who holds it, or by who may take such a role.
    pub async fn end_access(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessRequestId,
    ) -> Result<AccessRequest, Problem> {
        let by = person(caller)?;
        let own = by == self.visible(caller, org, id).await?;
        let taker = if own { None } else { Some(self.taker(caller, org, id).await?) };
        let mut tx = self.db().tenant(org).await?;
        let current = self.lock(&mut tx, org).await?;
        let now = self.clock().now();
        let stored = one(request::hold(&mut tx, org, id, now).await)?;
        if stored.stands()? != AccessRequestState::Active {
            let detail = "There is nothing to end: nothing is held by it now.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let at = stored.place();
        if let Some(scope) = &taker {
            self.may_give(&current, scope, &stored.role, at, None)?;
        }
        let (author, mut bindings) = (Author::of(caller, org), current.rows().bindings.iter());
        let held = bindings.find(|binding| binding.request == Some(id));
        self.end(&mut tx, &author, held.as_slice()).await?;
        sql::revoke(&mut tx, org, (id, by), now).await.map_err(problem)?;
        let event = AccessRequestEvent::Ended {
            access_request: id,
            user: stored.user,
            role: stored.role,
            scope: at,
            ending: AccessEnding::Revoked.as_str(),
        };
        record(&mut tx, &author, Event::AccessRequest(event)).await.map_err(problem)?;
        self.commit(tx, org).await?;
        count("revoked");
        self.access_request(caller, org, id).await
    }

    async fn taker(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessRequestId,
    ) -> Result<Scope, Problem> {
        let at = self.place_of_request(caller, org, id).await?;
        self.allow(caller, org, Permission::RoleBind, at).await
    }

    /// Sweeps, at once and then steadily, until `shutdown`.
    pub async fn run_requests(&self, shutdown: impl Future<Output = ()>) {
        SWEEPER.run(shutdown, || self.sweep_and_tell()).await;
    }

    /// Ends all that is late, and returns how much that was.
    pub async fn sweep_requests(&self) -> Result<u64, Error> {
        SWEEPER.all(self.db(), |tx| self.sweep_some(tx)).await
    }

    /// Every node tells how many wait, also one that had nothing to end.
    async fn sweep_and_tell(&self) -> Result<u64, Error> {
        let ended = self.sweep_requests().await?;
        let mut tx = self.db().system("count requests for access that wait").await?;
        let waiting = sql::waiting(&mut tx, self.clock().now()).await?;
        tx.rollback().await?;
        metrics::gauge!("ralex_access_requests_pending")
            .set(f64::from(u32::try_from(waiting).unwrap_or(u32::MAX)));
        Ok(ended)
    }

    /// An organisation after the other, each in a transaction of its own: who decides there holds
    /// the organisation first and a request after, and so does this.
    async fn sweep_some(&self, mut tx: System) -> Result<u64, Error> {
        let mut ended = 0;
        for org in sql::late_orgs(&mut tx, self.clock().now()).await? {
            ended += self.sweep_org(org).await?;
        }
        tx.rollback().await?;
        // All of them were looked at; a full round would have this asked again.
        Ok(ended.min(SWEEPER.at_once.unsigned_abs() - 1))
    }

    async fn sweep_org(&self, org: OrgId) -> Result<u64, Error> {
        let mut tx = self.db().tenant(org).await?;
        all::bump(&mut tx, org).await?;
        let now = self.clock().now();
        let mut late = sql::expire(&mut tx, org, None, now).await?;
        late.extend(sql::end_late(&mut tx, org, now).await?);
        let entries = late
            .iter()
            .map(|late| Entry::new(Author::system(org), Event::AccessRequest(late.event())));
        record_all(&mut tx, entries.collect()).await?;
        tx.commit().await?;
        for late in &late {
            count(if late.was_given() { "ended" } else { "expired" });
        }
        Ok(late.len() as u64)
    }
}
