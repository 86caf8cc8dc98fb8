//! What a change would do before it is made: who could do more or less where, and which recorded calls
//! would have been refused.
//!
//! The change is made to the rows in memory and compiled as they are; nothing is written, so it takes no
//! more than to see the rules. It is not asked whether the asker could make it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::access::BindingEffect;
use ralex_api::simulate::{ProposedRole, RefusedUses, Simulated, SimulatedChange, SimulatedUses};
use ralex_kernel::{BindingId, OrgId, Problem, ScopePath, Subject};
use ralex_store::problem;

use crate::access::Access;
use crate::bind::{check_role, holder};
use crate::bindings::Wanted;
use crate::define::{check_shape, impossible};
use crate::explain::Somebody;
use crate::lines::Names;
use crate::policies::role_name;
use crate::roles::{OwnRole, Roles};
use crate::rows::{Binding, Effect, Holder, Rows};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql::place;
use crate::sql::{self, uses::Uses};
use crate::{Permission, Permissions};

/// How many changes are thought of at once.
const MOST: usize = 100;
/// How many people and programs at how many places are looked at.
const MOST_LOOKS: usize = 5_000_000;
const DAYS: u32 = 30;
const MOST_DAYS: u32 = 366;
const LINES: u32 = 100;
const MOST_LINES: u32 = 1_000;

/// A change as it is thought of, with what its names mean.
#[derive(Clone, Debug)]
pub struct Proposed {
    pub bind: Vec<Wanted>,
    pub unbind: Vec<BindingId>,
    pub roles: Vec<ProposedRole>,
    pub days: Option<u32>,
    pub limit: Option<u32>,
}

/// Before, after, and those whom it may be about.
struct Compared {
    before: Snapshot,
    after: Snapshot,
    holders: HashSet<Holder>,
    now: DateTime<Utc>,
}

impl Access {
    /// What a change would do.
    pub async fn simulate(&self, scope: &Scope, change: Proposed) -> Result<Simulated, Problem> {
        let (org, now) = (scope.org(), self.clock().now());
        let days = within("days", change.days.unwrap_or(DAYS), MOST_DAYS)?;
        let limit = within("limit", change.limit.unwrap_or(LINES), MOST_LINES)? as usize;
        let since = now - TimeDelta::days(i64::from(days));
        let mut tx = self.db().tenant(org).await?;
        // Names and rights of one moment.
        let rows = sql::load(&mut tx, org).await.map_err(problem)?;
        let rows = rows.ok_or_else(|| Problem::not_found("organisation"))?;
        let names = sql::names::load(&mut tx, org, &rows.slug).await.map_err(problem)?;
        let people = sql::somebodies(&mut tx, org, None).await.map_err(problem)?;
        let uses = sql::uses::since(&mut tx, org, since).await.map_err(problem)?;
        drop(tx);
        let compared = self.compare(org, rows, &change, now)?;
        let look = move || {
            let mut told = compared.differences(&people, &names, limit)?;
            told.uses = compared.asked_again(uses, (&people, &names), since, limit);
            Ok::<_, Problem>(told)
        };
        // Everybody at every place: that is no moment's work for a large organisation.
        let done = tokio::task::spawn_blocking(look).await;
        done.map_err(|_| Problem::new(ralex_kernel::Code::Unavailable, "The server is stopping."))?
    }

