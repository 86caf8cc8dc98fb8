//! The rules of an organisation as calls ask them: compiled, immutable, kept by the version of its
//! policies.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cel::Context;
use ralex_api::call_rules::{CallEffect, CallPhase};
use ralex_kernel::{
    CallRuleId, Caller, Code, GroupId, OrgId, Problem, ProjectId, ScopePath, ServiceAccountId,
    TeamId, TokenId, UserId,
};
use ralex_store::problem;
use tracing::warn;

use crate::call::{Call, Phase, Who};
use crate::condition::Condition;
use crate::facts::Place;
use crate::pattern::{ActionPattern, ResourcePattern};
use crate::sql::{self, Stored};
use crate::{CallRules, Inner};

const ORGS: u64 = 10_000;
const IDLE: Duration = Duration::from_mins(30);
const CONDITIONS: u64 = 10_000;

pub(crate) type Sets = moka::future::Cache<(OrgId, i64), Arc<Rules>>;

pub(crate) fn sets() -> Sets {
    moka::future::Cache::builder().max_capacity(ORGS).time_to_idle(IDLE).build()
}

/// Conditions by their text, so that a change of one rule, or of a role, compiles no other.
static CONDITIONS_KEPT: LazyLock<moka::sync::Cache<String, Arc<Result<Condition, String>>>> =
    LazyLock::new(|| moka::sync::Cache::builder().max_capacity(CONDITIONS).build());

/// A condition, compiled once for all that write it so.
pub(crate) fn condition(source: &str) -> Arc<Result<Condition, String>> {
    CONDITIONS_KEPT.get_with_by_ref(source, || Arc::new(Condition::compile(source)))
}

/// Whose calls a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    User(UserId),
    Group(GroupId),
    Account(ServiceAccountId),
    Token(TokenId),
    Role(String),
}

impl Whom {
    /// As it is stored.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        Some(match kind {
            "user" => Self::User(name.parse().ok()?),
            "group" => Self::Group(name.parse().ok()?),
            "service_account" => Self::Account(name.parse().ok()?),
            "token" => Self::Token(name.parse().ok()?),
            "role" => Self::Role(name.to_owned()),
            _ => return None,
        })
    }

    fn is(&self, who: &Who) -> bool {
        match self {
            Self::User(user) => who.subject.user() == Some(*user),
            Self::Group(group) => who.groups.iter().any(|(id, _)| id == group),
            Self::Account(account) => who.subject.service_account() == Some(*account),
            Self::Token(token) => who.token == Some(*token),
            Self::Role(role) => who.roles.contains(role),
        }
    }
}

/// A rule that calls can ask.
#[derive(Debug)]
pub struct Compiled {
    id: CallRuleId,
    version: u64,
    name: String,
    message: String,
    effect: CallEffect,
    phase: CallPhase,
    at: ScopePath,
    actions: Vec<ActionPattern>,
    resources: Vec<ResourcePattern>,
    subjects: Vec<Whom>,
    /// Why the row cannot be used, where that is so.
    broken: Option<String>,
    condition: Option<Arc<Result<Condition, String>>>,
}

/// What a rule's condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Holds,
    HoldsNot,
    Failed(String),
}

impl Compiled {
    /// Never fails: a row that cannot be used counts as one whose condition fails, which stops
    /// calls where it would stop them, and lets none pass.
    pub(crate) fn of(stored: &Stored) -> Self {
        let mut broken = None;
        let mut note = |told: String| broken = Some(told);
        let actions = stored.actions.iter().filter_map(|text| {
            ActionPattern::parse(text).map_err(|told| note(format!("action {text}: {told}"))).ok()
        });
        let actions = actions.collect();
        let resources = stored.resources.iter().filter_map(|text| {
            let parsed = ResourcePattern::parse(text);
            parsed.map_err(|told| note(format!("resource {text}: {told}"))).ok()
        });
        let resources = resources.collect();
        let subjects = stored.subjects.iter().filter_map(|text| {
            let whom = Whom::parse(text);
            whom.or_else(|| {
                note(format!("subject {text}: is nobody"));
                None
            })
        });
        let subjects = subjects.collect();
        Self {
            id: stored.id,
            version: stored.version.unsigned_abs(),
            name: stored.name.to_string(),
            message: stored.message.clone(),
            effect: stored.effect(),
            phase: stored.phase(),
            at: stored.place(),
            actions,
            resources,
            subjects,
            broken,
            condition: stored.condition.as_deref().map(condition),
        }
    }

