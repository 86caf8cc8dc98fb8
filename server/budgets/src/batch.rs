//! One group commit: settlements and holds of many calls, in the writer's own transaction.
//!
//! All rows are locked before anything is decided: first calls, then periods, each in the order
//! of their keys. Every writer of every node keeps to that order, so none waits in a circle; and
//! what is decided under the locks is exact on any number of nodes.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use ralex_audit::{Author, Entry, Event};
use ralex_kernel::{CallId, Money, OrgId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::charge::PeriodKey;
use crate::hold::{Claim, Extended, Extension, Hold, HoldOutcome};
use crate::lease::Leasing;
use crate::ledger::{Effect, Ledger, Short};
use crate::part;
use crate::settle::{Counted, Crossing, SettleOutcome, Settlement};
use crate::sql;
use crate::sql::call::{Closing, Locked};
use crate::sql::ledger::Wanted;

/// Keys of periods that are remembered at most.
const MOST_KNOWN: usize = 65_536;

/// Decides many holds in their order: each on all of its charges or on none.
pub async fn hold_all(
    conn: &mut PgConnection,
    holds: &[Hold],
) -> Result<Vec<HoldOutcome>, sqlx::Error> {
    Ok(commit(conn, &Batch { holds, ..Batch::default() }).await?.held)
}

/// Settles many calls, each once.
pub async fn settle_all(
    conn: &mut PgConnection,
    settlements: &[Settlement],
) -> Result<Vec<SettleOutcome>, sqlx::Error> {
    Ok(commit(conn, &Batch { settlements, ..Batch::default() }).await?.settled)
}

/// What is to be done in one transaction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch<'a> {
    pub settlements: &'a [Settlement],
    pub extensions: &'a [Extension],
    pub holds: &'a [Hold],
    pub known: Option<&'a KnownPeriods>,
    /// Of the node that does it, where it has leases.
    pub leasing: Option<&'a Leasing>,
}

/// What a batch did, index by index.
#[derive(Debug, Default)]
pub struct Committed {
    pub settled: Vec<SettleOutcome>,
    pub extended: Vec<Extended>,
    pub held: Vec<HoldOutcome>,
    /// The periods that this was decided on.
    pub periods: Vec<PeriodKey>,
    /// What the node has in hand of each of them.
    pub leases: Vec<(PeriodKey, Money)>,
}

/// Periods whose rows are there, so that nobody has to look whether they must be made. Rows are
/// never taken away but with their budget, which then has no more calls.
#[derive(Debug, Default)]
pub struct KnownPeriods(HashSet<PeriodKey>);

impl KnownPeriods {
    /// Remembers the periods of a batch that has been committed.
    pub fn learn(&mut self, periods: Vec<PeriodKey>) {
        if self.0.len() > MOST_KNOWN {
            self.0.clear();
        }
        self.0.extend(periods);
    }
}

/// Settles, then extends and holds in the room that this leaves. A transaction that does several
/// of these must do them here, because each alone would lock in a round of its own.
pub async fn commit(conn: &mut PgConnection, batch: &Batch<'_>) -> Result<Committed, sqlx::Error> {
    let Batch { settlements, extensions, holds, leasing, .. } = *batch;
    let mut calls = close_open(conn, settlements).await?;
    let closed: HashSet<(OrgId, CallId)> = calls.keys().copied().collect();
    lock_others(conn, &mut calls, settlements, extensions).await?;
    let mut ledger = lock_periods(conn, batch, calls.values()).await?;
    for (key, give) in leasing.iter().flat_map(|leasing| &leasing.gives) {
        ledger.give(*key, *give);
    }
    let mut counted_now = Vec::with_capacity(settlements.len());
    let mut settled = Vec::with_capacity(settlements.len());
    for settlement in settlements {
        let locked = calls.get_mut(&(settlement.org, settlement.call));
        let (counted, effect) = settle(&mut ledger, locked, settlement);
        if matches!(counted, Counted::Settled | Counted::Corrected) {
            counted_now.push(settlement);
        }
        settled.push(SettleOutcome {
            org: settlement.org,
            call: settlement.call,
            counted,
            overruns: effect.overruns,
            crossings: effect.crossings,
        });
    }
    let extended: Vec<Extended> =
        extensions.iter().map(|extension| extend(&mut ledger, &mut calls, extension)).collect();
    let held: Vec<HoldOutcome> = holds.iter().map(|hold| ledger.hold(hold)).collect();
    let short = short_of(holds, &held);
    let wants = leasing.iter().flat_map(|leasing| &leasing.wants);
    for (key, want) in wants.filter(|(key, _)| !short.contains(key)) {
        ledger.lease(*key, *want);
    }
    sql::ledger::write(conn, &ledger).await?;
    if let Some(leasing) = leasing {
        sql::lease::write(conn, leasing.node, &ledger).await?;
    }
    let late = counted_now.iter().filter(|one| !closed.contains(&(one.org, one.call)));
    let late: Vec<Closing<'_>> = late.map(|settlement| closing(settlement)).collect();
    if !late.is_empty() {
        sql::call::close(conn, &late, &["open", "lost"]).await?;
    }
    sql::attempt::insert(conn, &counted_now).await?;
    sql::kept::insert(conn, &counted_now).await?;
    let taken = extensions.iter().zip(&extended);
    let taken: Vec<&Extension> =
        taken.filter(|(_, it)| matches!(it, Extended::Held { .. })).map(|(it, _)| it).collect();
    if !taken.is_empty() {
        write_taken(conn, &taken, &calls).await?;
    }
    write_parts(conn, &counted_now, &calls).await?;
    ralex_audit::record_all(conn, events(&settled)).await?;
    let (periods, leases) = (ledger.keys().collect(), ledger.leases().collect());
    Ok(Committed { settled, extended, held, periods, leases })
}

