//! Increases: more for the current period of a budget, for a while.
//!
//! An increase is part of what the table lets a period give away. The instant it ends, by the
//! database's clock, nothing more is given away beyond the plain limit, whether or not anybody has
//! looked. What of it is spent, held or leased by then stays covered, and the rest goes as it comes
//! free: the limit falls with it and never below what is gone.

use ralex_access::{Change as Guarded, Done, Scope};
use ralex_api::budgets::{Budget, NewIncrease};
use ralex_audit::{Author, Entry, Event, IncreaseEvent};
use ralex_kernel::{BudgetId, Code, Period, Problem};
use ralex_store::{Db, Error, problem};

use crate::Budgets;
use crate::budget::one;
use crate::charge::PeriodKey;
use crate::follow;
use crate::recall::recall;
use crate::sql;
use crate::sql::increase::Ended;
use crate::sql::ledger::Wanted;
use crate::terms::{Change, Changed, Pause, change_periods};

const LONGEST_REASON: usize = 500;
/// Increases that are ended in one transaction.
const AT_ONCE: i64 = 200;

impl Budgets {
    /// Gives the current period of a budget more until some time, in the place of what it may have
    /// been given before. May take two people.
    pub async fn increase(
        &self,
        scope: &Scope,
        id: BudgetId,
        new: NewIncrease,
    ) -> Result<Done<Budget>, Problem> {
        let reason = new.reason.trim();
        if !new.amount.is_positive() {
            return Err(Problem::field("amount", "must be more than 0"));
        }
        if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
            return Err(Problem::field("reason", "must have 1 to 500 characters"));
        }
        if new.until <= self.clock.now() {
            return Err(Problem::field("until", "must be in the future"));
        }
        let new = NewIncrease { reason: reason.to_owned(), ..new };
        let mut waits = Pause::default();
        loop {
            match self.try_increase(scope, id, &new).await? {
                Changed::Done(done) => return self.found(scope, id, done).await,
                Changed::InTheWay(_) if waits.again().await => {}
                Changed::InTheWay(problem) => return Err(problem),
            }
        }
    }

    async fn try_increase(
        &self,
        scope: &Scope,
        id: BudgetId,
        new: &NewIncrease,
    ) -> Result<Changed, Problem> {
        let (org, now) = (scope.org(), self.clock.now());
        let mut tx = self.db.tenant(org).await?;
        sql::budget::lock(&mut tx, org, id).await.map_err(problem)?;
        let stored = one(&mut tx, scope, id).await?;
        if stored.period == Period::Run {
            let detail = "A budget per run has no current period to give more to. Change its limit: \
                          runs that are under way get the new one.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        if stored.limit.checked_add(new.amount).is_none() {
            return Err(Problem::field("amount", "is more than can be counted"));
        }
        let bounds = stored.bounds(now)?;
        let key = PeriodKey { org, budget: id, starts_at: bounds.starts_at };
        if stored.follows() {
            follow::begin(&mut tx, &stored, now).await?;
        } else {
            let wanted = Wanted { key, ends_at: bounds.ends_at };
            sql::ledger::insert_missing(&mut tx, &[wanted]).await.map_err(problem)?;
        }
        let ended = sql::increase::end(&mut tx, key).await.map_err(problem)?;
        let until = new.until.min(bounds.ends_at);
        let (limit, hard) = (stored.limit, stored.hard);
        let increase = Some((bounds.starts_at, new.amount, until));
        let change = Change { limit, hard, increase };
        if let Some(in_the_way) = change_periods(&mut tx, (&stored, change), now).await? {
            return self.ask_back(tx, in_the_way).await;
        }
        let written = (new.amount, until, new.reason.as_str());
        sql::increase::insert(&mut tx, key, written).await.map_err(problem)?;
        let given = IncreaseEvent::Given {
            budget: id,
            starts_at: bounds.starts_at,
            amount: new.amount,
            until,
            reason: new.reason.clone(),
        };
        let ended = ended.as_ref().map(Ended::event);
        for event in ended.into_iter().chain([Event::Increase(given)]) {
            ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        }
        let guarded = Guarded::BudgetIncrease {
            budget: id,
            scope: stored.scope.clone(),
            limit: stored.limit,
            amount: new.amount,
            until: new.until,
            reason: new.reason.clone(),
        };
        Ok(Changed::Done(self.access.commit_change(tx, scope, Some(guarded)).await?))
    }

    /// Ends what the current period of a budget was given for a while, now.
    pub async fn end_increase(&self, scope: &Scope, id: BudgetId) -> Result<Budget, Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        sql::budget::lock(&mut tx, org, id).await.map_err(problem)?;
        let stored = one(&mut tx, scope, id).await?;
        let starts_at = stored.bounds(self.clock.now())?.starts_at;
        let key = PeriodKey { org, budget: id, starts_at };
        let ended = sql::increase::end(&mut tx, key).await.map_err(problem)?;
        let ended = ended.ok_or_else(|| Problem::not_found("increase"))?;
        sql::increase::stop(&mut tx, key).await.map_err(problem)?;
        for key in sql::increase::wind_down(&mut tx, Some(key)).await.map_err(problem)? {
            recall(&mut tx, &[key]).await.map_err(problem)?;
        }
        ralex_audit::record(&mut tx, scope.author(), ended.event()).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        self.find(scope, id).await
    }
}

/// Records increases whose time has come, and takes from their periods what came free.
pub(crate) async fn sweep(db: &Db) -> Result<(), Error> {
    let mut tx = db.system("end what budgets were given for a while").await?;
    let ended = sql::increase::end_due(&mut tx, AT_ONCE).await?;
    let entries = ended.iter().map(|one| Entry::new(Author::system(one.org), one.event()));
    ralex_audit::record_all(&mut tx, entries.collect()).await?;
    for key in sql::increase::wind_down(&mut tx, None).await? {
        recall(&mut tx, &[key]).await?;
    }
    tx.commit().await?;
    Ok(())
}

impl Ended {
    fn event(&self) -> Event {
        let Self { budget, starts_at, amount, .. } = *self;
        Event::Increase(IncreaseEvent::Ended { budget, starts_at, amount })
    }
}
