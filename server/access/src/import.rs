//! Policy lines taken in: each change is made as by hand, by the same rules and with the same entries in
//! the audit log, all in one transaction.
//!
//! To see what would happen is to do it and to undo it, so a preview never tells of other rules than
//! those that hold. Where anything is refused nothing is done.

use std::time::{Duration, Instant};

use ralex_api::access::{BindingEffect, NewGroup, RoleName};
use ralex_api::policies::{PolicyImport, PolicyImported, PolicyLine, RefusedLine};
use ralex_kernel::{Code, FieldError, Problem, ScopePath};
use ralex_store::problem;
use sqlx::{Connection, PgConnection};

use crate::access::Access;
use crate::bindings::{Bearer, Wanted};
use crate::import_plan::{Planner, Read, Step, Task};
use crate::lines::{Given, Kind, Names, To};
use crate::scope::Scope;
use crate::{Permission, sql};

/// Lines that are read at once.
const MOST_LINES: usize = 20_000;
/// Changes that are made at once: each looks at all rights anew.
const MOST_CHANGES: usize = 1_000;

/// For as long all other changes of the organisation's rights wait at most.
const LONGEST: Duration = Duration::from_secs(20);

/// One import, under way.
struct Import<'a> {
    access: &'a Access,
    scope: &'a Scope,
    names: Names,
    /// Whether the caller may change groups at all.
    groups: Result<(), Problem>,
    told: PolicyImported,
}

impl Access {
    /// Takes in policy lines, or tells what that would do. With `if_version` only where the policies
    /// are at that version.
    pub async fn import_policy(
        &self,
        scope: &Scope,
        import: PolicyImport,
        if_version: Option<i64>,
    ) -> Result<PolicyImported, Problem> {
        let org = scope.org();
        let mut tx = self.db().tenant(org).await?;
        let current = self.lock(&mut tx, org).await?;
        // The lock itself has raised it.
        let version = current.version() - 1;
        check_version(version, if_version)?;
        let names = sql::names::load(&mut tx, org, current.slug()).await.map_err(problem)?;
        let mut told = nothing(version);
        let lines = read(&import, &names, &mut told.refused)?;
        let plan = Planner::new(&current, &names, self.clock().now()).plan(lines, import.mode);
        if plan.tasks.len() > MOST_CHANGES {
            let rule =
                format!("would change {} things; at most {MOST_CHANGES} at once", plan.tasks.len());
            return Err(Problem::field("lines", rule));
        }
        told.kept = plan.kept;
        let invalid =
            plan.refused.into_iter().map(|(line, why)| refused(line, Code::InvalidRequest, why));
        told.refused.extend(invalid);
        let groups = self.may(&current, scope, Permission::GroupManage, ScopePath::Org).map(drop);
        let mut work = Import { access: self, scope, names, groups, told };
        let begun = Instant::now();
        for task in plan.tasks {
            if begun.elapsed() > LONGEST {
                let rule = "take longer than others can wait; send some of them at a time";
                return Err(Problem::field("lines", rule));
            }
            work.attempt(&mut tx, task).await?;
        }
        let mut told = work.told;
        told.refused.sort_by_key(|refused| refused.line.unwrap_or(u32::MAX));
        if !import.apply {
            tx.rollback().await.map_err(problem)?;
            return Ok(told);
        }
        if let Some(first) = told.refused.first() {
            return Err(refusal(first, &told.refused));
        }
        told.applied = true;
        if told.added.is_empty() && told.removed.is_empty() {
            tx.rollback().await.map_err(problem)?;
        } else {
            self.commit(tx, org).await?;
        }
        Ok(told)
    }
}

