//! casbin as the reference: the same rows, asked through the model in `policies/access/`.
//!
//! casbin-rs has traps, and this is how each is kept away. An enforcer is built once from
//! scratch and thrown away, never loaded anew, so there is no moment without its denials. There
//! is no cached enforcer, whose keys collide. People and roles share one graph, so every name is
//! made here from a typed id with its prefix; no text of a row reaches casbin but a role's name,
//! which is looked up first. Effects are an enum. No pattern matching: exact names, and two
//! functions of our own that cannot fail.

use casbin::function_map::{OperatorFunction, dynamic_to_str};
use casbin::rhai::Dynamic;
use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use ralex_kernel::{OrgId, ScopePath, Subject, UserId};

use crate::Permission;
use crate::policies::{Holding, SERVICE};
use crate::roles::Roles;
use crate::rows::{Binding, Effect, Holder, Rows, Tree};

/// Bounds that no moment passes; times are compared as texts of one width.
pub(crate) const ALWAYS: &str = "0000-01-01T00:00:00.000000Z";
pub(crate) const NEVER: &str = "9999-12-31T23:59:59.999999Z";

/// casbin over one organisation's rows.
#[expect(missing_debug_implementations, reason = "an enforcer shows nothing of itself")]
pub struct Oracle {
    enforcer: Enforcer,
    org: OrgId,
    tree: Tree,
    closed: bool,
}

impl Oracle {
    /// With every row, and what each of these tokens holds by itself.
    pub(crate) async fn new(
        org: OrgId,
        rows: &Rows,
        tokens: &[Subject],
        roles: &Roles,
    ) -> Result<Self, casbin::Error> {
        let bindings = rows.bindings.iter().filter_map(|binding| line(org, rows, binding, roles));
        let tokens = tokens.iter().filter_map(|token| service_line(org, *token));
        Self::build(org, rows, (bindings.chain(tokens).collect(), None), roles).await
    }

    /// With the rows of one subject only: no other row could match, and the work stays small.
    pub(crate) async fn for_subject(
        org: OrgId,
        rows: &Rows,
        subject: Subject,
        roles: &Roles,
    ) -> Result<Self, casbin::Error> {
        let groups = rows
            .groups
            .iter()
            .filter(|group| subject.user().is_some_and(|user| group.people.contains(&user)));
        let groups: Vec<_> = groups.map(|group| Holder::Group(group.id)).collect();
        let of_subject = |binding: &&Binding| {
            name(binding.holder) == subject.to_string() || groups.contains(&binding.holder)
        };
        let bindings = rows.bindings.iter().filter(of_subject);
        let lines = bindings.filter_map(|binding| line(org, rows, binding, roles));
        let lines = lines.chain(service_line(org, subject)).collect();
        Self::build(org, rows, (lines, subject.user()), roles).await
    }

    async fn build(
        org: OrgId,
        rows: &Rows,
        (lines, only): (Vec<Vec<String>>, Option<UserId>),
        roles: &Roles,
    ) -> Result<Self, casbin::Error> {
        let model = DefaultModel::from_str(roles.model()).await?;
        let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await?;
        add_functions(&mut enforcer);
        let domain = org.to_string();
        let holds = roles.lines().iter().filter_map(|line| {
            let held = match &line.holds {
                Holding::Role(role) => format!("role:{role}"),
                Holding::Permission(permission) => format!("perm:{permission}"),
                // A rule about giving roles, which casbin is not asked.
                Holding::Bind(_) => return None,
            };
            Some(vec![format!("role:{}", line.role), held, domain.clone()])
        });
        enforcer.add_named_grouping_policies("g2", holds.collect()).await?;
        let belong = rows.groups.iter().flat_map(|group| {
            let people = group
                .people
                .iter()
                .filter(|user| rows.counts(**user) && only.is_none_or(|it| it == **user));
            let line = |user: &UserId| {
                vec![format!("user:{user}"), format!("grp:{}", group.id), domain.clone()]
            };
            people.map(line).collect::<Vec<_>>()
        });
        enforcer.add_named_grouping_policies("g", belong.collect()).await?;
        // casbin keeps a policy once, so two bindings that say the same are one line.
        for line in lines {
            enforcer.add_policy(line).await?;
        }
        Ok(Self { enforcer, org, tree: Tree::of(rows), closed: rows.closed.is_some() })
    }

