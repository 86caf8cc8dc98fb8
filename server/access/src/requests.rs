//! Requests for access: a member asks for a role at a place, for a while and for a reason.
//!
//! What is approved is an ordinary binding that ends by itself, so nothing else has to know of
//! requests to decide, to explain or to list. A request is never changed: whoever wants something
//! else withdraws it and asks anew, so that nobody agrees to what they have not read.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::access::RoleName;
use ralex_api::access_requests::{
    AccessRequest, AccessRequestState, AccessRequestsOnly, AccessRequestsQuery, NewAccessRequest,
};
use ralex_api::page::{Page, PageQuery};
use ralex_audit::{AccessRequestEvent, Author, Entry, Event, record, record_all};
use ralex_kernel::{
    AccessRequestId, Caller, Code, OrgId, Problem, ScopePath, Subject, TeamId, UserId,
};
use ralex_store::{OnConstraint, problem};
use uuid::Uuid;

use crate::access::Access;
use crate::bind::{check_role, present};
use crate::bindings::Bearer;
use crate::rows::{Effect, Holder};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql::request::{self as sql, Filter, May, New, Stored};
use crate::sql::request_end;
use crate::standing::Standing;
use crate::unsettled::{Unsettled, lately};
use crate::{Permission, duties};

const REASON: usize = 500;
/// Requests of one person that may wait at a time.
const MOST_WAITING: i64 = 20;