    pub const fn id(&self) -> CallRuleId {
        self.id
    }

    pub const fn version(&self) -> u64 {
        self.version
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub const fn effect(&self) -> CallEffect {
        self.effect
    }

    /// Why it cannot be used as it is stored.
    pub fn broken(&self) -> Option<String> {
        let condition = self.condition.as_ref().and_then(|it| (**it).as_ref().err());
        self.broken.clone().or_else(|| condition.cloned())
    }

    /// Whether it is about such calls at all, whatever its condition says; and why not, in words.
    pub(crate) fn concerns(&self, call: &Call<'_>, phase: Phase) -> Result<(), &'static str> {
        let covers = match phase {
            Phase::List => self.phase.covers_list(),
            Phase::Call => self.phase.covers_call(),
        };
        if !covers {
            return Err("It is about another phase: what is shown, or what is called.");
        }
        if !call.at.is_within(self.at) {
            return Err("It holds at another scope.");
        }
        if self.broken.is_some() {
            return Ok(());
        }
        if !self.actions.iter().any(|pattern| pattern.matches(call.action)) {
            return Err("No action of it is this one.");
        }
        let names = call.resource.names();
        let named = |pattern: &ResourcePattern| {
            pattern.is_any() || names.iter().any(|(kind, name)| pattern.matches(kind, name))
        };
        if !self.resources.iter().any(named) {
            return Err("No resource of it is what is called.");
        }
        if !self.subjects.is_empty() && !self.subjects.iter().any(|whom| whom.is(call.who)) {
            return Err("It is about somebody else.");
        }
        Ok(())
    }

    pub(crate) fn is_about(&self, call: &Call<'_>, phase: Phase) -> bool {
        self.concerns(call, phase).is_ok()
    }

    /// What its condition says; `context` is only made where it is needed.
    pub(crate) fn holds<'c>(
        &self,
        context: impl FnOnce() -> &'c Context<'static, 'static>,
    ) -> Asked {
        if let Some(why) = &self.broken {
            return Asked::Failed(format!("cannot be read any more ({why})"));
        }
        match self.condition.as_deref() {
            None => Asked::Holds,
            Some(Err(why)) => Asked::Failed(format!("is not valid any more ({why})")),
            Some(Ok(condition)) => match condition.holds(context()) {
                Ok(true) => Asked::Holds,
                Ok(false) => Asked::HoldsNot,
                Err(why) => Asked::Failed(why),
            },
        }
    }

    /// The names that its condition asks for.
    pub(crate) fn read(&self) -> impl Iterator<Item = &String> {
        let condition = self.condition.as_ref().and_then(|it| (**it).as_ref().ok());
        condition.into_iter().flat_map(|condition| &condition.read)
    }
}

/// What of a call has to be gathered, since some rule reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    pub arguments: bool,
    pub budget: bool,
    /// Groups and roles.
    pub memberships: bool,
}

/// The rules of one organisation that are on. Never changed.
#[derive(Debug)]
pub struct Rules {
    entries: Vec<Arc<Compiled>>,
    default_effect: CallEffect,
    uses: Uses,
    read: HashSet<String>,
    teams: HashMap<TeamId, String>,
    projects: HashMap<ProjectId, String>,
}

impl Rules {
    pub(crate) fn new(mut entries: Vec<Arc<Compiled>>, default_effect: CallEffect) -> Self {
        // Whatever order rows come in, the strictest first, and one of two that are alike.
        entries.sort_by_key(|rule| (std::cmp::Reverse(rule.effect), rule.id));
        let read: HashSet<String> = entries.iter().flat_map(|rule| rule.read()).cloned().collect();
        let within = |root: &str| read.iter().any(|name| name.starts_with(root));
        let subjects = || entries.iter().flat_map(|rule| &rule.subjects);
        let member = |whom: &Whom| matches!(whom, Whom::Group(_) | Whom::Role(_));
        let uses = Uses {
            arguments: read.contains("call.arguments"),
            budget: within("budget."),
            memberships: read.contains("caller.groups")
                || read.contains("caller.roles")
                || subjects().any(member),
        };
        let (teams, projects) = (HashMap::new(), HashMap::new());
        Self { entries, default_effect, uses, read, teams, projects }
    }

