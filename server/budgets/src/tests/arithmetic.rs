//! The ledger alone, over random histories.

use std::collections::HashMap;

use proptest::prelude::*;
use ralex_kernel::{BudgetId, CallId, Money, OrgId, Period};

use crate::charge::{Charge, PeriodKey};
use crate::lease::Give;
use crate::ledger::{Ledger, Part, Row};
use crate::{Claim, HeldPeriod, Hold, HoldOutcome};

#[derive(Clone, Debug)]
enum Step {
    Hold { amount: i64, charges: Vec<bool>, claim: Claim },
    Lease { budget: usize, want: i64 },
    Give { budget: usize, amount: i64 },
    LoseLease { budget: usize },
    Settle { which: usize, cost: i64 },
    Lose { which: usize },
}

/// What a call is known to hold or to have cost.
struct Known {
    charges: Vec<Charge>,
    held: Money,
    cost: Option<Money>,
    lost: bool,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..400_i64, prop::collection::vec(any::<bool>(), 4), claim())
            .prop_map(|(amount, charges, claim)| Step::Hold { amount, charges, claim }),
        (0..4_usize, 0..2_000_i64).prop_map(|(budget, want)| Step::Lease { budget, want }),
        (0..4_usize, 0..2_000_i64).prop_map(|(budget, amount)| Step::Give { budget, amount }),
        (0..4_usize).prop_map(|budget| Step::LoseLease { budget }),
        (any::<usize>(), 0..500_i64).prop_map(|(which, cost)| Step::Settle { which, cost }),
        any::<usize>().prop_map(|which| Step::Lose { which }),
    ]
}

fn claim() -> impl Strategy<Value = Claim> {
    prop_oneof![Just(Claim::Firm), Just(Claim::Patient), Just(Claim::Promised)]
}

fn charge(limit: i64, hard: bool) -> Charge {
    Charge {
        budget: BudgetId::generate(),
        scope: "org".into(),
        only: None,
        period: Period::Day,
        starts_at: chrono::DateTime::UNIX_EPOCH,
        ends_at: chrono::DateTime::UNIX_EPOCH,
        since: chrono::DateTime::UNIX_EPOCH,
        follows: false,
        limit: Money::nanos(limit),
        hard,
        degrade_at: None,
    }
}

fn row(charge: &Charge) -> Row {
    Row {
        limit: charge.limit,
        fence: charge.limit,
        hard: charge.hard,
        spent: Money::ZERO,
        held: Money::ZERO,
        leased: Money::ZERO,
        lease: Money::ZERO,
        overrun: Money::ZERO,
        beyond: Money::ZERO,
        refused: 0,
        alerted: 0,
    }
}

struct Play {
    org: OrgId,
    charges: Vec<Charge>,
    ledger: Ledger,
    calls: Vec<Known>,
}

impl Play {
    fn new() -> Self {
        let org = OrgId::generate();
        let charges =
            vec![charge(1_000, true), charge(700, true), charge(300, true), charge(500, false)];
        let ledger = Ledger::new(charges.iter().map(|charge| (charge.key(org), row(charge))));
        Self { org, charges, ledger, calls: Vec::new() }
    }

