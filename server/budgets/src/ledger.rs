//! The arithmetic of budgets, over rows that the caller has locked.
//!
//! What always holds: on a hard budget `spent + held + leased <= fence`, and nothing is given away
//! beyond the limit, which is never above the fence; `spent + overrun` is the
//! sum of what the budget's calls cost and of its adjustments; a hold is taken on all of its charges
//! or on none. No amount ever overflows, so that one absurd price cannot fail the batch that other
//! calls are in.

use std::collections::BTreeMap;

use ralex_kernel::{BudgetId, Money, OrgId};

use crate::charge::{Charge, HeldPeriod, PeriodKey};
use crate::hold::{Claim, Hold, HoldOutcome, Refusal};
use crate::lease::{Give, PART, TOGETHER};
use crate::settle::{Crossing, Overrun};

const THRESHOLDS: [u32; 3] = [50, 80, 100];

/// A locked row of `budget_period`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// What may be given away.
    pub limit: Money,
    /// What the table refuses to pass. It is above the limit where an increase has ended that is
    /// spent, held or leased in part.
    pub fence: Money,
    pub hard: bool,
    pub spent: Money,
    pub held: Money,
    /// In the hands of all nodes.
    pub leased: Money,
    /// In the hands of this one.
    pub lease: Money,
    pub overrun: Money,
    /// What the days before it in a rolling window take of the budget's limit: thresholds are those
    /// of the whole window.
    pub beyond: Money,
    pub refused: i64,
    /// The highest threshold that was told of.
    pub alerted: u32,
}

/// The rows of one batch, and which of them it changed.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    rows: BTreeMap<PeriodKey, (Row, Change)>,
    /// What this node had in hand before.
    leases: BTreeMap<PeriodKey, Money>,
}

/// A lease that is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leased {
    pub key: PeriodKey,
    pub was: Money,
    pub is: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Unwritten,
}

/// What one budget counts of a call: `cost`, in the place of `before`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub on: HeldPeriod,
    pub before: Money,
    pub cost: Money,
}

/// Why a call under way gets no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Short {
    /// The first of its periods that has no room.
    Of(HeldPeriod),
    /// There would be room if nodes gave back what they have in hand of these.
    InHand(Vec<PeriodKey>),
}

/// What a cost did to one budget.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    pub overruns: Vec<Overrun>,
    pub crossings: Vec<Crossing>,
}

impl Ledger {
    pub fn new(rows: impl IntoIterator<Item = (PeriodKey, Row)>) -> Self {
        let rows: BTreeMap<_, _> =
            rows.into_iter().map(|(key, row)| (key, (row, Change::None))).collect();
        let leases = rows.iter().map(|(key, (row, _))| (*key, row.lease)).collect();
        Self { rows, leases }
    }

    /// The periods that have rows.
    pub fn keys(&self) -> impl Iterator<Item = PeriodKey> {
        self.rows.keys().copied()
    }

    /// The rows to write back.
    pub fn changed(&self) -> impl Iterator<Item = (&PeriodKey, &Row)> {
        self.rows
            .iter()
            .filter(|(_, (_, change))| *change == Change::Unwritten)
            .map(|(key, (row, _))| (key, row))
    }

    /// What this node has in hand of each period.
    pub fn leases(&self) -> impl Iterator<Item = (PeriodKey, Money)> {
        self.rows.iter().map(|(key, (row, _))| (*key, row.lease))
    }

    /// The leases to write back.
    pub fn changed_leases(&self) -> impl Iterator<Item = Leased> {
        let leases = self.leases().map(|(key, is)| {
            let was = self.leases.get(&key).copied().unwrap_or_default();
            Leased { key, was, is }
        });
        leases.filter(|leased| leased.was != leased.is)
    }

    /// Gives back of this node's lease.
    pub fn give(&mut self, key: PeriodKey, give: Give) {
        if let Some(row) = self.change(key) {
            let amount = give.amount.min(row.lease - give.keep).max(Money::ZERO);
            row.lease = row.lease - amount;
            row.leased = (row.leased - amount).max(Money::ZERO);
        }
    }

    /// Makes this node's lease as large as it should be, as far as a part of what is left goes. One
    /// that is large enough is kept as it was: what was taken out of it is put back, and its row
    /// need not be written.
    pub fn lease(&mut self, key: PeriodKey, want: Money) {
        let was = self.leases.get(&key).copied().unwrap_or_default();
        let Some((row, change)) = self.rows.get_mut(&key) else { return };
        let target = if was >= want - was { was.min(want.saturating_add(want)) } else { want };
        let grant = (target - row.lease).min(row.left_to_lease());
        if row.hard && grant.is_positive() {
            row.lease += grant;
            row.leased += grant;
            *change = Change::Unwritten;
        }
    }