    /// casbin's answer. A place that is not there has no name, so it is not asked of; nor is anything where
    /// the organisation is closed, which is no matter of its own policies.
    pub fn allows(
        &self,
        subject: Subject,
        permission: Permission,
        at: ScopePath,
        now: DateTime<Utc>,
    ) -> Result<bool, casbin::Error> {
        if self.closed || !self.tree.contains(at) {
            return Ok(false);
        }
        // A token asks in the domain that it belongs to, a person in the one that is asked.
        let domain = match subject {
            Subject::Token { org, .. } | Subject::Service { org, .. } => org,
            Subject::User(_) | Subject::Directory { .. } | Subject::System => self.org,
        };
        self.enforcer.enforce((
            subject.to_string(),
            domain.to_string(),
            at.path(self.org),
            format!("perm:{permission}"),
            moment(now),
        ))
    }
}

/// The two functions that the model asks for.
pub(crate) fn add_functions(enforcer: &mut Enforcer) {
    enforcer.add_function("inScope", OperatorFunction::Arg2(in_scope));
    enforcer.add_function("live", OperatorFunction::Arg3(live));
}

/// What a binding says, if its holder is one of ours and its role exists.
fn line(org: OrgId, rows: &Rows, binding: &Binding, roles: &Roles) -> Option<Vec<String>> {
    let belongs = match binding.holder {
        Holder::User(user) => rows.counts(user),
        Holder::Machine(_) | Holder::Group(_) => true,
    };
    if !belongs || !roles.has(&binding.role) {
        return None;
    }
    let effect = match binding.effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    };
    Some(vec![
        name(binding.holder),
        org.to_string(),
        format!("role:{}", roles.key(&binding.role)),
        binding.scope()?.path(org),
        effect.to_owned(),
        binding.not_before.map_or_else(|| ALWAYS.to_owned(), moment),
        binding.expires_at.map_or_else(|| NEVER.to_owned(), moment),
    ])
}

/// What a token of this organisation holds without a row.
fn service_line(org: OrgId, subject: Subject) -> Option<Vec<String>> {
    let (_, _, scope) = subject.machine().filter(|(_, own, _)| *own == org)?;
    let [role, effect] = [format!("role:{SERVICE}"), "allow".to_owned()];
    let [from, until] = [ALWAYS.to_owned(), NEVER.to_owned()];
    Some(vec![subject.to_string(), org.to_string(), role, scope.path(org), effect, from, until])
}

fn name(holder: Holder) -> String {
    match holder {
        Holder::User(user) => format!("user:{user}"),
        Holder::Machine(id) => format!("sa:{id}"),
        Holder::Group(group) => format!("grp:{group}"),
    }
}

/// One width for every moment, so that the order of texts is the order of time.
pub(crate) fn moment(time: DateTime<Utc>) -> String {
    match time.year() {
        ..0 => ALWAYS.to_owned(),
        0..=9999 => time.to_rfc3339_opts(SecondsFormat::Micros, true),
        10_000.. => NEVER.to_owned(),
    }
}

fn in_scope(asked: Dynamic, held: Dynamic) -> Dynamic {
    let (asked, held) = (dynamic_to_str(&asked), dynamic_to_str(&held));
    let below = asked.strip_prefix(held.as_ref());
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')).into()
}

fn live(now: Dynamic, from: Dynamic, until: Dynamic) -> Dynamic {
    let (now, from, until) = (dynamic_to_str(&now), dynamic_to_str(&from), dynamic_to_str(&until));
    (from <= now && now < until).into()
}