    fn rows(&self) -> HashMap<BudgetId, Row> {
        self.ledger.changed().map(|(key, row)| (key.budget, row.clone())).collect()
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Hold { amount, charges, claim } => self.hold(amount, &charges, claim),
            Step::Lease { budget, want } => {
                let key = self.charges[budget].key(self.org);
                let before = self.ledger.leases().find(|(at, _)| *at == key).map(|(_, it)| it);
                self.ledger.lease(key, Money::nanos(want));
                let rows = self.rows();
                let Some(row) = rows.get(&key.budget) else { return };
                let left = (row.limit - row.spent - row.overrun - row.held).max(Money::ZERO);
                let more = before.is_some_and(|before| row.lease > before);
                assert!(!more || times(row.leased, 4) <= left, "{row:?}");
            }
            Step::Give { budget, amount } => {
                let give = Give { amount: Money::nanos(amount), keep: Money::ZERO };
                self.ledger.give(self.charges[budget].key(self.org), give);
            }
            Step::LoseLease { budget } => {
                let charge = self.charges[budget].clone();
                let (lost, _) = self.ledger.lose(charge.key(self.org));
                // As good as a call that has cost this.
                let (charges, held, cost) = (vec![charge], Money::ZERO, Some(lost));
                self.calls.push(Known { charges, held, cost, lost: false });
            }
            Step::Settle { which, cost } => self.settle(which, Money::nanos(cost), false),
            Step::Lose { which } => self.settle(which, Money::ZERO, true),
        }
    }

    fn hold(&mut self, amount: i64, chosen: &[bool], claim: Claim) {
        let on = self.charges.iter().zip(chosen).filter(|(_, chosen)| **chosen);
        let charges: Vec<Charge> = on.map(|(charge, _)| charge.clone()).collect();
        let (call, held) = (CallId::generate(), Money::nanos(amount));
        let before = self.rows();
        let hold = Hold {
            org: self.org,
            call,
            amount: held,
            charges: charges.clone(),
            claim,
            quiet: false,
        };
        match self.ledger.hold(&hold) {
            HoldOutcome::Held { periods } => {
                assert_eq!(periods.len(), charges.len());
                self.calls.push(Known { charges, held, cost: None, lost: false });
            }
            HoldOutcome::Beyond { periods } => {
                assert_eq!((claim, periods.len()), (Claim::Promised, charges.len()));
                let held = Money::ZERO;
                self.calls.push(Known { charges, held, cost: None, lost: false });
            }
            HoldOutcome::Later(keys) => {
                assert_eq!(claim, Claim::Patient);
                let leased = |key: &PeriodKey| before.get(&key.budget).map(|row| row.leased);
                let mut leases = keys.iter().map(leased);
                assert!(!keys.is_empty() && leases.all(|it| it.is_some_and(Money::is_positive)));
                assert_eq!(before, self.rows());
            }
            HoldOutcome::Refused(_) => {
                assert_ne!(claim, Claim::Promised);
                let taken = |rows: &HashMap<BudgetId, Row>| -> Vec<Money> {
                    self.charges
                        .iter()
                        .map(|charge| rows.get(&charge.budget).map_or(Money::ZERO, |row| row.held))
                        .collect()
                };
                assert_eq!(taken(&before), taken(&self.rows()));
            }
        }
    }

    fn settle(&mut self, which: usize, cost: Money, lose: bool) {
        let count = self.calls.len();
        if count == 0 {
            return;
        }
        let call = &mut self.calls[which % count];
        let on: Vec<_> = call.charges.iter().map(Charge::held_period).collect();
        match (call.cost, call.lost) {
            (None, _) => {
                let cost = if lose { call.held } else { cost };
                self.ledger.settle(self.org, &parts(&on, call.held, cost));
                (call.cost, call.lost) = (Some(cost), lose);
            }
            (Some(counted), true) if !lose => {
                self.ledger.correct(self.org, &parts(&on, counted, cost));
                (call.cost, call.lost) = (Some(cost), false);
            }
            (Some(_), _) => {}
        }
    }

    fn check(&self) {
        let rows = self.rows();
        for charge in &self.charges {
            let Some(row) = rows.get(&charge.budget) else { continue };
            assert!(!row.hard || row.spent + row.held + row.leased <= row.limit, "{row:?}");
            assert_eq!(row.lease, row.leased, "there is one node");
            assert!(row.spent >= Money::ZERO && row.held >= Money::ZERO, "{row:?}");
            let of = |value: fn(&Known) -> Option<Money>| -> i128 {
                let on = self.calls.iter().filter(|call| call.charges.contains(charge));
                on.filter_map(value).map(|amount| i128::from(amount.as_nanos())).sum()
            };
            let held = of(|call| call.cost.is_none().then_some(call.held));
            assert_eq!(i128::from(row.held.as_nanos()), held, "{row:?}");
            assert_eq!(i128::from((row.spent + row.overrun).as_nanos()), of(|call| call.cost));
        }
    }
}

fn times(amount: Money, times: i64) -> Money {
    Money::nanos(amount.as_nanos() * times)
}

fn parts(on: &[HeldPeriod], before: Money, cost: Money) -> Vec<Part> {
    on.iter().map(|on| Part { on: *on, before, cost }).collect()
}

proptest! {
    #[test]
    fn any_history_keeps_every_limit_and_counts_every_cost_once(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut play = Play::new();
        for step in steps {
            play.play(step);
            play.check();
        }
    }
}
