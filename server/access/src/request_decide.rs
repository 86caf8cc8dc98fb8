//! Decisions about access that others ask for.
//!
//! Changes of an organisation's rights wait for each other, and so do decisions of one request, so
//! that of many at once one is the last. Whoever approved before is asked again when the last
//! approval comes: who has lost the right meanwhile has not agreed to anything.

use chrono::TimeDelta;
use ralex_api::access::{BindingEffect, RoleName};
use ralex_api::access_requests::{AccessRequest, AccessRequestState};
use ralex_audit::{AccessRequestEvent, Event, record};
use ralex_kernel::{AccessRequestId, BindingId, Code, Problem, UserId};
use ralex_store::{Tenant, problem};

use crate::access::Access;
use crate::bindings::{Bearer, Wanted};
use crate::request_end::count;
use crate::requests::{checked, decider, may_hold, one, standing};
use crate::scope::Scope;
use crate::sql::request::{self as sql, Stored};
use crate::unsettled::lately;

impl Access {
    /// Agrees to a request. With as many as are needed the role is given at once.
    pub async fn approve_access(
        &self,
        scope: &Scope,
        id: AccessRequestId,
        reason: &str,
    ) -> Result<AccessRequest, Problem> {
        let (org, approver) = (scope.org(), decider(scope.caller())?);
        let reason = checked(reason)?;
        let mut tx = self.db().tenant(org).await?;
        let current = self.lock(&mut tx, org).await?;
        let now = self.clock().now();
        let stored = one(sql::hold(&mut tx, org, id, now).await)?;
        waits(scope, &stored, approver)?;
        if stored.is_approved_by(approver) {
            let detail = "You approved it already. It waits for somebody else to do so as well.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let (role, at) = (RoleName(stored.role.clone()), stored.place());
        let mut people: Vec<UserId> = stored.approvers.iter().copied().map(UserId::from).collect();
        people.push(approver);
        let new = lately(&mut tx, &current, &people, now).await?;
        let may_give = |user| standing(&current, user, &new, now).may_give(role.as_str(), at);
        may_give(approver)?;
        may_hold(&current, stored.user, (&role, at), now)?;
        sql::approve(&mut tx, org, (id, approver), reason, now).await.map_err(problem)?;
        let agreed = people.iter().filter(|user| may_give(**user).is_ok()).count();
        let needed = (role.as_str(), u32::from(stored.needed.unsigned_abs()));
        let needed = self.approvals_for(&mut tx, &current, needed).await?;
        let given = if agreed >= usize::try_from(needed).unwrap_or(usize::MAX) {
            Some(self.begin(&mut tx, scope, &stored).await?)
        } else {
            None
        };
        let (binding, expires_at) = given.unzip();
        let event = AccessRequestEvent::Approved {
            access_request: id,
            user: stored.user,
            role: role.to_string(),
            scope: at,
            reason: reason.to_owned(),
            binding,
            expires_at,
        };
        record(&mut tx, scope.author(), Event::AccessRequest(event)).await.map_err(problem)?;
        self.commit(tx, org).await?;
        count("approved");
        self.access_request(scope.caller(), org, id).await
    }

    /// Refuses what is asked for, whoever approved it before.
    pub async fn deny_access(
        &self,
        scope: &Scope,
        id: AccessRequestId,
        reason: &str,
    ) -> Result<AccessRequest, Problem> {
        let (org, by) = (scope.org(), decider(scope.caller())?);
        let reason = checked(reason)?;
        let current = self.snapshot(org).await?;
        let now = self.clock().now();
        let mut tx = self.db().tenant(org).await?;
        let stored = one(sql::hold(&mut tx, org, id, now).await)?;
        waits(scope, &stored, by)?;
        let new = lately(&mut tx, &current, &[by], now).await?;
        standing(&current, by, &new, now).may_decide(stored.place())?;
        sql::deny(&mut tx, org, (id, by), reason, now).await.map_err(problem)?;
        self.tell_asker(&mut tx, org, (id, stored.user)).await?;
        let (user, reason) = (stored.user, reason.to_owned());
        let event = AccessRequestEvent::Denied { access_request: id, user, reason };
        record(&mut tx, scope.author(), Event::AccessRequest(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("denied");
        self.access_request(scope.caller(), org, id).await
    }

    /// Gives what was asked for, from now on.
    async fn begin(
        &self,
        tx: &mut Tenant,
        scope: &Scope,
        stored: &Stored,
    ) -> Result<(BindingId, chrono::DateTime<chrono::Utc>), Problem> {
        let (org, now) = (scope.org(), self.clock().now());
        let settings = sql::settings(tx, org).await.map_err(problem)?;
        let minutes = stored.minutes.unsigned_abs().min(settings.longest_minutes);
        let until = now + TimeDelta::minutes(minutes.into());
        let wanted = Wanted {
            bearer: Bearer::User(stored.user),
            role: RoleName(stored.role.clone()),
            at: stored.place(),
            effect: BindingEffect::Allow,
            not_before: None,
            expires_at: Some(until),
        };
        let binding = self.bind_for(tx, scope, wanted, Some(stored.id)).await?;
        sql::begin(tx, org, stored.id, (minutes, now, until)).await.map_err(problem)?;
        self.tell_asker(tx, org, (stored.id, stored.user)).await?;
        Ok((binding, until))
    }
}

fn waits(scope: &Scope, stored: &Stored, by: UserId) -> Result<(), Problem> {
    if !stored.place().is_within(scope.path()) {
        return Err(Problem::not_found("access request"));
    }
    if stored.user == by {
        let detail =
            "Nobody decides about what they asked for themselves. Ask someone else who may.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    still_waits(stored)
}

pub(crate) fn still_waits(stored: &Stored) -> Result<(), Problem> {
    let detail = match stored.stands()? {
        AccessRequestState::Pending => return Ok(()),
        AccessRequestState::Active => "It is approved already, and the role is held.",
        AccessRequestState::Denied => "It is denied already.",
        AccessRequestState::Withdrawn => "Whoever asked has withdrawn it.",
        AccessRequestState::Expired => "Nobody decided in time. Whoever asked may ask again.",
        AccessRequestState::Ended => "It was approved, and what it gave has ended already.",
    };
    Err(Problem::new(Code::Conflict, detail))
}
