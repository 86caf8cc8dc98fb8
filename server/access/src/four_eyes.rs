//! Four eyes: what an organisation has said takes two people, and that it then does.
//!
//! A change that may take two people is done whole, with all of its checks and entries, and ends with
//! [`Access::commit_change`] in the place of [`Access::commit`]. Where it takes two, all of that is undone
//! and asked for instead; so what is asked for is known to be possible, to the last constraint. Who
//! confirms does it again, in one transaction with the confirmation. The deployment itself asks nobody.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::changes::{FourEyes, GuardedAction, GuardedActionInfo, SetFourEyes};
use ralex_audit::{Author, ChangeEvent, Entry, Event, record, record_all};
use ralex_kernel::{
    ChangeRequestId, Code, GroupId, Money, OrgId, Problem, ScopePath, Subject, UserId,
};
use ralex_store::{OnConstraint, Tenant, problem};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::access::Access;
use crate::bind::check_role;
use crate::bindings::{Bearer, Wanted};
use crate::change::{Change, Done};
use crate::change_decide::count;
use crate::groups::held_by;
use crate::marks::Mark;
use crate::policies::OWNER;
use crate::requests::{person, standing};
use crate::rows::{Binding, Effect};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql::change::{self as sql, New};
use crate::unsettled::Unsettled;

/// How long others have where an organisation has said nothing, and at least and at most.
const USUAL_MINUTES: u32 = 24 * 60;
const LEAST_MINUTES: u32 = 5;
const MOST_MINUTES: u32 = 7 * 24 * 60;
/// Changes of one person that may wait at a time.
const MOST_WAITING: i64 = 50;

/// What takes two people in an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Without `four_eyes.loosen`, in the order in which they are shown.
    pub actions: Vec<GuardedAction>,
    /// Up to here one person raises budgets alone.
    pub budget_limit: Option<Money>,
    pub pending_minutes: u32,
}

impl Rules {
    /// Where an organisation has said nothing.
    pub(crate) const fn none() -> Self {
        Self { actions: Vec::new(), budget_limit: None, pending_minutes: USUAL_MINUTES }
    }

    pub(crate) fn has(&self, action: GuardedAction) -> bool {
        match action {
            GuardedAction::FourEyesLoosen => !self.actions.is_empty(),
            GuardedAction::SecretDelete
            | GuardedAction::BudgetRaise
            | GuardedAction::OwnerGive
            | GuardedAction::BreakGlassArm
            | GuardedAction::SignInLoosen => self.actions.contains(&action),
        }
    }

    /// Whether one person may do more by these than by those before.
    pub(crate) fn loosens(&self, before: &Self) -> bool {
        let fewer = before.actions.iter().any(|action| !self.actions.contains(action));
        let raised = match (before.budget_limit, self.budget_limit) {
            (None, Some(_)) => true,
            (Some(before), Some(now)) => now > before,
            (_, None) => false,
        };
        fewer || (raised && before.actions.contains(&GuardedAction::BudgetRaise))
    }

    pub(crate) fn named(&self) -> String {
        let names: Vec<_> = self.actions.iter().map(|action| action.as_str()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    }

    pub(crate) fn limit_told(&self) -> Option<String> {
        self.budget_limit.map(|limit| limit.to_string())
    }

    /// What was asked for, where it makes sense.
    fn wanted(set: SetFourEyes) -> Result<Self, Problem> {
        let SetFourEyes { actions, budget_limit, pending_minutes } = set;
        if actions.contains(&GuardedAction::FourEyesLoosen) {
            let rule = "must not name four_eyes.loosen, which holds as soon as any other does";
            return Err(Problem::field("actions", rule));
        }
        if budget_limit.is_some_and(|limit| !limit.is_positive()) {
            return Err(Problem::field("budget_limit", "must be more than 0"));
        }
        if !(LEAST_MINUTES..=MOST_MINUTES).contains(&pending_minutes) {
            let rule = format!("must be between {LEAST_MINUTES} and {MOST_MINUTES}");
            return Err(Problem::field("pending_minutes", rule));
        }
        let known = GuardedAction::ALL.iter().copied();
        let actions = known.filter(|action| actions.contains(action)).collect();
        Ok(Self { actions, budget_limit, pending_minutes })
    }
}

impl Access {
    /// What takes two people; for everybody who belongs here.
    pub async fn four_eyes(&self, org: OrgId) -> Result<FourEyes, Problem> {
        let mut tx = self.db().tenant(org).await?;
        let rules = sql::rules(&mut tx, org).await.map_err(problem)?;
        let marks = self.node.policies.marks().iter().map(|mark| GuardedActionInfo {
            action: mark.action,
            does: mark.does.clone(),
            permissions: mark.permissions.iter().map(ToString::to_string).collect(),
            on: rules.has(mark.action),
        });
        Ok(FourEyes {
            actions: marks.collect(),
            budget_limit: rules.budget_limit,
            pending_minutes: rules.pending_minutes,
        })
    }