/// What somebody has too little of is not taken in hand.
fn short_of(holds: &[Hold], held: &[HoldOutcome]) -> HashSet<PeriodKey> {
    let refused = holds.iter().zip(held).filter(|(_, held)| match held {
        HoldOutcome::Refused(_) | HoldOutcome::Later(_) => true,
        HoldOutcome::Held { .. } | HoldOutcome::Beyond { .. } => false,
    });
    refused.flat_map(|(hold, _)| hold.periods()).collect()
}

/// Only a call that is still open is extended: what has ended is paid and holds nothing.
fn extend(ledger: &mut Ledger, calls: &mut Calls, extension: &Extension) -> Extended {
    let call = calls.get_mut(&(extension.org, extension.call));
    let Some(call) = call.filter(|call| call.state == "open") else {
        return Extended::Refused { short: None };
    };
    let Some(held) = call.held.checked_add(extension.amount.max(Money::ZERO)) else {
        return Extended::Refused { short: None };
    };
    let more = call.more(extension);
    match ledger.extend(extension.org, &more) {
        Ok(()) => {}
        Err(Short::InHand(keys)) if extension.claim == Claim::Patient => {
            return Extended::Later(keys);
        }
        Err(Short::InHand(keys)) => {
            return Extended::Refused { short: keys.first().map(|key| key.budget) };
        }
        Err(Short::Of(on)) => return Extended::Refused { short: Some(on.budget) },
    }
    // The same call may stand in one batch twice.
    call.take(held, extension, &more);
    Extended::Held { held }
}

async fn write_taken(
    conn: &mut PgConnection,
    taken: &[&Extension],
    calls: &Calls,
) -> Result<(), sqlx::Error> {
    sql::call::extend(conn, taken).await?;
    let keys: BTreeSet<_> = taken.iter().map(|it| (it.org, it.call)).collect();
    let apart = keys.iter().filter_map(|key| calls.get(key));
    let apart: Vec<&Locked> = apart.filter(|call| call.budget_held.is_some()).collect();
    if apart.is_empty() { Ok(()) } else { sql::part::hold(conn, &apart).await }
}

/// Writes what settled calls cost on each budget, where that is not the same on all.
async fn write_parts(
    conn: &mut PgConnection,
    settled: &[&Settlement],
    calls: &Calls,
) -> Result<(), sqlx::Error> {
    let costs = settled.iter().filter_map(|settlement| {
        let call = calls.get(&(settlement.org, settlement.call))?;
        let costs = part::kept(&call.settled(settlement), settlement.cost.max(Money::ZERO));
        // One that was lost may have been counted in parts before.
        (costs.is_some() || call.budget_costs.is_some()).then_some((call, costs))
    });
    sql::part::cost(conn, &costs.collect::<Vec<_>>()).await
}

type Calls = BTreeMap<(OrgId, CallId), Locked>;

/// Closes the calls that are open, which nearly all are, and so locks them: one round for what
/// would be two. The first of two settlements of one call is the one that counts.
async fn close_open(
    conn: &mut PgConnection,
    settlements: &[Settlement],
) -> Result<Calls, sqlx::Error> {
    let mut closings = BTreeMap::new();
    for settlement in settlements {
        if let Slot::Vacant(slot) = closings.entry((settlement.org, settlement.call)) {
            slot.insert(closing(settlement));
        }
    }
    if closings.is_empty() {
        return Ok(Calls::new());
    }
    let closings: Vec<Closing<'_>> = closings.into_values().collect();
    let closed = sql::call::close(conn, &closings, &["open"]).await?;
    Ok(closed.into_iter().map(|call| ((call.org, call.id), call)).collect())
}

