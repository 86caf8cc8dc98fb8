//! What teams and projects want of routing, and how the organisation ranks.

use ralex_access::Scope;
use ralex_api::Page;
use ralex_api::routing::{Preference, PreferenceRules, Priority, RoutingSettings, SetPreference};
use ralex_audit::{Event, record};
use ralex_kernel::{OrgId, Problem, ProjectId, ScopePath, TeamId};
use ralex_store::{OnConstraint, problem};
use sqlx::PgConnection;

use crate::names::Names;
use crate::route::check_escalation;
use crate::{Routing, sql};

const NAMES: usize = 200;
const WORD: usize = 64;

impl Routing {
    /// The preferences of all scopes that have some.
    pub async fn list_preferences(&self, scope: &Scope) -> Result<Page<Preference>, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let rows = sql::rules::preferences(&mut tx, scope.org()).await.map_err(problem)?;
        let items = rows
            .into_iter()
            .map(|row| Preference {
                scope: row.scope(),
                rules: row.rules.0,
                updated_at: row.updated_at,
            })
            .collect();
        Ok(Page { items, next_cursor: None })
    }

    /// Sets what a scope wants; empty rules remove what it wanted.
    pub async fn set_preference(
        &self,
        scope: &Scope,
        set: SetPreference,
    ) -> Result<Page<Preference>, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let names = Names::hold(&mut tx, org).await?;
        check_rules(&names, &set.rules)?;
        let at = place(&mut tx, org, set.team, set.project).await?;
        if set.rules == PreferenceRules::default() {
            sql::rules::delete_preference(&mut tx, org, at).await.map_err(problem)?;
        } else {
            let gone = || Problem::field("team", "names no team or project of this organisation");
            sql::rules::set_preference(&mut tx, org, at, &set.rules).await.or_problem([
                ("routing_preference_team", gone()),
                ("routing_preference_project", gone()),
            ])?;
        }
        let rules = set.rules;
        let event = Event::RoutingPreferenceSet {
            scope: at,
            preferred: rules.preferred,
            banned: rules.banned,
            default_route: rules.default_route,
            residency: rules.residency,
            labels: rules.labels,
            no_override: rules.no_override,
            priority: rules.priority.map(|priority| priority.to_string()),
        };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.0.access.commit(tx, org).await?;
        self.list_preferences(scope).await
    }

    /// How urgent calls at a scope are that do not say so themselves; the nearest scope counts.
    pub async fn priority(&self, org: OrgId, at: ScopePath) -> Result<Option<Priority>, Problem> {
        Ok(self.0.rules(org).await?.priority(at))
    }

    /// How the organisation ranks models.
    pub async fn routing_settings(&self, scope: &Scope) -> Result<RoutingSettings, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let found = sql::rules::settings(&mut tx, scope.org()).await.map_err(problem)?;
        Ok(found.unwrap_or_default())
    }

    /// Sets all of it at once.
    pub async fn set_routing_settings(
        &self,
        scope: &Scope,
        settings: RoutingSettings,
    ) -> Result<RoutingSettings, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let names = Names::hold(&mut tx, org).await?;
        check_settings(&names, &settings)?;
        sql::rules::set_settings(&mut tx, org, &settings).await.map_err(problem)?;
        let event = Event::RoutingSettingsChanged {
            explore_percent: settings.explore_percent,
            escalates: settings.escalation.is_some(),
            fallbacks: u32::try_from(settings.fallbacks.len()).unwrap_or(u32::MAX),
        };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.0.access.commit(tx, org).await?;
        Ok(settings)
    }
}

/// The scope that is meant; a project is found with its team.
async fn place(
    conn: &mut PgConnection,
    org: OrgId,
    team: Option<TeamId>,
    project: Option<ProjectId>,
) -> Result<ScopePath, Problem> {
    match (team, project) {
        (None, None) => Ok(ScopePath::Org),
        (Some(team), None) => Ok(ScopePath::Team { team }),
        (team, Some(project)) => {
            let found = sql::rules::team_of(conn, org, project).await.map_err(problem)?;
            match found {
                Some(of) if team.is_none_or(|team| team == of) => {
                    Ok(ScopePath::Project { team: of, project })
                }
                Some(_) | None => Err(Problem::field("project", "names no project of that team")),
            }
        }
    }
}

fn check_rules(names: &Names, rules: &PreferenceRules) -> Result<(), Problem> {
    for (path, list) in [("rules.preferred", &rules.preferred), ("rules.banned", &rules.banned)] {
        if list.len() > NAMES {
            return Err(Problem::field(path, format!("must not be more than {NAMES}")));
        }
        for (at, name) in list.iter().enumerate() {
            names.check_model(name, &format!("{path}[{at}]"))?;
        }
    }
    for (path, list) in [("rules.residency", &rules.residency), ("rules.labels", &rules.labels)] {
        let bad = |word: &String| word.trim().is_empty() || word.chars().count() > WORD;
        if list.len() > NAMES || list.iter().any(bad) {
            return Err(Problem::field(path, format!("must be words of up to {WORD} characters")));
        }
    }
    match &rules.default_route {
        Some(route) => names.check_known(route, "rules.default_route"),
        None if rules.catch_all => {
            Err(Problem::field("rules.catch_all", "needs a default_route to send calls to"))
        }
        None => Ok(()),
    }
}

fn check_settings(names: &Names, settings: &RoutingSettings) -> Result<(), Problem> {
    if !(0.0..=50.0).contains(&settings.explore_percent) {
        return Err(Problem::field("explore_percent", "must be between 0 and 50"));
    }
    if settings.sticky_minutes > 24 * 60 {
        return Err(Problem::field("sticky_minutes", "must not be more than a day"));
    }
    if let Some(weights) = &settings.weights {
        let all = [weights.success, weights.cost, weights.speed];
        let fine = |weight: &f64| (0.0..=1000.0).contains(weight);
        if !all.iter().all(fine) || all.iter().sum::<f64>() <= 0.0 {
            return Err(Problem::field("weights", "must be numbers from 0, and not all 0"));
        }
    }
    check_escalation(settings.escalation.as_ref(), "escalation")?;
    for (at, fallback) in settings.fallbacks.iter().enumerate() {
        names.check_model(&fallback.model, &format!("fallbacks[{at}].model"))?;
        for (to, name) in fallback.to.iter().enumerate() {
            names.check_known(name, &format!("fallbacks[{at}].to[{to}]"))?;
        }
    }
    Ok(())
}
