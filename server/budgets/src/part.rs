//! Parts: what each budget counts of a call.
//!
//! Nearly every call holds and costs the same on all of its budgets. One that is tried at several
//! models does not: a budget of one model counts only what was spent there.

use ralex_kernel::Money;

use crate::charge::HeldPeriod;
use crate::hold::Extension;
use crate::ledger::Part;
use crate::settle::Settlement;
use crate::sql::call::Locked;

impl Locked {
    /// The periods that it counts in.
    pub fn periods(&self) -> Vec<HeldPeriod> {
        let starts = self.budget_starts.iter();
        self.budget_ids
            .iter()
            .zip(starts)
            .map(|(id, starts_at)| HeldPeriod { budget: (*id).into(), starts_at: *starts_at })
            .collect()
    }

    /// What it holds on each of them.
    pub fn held_on(&self) -> impl Iterator<Item = Money> + '_ {
        each(self.budget_held.as_ref(), self.held, self.budget_ids.len())
    }

    /// What it was settled at on each of them.
    fn cost_on(&self) -> impl Iterator<Item = Money> + '_ {
        each(self.budget_costs.as_ref(), self.cost, self.budget_ids.len())
    }

    /// What is to be held beyond what is, on each of its periods and on those that are new.
    pub fn more(&self, extension: &Extension) -> Vec<(HeldPeriod, Money)> {
        let known = self.periods();
        let apart = || extension.apart.iter().map(|it| (it.charge.held_period(), it.amount));
        let more = |period: &HeldPeriod| {
            let amount = apart().find(|(on, _)| on == period).map(|(_, amount)| amount);
            (*period, amount.unwrap_or(extension.amount).max(Money::ZERO))
        };
        let new = apart().filter(|(on, amount)| amount.is_positive() && !known.contains(on));
        known.iter().map(more).chain(new).collect()
    }

    /// Holds more, of which `held` is the sum. What is the same on all budgets stays so.
    pub fn take(&mut self, held: Money, extension: &Extension, more: &[(HeldPeriod, Money)]) {
        if extension.apart.is_empty() && self.budget_held.is_none() {
            self.held = held;
            return;
        }
        let before = self.held_on().chain(std::iter::repeat(Money::ZERO));
        let after = before.zip(more).map(|(before, (_, more))| before.saturating_add(*more));
        self.budget_held = Some(after.map(Money::as_nanos).collect());
        self.budget_ids = more.iter().map(|(on, _)| on.budget.uuid()).collect();
        self.budget_starts = more.iter().map(|(on, _)| on.starts_at).collect();
        self.held = held;
    }

    /// What a settlement puts in the place of what is held.
    pub fn settled(&self, settlement: &Settlement) -> Vec<Part> {
        self.parts(self.held_on(), |on| settlement.cost_on(on))
    }

    /// What a late settlement puts in the place of what the lost call was settled at.
    pub fn corrected(&self, settlement: &Settlement) -> Vec<Part> {
        self.parts(self.cost_on(), |on| settlement.cost_on(on))
    }

    /// All that is held, counted as spent.
    pub fn lost(&self) -> Vec<Part> {
        let held = self.periods().into_iter().zip(self.held_on());
        held.map(|(on, held)| Part { on, before: held, cost: held }).collect()
    }

    fn parts(
        &self,
        before: impl Iterator<Item = Money>,
        cost: impl Fn(HeldPeriod) -> Money,
    ) -> Vec<Part> {
        let periods = self.periods().into_iter().zip(before);
        periods.map(|(on, before)| Part { on, before, cost: cost(on) }).collect()
    }
}

/// What each budget counts, as a call's row keeps it: nothing where it is `all` on every one.
pub(crate) fn kept(parts: &[Part], all: Money) -> Option<Vec<Money>> {
    let differs = parts.iter().any(|part| part.cost != all);
    differs.then(|| parts.iter().map(|part| part.cost).collect())
}

fn each(
    apart: Option<&Vec<i64>>,
    all: Money,
    count: usize,
) -> impl Iterator<Item = Money> + use<'_> {
    (0..count).map(move |at| {
        let known = apart.and_then(|apart| apart.get(at));
        known.map_or(all, |nanos| Money::nanos(*nanos))
    })
}
