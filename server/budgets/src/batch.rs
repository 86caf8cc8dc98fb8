//! One group commit: settlements and holds of many calls, in the writer's own transaction.
//!
//! All rows are locked before anything is decided: first calls, then periods, each in the order
//! of their keys. Every writer of every node keeps to that order, so none waits in a circle; and
//! what is decided under the locks is exact on any number of nodes.

use std::collections::{BTreeMap, BTreeSet};

use ralex_audit::{Author, Entry, Event};
use ralex_kernel::{CallId, Money, OrgId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::charge::PeriodKey;
use crate::hold::{Hold, HoldOutcome};
use crate::ledger::{Effect, Ledger};
use crate::settle::{Counted, SettleOutcome, Settlement};
use crate::sql;
use crate::sql::call::{Closing, Locked};
use crate::sql::ledger::Wanted;

/// Decides many holds in their order: each on all of its charges or on none.
pub async fn hold_all(
    conn: &mut PgConnection,
    holds: &[Hold],
) -> Result<Vec<HoldOutcome>, sqlx::Error> {
    Ok(settle_and_hold(conn, &[], holds).await?.1)
}

/// Settles many calls, each once.
pub async fn settle_all(
    conn: &mut PgConnection,
    settlements: &[Settlement],
) -> Result<Vec<SettleOutcome>, sqlx::Error> {
    Ok(settle_and_hold(conn, settlements, &[]).await?.0)
}

/// Settles, then holds in the room that this leaves. A transaction that does both must do it
/// here, because [`settle_all`] followed by [`hold_all`] would lock in two rounds.
pub async fn settle_and_hold(
    conn: &mut PgConnection,
    settlements: &[Settlement],
    holds: &[Hold],
) -> Result<(Vec<SettleOutcome>, Vec<HoldOutcome>), sqlx::Error> {
    let mut calls = lock_calls(conn, settlements).await?;
    let mut ledger = lock_periods(conn, calls.values(), holds).await?;
    let mut closings = Vec::with_capacity(settlements.len());
    let mut outcomes = Vec::with_capacity(settlements.len());
    for settlement in settlements {
        let locked = calls.get_mut(&(settlement.org, settlement.call));
        let (counted, effect) = settle(&mut ledger, locked, settlement);
        if matches!(counted, Counted::Settled | Counted::Corrected) {
            closings.push(closing(settlement));
        }
        outcomes.push(SettleOutcome {
            org: settlement.org,
            call: settlement.call,
            counted,
            overruns: effect.overruns,
            crossings: effect.crossings,
        });
    }
    let held = holds.iter().map(|hold| ledger.hold(hold)).collect();
    sql::ledger::write(conn, &ledger).await?;
    if !closings.is_empty() {
        sql::call::close(conn, &closings).await?;
    }
    ralex_audit::record_all(conn, events(&outcomes)).await?;
    Ok((outcomes, held))
}

type Calls = BTreeMap<(OrgId, CallId), Locked>;

async fn lock_calls(
    conn: &mut PgConnection,
    settlements: &[Settlement],
) -> Result<Calls, sqlx::Error> {
    if settlements.is_empty() {
        return Ok(Calls::new());
    }
    let orgs: Vec<Uuid> = settlements.iter().map(|settlement| settlement.org.uuid()).collect();
    let ids: Vec<Uuid> = settlements.iter().map(|settlement| settlement.call.uuid()).collect();
    let locked = sql::call::lock(conn, &orgs, &ids).await?;
    Ok(locked.into_iter().map(|call| ((call.org, call.id), call)).collect())
}

/// Locks every period that a settlement releases or a hold is decided on.
pub(crate) async fn lock_periods(
    conn: &mut PgConnection,
    calls: impl Iterator<Item = &Locked>,
    holds: &[Hold],
) -> Result<Ledger, sqlx::Error> {
    let wanted: BTreeMap<PeriodKey, Wanted> = holds
        .iter()
        .flat_map(|hold| hold.charges.iter().map(|charge| (charge.key(hold.org), charge.ends_at)))
        .map(|(key, ends_at)| (key, Wanted { key, ends_at }))
        .collect();
    let mut keys: BTreeSet<PeriodKey> = wanted.keys().copied().collect();
    keys.extend(
        calls.flat_map(|call| call.periods().into_iter().map(|period| period.key(call.org))),
    );
    if keys.is_empty() {
        return Ok(Ledger::default());
    }
    if !wanted.is_empty() {
        let wanted: Vec<Wanted> = wanted.into_values().collect();
        sql::ledger::insert_missing(conn, &wanted).await?;
    }
    sql::ledger::lock(conn, keys).await
}

fn settle(
    ledger: &mut Ledger,
    locked: Option<&mut Locked>,
    settlement: &Settlement,
) -> (Counted, Effect) {
    let Some(call) = locked else { return (Counted::Unknown, Effect::default()) };
    let (org, cost) = (settlement.org, settlement.cost);
    let periods = call.periods();
    let settled = match call.state.as_str() {
        "open" => (Counted::Settled, ledger.settle(org, &periods, call.held, cost)),
        "lost" => (Counted::Corrected, ledger.correct(org, &periods, call.cost, cost)),
        _ => return (Counted::Already, Effect::default()),
    };
    // The same call may stand in one batch twice.
    settlement.ending.as_str().clone_into(&mut call.state);
    settled
}

fn closing(settlement: &Settlement) -> Closing {
    let tokens = settlement.tokens;
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let millis = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    Closing {
        org: settlement.org,
        id: settlement.call,
        state: settlement.ending.as_str(),
        problem: settlement.problem.map(ralex_kernel::Code::as_str),
        cost: settlement.cost.max(Money::ZERO),
        input_tokens: signed(tokens.input),
        output_tokens: signed(tokens.output),
        cache_read_tokens: signed(tokens.cache_read),
        cache_write_tokens: signed(tokens.cache_write),
        estimated: tokens.estimated,
        first_byte_ms: settlement.first_byte_ms.map(millis),
        duration_ms: Some(millis(settlement.duration_ms)),
    }
}

/// Thresholds and overruns belong to the log of the organisation whose budget it is.
pub(crate) fn events(outcomes: &[SettleOutcome]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for outcome in outcomes {
        let author = Author::system(outcome.org);
        for crossing in &outcome.crossings {
            let event = Event::BudgetThresholdCrossed {
                budget: crossing.budget,
                percent: crossing.percent,
                spent: crossing.spent,
                limit: crossing.limit,
            };
            entries.push(Entry::new(author.clone(), event));
        }
        for overrun in &outcome.overruns {
            let (budget, overrun) = (overrun.budget, overrun.amount);
            let event = Event::BudgetOverrun { budget, call: outcome.call, overrun };
            entries.push(Entry::new(author.clone(), event));
        }
    }
    entries
}
