//! Budgets as people set them: create, find, list, update, delete.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ralex_access::{BudgetTerms, Change as Guarded, Done, Scope, Sight};
use ralex_api::budgets::{Budget, Increase, NewBudget, UpdateBudget};
use ralex_api::page::{Page, PageQuery};
use ralex_audit::Event;
use ralex_kernel::period::Bounds;
use ralex_kernel::{BudgetId, Money, OrgId, Period, Problem};
use ralex_store::{OnConstraint, Tenant, problem};

use crate::Budgets;
use crate::charge::{Only, PeriodKey};
use crate::follow;
use crate::recall::recall;
use crate::sql;
use crate::sql::budget::{Counters, Filter, New, Stored};
use crate::target::{self, Target};
use crate::terms::{Change, Changed, Pause, change_periods};

/// `degrade_at` that is never reached, in a change.
const NEVER: u8 = 0;

impl Budgets {
    /// Sets what may be spent in one period. A scope may have several budgets; all of them hold.
    pub async fn create(&self, scope: &Scope, new: NewBudget) -> Result<Budget, Problem> {
        let (org, id) = (scope.org(), BudgetId::generate());
        let zone = new.time_zone.as_deref().unwrap_or("UTC");
        positive(new.limit)?;
        known_zone(zone)?;
        degrades_at(new.degrade_at, 1)?;
        follows(&new)?;
        if new.year_start.is_some() && !new.period.follows_year() {
            let rule = "is for budgets per month, quarter or year";
            return Err(Problem::field("year_start", rule));
        }
        let mut tx = self.db.tenant(org).await?;
        let target = Target::find(&self.db, &mut tx, scope, &new.scope).await?;
        let only = target::only(&mut tx, new.model.as_deref(), new.provider.as_deref()).await?;
        if only.is_some() && new.degrade_at.is_some() {
            return Err(degrades_all());
        }
        let row = New {
            id,
            team: target.team(),
            project: target.project(),
            token: target.token(),
            account: target.account(),
            user: target.user(),
            only,
            period: new.period,
            time_zone: zone,
            year_start: new.year_start.unwrap_or_default(),
            limit: new.limit,
            hard: new.hard,
            degrade_at: new.degrade_at.map(i16::from),
            days: new.days.and_then(|days| i16::try_from(days).ok()),
            carry_over: new.carry_over,
            carry_over_at_most: new.carry_over_at_most,
        };
        let gone = || Problem::field("scope", "was deleted at this moment");
        sql::budget::insert(&mut tx, org, row)
            .await
            .or_problem([("budget_team", gone()), ("budget_project", gone())])?;
        let stored = one(&mut tx, scope, id).await?;
        let event = Event::BudgetCreated {
            budget: id,
            scope: stored.scope.clone(),
            model: new.model,
            provider: new.provider,
            period: new.period,
            days: new.days,
            carry_over: new.carry_over,
            carry_over_at_most: new.carry_over_at_most,
            time_zone: zone.to_owned(),
            limit: new.limit,
            hard: new.hard,
            year_start: new.year_start,
            degrade_at: new.degrade_at,
        };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        self.find(scope, id).await
    }

    /// One budget with its current period.
    pub async fn find(&self, sight: &impl Sight, id: BudgetId) -> Result<Budget, Problem> {
        let mut tx = self.db.tenant(sight.org()).await?;
        let stored = one(&mut tx, sight, id).await?;
        let shown = self.show(tx, sight.org(), vec![stored]).await?;
        shown.into_iter().next().ok_or_else(|| Problem::not_found("budget"))
    }

    /// The budgets of places that may be seen, each with its current period, oldest first.
    pub async fn list(
        &self,
        sight: &impl Sight,
        page: &PageQuery,
    ) -> Result<Page<Budget>, Problem> {
        let (org, size, within) = (sight.org(), page.size(), sight.places());
        let filter =
            Filter { within: &within, only: None, after: page.after()?, at_most: Some(size + 1) };
        let mut tx = self.db.tenant(org).await?;
        let stored = sql::budget::select(&mut tx, org, filter).await.map_err(problem)?;
        let items = self.show(tx, org, stored).await?;
        Ok(Page::of(items, size, |budget: &Budget| budget.id.to_string()))
    }

    /// Changes the limit or its hardness, of the current period too, or when it degrades. To allow more
    /// may take two people.
    pub async fn update(
        &self,
        scope: &Scope,
        id: BudgetId,
        change: UpdateBudget,
    ) -> Result<Done<Budget>, Problem> {
        if let Some(limit) = change.limit {
            positive(limit)?;
        }
        degrades_at(change.degrade_at, NEVER)?;
        let mut waits = Pause::default();
        loop {
            match self.try_update(scope, id, &change).await? {
                Changed::Done(done) => return self.found(scope, id, done).await,
                // What nodes have in hand stands in the way, and comes back when they are asked.
                Changed::InTheWay(_) if waits.again().await => {}
                Changed::InTheWay(problem) => return Err(problem),
            }
        }
    }

