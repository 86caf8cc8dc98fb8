//! What policy lines change: each line is compared with what is so, and what differs becomes a step.
//!
//! Steps are in an order in which they can be taken: a role before what includes it, an owner before the
//! former one goes, what is taken away before what would not fit beside it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use ralex_api::policies::{PolicyImportMode, PolicyLine};
use ralex_kernel::{BindingId, GroupId, ScopePath, Slug, UserId};

use crate::export::out_of_force;
use crate::lines::{Given, Names, Says, To};
use crate::policies::{Holding, OWNER};
use crate::roles::{OWN, OwnRole};
use crate::rows::{Binding, Effect, Holder};
use crate::snapshot::Snapshot;

/// A line that could be read.
#[derive(Debug)]
pub(crate) struct Read {
    pub line: PolicyLine,
    pub says: Says,
}

/// One change, as somebody would make it by hand.
#[derive(Debug)]
pub(crate) enum Step {
    Define(OwnRole),
    Redefine(OwnRole),
    MakeGroup(Slug),
    Leave { user: UserId, group: GroupId },
    Unbind(BindingId),
    Join { user: UserId, group: Slug },
    Bind(Given),
    Undefine(String),
}

/// A step with the lines that it makes so, and those that it ends.
#[derive(Debug)]
pub(crate) struct Task {
    pub step: Step,
    pub adds: Vec<PolicyLine>,
    pub removes: Vec<PolicyLine>,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub tasks: Vec<Task>,
    pub kept: u32,
    /// Lines that cannot be meant, with the reason.
    pub refused: Vec<(PolicyLine, String)>,
}

/// Plans what takes an organisation from how it is to what the lines say.
pub(crate) struct Planner<'a> {
    current: &'a Snapshot,
    names: &'a Names,
    now: DateTime<Utc>,
    plan: Plan,
}

/// Lines by what they are about.
#[derive(Default)]
struct Sorted {
    roles: BTreeMap<String, Vec<(PolicyLine, Holding)>>,
    joins: BTreeMap<(Slug, UserId), PolicyLine>,
    given: Vec<(PolicyLine, Given)>,
    /// Roles that the lines define, by their bare names.
    defined: BTreeSet<String>,
}

impl<'a> Planner<'a> {
    pub fn new(current: &'a Snapshot, names: &'a Names, now: DateTime<Utc>) -> Self {
        Self { current, names, now, plan: Plan::default() }
    }

    pub fn plan(mut self, lines: Vec<Read>, mode: PolicyImportMode) -> Plan {
        let replace = mode == PolicyImportMode::Replace;
        let mut sorted = self.sort(lines);
        self.roles(&mut sorted, replace);
        let given = self.meant(&sorted);
        self.make_groups(&sorted, &given);
        if replace {
            self.take_away(&sorted, &given);
        }
        self.join(&sorted);
        self.give(&given);
        if replace {
            self.end_owners(&given);
            self.undefine(&sorted.defined);
        }
        self.plan
    }

    fn sort(&mut self, lines: Vec<Read>) -> Sorted {
        let mut sorted = Sorted::default();
        for Read { line, says } in lines {
            match says {
                Says::ByItself => self.plan.kept += 1,
                Says::Holds { role, what } => {
                    if self.is_built_in(&role) {
                        self.built_in(line, &role, &what);
                        continue;
                    }
                    let held = sorted.roles.entry(bare(&role).to_owned()).or_default();
                    if held.iter().any(|(_, other)| *other == what) {
                        self.plan.kept += 1;
                    } else {
                        held.push((line, what));
                    }
                }
                Says::Joins { user, group } => {
                    if sorted.joins.insert((group, user), line).is_some() {
                        self.plan.kept += 1;
                    }
                }
                Says::Given(given) => sorted.given.push((line, given)),
            }
        }
        sorted.defined = sorted.roles.keys().cloned().collect();
        sorted
    }

    /// Whether a role's lines are the deployment's: it has one of that name, and no own one is meant.
    fn is_built_in(&self, role: &str) -> bool {
        !role.starts_with(OWN) && self.current.roles().is_built_in(role)
    }

    fn built_in(&mut self, line: PolicyLine, role: &str, what: &Holding) {
        let lines = self.current.roles().lines().iter();
        if lines.clone().any(|it| it.role == role && it.holds == *what) {
            self.plan.kept += 1;
        } else {
            let rule = format!("the role {role} comes with the deployment, and does not hold that");
            self.plan.refused.push((line, rule));
        }
    }

    fn roles(&mut self, sorted: &mut Sorted, replace: bool) {
        let mut wanted: Vec<(OwnRole, Task)> = Vec::new();
        for (name, held) in std::mem::take(&mut sorted.roles) {
            if let Some(role) = self.role(&name, held, &sorted.defined, replace) {
                wanted.push(role);
            }
        }
        for (_, task) in inner_first(wanted, |(role, _)| role) {
            self.plan.tasks.push(task);
        }
    }