    /// Counts this node's lease as spent, since nobody knows whether it was, and returns how much
    /// that is.
    pub fn lose(&mut self, key: PeriodKey) -> (Money, Effect) {
        let Some(row) = self.change(key) else { return (Money::ZERO, Effect::default()) };
        let lost = std::mem::take(&mut row.lease);
        row.leased = (row.leased - lost).max(Money::ZERO);
        let overrun = row.add(lost);
        debug_assert!(!overrun.is_positive(), "a lease is within the limit");
        (lost, Effect { overruns: Vec::new(), crossings: row.cross(key.budget) })
    }

    /// Adds to what is spent, or takes away from it as far as there is something, and returns by how
    /// much. What does not fit a hard limit counts beyond it.
    pub fn adjust(&mut self, key: PeriodKey, amount: Money) -> (Money, Effect) {
        let Some(row) = self.change(key) else { return (Money::ZERO, Effect::default()) };
        let before = row.spent + row.overrun;
        if amount.is_positive() {
            row.add(amount);
        } else {
            row.uncount((Money::ZERO - amount).min(before));
            row.alerted = row.alerted.min(row.reached());
        }
        let effect = Effect { overruns: Vec::new(), crossings: row.cross(key.budget) };
        (row.spent + row.overrun - before, effect)
    }

    /// Holds on all charges or on none. A charge without a row is of a budget deleted meanwhile.
    pub fn hold(&mut self, hold: &Hold) -> HoldOutcome {
        if hold.claim == Claim::Promised {
            return self.keep(hold);
        }
        let gone = self.short(hold, Row::could_have_room_for).next();
        if let Some(charge) = gone {
            return HoldOutcome::Refused(self.refuse(hold, charge));
        }
        let short: Vec<_> = self.short(hold, Row::has_room_for).collect();
        if let Some(charge) = short.first() {
            if hold.claim == Claim::Patient {
                let keys = short.iter().map(|charge| charge.key(hold.org));
                return HoldOutcome::Later(keys.collect());
            }
            return HoldOutcome::Refused(self.refuse(hold, charge));
        }
        let mut periods = Vec::with_capacity(hold.charges.len());
        for charge in &hold.charges {
            if let Some(row) = self.change(charge.key(hold.org)) {
                row.held += hold.amount.max(Money::ZERO);
                periods.push(charge.held_period());
            }
        }
        HoldOutcome::Held { periods }
    }

    /// The charges without room.
    fn short<'a>(
        &self,
        hold: &'a Hold,
        room: impl Fn(&Row, Money) -> bool,
    ) -> impl Iterator<Item = &'a Charge> {
        hold.charges.iter().filter(move |charge| {
            let row = self.rows.get(&charge.key(hold.org));
            row.is_some_and(|(row, _)| !room(row, hold.amount))
        })
    }

    /// Holds what was promised, out of the leases where they are still there.
    fn keep(&mut self, hold: &Hold) -> HoldOutcome {
        let amount = hold.amount.max(Money::ZERO);
        let covers = |row: &Row, amount| row.lease >= amount || row.has_room_for(amount);
        let beyond = self.short(hold, covers).next().is_some();
        let mut periods = Vec::with_capacity(hold.charges.len());
        for charge in &hold.charges {
            let Some(row) = self.change(charge.key(hold.org)) else { continue };
            periods.push(charge.held_period());
            if beyond {
                continue;
            }
            if row.hard && row.lease >= amount {
                row.lease = row.lease - amount;
                row.leased = (row.leased - amount).max(Money::ZERO);
            }
            row.held += amount;
        }
        if beyond { HoldOutcome::Beyond { periods } } else { HoldOutcome::Held { periods } }
    }

    /// Holds more on the periods of a call under way, on all of them or on none. A period without a
    /// row is of a budget deleted meanwhile.
    ///
    /// # Errors
    /// What has no room.
    pub fn extend(&mut self, org: OrgId, more: &[(HeldPeriod, Money)]) -> Result<(), Short> {
        let short = |room: fn(&Row, Money) -> bool| {
            let rows = &self.rows;
            let short = more.iter().filter(move |(on, amount)| {
                rows.get(&on.key(org)).is_some_and(|(row, _)| !room(row, *amount))
            });
            short.map(|(on, _)| *on)
        };
        if let Some(on) = short(Row::could_have_room_for).next() {
            return Err(Short::Of(on));
        }
        let in_hand: Vec<_> = short(Row::has_room_for).map(|on| on.key(org)).collect();
        if !in_hand.is_empty() {
            return Err(Short::InHand(in_hand));
        }
        for (on, amount) in more.iter().filter(|(_, amount)| amount.is_positive()) {
            if let Some(row) = self.change(on.key(org)) {
                row.held += *amount;
            }
        }
        Ok(())
    }

    /// Puts what a call has cost in the place of what it held.
    pub fn settle(&mut self, org: OrgId, parts: &[Part]) -> Effect {
        self.count(org, parts, Row::release)
    }

    /// Puts what a call has cost in the place of what it had been settled at when it was lost.
    pub fn correct(&mut self, org: OrgId, parts: &[Part]) -> Effect {
        self.count(org, parts, Row::uncount)
    }

    fn count(&mut self, org: OrgId, parts: &[Part], make_room: impl Fn(&mut Row, Money)) -> Effect {
        let mut effect = Effect::default();
        for Part { on, before, cost } in parts {
            let Some(row) = self.change(on.key(org)) else { continue };
            make_room(row, *before);
            let overrun = row.add(*cost);
            if overrun.is_positive() {
                effect.overruns.push(Overrun { budget: on.budget, amount: overrun });
            }
            effect.crossings.extend(row.cross(on.budget));
        }
        effect
    }

    fn refuse(&mut self, hold: &Hold, charge: &Charge) -> Refusal {
        let (limit, spent, held) = match self.change(charge.key(hold.org)) {
            Some(row) => {
                row.refused = row.refused.saturating_add(i64::from(!hold.quiet));
                let (spent, limit) = row.of_window();
                (limit, spent, row.held)
            }
            None => (charge.limit, Money::ZERO, Money::ZERO),
        };
        Refusal {
            budget: charge.budget,
            scope: charge.scope.clone(),
            only: charge.only,
            period: charge.period,
            limit,
            spent,
            held,
            needed: hold.amount,
            ends_at: charge.ends_at,
        }
    }

    fn change(&mut self, key: PeriodKey) -> Option<&mut Row> {
        let (row, change) = self.rows.get_mut(&key)?;
        *change = Change::Unwritten;
        Some(row)
    }
}

