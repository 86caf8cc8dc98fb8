//! Routes: made, changed, switched off and deleted.

use ralex_access::Scope;
use ralex_api::Page;
use ralex_api::routing::{Escalation, NewRoute, Pick, Route, RouteSpec, Share, UpdateRoute};
use ralex_audit::{Event, record};
use ralex_kernel::{Problem, RouteId};
use ralex_store::{OnConstraint, Tenant, problem};

use crate::names::{Names, targets};
use crate::rules::{self, BUILT_IN};
use crate::{Routing, sql};

const STEPS: usize = 20;
const TARGETS: usize = 50;
const DESCRIPTION: usize = 500;

impl Routing {
    /// The routes: the built-in ones, then the organisation's own by name.
    pub async fn list_routes(&self, scope: &Scope) -> Result<Page<Route>, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let own = sql::rules::routes(&mut tx, scope.org()).await.map_err(problem)?;
        let built_in = BUILT_IN.iter().map(|(name, ..)| built_in(name));
        let own = own.into_iter().map(|row| Some(row.route()));
        Ok(Page { items: built_in.chain(own).flatten().collect(), next_cursor: None })
    }

    pub async fn find_route(&self, scope: &Scope, id_or_name: &str) -> Result<Route, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let row = sql::rules::find_route(&mut tx, scope.org(), id_or_name).await;
        let own = row.map_err(problem)?.map(sql::rules::RouteRow::route);
        own.or_else(|| built_in(id_or_name)).ok_or_else(no_such_route)
    }

    /// Makes a route. All that it names must be there, and none of it may lead back to it.
    pub async fn create_route(&self, scope: &Scope, new: NewRoute) -> Result<Route, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let names = Names::hold(&mut tx, org).await?;
        names.check_new(&new.name)?;
        check_description(&new.description)?;
        check(&names, &new.name, &new.spec)?;
        let id = RouteId::generate();
        let taken = Problem::new(
            ralex_kernel::Code::AlreadyExists,
            format!("There is already a route named {}.", new.name),
        );
        let texts = (new.name.as_str(), new.description.as_str());
        sql::rules::insert_route(&mut tx, org, id, texts, &new.spec)
            .await
            .or_problem([("route_name_taken", taken)])?;
        let event = Event::RouteCreated { route: id, name: new.name, spec: told(&new.spec) };
        self.finish_route(tx, scope, id, event).await
    }

    /// Changes a route, for calls from now on.
    pub async fn update_route(
        &self,
        scope: &Scope,
        id_or_name: &str,
        change: UpdateRoute,
    ) -> Result<Route, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let names = Names::hold(&mut tx, org).await?;
        let row = sql::rules::find_route(&mut tx, org, id_or_name).await.map_err(problem)?;
        let row = row.ok_or_else(|| not_ones_own(id_or_name))?;
        let description = change.description.unwrap_or_else(|| row.description.clone());
        let enabled = change.enabled.unwrap_or(row.enabled);
        let spec = change.spec.unwrap_or_else(|| row.spec.0.clone());
        check_description(&description)?;
        if (&description, enabled, &spec) == (&row.description, row.enabled, &row.spec.0) {
            return Ok(row.route());
        }
        if spec != row.spec.0 {
            check(&names, &row.name, &spec)?;
        }
        sql::rules::update_route(&mut tx, org, row.id, &description, enabled, &spec)
            .await
            .map_err(problem)?;
        let event =
            Event::RouteUpdated { route: row.id, name: row.name, enabled, spec: told(&spec) };
        self.finish_route(tx, scope, row.id, event).await
    }

    /// Deletes a route. Names that led to it lead nowhere from then on.
    pub async fn delete_route(&self, scope: &Scope, id_or_name: &str) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let row = sql::rules::find_route(&mut tx, org, id_or_name).await.map_err(problem)?;
        let row = row.ok_or_else(|| not_ones_own(id_or_name))?;
        sql::rules::delete_route(&mut tx, org, row.id).await.map_err(problem)?;
        let event = Event::RouteDeleted { route: row.id, name: row.name };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.0.access.commit(tx, org).await
    }

    async fn finish_route(
        &self,
        mut tx: Tenant,
        scope: &Scope,
        id: RouteId,
        event: Event,
    ) -> Result<Route, Problem> {
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        let found = sql::rules::find_route(&mut tx, scope.org(), &id.to_string()).await;
        let route = found.map_err(problem)?.ok_or_else(no_such_route)?.route();
        self.0.access.commit(tx, scope.org()).await?;
        Ok(route)
    }
}