    async fn try_update(
        &self,
        scope: &Scope,
        id: BudgetId,
        change: &UpdateBudget,
    ) -> Result<Changed, Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        sql::budget::lock(&mut tx, org, id).await.map_err(problem)?;
        let stored = one(&mut tx, scope, id).await?;
        let limit = change.limit.unwrap_or(stored.limit);
        let hard = change.hard.unwrap_or(stored.hard);
        let degrade_at = match change.degrade_at {
            None => stored.degrade_at,
            Some(NEVER) => None,
            Some(percent) => Some(percent.into()),
        };
        if degrade_at.is_some() && stored.only().is_some() {
            return Err(degrades_all());
        }
        let to = (limit, hard);
        sql::budget::update(&mut tx, org, id, to, degrade_at).await.map_err(problem)?;
        if stored.period == Period::Run {
            sql::run::change(&mut tx, org, id, to, self.clock.now()).await.map_err(problem)?;
        } else if to != (stored.limit, stored.hard) {
            let terms = (&stored, Change { limit, hard, increase: None });
            if let Some(in_the_way) = change_periods(&mut tx, terms, self.clock.now()).await? {
                return self.ask_back(tx, in_the_way).await;
            }
        }
        let degrade_at = change.degrade_at;
        let event = Event::BudgetUpdated { budget: id, limit, hard, degrade_at };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        let (scope_name, before) = (stored.scope.clone(), stored.terms());
        let after = BudgetTerms { limit, hard };
        let guarded =
            Guarded::BudgetUpdate { budget: id, scope: scope_name, before, after, degrade_at };
        Ok(Changed::Done(self.access.commit_change(tx, scope, Some(guarded)).await?))
    }

    /// The budget as it is once something was done to it.
    pub(crate) async fn found(
        &self,
        scope: &Scope,
        id: BudgetId,
        done: Done<()>,
    ) -> Result<Done<Budget>, Problem> {
        match done {
            Done::Now(()) => Ok(Done::Now(self.find(scope, id).await?)),
            Done::Waits(request) => Ok(Done::Waits(request)),
        }
    }

    /// Gives a change up and asks nodes for what they have in hand, for another attempt.
    pub(crate) async fn ask_back(
        &self,
        tx: Tenant,
        (key, in_the_way): (PeriodKey, Problem),
    ) -> Result<Changed, Problem> {
        tx.rollback().await.map_err(problem)?;
        let mut tx = self.db.tenant(key.org).await?;
        recall(&mut tx, &[key]).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(Changed::InTheWay(in_the_way))
    }

    /// Deletes a budget, which may take two people. Calls under way settle without it.
    pub async fn delete(&self, scope: &Scope, id: BudgetId) -> Result<Done<()>, Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        sql::budget::lock(&mut tx, org, id).await.map_err(problem)?;
        let stored = one(&mut tx, scope, id).await?;
        let (scope_name, before) = (stored.scope.clone(), stored.terms());
        if !sql::budget::delete(&mut tx, org, id).await.map_err(problem)? {
            return Err(Problem::not_found("budget"));
        }
        let event = Event::BudgetDeleted { budget: id, scope: stored.scope, limit: stored.limit };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        let guarded = Guarded::BudgetDelete { budget: id, scope: scope_name, before };
        self.access.commit_change(tx, scope, Some(guarded)).await
    }

    /// Adds the counters of the periods that it is now; a period without calls has no row yet.
    async fn show(
        &self,
        mut tx: Tenant,
        org: OrgId,
        stored: Vec<Stored>,
    ) -> Result<Vec<Budget>, Problem> {
        let now = self.clock.now();
        let (mut ids, mut starts, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
        let (mut spans, mut begun) = (Vec::new(), Vec::new());
        let mut runs = dearest_runs(&mut tx, org, &stored, now).await?;
        for budget in &stored {
            let (period, since) = match (budget.period, runs.get(&budget.id)) {
                (Period::Run, Some((run, _))) => (*run, run.starts_at),
                (Period::Run, None) => {
                    let begins = budget.created_at;
                    (Bounds { starts_at: begins, ends_at: begins }, begins)
                }
                _ => (budget.bounds(now)?, budget.since(now)?),
            };
            ids.push(budget.id.uuid());
            starts.push(period.starts_at);
            spans.push((since, period.starts_at));
            bounds.push(Bounds { starts_at: since, ..period });
            let key = PeriodKey { org, budget: budget.id, starts_at: period.starts_at };
            if budget.follows() && !self.begun.contains_key(&key) {
                follow::begin(&mut tx, budget, now).await?;
                begun.push(key);
            }
        }
        let counters = sql::budget::counters(&mut tx, org, &ids, &spans).await.map_err(problem)?;
        let increases = sql::increase::in_force(&mut tx, org, &ids, &starts).await;
        let mut increases = increases.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        for key in begun {
            self.begun.insert(key, ()).await;
        }
        let unnamed = stored.iter().filter(|budget| budget.scope_name.is_none());
        let tokens = unnamed.filter_map(|budget| budget.token);
        let names = target::personal_token_names(&self.db, org, tokens).await?;
        Ok(stored
            .into_iter()
            .zip(bounds)
            .map(|(budget, bounds)| {
                let counters = counters.get(&budget.id).copied().unwrap_or_default();
                let name = budget.token.and_then(|token| names.get(&token).cloned());
                let increase = increases.remove(&budget.id);
                let run = runs.remove(&budget.id).map(|(_, name)| name);
                Budget { run, ..shown(budget, name, bounds, (counters, increase)) }
            })
            .collect())
    }
}

