//! What the budgets of a call have left, to choose by; never to decide by.
//!
//! The figures are up to a second old and know nothing of calls that are being opened: they lead a
//! choice to what still fits. Whether it fits is decided by the hold alone.

use std::sync::Arc;
use std::time::Duration;

use ralex_kernel::{Money, OrgId, Problem, ScopePath, TokenId};
use ralex_store::problem;

use crate::Budgets;
use crate::charge::{Charge, HeldPeriod};
use crate::sql;

const KNOWN: u64 = 100_000;
const FRESH: Duration = Duration::from_secs(1);

/// By the policy version too, so that a new limit counts at once.
pub(crate) type Cache = moka::future::Cache<(OrgId, i64, Vec<HeldPeriod>), Left>;

pub(crate) fn cache() -> Cache {
    moka::future::Cache::builder().max_capacity(KNOWN).time_to_live(FRESH).build()
}

/// The least that any of several budgets has left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Left {
    pub amount: Money,
    /// Of the budget's limit, from 0 to 100; it may be another budget than the amount's.
    pub percent: f64,
}

impl Budgets {
    /// What the hard budgets that a call at `at` by `token` counts against have left, in their
    /// current periods; nothing where there are none.
    pub async fn left(
        &self,
        org: OrgId,
        at: ScopePath,
        token: Option<TokenId>,
    ) -> Result<Option<Left>, Problem> {
        // Read before the budgets are, so that a change in between makes the figures old, not wrong.
        let version = self.access.version(org);
        let mut charges = self.applicable(org, at, token, self.clock.now()).await?;
        charges.retain(|charge| charge.hard);
        if charges.is_empty() {
            return Ok(None);
        }
        let key = (org, version, charges.iter().map(Charge::held_period).collect());
        let left = self.left.try_get_with(key, self.count(org, &charges)).await;
        left.map(Some).map_err(|problem: Arc<Problem>| Problem::clone(&problem))
    }

    async fn count(&self, org: OrgId, charges: &[Charge]) -> Result<Left, Problem> {
        let ids: Vec<_> = charges.iter().map(|charge| charge.budget.uuid()).collect();
        let starts: Vec<_> = charges.iter().map(|charge| charge.starts_at).collect();
        let mut tx = self.db.tenant(org).await?;
        let counters = sql::budget::counters(&mut tx, org, &ids, &starts).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let left = charges.iter().map(|charge| {
            let counted = counters.get(&charge.budget).copied().unwrap_or_default();
            Left::of(charge.limit, counted.spent, counted.held)
        });
        Ok(left.fold(Left::ALL, Left::tighter))
    }
}

impl Left {
    const ALL: Self = Self { amount: Money::MAX, percent: 100.0 };

    fn of(limit: Money, spent: Money, held: Money) -> Self {
        let amount = limit.saturating_sub(spent).saturating_sub(held).max(Money::ZERO);
        let percent = if limit.is_positive() { amount.share_of(limit) * 100.0 } else { 0.0 };
        Self { amount, percent }
    }

    fn tighter(self, other: Self) -> Self {
        let amount = self.amount.min(other.amount);
        Self { amount, percent: self.percent.min(other.percent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(limit: i64, spent: i64, held: i64) -> (i64, f64) {
        let left = Left::of(Money::nanos(limit), Money::nanos(spent), Money::nanos(held));
        (left.amount.as_nanos(), left.percent)
    }

    #[test]
    fn what_is_spent_and_held_is_not_left_and_never_less_than_nothing() {
        assert_eq!(left(200, 0, 0), (200, 100.0));
        assert_eq!(left(200, 100, 50), (50, 25.0));
        assert_eq!(left(200, 150, 100), (0, 0.0));
        assert_eq!(left(0, 0, 0), (0, 0.0));
    }

    #[test]
    fn the_tightest_counts_by_amount_and_by_percent() {
        let large = Left { amount: Money::dollars(100), percent: 10.0 };
        let small = Left { amount: Money::dollars(1), percent: 90.0 };
        let tightest = Left { amount: Money::dollars(1), percent: 10.0 };
        assert_eq!(Left::ALL.tighter(large).tighter(small), tightest);
    }
}