    /// The same with one more.
    pub(crate) fn with(&self, draft: Arc<Compiled>) -> Self {
        self.changed(Some(draft), &[], self.default_effect)
    }

    /// The same with one more and without some.
    pub(crate) fn changed(
        &self,
        draft: Option<Arc<Compiled>>,
        without: &[CallRuleId],
        default_effect: CallEffect,
    ) -> Self {
        let stay = self.entries.iter().filter(|rule| !without.contains(&rule.id)).cloned();
        let entries = stay.chain(draft).collect();
        let (teams, projects) = (self.teams.clone(), self.projects.clone());
        Self { teams, projects, ..Self::new(entries, default_effect) }
    }

    /// Whether no rule is about anything at this place, and calls are allowed then.
    pub fn is_silent(&self, at: ScopePath) -> bool {
        self.default_effect == CallEffect::Allow
            && !self.entries.iter().any(|rule| at.is_within(rule.at))
    }

    pub const fn uses(&self) -> Uses {
        self.uses
    }

    pub const fn default_effect(&self) -> CallEffect {
        self.default_effect
    }

    pub(crate) fn entries(&self) -> &[Arc<Compiled>] {
        &self.entries
    }

    pub(crate) fn reads(&self, name: &str) -> bool {
        self.read.contains(name)
    }

    pub(crate) fn place(&self, at: ScopePath) -> Place<'_> {
        Place {
            team: at.team().and_then(|id| self.teams.get(&id)).map_or("", String::as_str),
            project: at.project().and_then(|id| self.projects.get(&id)).map_or("", String::as_str),
        }
    }
}

impl CallRules {
    /// The rules that hold in an organisation now. After a change the next call gets the new ones.
    pub async fn of_org(&self, org: OrgId) -> Result<Arc<Rules>, Problem> {
        // Read before the rows are, so that a change in between makes them newer than their version
        // says, and never older.
        let key = (org, self.0.access.version(org));
        let rules = self.0.sets.try_get_with(key, load(&self.0, org)).await;
        rules.map_err(|problem| Problem::clone(&problem))
    }

    /// Who calls, as far as rules want to know.
    pub async fn who(
        &self,
        caller: &Caller,
        org: OrgId,
        at: ScopePath,
        uses: Uses,
    ) -> Result<Who, Problem> {
        let mut who = Who {
            subject: caller.subject,
            token: caller.credential.token(),
            address: caller.address,
            groups: Vec::new(),
            roles: Vec::new(),
        };
        if uses.memberships {
            let snapshot = self.0.access.snapshot(org).await?;
            let (groups, roles) = snapshot.memberships(caller.subject, at, self.0.clock.now());
            who.groups = groups.into_iter().map(|(id, slug)| (id, slug.to_owned())).collect();
            who.roles = roles.into_iter().map(str::to_owned).collect();
        }
        Ok(who)
    }
}

async fn load(inner: &Inner, org: OrgId) -> Result<Arc<Rules>, Problem> {
    let mut tx = inner.db.tenant(org).await?;
    let stored = sql::enabled(&mut tx, org).await.map_err(problem)?;
    let default_effect = sql::default_effect(&mut tx, org).await.map_err(problem)?;
    let (teams, projects) = sql::places(&mut tx, org).await.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    let default_effect = CallEffect::named(&default_effect).ok_or_else(|| {
        Problem::new(Code::Internal, "The stored settings of call rules cannot be read.")
    })?;
    let entries: Vec<Arc<Compiled>> =
        stored.iter().map(|stored| Arc::new(Compiled::of(stored))).collect();
    for broken in entries.iter().filter(|rule| rule.broken().is_some()) {
        let id = broken.id;
        warn!(call_rule.id = %id, "the call rule {id} cannot be used and counts as failing");
    }
    Ok(Arc::new(Rules { teams, projects, ..Rules::new(entries, default_effect) }))
}