/// Of each budget per run, the run that has the most behind it and is not over.
async fn dearest_runs(
    tx: &mut Tenant,
    org: OrgId,
    stored: &[Stored],
    now: DateTime<Utc>,
) -> Result<HashMap<BudgetId, (Bounds, String)>, Problem> {
    let per_run = stored.iter().filter(|budget| budget.period == Period::Run);
    let ids: Vec<_> = per_run.map(|budget| budget.id.uuid()).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    sql::run::dearest(tx, org, &ids, now).await.map_err(problem)
}

/// A budget that may be seen; others do not exist for whoever asks.
pub(crate) async fn one(
    tx: &mut Tenant,
    sight: &impl Sight,
    id: BudgetId,
) -> Result<Stored, Problem> {
    let within = sight.places();
    let filter = Filter { within: &within, only: Some(id), after: None, at_most: None };
    let found = sql::budget::select(tx, sight.org(), filter).await.map_err(problem)?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("budget"))
}

fn positive(limit: Money) -> Result<(), Problem> {
    if limit.is_positive() { Ok(()) } else { Err(Problem::field("limit", "must be more than 0")) }
}

fn degrades_at(percent: Option<u8>, least: u8) -> Result<(), Problem> {
    if percent.is_none_or(|percent| (least..=99).contains(&percent)) {
        return Ok(());
    }
    Err(Problem::field("degrade_at", format!("must be from {least} to 99 percent")))
}

/// Whether windows and what goes on to the next period make sense.
fn follows(new: &NewBudget) -> Result<(), Problem> {
    match (new.period, new.days) {
        (Period::Rolling, Some(1..=366)) => {}
        (Period::Rolling, _) => {
            return Err(Problem::field("days", "must be from 1 to 366 for a rolling budget"));
        }
        (_, Some(_)) => return Err(Problem::field("days", "is for rolling budgets")),
        (_, None) => {}
    }
    if new.carry_over && !new.period.carries() {
        return Err(Problem::field("carry_over", "is for periods that follow each other"));
    }
    match new.carry_over_at_most {
        Some(_) if !new.carry_over => {
            Err(Problem::field("carry_over_at_most", "is for budgets that carry over"))
        }
        Some(most) if !most.is_positive() => {
            Err(Problem::field("carry_over_at_most", "must be more than 0"))
        }
        Some(_) | None => Ok(()),
    }
}

fn degrades_all() -> Problem {
    Problem::field("degrade_at", "is for budgets of all models: this one has no other to turn to")
}

fn known_zone(name: &str) -> Result<(), Problem> {
    let known: Result<chrono_tz::Tz, _> = name.parse();
    known.map(drop).map_err(|_| {
        Problem::field("time_zone", "is not an IANA time zone such as `Europe/Berlin` or `UTC`")
    })
}

fn shown(
    stored: Stored,
    token_name: Option<String>,
    bounds: Bounds,
    (counters, increase): (Counters, Option<Increase>),
) -> Budget {
    let year_start = stored.year_start();
    let gone = if stored.user.is_some() { "Somebody who left" } else { "A deleted token" };
    let (model, provider) = Only::named(stored.only(), stored.only_name);
    let scope_name = stored.scope_name.or(token_name).unwrap_or_else(|| gone.into());
    Budget {
        id: stored.id,
        scope: stored.scope,
        scope_name,
        team: stored.team_slug,
        project: stored.project_slug,
        model,
        provider,
        period: stored.period,
        days: stored.days.and_then(|days| u16::try_from(days).ok()),
        carry_over: stored.carry_over,
        carry_over_at_most: stored.carry_over_at_most,
        carried: counters.carried,
        time_zone: stored.time_zone,
        year_start,
        limit: stored.limit,
        increase,
        degrade_at: stored.degrade_at.and_then(|percent| u8::try_from(percent).ok()),
        hard: stored.hard,
        spent: counters.spent + counters.overrun,
        held: counters.held,
        overrun: counters.overrun,
        leased: counters.leased,
        adjusted: counters.adjusted,
        period_starts_at: bounds.starts_at,
        period_ends_at: (stored.period != Period::Total && bounds.ends_at > bounds.starts_at)
            .then_some(bounds.ends_at),
        run: None,
        refused: counters.refused.unsigned_abs(),
        created_at: stored.created_at,
    }
}
