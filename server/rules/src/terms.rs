//! What a rule says, checked: nothing is stored that could not be asked.

use ralex_access::Bearer;
use ralex_api::call_rules::{CallEffect, CallPhase, NewCallRule, UpdateCallRule};
use ralex_audit::CallRuleSaid;
use ralex_identity::Identity;
use ralex_kernel::{Name, OrgId, Problem, ScopePath, TokenId};
use ralex_store::{Tenant, problem};

use crate::Inner;
use crate::call::{ACTIONS, Phase};
use crate::condition::Condition;
use crate::pattern::{ActionPattern, ResourcePattern};
use crate::sql::{self, Stored};

const MOST_ACTIONS: usize = 20;
const MOST_RESOURCES: usize = 100;
const MOST_SUBJECTS: usize = 100;
const LONGEST_MESSAGE: usize = 500;
const LONGEST_DESCRIPTION: usize = 2_000;

/// What a rule says, apart from where it holds.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub name: Name,
    pub description: String,
    pub effect: CallEffect,
    pub phase: CallPhase,
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    /// As they are stored, by ids.
    pub subjects: Vec<String>,
    pub condition: Option<String>,
    pub message: String,
    pub enabled: bool,
}

impl Terms {
    pub fn new(new: NewCallRule) -> Self {
        let any = || vec!["*".to_owned()];
        Self {
            name: new.name,
            description: new.description,
            effect: new.effect,
            phase: new.phase.unwrap_or(CallPhase::Call),
            actions: new.actions.unwrap_or_else(any),
            resources: new.resources.unwrap_or_else(any),
            subjects: new.subjects,
            condition: new.condition,
            message: new.message,
            enabled: new.enabled.unwrap_or(true),
        }
    }

    pub fn changed(before: &Stored, change: UpdateCallRule) -> Self {
        let before = before.clone();
        let (effect, phase) = (before.effect(), before.phase());
        Self {
            name: change.name.unwrap_or(before.name),
            description: change.description.unwrap_or(before.description),
            effect: change.effect.unwrap_or(effect),
            phase: change.phase.unwrap_or(phase),
            actions: change.actions.unwrap_or(before.actions),
            resources: change.resources.unwrap_or(before.resources),
            subjects: change.subjects.unwrap_or(before.subjects),
            condition: change.condition.unwrap_or(before.condition),
            message: change.message.unwrap_or(before.message),
            enabled: change.enabled.unwrap_or(before.enabled),
        }
    }

    /// Says what is wrong with it, if anything is.
    pub fn check(&self) -> Result<(), Problem> {
        line("message", &self.message, LONGEST_MESSAGE)?;
        line("description", &self.description, LONGEST_DESCRIPTION)?;
        if self.effect == CallEffect::Ask && self.phase == CallPhase::List {
            let message =
                "cannot be list for a rule that asks: nobody is asked about what is shown";
            return Err(Problem::field("phase", message));
        }
        self.check_actions()?;
        some("resources", &self.resources, MOST_RESOURCES)?;
        for (at, text) in self.resources.iter().enumerate() {
            let path = || format!("resources[{at}]");
            ResourcePattern::parse(text).map_err(|told| Problem::field(path(), told))?;
        }
        if self.subjects.len() > MOST_SUBJECTS {
            let message = format!("may hold {MOST_SUBJECTS} at most: make a group of them");
            return Err(Problem::field("subjects", message));
        }
        match &self.condition {
            Some(condition) => Condition::check(condition, "condition").map(drop),
            None => Ok(()),
        }
    }

    fn check_actions(&self) -> Result<(), Problem> {
        some("actions", &self.actions, MOST_ACTIONS)?;
        for (at, text) in self.actions.iter().enumerate() {
            let path = || format!("actions[{at}]");
            let pattern =
                ActionPattern::parse(text).map_err(|told| Problem::field(path(), told))?;
            let covers = |action: &&&str| match Phase::of(action) {
                Phase::List => self.phase.covers_list(),
                Phase::Call => self.phase.covers_call(),
            };
            if !ACTIONS.iter().filter(covers).any(|action| pattern.matches(action)) {
                let known = ACTIONS.join(", ");
                let message = format!(
                    "is no action of the phase `{}`, so the rule would do nothing; there are {known}",
                    self.phase
                );
                return Err(Problem::field(path(), message));
            }
        }
        Ok(())
    }