impl Import<'_> {
    /// Takes one step, or leaves everything as it was before and tells why.
    async fn attempt(&mut self, conn: &mut PgConnection, task: Task) -> Result<(), Problem> {
        let mut point = conn.begin().await.map_err(problem)?;
        match self.take(&mut point, task.step).await {
            Ok(()) => {
                point.commit().await.map_err(problem)?;
                self.told.added.extend(task.adds);
                self.told.removed.extend(task.removes);
            }
            Err(why) if why.code.status() >= 500 => return Err(why),
            Err(why) => {
                point.rollback().await.map_err(problem)?;
                let lines = task.adds.into_iter().chain(task.removes);
                let refused = lines.map(|line| refused(line, why.code, why.detail.clone()));
                self.told.refused.extend(refused);
            }
        }
        Ok(())
    }

    async fn take(&mut self, conn: &mut PgConnection, step: Step) -> Result<(), Problem> {
        let (access, scope) = (self.access, self.scope);
        match step {
            Step::Define(role) => access.define(conn, scope, &role).await,
            Step::Redefine(role) => {
                let current = access.lock(&mut *conn, scope.org()).await?;
                access.redefine(conn, scope, &current, &role).await
            }
            Step::Undefine(role) => access.undefine(conn, scope, (&role, None)).await,
            Step::MakeGroup(slug) => {
                self.groups.clone()?;
                let name = slug.as_str().parse();
                let name = name.map_err(|_| Problem::field("lines", "is no group's name"))?;
                let called = slug.as_str().to_owned();
                let id = access.make_group(conn, scope, NewGroup { slug, name }).await?;
                self.names.add(Kind::Group, id.uuid(), called);
                Ok(())
            }
            Step::Join { user, group } => {
                self.groups.clone()?;
                let found = self.names.group(&group);
                let group = found.ok_or_else(|| Problem::not_found("group"))?;
                access.join(conn, scope, group, user).await.map(drop)
            }
            Step::Leave { user, group } => {
                self.groups.clone()?;
                access.leave(conn, scope, group, user).await.map(drop)
            }
            Step::Bind(given) => {
                let wanted = self.wanted(given)?;
                access.bind(conn, scope, wanted).await.map(drop)
            }
            Step::Unbind(binding) => access.unbind(conn, scope, binding).await,
        }
    }

    fn wanted(&self, given: Given) -> Result<Wanted, Problem> {
        let bearer = match given.to {
            To::User(user) => Bearer::User(user),
            To::Machine(id) => {
                let account = self.names.account(id);
                Bearer::Account(account.ok_or_else(|| Problem::not_found("service account"))?)
            }
            To::Group(slug) => {
                let group = self.names.group(&slug);
                Bearer::Group(group.ok_or_else(|| Problem::not_found("group"))?)
            }
            To::Known(group) => Bearer::Group(group),
        };
        Ok(Wanted {
            bearer,
            role: RoleName(given.role),
            at: given.at,
            effect: if given.deny { BindingEffect::Deny } else { BindingEffect::Allow },
            not_before: given.not_before,
            expires_at: given.expires_at,
        })
    }
}

/// Lines that can be read; the others are refused, each with its reason.
fn read(
    import: &PolicyImport,
    names: &Names,
    refusals: &mut Vec<RefusedLine>,
) -> Result<Vec<Read>, Problem> {
    if import.lines.lines().count() > MOST_LINES {
        return Err(Problem::field("lines", format!("must be at most {MOST_LINES}")));
    }
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(import.lines.lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let line = PolicyLine { line: Some(number), text: text.to_owned() };
        match names.read(text, import.from.as_deref()) {
            Ok(says) => lines.push(Read { line, says }),
            Err(why) => refusals.push(refused(line, Code::InvalidRequest, why)),
        }
    }
    Ok(lines)
}

fn check_version(version: i64, wanted: Option<i64>) -> Result<(), Problem> {
    match wanted {
        Some(wanted) if wanted != version => {
            let detail = format!(
                "The organisation's policies are at version {version}, and `If-Policy-Version` asks \
                 for {wanted}: somebody has changed them. Export them again and compare."
            );
            Err(Problem::new(Code::PreconditionFailed, detail))
        }
        Some(_) | None => Ok(()),
    }
}

const fn nothing(version: i64) -> PolicyImported {
    PolicyImported {
        applied: false,
        version,
        added: Vec::new(),
        removed: Vec::new(),
        kept: 0,
        refused: Vec::new(),
    }
}

fn refused(line: PolicyLine, code: Code, reason: String) -> RefusedLine {
    RefusedLine { line: line.line, text: line.text, code, reason }
}

fn refusal(first: &RefusedLine, all: &[RefusedLine]) -> Problem {
    let place = |it: &RefusedLine| match it.line {
        Some(number) => format!("line {number}"),
        None => format!("to take away \"{}\"", it.text),
    };
    let detail = format!(
        "{} refused, so nothing was changed; {}: {}",
        if all.len() == 1 { "One line is".to_owned() } else { format!("{} lines are", all.len()) },
        place(first),
        first.reason
    );
    // What a line names is not what the request asks for.
    let code = if first.code == Code::NotFound { Code::InvalidRequest } else { first.code };
    let mut problem = Problem::new(code, detail);
    let errors = all.iter().map(|it| FieldError { path: place(it), message: it.reason.clone() });
    problem.errors = errors.collect();
    problem
}