    fn compare(
        &self,
        org: OrgId,
        rows: Rows,
        change: &Proposed,
        now: DateTime<Utc>,
    ) -> Result<Compared, Problem> {
        let count = change.bind.len() + change.unbind.len() + change.roles.len();
        if !(1..=MOST).contains(&count) {
            let rule = format!("must be 1 to {MOST} changes, together with `unbind` and `roles`");
            return Err(Problem::field("bind", rule));
        }
        let policies = &self.node.policies;
        let odd = |why| Problem::field("roles", format!("cannot be: {why}"));
        let before = Snapshot::compile(org, rows.clone(), policies).map_err(odd)?;
        let mut rows = rows;
        define(&mut rows, &before, &change.roles)?;
        let roles = Roles::compile(&rows.roles, policies).map_err(impossible)?;
        let mut holders = HashSet::new();
        for role in &change.roles {
            let name = role.name.as_str();
            let held = rows.bindings.iter().filter(|held| {
                before.roles().is_made_of(&held.role, name) || roles.is_made_of(&held.role, name)
            });
            holders.extend(held.map(|held| held.holder));
        }
        for (place, id) in change.unbind.iter().enumerate() {
            let found = rows.bindings.iter().position(|held| held.id == *id);
            let Some(found) = found else {
                return Err(Problem::field(format!("unbind[{place}]"), "is no binding here"));
            };
            holders.insert(rows.bindings.remove(found).holder);
        }
        let known = Snapshot::compile(org, rows.clone(), policies).map_err(odd)?;
        for (place, wanted) in change.bind.iter().enumerate() {
            check_role(&known, wanted.bearer, &wanted.role)
                .map_err(|why| Problem::field(format!("bind[{place}].role"), why.detail))?;
            holders.insert(wanted.bearer.holder());
            rows.bindings.push(binding(wanted));
        }
        let after = Snapshot::compile(org, rows, policies).map_err(odd)?;
        Ok(Compared { before, after, holders, now })
    }
}

/// Puts the roles in as they would be.
fn define(rows: &mut Rows, before: &Snapshot, roles: &[ProposedRole]) -> Result<(), Problem> {
    for (place, role) in roles.iter().enumerate() {
        let name = role_name(role.name.as_str())
            .map_err(|why| Problem::field(format!("roles[{place}].name"), why))?;
        let is_own = before.roles().row(&name).is_some();
        if !is_own && before.roles().has(&name) {
            let rule = "comes with the deployment and is not the organisation's to change";
            return Err(Problem::field(format!("roles[{place}].name"), rule));
        }
        let wanted = OwnRole {
            title: name.clone(),
            description: String::new(),
            permissions: role.permissions.clone(),
            includes: role.includes.iter().map(|it| it.0.clone()).collect(),
            version: 0,
            name,
        };
        check_shape(before.roles(), &wanted)?;
        rows.roles.retain(|it| it.name != wanted.name);
        rows.roles.push(wanted);
    }
    Ok(())
}

fn binding(wanted: &Wanted) -> Binding {
    Binding {
        id: BindingId::generate(),
        holder: wanted.bearer.holder(),
        role: wanted.role.0.clone(),
        team: wanted.at.team(),
        project: wanted.at.project(),
        effect: match wanted.effect {
            BindingEffect::Allow => Effect::Allow,
            BindingEffect::Deny => Effect::Deny,
        },
        not_before: wanted.not_before,
        expires_at: wanted.expires_at,
        managed_by: None,
        request: None,
    }
}

impl Compared {
    /// Who could do what more or less where.
    fn differences(
        &self,
        people: &[Somebody],
        names: &Names,
        limit: usize,
    ) -> Result<Simulated, Problem> {
        let touched: Vec<_> = people.iter().filter(|who| self.is_touched(who)).collect();
        let tree = self.before.tree();
        let mut teams: Vec<_> = tree.teams().collect();
        teams.sort_unstable_by_key(|team| names.place(ScopePath::Team { team: *team }));
        let mut projects: HashMap<_, Vec<ScopePath>> = HashMap::new();
        for (team, project) in tree.projects() {
            projects.entry(team).or_default().push(ScopePath::Project { team, project });
        }
        let places = 1 + teams.len() + projects.values().map(Vec::len).sum::<usize>();
        if touched.len().saturating_mul(places) > MOST_LOOKS {
            let rule = format!(
                "is about {} people and programs at {places} places, which is too much at once",
                touched.len()
            );
            return Err(Problem::field("bind", rule));
        }
        let mut told = Simulated {
            gaining: 0,
            losing: 0,
            changes: Vec::new(),
            more_changes: 0,
            uses: no_uses(self.now),
        };
        for who in touched {
            let (mut gains, mut loses) = (false, false);
            let mut see = |at, above: (Permissions, Permissions)| {
                let here = self.difference(who, at);
                if here != above {
                    gains |= !here.0.is_empty();
                    loses |= !here.1.is_empty();
                    note(&mut told, limit, || changed(who, names.written(at), here));
                }
                here
            };
            let everywhere = see(ScopePath::Org, (Permissions::NONE, Permissions::NONE));
            for team in &teams {
                let here = see(ScopePath::Team { team: *team }, everywhere);
                for project in projects.get(team).into_iter().flatten() {
                    see(*project, here);
                }
            }
            told.gaining += u32::from(gains);
            told.losing += u32::from(loses);
        }
        Ok(told)
    }

