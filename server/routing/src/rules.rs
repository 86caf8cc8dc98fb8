//! The rules of an organisation: routes, aliases, preferences and settings, compiled and in
//! memory, as new as the policy version that the node knows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ralex_api::routing::{
    Pick, PreferenceRules, Priority, RouteSpec, RouteStep, RouteTarget, RoutingSettings,
};
use ralex_kernel::{OrgId, Problem, ProjectId, ScopePath, TeamId};
use tracing::error;

use crate::condition::Condition;
use crate::{Inner, sql};

/// The ways to rank that are names of their own.
pub(crate) const BUILT_IN: [(&str, Pick, &str); 4] = [
    ("auto", Pick::Auto, "The model that is expected to answer well enough at the least cost."),
    ("balanced", Pick::Balanced, "A good answer at a fair price and speed."),
    ("best", Pick::Best, "The best model there is for the task, whatever it costs."),
    ("fast", Pick::Fast, "The quickest model that can do the task."),
];
/// What a scope's default route is called for.
pub(crate) const DEFAULT: &str = "default";

/// Everything that a choice reads beside the models.
#[derive(Default)]
pub(crate) struct Rules {
    version: i64,
    pub routes: BTreeMap<String, Arc<Route>>,
    pub aliases: BTreeMap<String, String>,
    pub preferences: HashMap<ScopePath, PreferenceRules>,
    pub settings: RoutingSettings,
    pub teams: HashMap<TeamId, String>,
    pub projects: HashMap<ProjectId, String>,
}

/// A route with its conditions compiled.
pub(crate) struct Route {
    pub name: String,
    pub spec: RouteSpec,
    /// Step by step; a step without a condition always holds.
    pub conditions: Vec<Option<Condition>>,
    pub built_in: bool,
}

/// What holds at a scope, of all scopes above it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub preferred: Vec<String>,
    pub banned: Vec<String>,
    pub default_route: Option<String>,
    pub catch_all: bool,
    pub residency: Vec<String>,
    pub labels: Vec<String>,
    pub no_override: bool,
}

impl Route {
    /// # Errors
    /// Where a condition does not compile.
    pub fn compile(name: &str, spec: RouteSpec) -> Result<Self, Problem> {
        let conditions = spec.steps.iter().enumerate().map(|(at, step)| {
            let path = format!("spec.steps[{at}].when");
            step.when.as_deref().map(|when| Condition::compile(when, &path)).transpose()
        });
        let conditions = conditions.collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), spec, conditions, built_in: false })
    }

    /// One that ranks all models.
    pub fn ranking(name: &str, pick: Pick) -> Self {
        let step = RouteStep { when: None, pick, targets: Vec::new() };
        let spec = RouteSpec {
            steps: vec![step],
            sticky: false,
            canary: None,
            shadow: None,
            fallbacks: Vec::new(),
            escalation: None,
        };
        Self { name: name.to_owned(), spec, conditions: vec![None], built_in: true }
    }

    /// Every name that it may lead to.
    pub fn targets(spec: &RouteSpec) -> impl Iterator<Item = &str> {
        let targets = spec.steps.iter().flat_map(|step| &step.targets);
        let targets = targets.map(|target: &RouteTarget| target.name.as_str());
        targets.chain(spec.fallbacks.iter().map(String::as_str))
    }
}

impl Rules {
    /// The route of a name, one's own before the built-in ones.
    pub fn route(&self, name: &str) -> Option<Arc<Route>> {
        if let Some(own) = self.routes.get(name) {
            return Some(own.clone());
        }
        let built_in = BUILT_IN.iter().find(|(built_in, ..)| *built_in == name)?;
        Some(Arc::new(Route::ranking(built_in.0, built_in.1)))
    }

    /// What holds at a scope: bans, labels and refusals of overrides add up on the way down, and
    /// the places that data may go to narrow; of the rest the nearest counts.
    pub fn wishes(&self, at: ScopePath) -> Wishes {
        let mut wishes = Wishes::default();
        let rules: Vec<&PreferenceRules> =
            at.ancestors().filter_map(|scope| self.preferences.get(&scope)).collect();
        for rule in rules {
            if wishes.preferred.is_empty() {
                wishes.preferred.clone_from(&rule.preferred);
            }
            if wishes.default_route.is_none() {
                wishes.default_route.clone_from(&rule.default_route);
                wishes.catch_all = rule.catch_all && rule.default_route.is_some();
            }
            wishes.banned.extend(rule.banned.iter().cloned());
            wishes.labels.extend(rule.labels.iter().cloned());
            wishes.no_override |= rule.no_override;
            wishes.residency = narrowed(wishes.residency, &rule.residency);
        }
        wishes
    }

    /// The nearest scope's.
    pub fn priority(&self, at: ScopePath) -> Option<Priority> {
        at.ancestors().find_map(|scope| self.preferences.get(&scope)?.priority)
    }
}

/// The places that both allow; none in common is `nowhere`, which no model is in.
fn narrowed(near: Vec<String>, far: &[String]) -> Vec<String> {
    if near.is_empty() {
        return far.to_vec();
    }
    if far.is_empty() {
        return near;
    }
    let both: Vec<String> = near.into_iter().filter(|place| far.contains(place)).collect();
    if both.is_empty() { vec!["nowhere".to_owned()] } else { both }
}

impl Inner {
    pub(crate) async fn rules(&self, org: OrgId) -> Result<Arc<Rules>, Problem> {
        // Read before the rows are, so that a change in between makes the rules old, not wrong.
        let version = self.access.version(org);
        if let Some(rules) = self.known_rules(org, version) {
            return Ok(rules);
        }
        let _one_at_a_time = self.loading.lock().await;
        let version = self.access.version(org);
        if let Some(rules) = self.known_rules(org, version) {
            return Ok(rules);
        }
        let rules = Arc::new(self.load_rules(org, version).await?);
        self.rules.write().insert(org, rules.clone());
        Ok(rules)
    }

    fn known_rules(&self, org: OrgId, version: i64) -> Option<Arc<Rules>> {
        self.rules.read().get(&org).filter(|rules| rules.version == version).cloned()
    }

    async fn load_rules(&self, org: OrgId, version: i64) -> Result<Rules, Problem> {
        let mut tx = self.db.tenant(org).await?;
        let rows = sql::rules::all(&mut tx, org).await.map_err(ralex_store::problem)?;
        let mut rules = Rules { version, ..Rules::default() };
        for row in rows.routes.into_iter().filter(|row| row.enabled) {
            match Route::compile(&row.name, row.spec.0) {
                Ok(route) => drop(rules.routes.insert(row.name, Arc::new(route))),
                // Only a version that knew other conditions can have written it.
                Err(problem) => error!(
                    route.id = %row.id,
                    "the route {} cannot be used: {}", row.id, problem.detail
                ),
            }
        }
        rules.aliases = rows.aliases.into_iter().map(|row| (row.name, row.target)).collect();
        let preferences = rows.preferences.into_iter();
        rules.preferences = preferences.map(|row| (row.scope(), row.rules.0)).collect();
        rules.settings = rows.settings.unwrap_or_default();
        rules.teams = rows.teams.into_iter().collect();
        rules.projects = rows.projects.into_iter().collect();
        Ok(rules)
    }
}
