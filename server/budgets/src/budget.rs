//! Budgets as people set them: create, find, list, update, delete.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ralex_access::Scope;
use ralex_api::budgets::{Budget, NewBudget, UpdateBudget};
use ralex_api::page::{Page, PageQuery};
use ralex_audit::Event;
use ralex_kernel::{BudgetId, Code, Money, OrgId, Period, Problem, TokenId};
use ralex_store::{OnConstraint, Tenant, problem};
use uuid::Uuid;

use crate::Budgets;
use crate::applicable::zone;
use crate::charge::PeriodKey;
use crate::ledger::reached;
use crate::recall::recall;
use crate::sql;
use crate::sql::budget::{Counters, Filter, New, Stored};
use crate::target::Target;

impl Budgets {
    /// Sets what may be spent in one period. A scope may have several budgets; all of them hold.
    pub async fn create(&self, scope: &Scope, new: NewBudget) -> Result<Budget, Problem> {
        let (org, id) = (scope.org(), BudgetId::generate());
        let zone = new.time_zone.as_deref().unwrap_or("UTC");
        positive(new.limit)?;
        known_zone(zone)?;
        let mut tx = self.db.tenant(org).await?;
        let target = Target::find(&self.db, &mut tx, scope, &new.scope).await?;
        let row = New {
            id,
            team: target.team(),
            project: target.project(),
            token: target.token(),
            period: new.period,
            time_zone: zone,
            limit: new.limit,
            hard: new.hard,
        };
        let gone = || Problem::field("scope", "was deleted at this moment");
        sql::budget::insert(&mut tx, org, row)
            .await
            .or_problem([("budget_team", gone()), ("budget_project", gone())])?;
        let stored = one(&mut tx, scope, id).await?;
        let event = Event::BudgetCreated {
            budget: id,
            scope: stored.scope.clone(),
            period: new.period,
            time_zone: zone.to_owned(),
            limit: new.limit,
            hard: new.hard,
        };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        self.find(scope, id).await
    }

    /// One budget with its current period.
    pub async fn find(&self, scope: &Scope, id: BudgetId) -> Result<Budget, Problem> {
        let mut tx = self.db.tenant(scope.org()).await?;
        let stored = one(&mut tx, scope, id).await?;
        let shown = self.show(tx, scope.org(), vec![stored]).await?;
        shown.into_iter().next().ok_or_else(|| Problem::not_found("budget"))
    }

    /// The budgets at the scope and below, each with its current period, oldest first.
    pub async fn list(&self, scope: &Scope, page: &PageQuery) -> Result<Page<Budget>, Problem> {
        let (org, size) = (scope.org(), page.size());
        let filter = Filter {
            within: scope.path(),
            only: None,
            after: page.after()?,
            at_most: Some(size + 1),
        };
        let mut tx = self.db.tenant(org).await?;
        let stored = sql::budget::select(&mut tx, org, filter).await.map_err(problem)?;
        let items = self.show(tx, org, stored).await?;
        Ok(Page::of(items, size, |budget: &Budget| budget.id.to_string()))
    }

    /// Changes the limit or its hardness, of the current period too.
    pub async fn update(
        &self,
        scope: &Scope,
        id: BudgetId,
        change: UpdateBudget,
    ) -> Result<Budget, Problem> {
        if let Some(limit) = change.limit {
            positive(limit)?;
        }
        let mut waits = Pause::default();
        loop {
            match self.try_update(scope, id, &change).await? {
                Changed::Done => return self.find(scope, id).await,
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
        sql::budget::update(&mut tx, org, id, limit, hard).await.map_err(problem)?;
        if let Some((key, problem)) =
            update_periods(&mut tx, (id, limit, hard), self.clock.now()).await?
        {
            tx.rollback().await.map_err(ralex_store::problem)?;
            let mut tx = self.db.tenant(org).await?;
            recall(&mut tx, key).await.map_err(ralex_store::problem)?;
            tx.commit().await.map_err(ralex_store::problem)?;
            return Ok(Changed::InTheWay(problem));
        }
        let event = Event::BudgetUpdated { budget: id, limit, hard };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        Ok(Changed::Done)
    }

    /// Deletes a budget. Calls under way settle without it.
    pub async fn delete(&self, scope: &Scope, id: BudgetId) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        let stored = one(&mut tx, scope, id).await?;
        if !sql::budget::delete(&mut tx, org, id).await.map_err(problem)? {
            return Err(Problem::not_found("budget"));
        }
        let event = Event::BudgetDeleted { budget: id, scope: stored.scope, limit: stored.limit };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await
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
        for budget in &stored {
            let period = budget.period.bounds(zone(&budget.time_zone)?, now);
            ids.push(budget.id.uuid());
            starts.push(period.starts_at);
            bounds.push(period);
        }
        let counters = sql::budget::counters(&mut tx, org, &ids, &starts).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let names = self.personal_token_names(org, &stored).await?;
        Ok(stored
            .into_iter()
            .zip(bounds)
            .map(|(budget, bounds)| {
                let counters = counters.get(&budget.id).copied().unwrap_or_default();
                let name = budget.token.and_then(|token| names.get(&token).cloned());
                shown(budget, name, bounds, counters)
            })
            .collect())
    }

    async fn personal_token_names(
        &self,
        org: OrgId,
        stored: &[Stored],
    ) -> Result<HashMap<TokenId, String>, Problem> {
        let unnamed = stored.iter().filter(|budget| budget.scope_name.is_none());
        let tokens: Vec<Uuid> = unnamed.filter_map(|budget| budget.token).map(Uuid::from).collect();
        if tokens.is_empty() {
            return Ok(HashMap::new());
        }
        let mut tx = self.db.system("name the personal tokens that have budgets").await?;
        let names = sql::target::personal_token_names(&mut tx, org, &tokens).await;
        Ok(names.map_err(problem)?.into_iter().collect())
    }
}

/// A budget within the scope; others do not exist for its holder.
async fn one(tx: &mut Tenant, scope: &Scope, id: BudgetId) -> Result<Stored, Problem> {
    let filter = Filter { within: scope.path(), only: Some(id), after: None, at_most: None };
    let found = sql::budget::select(tx, scope.org(), filter).await.map_err(problem)?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("budget"))
}