fn built_in(name: &str) -> Option<Route> {
    let (name, pick, description) = BUILT_IN.iter().find(|(known, ..)| *known == name)?;
    Some(Route {
        id: None,
        name: (*name).to_owned(),
        description: (*description).to_owned(),
        enabled: true,
        built_in: true,
        spec: rules::Route::ranking(name, *pick).spec,
        created_at: None,
        updated_at: None,
    })
}

/// What the log keeps of a route: which models it may lead to, in a form that is read by people.
fn told(spec: &RouteSpec) -> String {
    let steps: Vec<String> = spec
        .steps
        .iter()
        .map(|step| {
            let names: Vec<&str> = step.targets.iter().map(|target| target.name.as_str()).collect();
            let names = if names.is_empty() { "all".to_owned() } else { names.join(", ") };
            let when = step.when.as_deref().map(|when| format!(" when {when}")).unwrap_or_default();
            format!("{} of {names}{when}", step.pick)
        })
        .collect();
    steps.join("; ")
}

fn check_description(text: &str) -> Result<(), Problem> {
    if text.chars().count() > DESCRIPTION {
        let told = format!("must not be longer than {DESCRIPTION} characters");
        return Err(Problem::field("description", told));
    }
    Ok(())
}

/// That a route can be used.
fn check(names: &Names, name: &str, spec: &RouteSpec) -> Result<(), Problem> {
    if spec.steps.is_empty() || spec.steps.len() > STEPS {
        return Err(Problem::field("spec.steps", format!("must be 1 to {STEPS} steps")));
    }
    for (at, step) in spec.steps.iter().enumerate() {
        let path = format!("spec.steps[{at}].targets");
        let weighs = step.pick == Pick::Weighted;
        let needed = weighs || step.pick == Pick::Order;
        if needed && step.targets.is_empty() {
            return Err(Problem::field(path, format!("is needed where `{}` picks", step.pick)));
        }
        if step.targets.len() > TARGETS {
            return Err(Problem::field(path, format!("must not be more than {TARGETS}")));
        }
        if weighs && step.targets.iter().all(|target| target.weight == 0) {
            return Err(Problem::field(path, "needs a weight that is not zero"));
        }
        if step.targets.iter().any(|target| target.weight > 1_000_000) {
            return Err(Problem::field(path, "has a weight above 1000000"));
        }
    }
    rules::Route::compile(name, spec.clone())?;
    check_share(spec.canary.as_ref(), "spec.canary")?;
    check_share(spec.shadow.as_ref(), "spec.shadow")?;
    if let Some(shadow) = &spec.shadow {
        names.check_model(&shadow.model, "spec.shadow.model")?;
    }
    check_escalation(spec.escalation.as_ref(), "spec.escalation")?;
    names.check_leads(name, targets(spec))
}

fn check_share(share: Option<&Share>, path: &str) -> Result<(), Problem> {
    match share {
        Some(share) if !(0.0..=100.0).contains(&share.percent) => {
            Err(Problem::field(format!("{path}.percent"), "must be between 0 and 100"))
        }
        Some(_) | None => Ok(()),
    }
}

pub(crate) fn check_escalation(rules: Option<&Escalation>, path: &str) -> Result<(), Problem> {
    let Some(rules) = rules else { return Ok(()) };
    if rules.on.is_empty() {
        return Err(Problem::field(format!("{path}.on"), "must name a signal"));
    }
    if !(1..=5).contains(&rules.most) {
        return Err(Problem::field(format!("{path}.most"), "must be between 1 and 5"));
    }
    if rules.worth.is_some_and(|worth| !worth.is_positive()) {
        return Err(Problem::field(format!("{path}.worth"), "must be more than zero"));
    }
    Ok(())
}

fn no_such_route() -> Problem {
    Problem::not_found("route")
}

fn not_ones_own(name: &str) -> Problem {
    match built_in(name) {
        Some(_) => {
            let detail = format!("{name} is built in; it cannot be changed.");
            Problem::new(ralex_kernel::Code::Conflict, detail)
        }
        None => no_such_route(),
    }
}