    /// What becomes of one role of the organisation's own.
    fn role(
        &mut self,
        name: &str,
        held: Vec<(PolicyLine, Holding)>,
        defined: &BTreeSet<String>,
        replace: bool,
    ) -> Option<(OwnRole, Task)> {
        let row = self.current.roles().row(name).cloned();
        let mut wanted = row.clone().unwrap_or_else(|| OwnRole {
            name: name.to_owned(),
            title: name.to_owned(),
            description: String::new(),
            permissions: Vec::new(),
            includes: Vec::new(),
            version: 0,
        });
        let (old_permissions, old_includes) = (wanted.permissions.clone(), wanted.includes.clone());
        if replace {
            wanted.permissions.clear();
            wanted.includes.clear();
        }
        let mut adds = Vec::new();
        for (line, what) in held {
            let (list, old, text) = match what {
                Holding::Permission(it) => {
                    (&mut wanted.permissions, &old_permissions, it.to_string())
                }
                Holding::Role(key) | Holding::Bind(key) => match self.role_name(&key, defined) {
                    Ok(other) => (&mut wanted.includes, &old_includes, other),
                    Err(rule) => {
                        self.plan.refused.push((line, rule));
                        continue;
                    }
                },
            };
            if old.contains(&text) {
                self.plan.kept += 1;
            } else {
                adds.push(line);
            }
            if !list.contains(&text) {
                list.push(text);
            }
        }
        let gone = |old: &[String], new: &[String], kind: &str| -> Vec<PolicyLine> {
            let gone = old.iter().filter(|it| !new.contains(it));
            gone.map(|it| unnumbered(self.names.held_text(name, &format!("{kind}:{it}")))).collect()
        };
        let mut removes = gone(&old_permissions, &wanted.permissions, "perm");
        removes.extend(gone(&old_includes, &wanted.includes, "role"));
        if adds.is_empty() && removes.is_empty() {
            return None;
        }
        let is_new = row.is_none();
        let step =
            if is_new { Step::Define(wanted.clone()) } else { Step::Redefine(wanted.clone()) };
        Some((wanted, Task { step, adds, removes }))
    }

    /// The role that casbin calls so.
    fn role_name(&self, key: &str, defined: &BTreeSet<String>) -> Result<String, String> {
        let roles = self.current.roles();
        let (name, own) = (bare(key), key.starts_with(OWN));
        let is_own = roles.row(name).is_some() || defined.contains(name);
        match (own, is_own, roles.is_built_in(name)) {
            (true, false, _) => Err(format!("the organisation has no role {name} of its own")),
            (false, true, true) => Err(format!(
                "{name} is a role of the deployment and one of the organisation's own, which is \
                 `role:{OWN}{name}`"
            )),
            (false, false, false) => Err(format!("\"{name}\" is no role")),
            (true, true, _) | (false, true, false) | (false, false, true) => Ok(name.to_owned()),
        }
    }

    /// Lines about who holds what, with the role's own name; each said once.
    fn meant(&mut self, sorted: &Sorted) -> Vec<(PolicyLine, Given)> {
        let mut seen = HashSet::new();
        let mut meant = Vec::new();
        for (line, given) in &sorted.given {
            match self.role_name(&given.role, &sorted.defined) {
                Ok(role) => {
                    let given = Given { role, ..given.clone() };
                    if seen.insert(given.clone()) {
                        meant.push((line.clone(), given));
                    } else {
                        self.plan.kept += 1;
                    }
                }
                Err(rule) => self.plan.refused.push((line.clone(), rule)),
            }
        }
        meant
    }

    fn make_groups(&mut self, sorted: &Sorted, given: &[(PolicyLine, Given)]) {
        let joined = sorted.joins.iter().map(|((group, _), line)| (group, line));
        let bound = given.iter().filter_map(|(line, given)| match &given.to {
            To::Group(group) => Some((group, line)),
            To::User(_) | To::Machine(_) | To::Known(_) => None,
        });
        let mut made = BTreeMap::new();
        for (group, line) in joined.chain(bound) {
            if self.names.group(group).is_none() {
                made.entry(group.clone()).or_insert(line.line);
            }
        }
        for (group, line) in made {
            let line = PolicyLine { line, text: format!("grp:{group}, a new group") };
            self.add(Step::MakeGroup(group), line);
        }
    }