impl Access {
    /// Asks for a role for a while. `scope` is the proof that the caller may ask at all.
    pub async fn request_access(
        &self,
        scope: &Scope,
        new: NewAccessRequest,
        at: ScopePath,
    ) -> Result<AccessRequest, Problem> {
        let (org, user) = (scope.org(), person(scope.caller())?);
        let NewAccessRequest { role, minutes, reason, .. } = new;
        let reason = checked(&reason)?;
        if minutes == Some(0) {
            return Err(Problem::field("minutes", "must be 1 or more"));
        }
        // Who approves is held to the rules again. Here they only spare everybody a request that
        // could never be.
        let current = self.snapshot(org).await?;
        let now = self.clock().now();
        may_hold(&current, user, (&role, at), now)?;
        let mut tx = self.db().tenant(org).await?;
        let late = request_end::expire(&mut tx, org, Some(user), now).await.map_err(problem)?;
        let expired =
            late.iter().map(|it| Entry::new(Author::system(org), Event::AccessRequest(it.event())));
        record_all(&mut tx, expired.collect()).await.map_err(problem)?;
        if sql::count_waiting(&mut tx, org, user).await.map_err(problem)? >= MOST_WAITING {
            let detail = format!("{MOST_WAITING} of your requests wait already. Withdraw some.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let settings = sql::settings(&mut tx, org).await.map_err(problem)?;
        let minutes = minutes.unwrap_or(settings.default_minutes).min(settings.longest_minutes);
        let needed = (role.as_str(), settings.approvals);
        let needed = self.approvals_for(&mut tx, &current, needed).await?;
        let id = AccessRequestId::generate();
        let until = now + TimeDelta::minutes(settings.pending_minutes.into());
        let asked = New { id, user, role: &role, at, minutes, reason, needed, now, until };
        let detail = "You asked for just this already, and it waits. Withdraw it to ask anew.";
        let waits = Problem::new(Code::Conflict, detail);
        let stored = sql::insert(&mut tx, org, &asked).await;
        stored.or_problem([("access_request_waits", waits)])?;
        self.tell_approvers(&mut tx, &current, &asked).await?;
        let event = AccessRequestEvent::Asked {
            access_request: id,
            role: role.to_string(),
            scope: at,
            minutes,
            reason: reason.to_owned(),
            needed,
            until,
        };
        record(&mut tx, scope.author(), Event::AccessRequest(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        crate::request_end::count("asked");
        self.access_request(scope.caller(), org, id).await
    }

    /// One's own requests, and those at places where one may decide, the newest first.
    pub async fn access_requests(
        &self,
        caller: &Caller,
        org: OrgId,
        query: &AccessRequestsQuery,
    ) -> Result<Page<AccessRequest>, Problem> {
        let snapshot = self.snapshot(org).await?;
        let decides = self.where_allowed(&snapshot, caller, Permission::AccessDecide);
        if decides.is_none() {
            self.allow_somewhere(caller, org, Permission::AccessRequest).await?;
        } else {
            self.belongs(caller, org).await?;
        }
        let reach = decides.unwrap_or_default();
        let page = PageQuery { cursor: query.cursor.clone(), limit: query.limit };
        let mut filter = Filter {
            only: None,
            before: page.after()?,
            state: query.state,
            reader: caller.subject.user(),
            everywhere: reach.everywhere,
            teams: reach.teams,
            projects: reach.projects,
            mine: query.only == Some(AccessRequestsOnly::Mine),
            to_decide: query.only == Some(AccessRequestsOnly::ToDecide),
        };
        let (now, size) = (self.clock().now(), page.size());
        let mut tx = self.db().tenant(org).await?;
        let people = caller.subject.user();
        let new = lately(&mut tx, &snapshot, people.as_slice(), now).await?;
        let (mut all, enough) = (Vec::new(), usize::try_from(size + 1).unwrap_or(usize::MAX));
        // What somebody can decide is not for the database to say, so it is read on until a page is
        // full.
        while all.len() < enough {
            let found = sql::select(&mut tx, org, &filter, now, size + 1).await.map_err(problem)?;
            let is_last = found.len() < enough;
            filter.before = found.last().map(|last| last.id).or(filter.before);
            for stored in found {
                let it = shown(&snapshot, caller, stored, &new, now)?;
                if !filter.to_decide || it.may_approve || it.may_deny {
                    all.push(it);
                }
            }
            if is_last {
                break;
            }
        }
        all.truncate(enough);
        Ok(Page::of(all, size, |it: &AccessRequest| it.id.to_string()))
    }

    /// One, for who asked for it and for who may decide there.
    pub async fn access_request(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessRequestId,
    ) -> Result<AccessRequest, Problem> {
        self.visible(caller, org, id).await?;
        let snapshot = self.snapshot(org).await?;
        let now = self.clock().now();
        let mut tx = self.db().tenant(org).await?;
        let stored = one(sql::find(&mut tx, org, id, now).await)?;
        let people = caller.subject.user();
        let new = lately(&mut tx, &snapshot, people.as_slice(), now).await?;
        shown(&snapshot, caller, stored, &new, now)
    }

    /// Where it is asked for, so that the right to decide can be asked for there.
    pub async fn place_of_request(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessRequestId,
    ) -> Result<ScopePath, Problem> {
        self.belongs(caller, org).await?;
        let mut tx = self.db().tenant(org).await?;
        Ok(one(sql::find(&mut tx, org, id, self.clock().now()).await)?.place())
    }

    /// Who asked, where the caller may know of it.
    pub(crate) async fn visible(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessRequestId,
    ) -> Result<UserId, Problem> {
        self.belongs(caller, org).await?;
        let mut tx = self.db().tenant(org).await?;
        let stored = one(sql::find(&mut tx, org, id, self.clock().now()).await)?;
        drop(tx);
        if caller.subject.user() != Some(stored.user) {
            let known = self.snapshot(org).await?.tree().contains(stored.place());
            // What was asked for at a place that is gone is the whole organisation's matter.
            let at = if known { stored.place() } else { ScopePath::Org };
            self.allow(caller, org, Permission::AccessDecide, at).await?;
        } else if caller.narrowed.is_some() {
            // One's own is always one's own, but not by a token that was made for something else.
            self.allow_somewhere(caller, org, Permission::AccessRequest).await?;
        }
        Ok(stored.user)
    }

    /// Nothing where the caller may do this nowhere.
    pub(crate) fn where_allowed(
        &self,
        snapshot: &Arc<Snapshot>,
        caller: &Caller,
        permission: Permission,
    ) -> Option<Places> {
        let may = |at| self.decide_for(snapshot, caller, permission, at).is_allowed();
        let tree = snapshot.tree();
        let teams = tree.teams().filter(|team| may(ScopePath::Team { team: *team }));
        let projects = tree
            .projects()
            .filter(|(team, project)| may(ScopePath::Project { team: *team, project: *project }));
        let places = Places {
            everywhere: may(ScopePath::Org),
            teams: teams.map(TeamId::uuid).collect(),
            projects: projects.map(|(_, project)| project.uuid()).collect(),
        };
        let nowhere = !places.everywhere && places.teams.is_empty() && places.projects.is_empty();
        (!nowhere).then_some(places)
    }
}

/// Where somebody may do something.
#[derive(Default)]
pub(crate) struct Places {
    pub everywhere: bool,
    pub teams: Vec<Uuid>,
    pub projects: Vec<Uuid>,
}

/// Only people ask and decide: a program's rights are given by those who answer for it.
pub(crate) fn person(caller: &Caller) -> Result<UserId, Problem> {
    caller.subject.user().ok_or_else(|| {
        let detail = "Only people ask for access and decide about it, and no token of a program.";
        Problem::new(Code::Forbidden, detail)
    })
}

/// The person who decides. A token that is narrowed gives no more than it has, and that is not known of
/// what an approval gives.
pub(crate) fn decider(caller: &Caller) -> Result<UserId, Problem> {
    if caller.is_narrowed() {
        let detail = "A narrowed token decides about nobody's access. Use a session, or a token that \
                      is not narrowed.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    person(caller)
}

pub(crate) fn checked(reason: &str) -> Result<&str, Problem> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON {
        let message = format!("has to have between 1 and {REASON} characters");
        return Err(Problem::field("reason", message));
    }
    Ok(reason)
}

pub(crate) fn one(found: Result<Option<Stored>, sqlx::Error>) -> Result<Stored, Problem> {
    found.map_err(problem)?.ok_or_else(|| Problem::not_found("access request"))
}

pub(crate) fn standing<'a>(
    current: &'a Snapshot,
    user: UserId,
    new: &'a Unsettled,
    now: DateTime<Utc>,
) -> Standing<'a> {
    Standing::of(current, Subject::User(user), new, now)
}

/// Refuses a role that this person could not be given there, or that they hold already.
pub(crate) fn may_hold(
    current: &Snapshot,
    user: UserId,
    (role, at): (&RoleName, ScopePath),
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    check_role(current, Bearer::User(user), role)?;
    if !current.tree().contains(at) {
        return Err(Problem::not_found("team or project"));
    }
    present(current, user)?;
    let groups: HashSet<_> = current.groups_of(user).iter().copied().collect();
    let held = current.rows().bindings.iter().filter(|it| {
        let reaches = match it.holder {
            Holder::User(holder) => holder == user,
            Holder::Group(group) => groups.contains(&group),
            Holder::Machine(_) => false,
        };
        reaches
            && it.effect == Effect::Allow
            && it.role == role.as_str()
            && it.not_before.is_none_or(|start| start <= now)
            && it.scope().is_some_and(|scope| at.is_within(scope))
    });
    for held in held {
        let detail = match held.expires_at {
            Some(end) if end <= now => continue,
            Some(end) if held.scope() == Some(at) => {
                let end = end.format("%Y-%m-%d %H:%M UTC");
                format!("The role {role} is held there already, until {end}. Ask again after that.")
            }
            Some(_) => continue,
            None => format!("The role {role} is held there already, and for good."),
        };
        return Err(Problem::new(Code::Conflict, detail));
    }
    duties::keep_apart(current, Holder::User(user), role.as_str(), now)
}

fn shown(
    current: &Snapshot,
    caller: &Caller,
    stored: Stored,
    new: &Unsettled,
    now: DateTime<Utc>,
) -> Result<AccessRequest, Problem> {
    let Some(reader) = caller.subject.user() else { return stored.shown(May::Nothing) };
    let (own, at) = (stored.user == reader, stored.place());
    let may = match stored.stands()? {
        AccessRequestState::Pending if own => May::Withdraw,
        AccessRequestState::Pending => {
            let standing = standing(current, reader, new, now);
            let role = RoleName(stored.role.clone());
            let fits = !stored.is_approved_by(reader)
                && standing.may_give(role.as_str(), at).is_ok()
                && may_hold(current, stored.user, (&role, at), now).is_ok();
            May::Decide { approve: fits, deny: standing.may_decide(at).is_ok() }
        }
        AccessRequestState::Active => {
            let rights = current.permissions(Subject::User(reader), at, now);
            let all = current.roles().permissions_of(&stored.role);
            let by_name = || {
                let mut roles = current.roles_at(Holder::User(reader), at, now);
                roles.any(|held| current.roles().may_bind(held, &stored.role))
            };
            let takes = rights.contains(Permission::RoleBind)
                && (all.without(rights).is_empty() || by_name());
            if own || takes { May::End } else { May::Nothing }
        }
        AccessRequestState::Denied
        | AccessRequestState::Withdrawn
        | AccessRequestState::Expired
        | AccessRequestState::Ended => May::Nothing,
    };
    stored.shown(may)
}