/// Locks the calls that are to be extended, and those that were not open to be closed.
async fn lock_others(
    conn: &mut PgConnection,
    calls: &mut Calls,
    settlements: &[Settlement],
    extensions: &[Extension],
) -> Result<(), sqlx::Error> {
    let keys = settlements.iter().map(|settlement| (settlement.org, settlement.call));
    let keys = keys.chain(extensions.iter().map(|extension| (extension.org, extension.call)));
    let (orgs, ids): (Vec<Uuid>, Vec<Uuid>) = keys
        .filter(|key| !calls.contains_key(key))
        .map(|(org, call)| (org.uuid(), call.uuid()))
        .unzip();
    if orgs.is_empty() {
        return Ok(());
    }
    let locked = sql::call::lock(conn, &orgs, &ids).await?;
    calls.extend(locked.into_iter().map(|call| ((call.org, call.id), call)));
    Ok(())
}

/// Locks every period that a settlement releases or a hold is decided on.
pub(crate) async fn lock_periods(
    conn: &mut PgConnection,
    batch: &Batch<'_>,
    calls: impl Iterator<Item = &Locked>,
) -> Result<Ledger, sqlx::Error> {
    let wanted: BTreeMap<PeriodKey, Wanted> = batch
        .holds
        .iter()
        .flat_map(|hold| hold.charges.iter().map(|charge| (charge.key(hold.org), charge.ends_at)))
        .chain(batch.extensions.iter().flat_map(apart))
        .map(|(key, ends_at)| (key, Wanted { key, ends_at }))
        .collect();
    let mut keys: BTreeSet<PeriodKey> = wanted.keys().copied().collect();
    keys.extend(
        calls.flat_map(|call| call.periods().into_iter().map(|period| period.key(call.org))),
    );
    keys.extend(batch.leasing.iter().flat_map(|leasing| leasing.gives.keys()));
    if keys.is_empty() {
        return Ok(Ledger::default());
    }
    let is_known = |key: &PeriodKey| batch.known.is_some_and(|known| known.0.contains(key));
    let unknown = wanted.into_values().filter(|period| !is_known(&period.key));
    let unknown: Vec<Wanted> = unknown.collect();
    if !unknown.is_empty() {
        sql::ledger::insert_missing(conn, &unknown).await?;
    }
    sql::ledger::lock(conn, batch.leasing.map(|leasing| leasing.node), keys).await
}

/// Where a further try needs more than the tries before it: at another model, also on its budgets.
fn apart(extension: &Extension) -> impl Iterator<Item = (PeriodKey, DateTime<Utc>)> + '_ {
    let needed = extension.apart.iter().filter(|apart| apart.amount.is_positive());
    needed.map(|apart| (apart.charge.key(extension.org), apart.charge.ends_at))
}

fn settle(
    ledger: &mut Ledger,
    locked: Option<&mut Locked>,
    settlement: &Settlement,
) -> (Counted, Effect) {
    let Some(call) = locked else { return (Counted::Unknown, Effect::default()) };
    let org = settlement.org;
    let settled = match call.state.as_str() {
        "open" => (Counted::Settled, ledger.settle(org, &call.settled(settlement))),
        "lost" => (Counted::Corrected, ledger.correct(org, &call.corrected(settlement))),
        _ => return (Counted::Already, Effect::default()),
    };
    // The same call may stand in one batch twice.
    settlement.ending.as_str().clone_into(&mut call.state);
    settled
}

fn closing(settlement: &Settlement) -> Closing<'_> {
    let (tokens, told) = (settlement.tokens, &settlement.told);
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
        reasoning_tokens: signed(tokens.reasoning),
        tries: millis(told.tries),
        told: Some(told),
    }
}

/// Thresholds and overruns belong to the log of the organisation whose budget it is.
pub(crate) fn events(outcomes: &[SettleOutcome]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for outcome in outcomes {
        let author = Author::system(outcome.org);
        entries.extend(crossed(outcome.org, &outcome.crossings));
        for overrun in &outcome.overruns {
            let (budget, overrun) = (overrun.budget, overrun.amount);
            let event = Event::BudgetOverrun { budget, call: outcome.call, overrun };
            entries.push(Entry::new(author.clone(), event));
        }
    }
    entries
}

pub(crate) fn crossed(org: OrgId, crossings: &[Crossing]) -> impl Iterator<Item = Entry> {
    crossings.iter().map(move |crossing| {
        let event = Event::BudgetThresholdCrossed {
            budget: crossing.budget,
            percent: crossing.percent,
            spent: crossing.spent,
            limit: crossing.limit,
        };
        Entry::new(Author::system(org), event)
    })
}