    fn take_away(&mut self, sorted: &Sorted, given: &[(PolicyLine, Given)]) {
        let current = self.current;
        for group in current.rows().groups.iter().filter(|group| !group.provisioned) {
            let Some(slug) = self.names.slug_of(group.id) else { continue };
            for user in group.people.iter().filter(|user| current.is_member(**user)) {
                let by_id = group.id.to_string().parse().ok();
                let said = |slug: Slug| sorted.joins.contains_key(&(slug, *user));
                if !said(slug.clone()) && !by_id.is_some_and(said) {
                    let text = self.names.joins(*user, group.id);
                    self.remove(Step::Leave { user: *user, group: group.id }, text);
                }
            }
        }
        self.unbind(given, |binding| binding.role != OWNER);
    }

    fn end_owners(&mut self, given: &[(PolicyLine, Given)]) {
        self.unbind(given, |binding| binding.role == OWNER);
    }

    /// Ends what the lines do not say, of what people gave by hand and what counts now.
    fn unbind(&mut self, given: &[(PolicyLine, Given)], which: impl Fn(&Binding) -> bool) {
        let said: HashSet<Given> = given.iter().map(|(_, given)| self.named(given)).collect();
        let (current, now) = (self.current, self.now);
        let ours = current.rows().bindings.iter().filter(|binding| {
            which(binding)
                && binding.managed_by.is_none()
                && binding.request.is_none()
                && out_of_force(current, binding, now).is_none()
        });
        for binding in ours {
            if !said.contains(&as_given(binding)) {
                let text = self.names.given(binding, &current.roles().key(&binding.role));
                self.remove(Step::Unbind(binding.id), text);
            }
        }
    }

    fn join(&mut self, sorted: &Sorted) {
        for ((group, user), line) in &sorted.joins {
            let known = self.names.group(group);
            if known.is_some_and(|id| self.current.groups_of(*user).contains(&id)) {
                self.plan.kept += 1;
            } else {
                let (user, group) = (*user, group.clone());
                self.add(Step::Join { user, group }, line.clone());
            }
        }
    }

    fn give(&mut self, given: &[(PolicyLine, Given)]) {
        let bindings = self.current.rows().bindings.iter();
        let held: HashSet<Given> = bindings.map(as_given).collect();
        for (line, given) in given {
            if held.contains(&self.named(given)) {
                self.plan.kept += 1;
            } else {
                self.add(Step::Bind(given.clone()), line.clone());
            }
        }
    }

    fn undefine(&mut self, defined: &BTreeSet<String>) {
        let own = self.current.roles().own().filter(|role| !defined.contains(&role.name));
        let mut order = inner_first(own.cloned().collect(), |role| role);
        order.reverse();
        for role in order {
            let lines = |kind: &str, names: &[String]| -> Vec<PolicyLine> {
                let text = |it| self.names.held_text(&role.name, &format!("{kind}:{it}"));
                names.iter().map(|it| unnumbered(text(it))).collect()
            };
            let mut removes = lines("perm", &role.permissions);
            removes.extend(lines("role", &role.includes));
            self.plan.tasks.push(Task {
                step: Step::Undefine(role.name.clone()),
                adds: Vec::new(),
                removes,
            });
        }
    }

    /// The same with the id of a group that there is.
    fn named(&self, given: &Given) -> Given {
        let to = match &given.to {
            To::Group(slug) => self.names.group(slug).map_or_else(|| given.to.clone(), To::Known),
            To::User(_) | To::Machine(_) | To::Known(_) => given.to.clone(),
        };
        Given { to, ..given.clone() }
    }

    fn add(&mut self, step: Step, line: PolicyLine) {
        self.plan.tasks.push(Task { step, adds: vec![line], removes: Vec::new() });
    }

    fn remove(&mut self, step: Step, text: String) {
        self.plan.tasks.push(Task { step, adds: Vec::new(), removes: vec![unnumbered(text)] });
    }
}

/// Each role after those that it includes. What goes round in a circle stands last, and is refused when
/// it comes to be written.
fn inner_first<T>(mut rest: Vec<T>, role: impl Fn(&T) -> &OwnRole) -> Vec<T> {
    let mut done = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let names: HashSet<String> = rest.iter().map(|it| role(it).name.clone()).collect();
        let free = rest.iter().position(|it| !role(it).includes.iter().any(|i| names.contains(i)));
        done.push(rest.remove(free.unwrap_or(0)));
    }
    done
}

fn bare(key: &str) -> &str {
    key.strip_prefix(OWN).unwrap_or(key)
}

const fn unnumbered(text: String) -> PolicyLine {
    PolicyLine { line: None, text }
}

/// A binding as a line would say it.
fn as_given(binding: &Binding) -> Given {
    let to = match binding.holder {
        Holder::User(user) => To::User(user),
        Holder::Machine(id) => To::Machine(id),
        Holder::Group(group) => To::Known(group),
    };
    Given {
        to,
        role: binding.role.clone(),
        at: binding.scope().unwrap_or(ScopePath::Org),
        deny: binding.effect == Effect::Deny,
        not_before: binding.not_before,
        expires_at: binding.expires_at,
    }
}