    /// For the audit log.
    pub fn said(&self) -> CallRuleSaid {
        CallRuleSaid {
            name: self.name.clone(),
            effect: self.effect.as_str(),
            phase: self.phase.as_str(),
            actions: self.actions.clone(),
            resources: self.resources.clone(),
            subjects: self.subjects.clone(),
            condition: self.condition.clone(),
            enabled: self.enabled,
        }
    }
}

fn line(path: &str, text: &str, longest: usize) -> Result<(), Problem> {
    if text.chars().count() > longest {
        return Err(Problem::field(path, format!("has more than {longest} characters")));
    }
    if text.chars().any(|c| c.is_control() && !(c == '\n' && path == "description")) {
        return Err(Problem::field(path, "holds control characters"));
    }
    Ok(())
}

fn some(path: &str, items: &[String], most: usize) -> Result<(), Problem> {
    if items.is_empty() || items.len() > most {
        return Err(Problem::field(path, format!("has to hold 1 to {most} patterns")));
    }
    Ok(())
}

impl Inner {
    /// The subjects as they are stored: by ids, so that nobody becomes part of a rule by taking
    /// a name that is free again. Those that stand there already stay, whether they still are.
    pub(crate) async fn subjects(
        &self,
        org: OrgId,
        said: Vec<String>,
        before: &[String],
    ) -> Result<Vec<String>, Problem> {
        let mut found = Vec::with_capacity(said.len());
        for (at, text) in said.into_iter().enumerate() {
            let stored = if before.contains(&text) {
                text
            } else {
                let path = format!("subjects[{at}]");
                subject(self, org, &text).await.map_err(|problem| renamed(problem, &path))?
            };
            if !found.contains(&stored) {
                found.push(stored);
            }
        }
        Ok(found)
    }
}

async fn subject(inner: &Inner, org: OrgId, text: &str) -> Result<String, Problem> {
    let path = "subject";
    match text.split_once(':') {
        Some(("role", name)) => {
            let roles = inner.access.roles(org).await?;
            if roles.iter().any(|role| role.name.as_str() == name) {
                return Ok(text.to_owned());
            }
            Err(Problem::field(path, "names a role that this organisation does not have"))
        }
        Some(("token", id)) => {
            let unknown =
                || Problem::field(path, "names a token that this organisation does not have");
            let id: TokenId = id.parse().map_err(|_| unknown())?;
            let mut tx = inner.db.tenant(org).await?;
            let there = sql::has_token(&mut tx, org, id).await.map_err(problem)?;
            if there { Ok(format!("token:{id}")) } else { Err(unknown()) }
        }
        Some(("user" | "group" | "service_account", _)) => {
            Ok(bearer(&inner.identity, org, text).await?)
        }
        _ => {
            let forms = "is not `user:<id or e-mail>`, `group:<slug or id>`, \
                         `service_account:<slug or id>`, `token:<id>` or `role:<name>`";
            Err(Problem::field(path, forms))
        }
    }
}

async fn bearer(identity: &Identity, org: OrgId, text: &str) -> Result<String, Problem> {
    Ok(match identity.bearer(org, text).await? {
        Bearer::User(id) => format!("user:{id}"),
        Bearer::Account(id) => format!("service_account:{id}"),
        Bearer::Group(id) => format!("group:{id}"),
    })
}

/// The problem with the path of this rule's field.
fn renamed(mut problem: Problem, path: &str) -> Problem {
    for error in &mut problem.errors {
        path.clone_into(&mut error.path);
    }
    problem
}

/// Reads `org`, `team:<slug or id>` or `project:<slug or id>`.
pub(crate) async fn place(tx: &mut Tenant, org: OrgId, text: &str) -> Result<ScopePath, Problem> {
    let unknown = |kind: &str| {
        Problem::field("scope", format!("names a {kind} that this organisation does not have"))
    };
    match text.split_once(':') {
        None if text == "org" => Ok(ScopePath::Org),
        Some(("team", name)) => {
            let team = sql::team(tx, org, name).await.map_err(problem)?;
            Ok(ScopePath::Team { team: team.ok_or_else(|| unknown("team"))? })
        }
        Some(("project", name)) => {
            let found = sql::project(tx, org, name).await.map_err(problem)?;
            let (team, project) = found.ok_or_else(|| unknown("project"))?;
            Ok(ScopePath::Project { team, project })
        }
        _ => Err(Problem::field("scope", "is not `org`, `team:<slug>` or `project:<slug>`")),
    }
}