impl Row {
    /// What was billed beyond the limit is gone as well, so it counts as spent here.
    fn has_room_for(&self, amount: Money) -> bool {
        self.fits(amount, self.leased)
    }

    /// Whether it would have room if nodes had nothing in hand.
    fn could_have_room_for(&self, amount: Money) -> bool {
        self.fits(amount, Money::ZERO)
    }

    fn fits(&self, amount: Money, leased: Money) -> bool {
        let Some(after) = self
            .spent
            .checked_add(self.overrun)
            .and_then(|taken| taken.checked_add(self.held))
            .and_then(|taken| taken.checked_add(leased))
            .and_then(|taken| taken.checked_add(amount))
        else {
            return false;
        };
        // What costs nothing fits a budget that has nothing left.
        !self.hard || !amount.is_positive() || after <= self.limit
    }

    /// A part of what is left and in nobody's hands; nothing where nodes have their share already,
    /// be they dead or alive.
    fn left_to_lease(&self) -> Money {
        let taken = self.spent.saturating_add(self.overrun).saturating_add(self.held);
        let left = self.limit.saturating_sub(taken).max(Money::ZERO);
        let free = (left - self.leased).max(Money::ZERO);
        let share = Money::nanos(left.as_nanos() / TOGETHER) - self.leased;
        Money::nanos(free.as_nanos() / PART).min(share).max(Money::ZERO)
    }

    fn release(&mut self, held: Money) {
        self.held = (self.held - held).max(Money::ZERO);
    }

    fn uncount(&mut self, counted: Money) {
        let from_spent = counted.min(self.spent);
        self.spent = self.spent - from_spent;
        self.overrun = (self.overrun - (counted - from_spent)).max(Money::ZERO);
    }

    /// Adds to what is spent as far as the limit allows, and the rest, which it returns, beyond.
    fn add(&mut self, cost: Money) -> Money {
        let countable = Money::MAX - self.spent - self.overrun - self.held - self.leased;
        let cost = cost.min(countable).max(Money::ZERO);
        let within = if self.hard {
            cost.min((self.fence - self.spent - self.held - self.leased).max(Money::ZERO))
        } else {
            cost
        };
        self.spent += within;
        self.overrun += cost - within;
        cost - within
    }

    /// What is spent, and of how much, with the days before it in a rolling window.
    fn of_window(&self) -> (Money, Money) {
        let spent = (self.spent + self.overrun).saturating_add(self.beyond);
        (spent, self.limit.saturating_add(self.beyond))
    }

    fn reached(&self) -> u32 {
        let (spent, limit) = self.of_window();
        reached(spent, limit)
    }

    /// The thresholds passed since the last one told.
    fn cross(&mut self, budget: BudgetId) -> Vec<Crossing> {
        let (spent, limit) = self.of_window();
        let reached = self.reached();
        let crossed = THRESHOLDS.into_iter().filter(|t| *t > self.alerted && *t <= reached);
        let crossings = crossed.map(|percent| Crossing { budget, percent, spent, limit }).collect();
        self.alerted = self.alerted.max(reached);
        crossings
    }
}

/// The highest threshold that is reached, or nothing.
pub(crate) fn reached(spent: Money, limit: Money) -> u32 {
    let percent_spent = i128::from(spent.as_nanos()) * 100;
    let limit = i128::from(limit.as_nanos());
    let passed = |percent: &u32| percent_spent >= limit * i128::from(*percent);
    THRESHOLDS.into_iter().filter(passed).max().unwrap_or(0)
}