/// Gives the periods that are not over the new limit, unless more than that is gone already.
async fn update_periods(
    tx: &mut Tenant,
    (id, limit, hard): (BudgetId, Money, bool),
    now: DateTime<Utc>,
) -> Result<Option<(PeriodKey, Problem)>, Problem> {
    let org = tx.org();
    for current in sql::budget::lock_current(tx, org, id, now).await.map_err(problem)? {
        let gone = current.spent + current.held;
        if hard && gone + current.leased > limit {
            if gone > limit {
                return Err(below_spent(limit, current.spent, current.held));
            }
            let key = PeriodKey { org, budget: id, starts_at: current.starts_at };
            let in_the_way = below_spent(limit, current.spent, current.held + current.leased);
            return Ok(Some((key, in_the_way)));
        }
        // A threshold that a higher limit moved away is told of when it is reached again.
        let passed = reached(current.spent + current.overrun, limit);
        let alerted = current.alerted.min(i32::try_from(passed).unwrap_or(i32::MAX));
        let period = (current.starts_at, alerted);
        sql::budget::update_period(tx, org, id, period, (limit, hard)).await.map_err(problem)?;
    }
    Ok(None)
}

/// How an attempt to change a budget ended.
enum Changed {
    Done,
    /// Nodes have more in hand than the new limit leaves.
    InTheWay(Problem),
}

/// Waits for nodes to give back what they have in hand, a little longer each time.
#[derive(Default)]
struct Pause(u8);

impl Pause {
    /// False where that has taken long enough; all in all two and a half seconds.
    async fn again(&mut self) -> bool {
        self.0 += 1;
        tokio::time::sleep(Duration::from_millis(10) * 2_u32.pow(u32::from(self.0))).await;
        self.0 < 8
    }
}

fn below_spent(limit: Money, spent: Money, held: Money) -> Problem {
    let detail = format!(
        "A hard limit of ${limit} is below what is gone in this period: ${spent} is spent and \
         ${held} is held for calls under way. Set at least ${}, or make the budget soft.",
        spent + held
    );
    Problem::new(Code::LimitBelowSpent, detail)
}

fn positive(limit: Money) -> Result<(), Problem> {
    if limit.is_positive() { Ok(()) } else { Err(Problem::field("limit", "must be more than 0")) }
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
    bounds: ralex_kernel::period::Bounds,
    counters: Counters,
) -> Budget {
    let scope_name = stored.scope_name.or(token_name).unwrap_or_else(|| "A deleted token".into());
    Budget {
        id: stored.id,
        scope: stored.scope,
        scope_name,
        period: stored.period,
        time_zone: stored.time_zone,
        limit: stored.limit,
        hard: stored.hard,
        spent: counters.spent + counters.overrun,
        held: counters.held,
        overrun: counters.overrun,
        leased: counters.leased,
        adjusted: counters.adjusted,
        period_starts_at: bounds.starts_at,
        period_ends_at: (stored.period != Period::Total).then_some(bounds.ends_at),
        refused: counters.refused.unsigned_abs(),
        created_at: stored.created_at,
    }
}
