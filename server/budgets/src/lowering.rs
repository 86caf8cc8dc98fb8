//! Taking away from what is spent: as good as a raised limit, so that it is no way around two people.

use std::collections::BTreeSet;

use ralex_access::{BudgetTerms, Change, Scope};
use ralex_kernel::{Code, Money, Problem};
use ralex_store::{Tenant, problem};

use crate::Budgets;
use crate::budget::one;
use crate::charge::PeriodKey;
use crate::sql;

impl Budgets {
    /// Refuses what exports have taken away from what is spent in these periods, once all of it is written,
    /// where so much more to spend takes two people. It cannot wait for a second one, as a limit does: what
    /// an export says is compared with the calls of that moment.
    pub(crate) async fn may_lower(
        &self,
        tx: &mut Tenant,
        scope: &Scope,
        periods: &BTreeSet<PeriodKey>,
    ) -> Result<(), Problem> {
        let now = self.clock.now();
        for key in periods {
            let stored = one(tx, scope, key.budget).await?;
            let goes_on = stored.carry_over || stored.days.is_some();
            // What is left of a period that is over is spent by nobody, unless it goes on to the next one.
            if !goes_on && stored.bounds(key.starts_at)?.ends_at <= now {
                continue;
            }
            let lowered = sql::adjust::lowered(tx, *key).await.map_err(problem)?;
            let before = stored.terms();
            let limit = before.limit.checked_add(lowered).unwrap_or(Money::MAX);
            let after = BudgetTerms { limit, ..before };
            let (budget, name) = (key.budget, stored.scope.clone());
            let raise =
                Change::BudgetUpdate { budget, scope: name, before, after, degrade_at: None };
            if self.access.takes_two(tx, scope, &raise).await? {
                return Err(as_good_as_a_raise(&stored.scope, lowered, limit));
            }
        }
        Ok(())
    }
}

fn as_good_as_a_raise(scope: &str, lowered: Money, limit: Money) -> Problem {
    let detail = format!(
        "Of what the budget of {scope} has spent ${lowered} would not count any more, which is as good as a \
         limit of ${limit}; that takes two people here, and this cannot wait for a second one. Leave such \
         days out, or raise the limit, which somebody else confirms (`budget.raise`).",
    );
    Problem::new(Code::Conflict, detail)
}