    /// Says what takes two people from now on. To loosen it takes two people itself.
    pub async fn set_four_eyes(
        &self,
        scope: &Scope,
        set: SetFourEyes,
    ) -> Result<Done<FourEyes>, Problem> {
        let (org, after) = (scope.org(), Rules::wanted(set)?);
        let mut tx = self.db().tenant(org).await?;
        sql::lock_rules(&mut tx, org).await.map_err(problem)?;
        let before = sql::rules(&mut tx, org).await.map_err(problem)?;
        let current = self.snapshot(org).await?;
        let marks = self.node.policies.marks().iter();
        let anew = marks.filter(|it| after.has(it.action) && !before.has(it.action));
        let now = self.clock().now();
        anew.into_iter().try_for_each(|mark| two_could(&current, mark, now))?;
        sql::set_rules(&mut tx, org, &after).await.map_err(problem)?;
        let event = ChangeEvent::Configured {
            org,
            actions: after.actions.iter().map(|action| action.as_str()).collect(),
            budget_limit: after.budget_limit,
            pending_minutes: after.pending_minutes,
        };
        record(&mut tx, scope.author(), Event::Change(event)).await.map_err(problem)?;
        match self.commit_change(tx, scope, Some(Change::FourEyes { before, after })).await? {
            Done::Now(()) => Ok(Done::Now(self.four_eyes(org).await?)),
            Done::Waits(request) => Ok(Done::Waits(request)),
        }
    }

    /// Ends a transaction that has done all of a change: commits it, or undoes it and asks for it where
    /// it takes two people. Nothing as the change is something that one person may do whatever the rules.
    pub async fn commit_change(
        &self,
        mut tx: Tenant,
        scope: &Scope,
        change: Option<Change>,
    ) -> Result<Done<()>, Problem> {
        let org = scope.org();
        if let Some(confirming) = scope.confirming() {
            self.confirm(&mut tx, scope, confirming, change.as_ref()).await?;
            self.commit(tx, org).await?;
            count("confirmed");
            return Ok(Done::Now(()));
        }
        if let Some(change) = change
            && scope.caller().subject != Subject::System
            && change.takes_two(&sql::rules(&mut tx, org).await.map_err(problem)?)
        {
            tx.rollback().await.map_err(problem)?;
            return Ok(Done::Waits(Box::new(self.ask_second(scope, &change).await?)));
        }
        self.commit(tx, org).await?;
        Ok(Done::Now(()))
    }

    /// Whether a change takes two people, for what is as good as it and cannot be asked for by itself.
    pub async fn takes_two(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        change: &Change,
    ) -> Result<bool, Problem> {
        if scope.caller().subject == Subject::System {
            return Ok(false);
        }
        Ok(change.takes_two(&sql::rules(conn, scope.org()).await.map_err(problem)?))
    }

