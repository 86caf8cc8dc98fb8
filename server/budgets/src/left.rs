//! What the budgets of a call have left, to choose by; never to decide by.
//!
//! The figures are up to a second old and know nothing of calls that are being opened: they lead a
//! choice to what still fits. Whether it fits is decided by the hold alone.

use std::sync::Arc;
use std::time::Duration;

use ralex_kernel::{Money, OrgId, Problem};
use ralex_store::problem;

use crate::Budgets;
use crate::applicable::Spender;
use crate::charge::{Charge, HeldPeriod};
use crate::sql;

const KNOWN: u64 = 100_000;
const FRESH: Duration = Duration::from_secs(1);

/// By the policy version too, so that a new limit counts at once.
pub(crate) type Cache = moka::future::Cache<(OrgId, i64, Vec<HeldPeriod>), Left>;

pub(crate) fn cache() -> Cache {
    moka::future::Cache::builder().max_capacity(KNOWN).time_to_live(FRESH).build()
}

/// The least that any of several hard budgets has left, and whether one of them all asks for
/// cheaper models.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    pub amount: Money,
    /// Of the budget's limit, from 0 to 100; it may be another budget than the amount's.
    pub percent: f64,
    /// Why dear models are to be left out.
    pub degraded: Option<Arc<str>>,
}

impl Budgets {
    /// What the budgets that a call counts against have left, in their current periods; nothing
    /// where none of them is hard or degrades.
    pub async fn left(&self, org: OrgId, spender: &Spender<'_>) -> Result<Option<Left>, Problem> {
        // Read before the budgets are, so that a change in between makes the figures old, not wrong.
        let version = self.access.version(org);
        let mut charges = self.applicable(org, spender, self.clock.now()).await?;
        // What one model has left says nothing of others: whether it fits is for the hold to say.
        charges.retain(|it| it.only.is_none() && (it.hard || it.degrade_at.is_some()));
        if charges.is_empty() {
            return Ok(None);
        }
        let key = (org, version, charges.iter().map(Charge::held_period).collect());
        let left = self.left.try_get_with(key, self.count(org, &charges)).await;
        left.map(Some).map_err(|problem: Arc<Problem>| Problem::clone(&problem))
    }

    async fn count(&self, org: OrgId, charges: &[Charge]) -> Result<Left, Problem> {
        let ids: Vec<_> = charges.iter().map(|charge| charge.budget.uuid()).collect();
        let spans: Vec<_> = charges.iter().map(|it| (it.since, it.starts_at)).collect();
        let mut tx = self.db.tenant(org).await?;
        let counters = sql::budget::counters(&mut tx, org, &ids, &spans).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let left = charges.iter().map(|charge| {
            let counted = counters.get(&charge.budget).copied().unwrap_or_default();
            let limit = charge.limit.saturating_add(counted.increase);
            let limit = limit.saturating_add(counted.carried);
            Left::of(charge, limit, (counted.spent + counted.overrun, counted.held))
        });
        Ok(left.fold(Left::ALL, Left::tighter))
    }
}

impl Left {
    const ALL: Self = Self { amount: Money::MAX, percent: 100.0, degraded: None };

    fn of(charge: &Charge, limit: Money, (spent, held): (Money, Money)) -> Self {
        let amount = limit.saturating_sub(spent).saturating_sub(held).max(Money::ZERO);
        let percent = if limit.is_positive() { amount.share_of(limit) * 100.0 } else { 0.0 };
        let below = charge.degrade_at.filter(|below| percent < f64::from(*below));
        let degraded = below.map(|below| {
            let scope = &charge.scope;
            format!("a budget of {scope} has less than {below} % left").into()
        });
        if charge.hard {
            Self { amount, percent, degraded }
        } else {
            Self { degraded, ..Self::ALL }
        }
    }

    fn tighter(self, other: Self) -> Self {
        let amount = self.amount.min(other.amount);
        let percent = self.percent.min(other.percent);
        Self { amount, percent, degraded: self.degraded.or(other.degraded) }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use ralex_kernel::{BudgetId, Period};

    use super::*;

    fn charge(hard: bool, degrade_at: Option<u8>) -> Charge {
        Charge {
            budget: BudgetId::generate(),
            scope: "team:blue".into(),
            only: None,
            period: Period::Day,
            starts_at: DateTime::UNIX_EPOCH,
            ends_at: DateTime::UNIX_EPOCH,
            since: DateTime::UNIX_EPOCH,
            follows: false,
            limit: Money::ZERO,
            hard,
            degrade_at,
        }
    }

    fn of(charge: &Charge, limit: i64, spent: i64, held: i64) -> Left {
        Left::of(charge, Money::nanos(limit), (Money::nanos(spent), Money::nanos(held)))
    }

    fn left(limit: i64, spent: i64, held: i64) -> (i64, f64) {
        let left = of(&charge(true, None), limit, spent, held);
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
        let large = Left { amount: Money::dollars(100), percent: 10.0, degraded: None };
        let small = Left { amount: Money::dollars(1), percent: 90.0, degraded: None };
        let tightest = Left { amount: Money::dollars(1), percent: 10.0, degraded: None };
        assert_eq!(Left::ALL.tighter(large).tighter(small), tightest);
    }

    #[test]
    fn a_budget_degrades_below_its_threshold_whether_it_is_hard_or_not() {
        let soft = charge(false, Some(25));
        assert_eq!(of(&soft, 200, 100, 50), Left::ALL, "25 % are left, which is not below");
        let below = of(&soft, 200, 101, 50);
        assert_eq!((below.amount, below.percent), (Money::MAX, 100.0), "it refuses nobody");
        let why = below.degraded.as_deref();
        assert_eq!(why, Some("a budget of team:blue has less than 25 % left"));
        let hard = of(&charge(true, Some(25)), 200, 101, 50);
        assert!(hard.degraded.is_some() && hard.amount == Money::nanos(49));
        assert!(of(&charge(true, None), 200, 200, 0).tighter(below).degraded.is_some());
    }
}
