//! The policy of an organisation as lines: what roles hold, who is in which group, who holds what where.
//!
//! casbin with these lines and the model decides as Ralex does at that moment. What does not count then
//! (a suspended person, a role that has ended) stands there behind a `#`, with the reason.

use chrono::{DateTime, Utc};
use ralex_kernel::{Problem, Subject, UserId};
use ralex_store::problem;

use crate::access::Access;
use crate::lines::Names;
use crate::policies::SERVICE;
use crate::roles::OWN;
use crate::rows::{Binding, Effect, Holder};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql;

impl Access {
    /// The policy lines of an organisation, in an order that does not change by itself.
    pub async fn export_policy(&self, scope: &Scope) -> Result<String, Problem> {
        let org = scope.org();
        let snapshot = self.snapshot(org).await?;
        let mut tx = self.db().tenant(org).await?;
        let names = sql::names::load(&mut tx, org, snapshot.slug()).await.map_err(problem)?;
        let programs = sql::somebodies(&mut tx, org, None).await.map_err(problem)?;
        let programs = programs.iter().filter(|it| !it.disabled).map(|it| it.subject);
        Ok(export(&snapshot, &names, programs, self.clock().now()))
    }
}

/// `programs` hold their home's role by themselves; people among them do not.
pub(crate) fn export(
    snapshot: &Snapshot,
    names: &Names,
    programs: impl Iterator<Item = Subject>,
    now: DateTime<Utc>,
) -> String {
    let mut text = format!(
        "# The policy of the organisation {}, version {}: casbin lines over policies/access/model.conf.\n",
        snapshot.slug(),
        snapshot.version()
    );
    let (own, built_in): (Vec<_>, Vec<_>) =
        snapshot.roles().lines().iter().partition(|line| line.role.starts_with(OWN));
    let holds = |line: &&crate::policies::Line| names.holds(&line.role, &line.holds);
    section(&mut text, "What the deployment's roles hold", built_in.iter().filter_map(holds));
    section(&mut text, "What the organisation's own roles hold", own.iter().filter_map(holds));
    let people = snapshot.rows().groups.iter().flat_map(|group| {
        let line = |user: &UserId| hidden(why_not(snapshot, *user), names.joins(*user, group.id));
        group.people.iter().map(line).collect::<Vec<_>>()
    });
    section(&mut text, "Who is in which group", people);
    let given = snapshot.rows().bindings.iter().map(|binding| {
        let line = names.given(binding, &snapshot.roles().key(&binding.role));
        hidden(out_of_force(snapshot, binding, now), line)
    });
    section(&mut text, "Who holds what where, or is denied it", given);
    let by_themselves = programs.filter_map(|subject| {
        let (id, _, home) = subject.machine()?;
        let binding = at_home(id, home);
        Some(names.given(&binding, SERVICE))
    });
    section(&mut text, "What programs hold at their home by themselves", by_themselves);
    text
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let mut lines: Vec<_> = lines.collect();
    lines.sort_unstable_by(|one, other| said(one).cmp(said(other)).then(one.cmp(other)));
    lines.dedup();
    if lines.is_empty() {
        return;
    }
    text.push_str("\n# ");
    text.push_str(title);
    text.push('\n');
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
}

/// A line without the reason why it does not count, so that it keeps its place when it comes to count.
fn said(line: &str) -> &str {
    line.strip_prefix("# ").and_then(|rest| rest.split_once(": ")).map_or(line, |(_, line)| line)
}

fn hidden(why: Option<&str>, line: String) -> String {
    match why {
        Some(why) => format!("# {why}: {line}"),
        None => line,
    }
}

fn why_not(snapshot: &Snapshot, user: UserId) -> Option<&'static str> {
    match (snapshot.is_suspended(user), snapshot.is_member(user)) {
        (true, _) => Some("suspended"),
        (false, false) => Some("cannot log in"),
        (false, true) => None,
    }
}

/// Why a binding does not count and will not by itself.
pub(crate) fn out_of_force(
    snapshot: &Snapshot,
    binding: &Binding,
    now: DateTime<Utc>,
) -> Option<&'static str> {
    if binding.expires_at.is_some_and(|end| end <= now) {
        return Some("ended");
    }
    match binding.holder {
        Holder::User(user) => why_not(snapshot, user),
        Holder::Machine(_) | Holder::Group(_) => None,
    }
    .or_else(|| (!snapshot.roles().has(&binding.role)).then_some("no such role"))
}

fn at_home(id: uuid::Uuid, home: ralex_kernel::ScopePath) -> Binding {
    Binding {
        id: id.into(),
        holder: Holder::Machine(id),
        role: SERVICE.to_owned(),
        team: home.team(),
        project: home.project(),
        effect: Effect::Allow,
        not_before: None,
        expires_at: None,
        managed_by: None,
        request: None,
    }
}