    async fn ask_second(
        &self,
        scope: &Scope,
        change: &Change,
    ) -> Result<ralex_api::changes::ChangeRequest, Problem> {
        let (org, asker, now) = (scope.org(), person(scope.caller())?, self.clock().now());
        let Some(permission) = scope.permission() else {
            return Err(Problem::new(Code::Internal, "A change was asked for without a right."));
        };
        let mut tx = self.db().tenant(org).await?;
        let late = sql::expire(&mut tx, org, now).await.map_err(problem)?;
        let late = late.into_iter().map(|it| Entry::new(Author::system(org), it.event()));
        record_all(&mut tx, late.collect()).await.map_err(problem)?;
        if sql::count_waiting(&mut tx, org, asker).await.map_err(problem)? >= MOST_WAITING {
            let detail = format!("{MOST_WAITING} of your changes wait already. Withdraw some.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let rules = sql::rules(&mut tx, org).await.map_err(problem)?;
        let until = now + TimeDelta::minutes(rules.pending_minutes.into());
        let (id, at) = (ChangeRequestId::generate(), scope.path());
        let new = New { id, change, permission, at, asker, now, until };
        let detail = "This takes two people, and somebody asked for a change of just this already. \
                      It waits: confirm, refuse or withdraw it first.";
        let waits = Problem::new(Code::Conflict, detail);
        let stored = sql::insert(&mut tx, org, &new).await;
        stored.or_problem([("change_request_waits", waits)])?;
        let event = ChangeEvent::Asked {
            change_request: id,
            what: change.action().as_str(),
            target: change.target(),
            scope: at,
            until,
        };
        record(&mut tx, scope.author(), Event::Change(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("asked");
        self.change_request(scope.caller(), org, id).await
    }

    /// Refuses to make somebody an owner by the way, where that takes two people: what else is done there
    /// cannot be asked for.
    pub(crate) async fn no_owner_by_the_way(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        current: &Snapshot,
        wanted: &Wanted,
    ) -> Result<(), Problem> {
        check_role(current, wanted.bearer, &wanted.role)?;
        if !wanted.makes_owner(current.roles()) || !self.owner_takes_two(conn, scope).await? {
            return Ok(());
        }
        let detail = match wanted.bearer {
            Bearer::User(_) => {
                "To make somebody an owner takes two people here. Give this member another role \
                 first, and then ask for this one by itself: POST \u{2026}/bindings, or \
                 `ralex roles bind`."
            }
            Bearer::Group(_) | Bearer::Account(_) => {
                "This role allows all that an owner may, and to give that takes two people here. Give \
                 it to people, by name."
            }
        };
        Err(Problem::new(Code::Conflict, detail))
    }

    /// Refuses to let somebody into a group that makes them an owner, where that takes two people.
    pub(crate) async fn no_owner_by_group(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        current: &Snapshot,
        group: GroupId,
    ) -> Result<(), Problem> {
        let roles = current.roles();
        let makes = |held: &Binding| held.effect == Effect::Allow && roles.is_owner(&held.role);
        let any = held_by(current, group).any(makes);
        if !any || !self.owner_takes_two(conn, scope).await? {
            return Ok(());
        }
        let detail = "This group has a role that allows all that an owner may, and to give that takes \
                      two people here. Give it to people, by name.";
        Err(Problem::new(Code::Conflict, detail))
    }

    /// Refuses a definition by which those who hold a role would be owners, where that takes two people.
    pub(crate) async fn no_owner_by_definition(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        (before, after): (&Snapshot, &Snapshot),
    ) -> Result<(), Problem> {
        let makes = |held: &Binding| {
            held.effect == Effect::Allow
                && after.roles().is_owner(&held.role)
                && !before.roles().is_owner(&held.role)
        };
        let any = before.rows().bindings.iter().any(makes);
        if !any || !self.owner_takes_two(conn, scope).await? {
            return Ok(());
        }
        let detail = "Whoever holds this role would have all that an owner may, and to give that takes \
                      two people here. Define another role, and ask for that one for each of them.";
        Err(Problem::new(Code::Conflict, detail))
    }

    async fn owner_takes_two(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
    ) -> Result<bool, Problem> {
        if scope.caller().subject == Subject::System {
            return Ok(false);
        }
        let rules = sql::rules(conn, scope.org()).await.map_err(problem)?;
        Ok(rules.has(GuardedAction::OwnerGive))
    }

    /// How many must agree before somebody holds a role that they asked for: an owner is made by two.
    pub(crate) async fn approvals_for(
        &self,
        conn: &mut PgConnection,
        current: &Snapshot,
        (role, needed): (&str, u32),
    ) -> Result<u32, Problem> {
        let rules = sql::rules(conn, current.org()).await.map_err(problem)?;
        let two = current.roles().is_owner(role) && rules.has(GuardedAction::OwnerGive);
        Ok(if two { needed.max(2) } else { needed })
    }
}

/// Refuses what nobody could confirm: it could not be done any more, nor could this be taken back. What is
/// new counts here, since it only has to grow old.
fn two_could(current: &Snapshot, mark: &Mark, now: DateTime<Utc>) -> Result<(), Problem> {
    let nothing_new = Unsettled::default();
    for permission in &mark.permissions {
        let could = |user: &UserId| {
            let standing = standing(current, *user, &nothing_new, now);
            let gives = mark.action != GuardedAction::OwnerGive
                || standing.could_give(OWNER, ScopePath::Org).is_ok();
            gives && standing.needs(*permission, ScopePath::Org).is_ok()
        };
        if current.people().filter(could).nth(1).is_none() {
            let detail = format!(
                "Fewer than two people hold {permission} for good in the whole organisation, as it takes \
                 to confirm {} ({}). Nobody could do it any more, or take this back. Give a second \
                 person such a role first.",
                mark.action.as_str(),
                mark.does.trim_end_matches('.')
            );
            return Err(Problem::new(Code::Conflict, detail));
        }
    }
    Ok(())
}