    fn is_touched(&self, who: &Somebody) -> bool {
        if who.disabled || who.suspended {
            return false;
        }
        match who.subject {
            Subject::User(user) => {
                let groups = self.before.groups_of(user).iter();
                self.holders.contains(&Holder::User(user))
                    || groups.copied().any(|group| self.holders.contains(&Holder::Group(group)))
            }
            Subject::Token { .. }
            | Subject::Service { .. }
            | Subject::Directory { .. }
            | Subject::System => who
                .subject
                .machine()
                .is_some_and(|(id, ..)| self.holders.contains(&Holder::Machine(id))),
        }
    }

    /// What somebody would gain at a place, and what they would lose.
    fn difference(&self, who: &Somebody, at: ScopePath) -> (Permissions, Permissions) {
        let held = |snapshot: &Snapshot| {
            let all = snapshot.permissions(who.subject, at, self.now);
            who.narrowed.map_or(all, |only| all.intersection(only))
        };
        let (before, after) = (held(&self.before), held(&self.after));
        (after.without(before), before.without(after))
    }

    /// Which of the recorded calls would be refused.
    fn asked_again(
        &self,
        uses: Vec<Uses>,
        (people, names): (&[Somebody], &Names),
        since: DateTime<Utc>,
        limit: usize,
    ) -> SimulatedUses {
        let by_id: HashMap<Holder, &Somebody> =
            people.iter().filter_map(|who| Some((holder(who.subject)?, who))).collect();
        let permission = Permission::LlmInvoke;
        let mut told = no_uses(since);
        for use_of in uses {
            let of = use_of.user.map(Holder::User).or(use_of.machine.map(Holder::Machine));
            let Some(who) = of.and_then(|of| by_id.get(&of)) else { continue };
            let at = place(use_of.team, use_of.project);
            let calls = use_of.calls.unsigned_abs();
            told.recorded += calls;
            let may = |snapshot: &Snapshot| {
                let judged = snapshot.judge(who.subject, permission, at, self.now);
                let brings = who.narrowed.is_none_or(|only| only.contains(permission));
                judged.is_allowed() && brings && !who.disabled
            };
            match (may(&self.before), may(&self.after)) {
                (false, _) => told.refused_already += calls,
                (true, true) => {}
                (true, false) => {
                    told.refused += calls;
                    if told.by.len() == limit {
                        told.more += 1;
                        continue;
                    }
                    told.by.push(RefusedUses {
                        subject: who.written.clone(),
                        subject_name: who.name.clone(),
                        permission: permission.to_string(),
                        scope: names.written(at),
                        uses: calls,
                        last_used: use_of.last_used,
                    });
                }
            }
        }
        told
    }
}

fn note(told: &mut Simulated, limit: usize, change: impl FnOnce() -> SimulatedChange) {
    if told.changes.len() < limit {
        told.changes.push(change());
    } else {
        told.more_changes = told.more_changes.saturating_add(1);
    }
}

fn changed(
    who: &Somebody,
    scope: String,
    (gains, loses): (Permissions, Permissions),
) -> SimulatedChange {
    SimulatedChange {
        subject: who.written.clone(),
        subject_name: who.name.clone(),
        scope,
        gains: gains.names(),
        loses: loses.names(),
    }
}

const fn no_uses(since: DateTime<Utc>) -> SimulatedUses {
    SimulatedUses { since, recorded: 0, refused: 0, refused_already: 0, by: Vec::new(), more: 0 }
}

fn within(field: &str, number: u32, most: u32) -> Result<u32, Problem> {
    if (1..=most).contains(&number) {
        return Ok(number);
    }
    Err(Problem::field(field, format!("must be 1 to {most}")))
}
