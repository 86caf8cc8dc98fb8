//! The names of an organisation: what each leads to, and that none leads in a circle.

use std::collections::{BTreeMap, BTreeSet};

use ralex_api::routing::RouteSpec;
use ralex_kernel::{Code, OrgId, Problem};
use ralex_store::problem;
use sqlx::PgConnection;

use crate::choose::DEEPEST;
use crate::rules::{BUILT_IN, DEFAULT, Route};
use crate::{model, sql};

/// All names, as they are while a change is made.
pub(crate) struct Names {
    models: BTreeSet<String>,
    /// Routes and aliases, and where each leads.
    leads: BTreeMap<String, Vec<String>>,
    aliases: BTreeSet<String>,
}

impl Names {
    /// Reads them, and holds them still until the transaction ends.
    pub async fn hold(conn: &mut PgConnection, org: OrgId) -> Result<Self, Problem> {
        sql::rules::lock_names(conn, org).await.map_err(problem)?;
        let models = sql::rules::model_names(conn, org).await.map_err(problem)?;
        let routes = sql::rules::routes(conn, org).await.map_err(problem)?;
        let aliases = sql::rules::aliases(conn, org).await.map_err(problem)?;
        let mut leads: BTreeMap<String, Vec<String>> = routes
            .into_iter()
            .map(|row| (row.name, Route::targets(&row.spec).map(str::to_owned).collect()))
            .collect();
        let names = aliases.iter().map(|row| row.name.clone()).collect();
        leads.extend(aliases.into_iter().map(|row| (row.name, vec![row.target])));
        Ok(Self { models: models.into_iter().collect(), leads, aliases: names })
    }

    /// That a new route or alias may have this name.
    pub fn check_new(&self, name: &str) -> Result<(), Problem> {
        model::check_name(name)?;
        let taken = |what: &str| {
            Problem::new(Code::AlreadyExists, format!("There is already {what} named {name}."))
        };
        if BUILT_IN.iter().any(|(built_in, ..)| *built_in == name) || name == DEFAULT {
            return Err(taken("a built-in route"));
        }
        // The model would always be meant.
        if self.models.contains(name) {
            return Err(taken("a model"));
        }
        if self.aliases.contains(name) {
            return Err(taken("an alias"));
        }
        if self.leads.contains_key(name) {
            return Err(taken("a route"));
        }
        Ok(())
    }

    /// That `target`, which stands at `path`, is something.
    pub fn check_known(&self, target: &str, path: &str) -> Result<(), Problem> {
        let built_in = BUILT_IN.iter().any(|(built_in, ..)| *built_in == target);
        if built_in
            || target == DEFAULT
            || self.models.contains(target)
            || self.leads.contains_key(target)
        {
            return Ok(());
        }
        let told = format!("there is no model, alias or route `{target}`");
        Err(Problem::field(path, told))
    }

    /// That `target` is a model, or another name of one.
    pub fn check_model(&self, target: &str, path: &str) -> Result<(), Problem> {
        let mut name = target;
        for _ in 0..DEEPEST {
            if self.models.contains(name) {
                return Ok(());
            }
            match self.leads.get(name) {
                Some(leads) if self.aliases.contains(name) && leads.len() == 1 => name = &leads[0],
                Some(_) | None => break,
            }
        }
        Err(Problem::field(path, format!("there is no model `{target}`")))
    }

    /// That `name` may lead to `targets`: no circle, and not too deep.
    pub fn check_leads(
        &self,
        name: &str,
        targets: impl Iterator<Item = (String, String)>,
    ) -> Result<(), Problem> {
        for (target, path) in targets {
            self.check_known(&target, &path)?;
            let mut way = vec![name.to_owned()];
            self.walk(&target, &mut way, &path)?;
        }
        Ok(())
    }

    fn walk(&self, name: &str, way: &mut Vec<String>, path: &str) -> Result<(), Problem> {
        let seen = way.iter().any(|before| before == name);
        way.push(name.to_owned());
        if seen {
            return Err(Problem::field(path, format!("leads in a circle: {}", way.join(" → "))));
        }
        if way.len() > DEEPEST {
            return Err(Problem::field(path, format!("leads too deep: {}", way.join(" → "))));
        }
        // A model's own name always means the model, whatever else has it.
        if !self.models.contains(name) {
            for next in self.leads.get(name).into_iter().flatten() {
                self.walk(next, way, path)?;
            }
        }
        way.pop();
        Ok(())
    }
}

/// Every name that a route leads to, with the field it stands in.
pub(crate) fn targets(spec: &RouteSpec) -> impl Iterator<Item = (String, String)> {
    let steps = spec.steps.iter().enumerate().flat_map(|(step, of)| {
        of.targets.iter().enumerate().map(move |(at, target)| {
            (target.name.clone(), format!("spec.steps[{step}].targets[{at}].name"))
        })
    });
    let fallbacks = spec.fallbacks.iter().enumerate();
    let fallbacks = fallbacks.map(|(at, name)| (name.clone(), format!("spec.fallbacks[{at}]")));
    let canary = spec.canary.iter().map(|canary| (canary.model.clone(), "spec.canary".to_owned()));
    steps.chain(fallbacks).chain(canary)
}
