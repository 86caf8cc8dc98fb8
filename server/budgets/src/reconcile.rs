//! Reconciliation: what a provider says it billed, beside what the calls of each day cost.
//!
//! An export knows days and models, and neither teams nor tokens, so its difference belongs to the
//! budgets of the organisation as a whole, or of the provider in it: to each that was there when the day ended, in the period
//! that the noon of the day (UTC) falls in. It is applied by entries beside the calls. How much a
//! day's exports have added before is read under the lock of the periods, so that the same export
//! adds nothing the second time and a later one adds what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use ralex_access::{Places, Scope};
use ralex_api::adjustments::{
    AdjustmentReason, Reconcile, ReconciledBudget, ReconciledDay, ReconciledRow, Reconciliation,
};
use ralex_audit::{AdjustmentEvent, Entry, Event};
use ralex_kernel::{AdjustmentId, BudgetId, Money, OrgId, Period, Problem};
use ralex_store::{Tenant, calls_from, problem};
use sha2::{Digest, Sha256};

use crate::Budgets;
use crate::batch::crossed;
use crate::charge::{Only, PeriodKey};
use crate::export::{Export, RowKey};
use crate::ledger::Ledger;
use crate::recall::recall;
use crate::sql;
use crate::sql::adjust::New;
use crate::sql::budget::{Filter, Stored};
use crate::sql::ledger::Wanted;
use crate::sql::reconcile::{Adjusted, Recorded};

impl Budgets {
    /// Compares an export with the calls, and adjusts budgets by it where that is asked for.
    pub async fn reconcile(
        &self,
        scope: &Scope,
        asked: &Reconcile,
    ) -> Result<Reconciliation, Problem> {
        let (org, provider) = (scope.org(), asked.provider.as_str());
        let export = Export::read(asked.format, &asked.export)?;
        if asked.apply && !export.billed {
            let detail = "tells of tokens and not of money, so budgets cannot be adjusted by it; \
                          take the provider's export of costs";
            return Err(Problem::field("export", detail));
        }
        let mut tx = self.db.tenant(org).await?;
        if !sql::reconcile::provider_exists(&mut tx, org, provider).await.map_err(problem)? {
            return Err(Problem::field("provider", "is no provider of this organisation"));
        }
        let places = places(&mut tx, provider, &export, self.clock.now()).await?;
        let mut ledger = lock(&mut tx, &places, asked.apply).await?;
        let report = report(&mut tx, provider, &export, &places, self.clock.now()).await?;
        if !asked.apply {
            tx.rollback().await.map_err(problem)?;
            return Ok(report);
        }
        let report = apply(&mut tx, scope, asked, &mut ledger, report, &places).await?;
        self.may_lower(&mut tx, scope, &lowered(&report, &places)).await?;
        tx.commit().await.map_err(problem)?;
        Ok(report)
    }
}

/// A budget that a day's difference belongs to, and the period of it.
struct Place {
    day: NaiveDate,
    wanted: Wanted,
}

/// Where the days that are over belong, oldest first.
async fn places(
    tx: &mut Tenant,
    provider: &str,
    export: &Export,
    now: DateTime<Utc>,
) -> Result<Vec<Place>, Problem> {
    let org = tx.org();
    let filter = Filter { within: &Places::ANYWHERE, only: None, after: None, at_most: None };
    let mut budgets = sql::budget::select(tx, org, filter).await.map_err(problem)?;
    budgets.retain(|budget| is_of_all(budget, provider));
    let mut places = Vec::new();
    for day in export.days.iter().copied().filter(|day| end_of(*day) <= now) {
        let noon = start_of(day) + TimeDelta::hours(12);
        for budget in budgets.iter().filter(|budget| budget.created_at < end_of(day)) {
            let bounds = budget.bounds(noon)?;
            let key = PeriodKey { org, budget: budget.id, starts_at: bounds.starts_at };
            places.push(Place { day, wanted: Wanted { key, ends_at: bounds.ends_at } });
        }
    }
    Ok(places)
}

/// Whether a budget counts all that the organisation spends at the provider. One of a single model
/// does not: an export has models by other names, or none.
fn is_of_all(budget: &Stored, provider: &str) -> bool {
    let Stored { team, project, token, user, .. } = budget;
    let all_told = match budget.only() {
        None => true,
        Some(Only::Model(_)) => false,
        Some(Only::Provider(_)) => budget.only_name.as_deref() == Some(provider),
    };
    let in_time = budget.period != Period::Run;
    in_time && all_told && team.is_none() && project.is_none() && token.is_none() && user.is_none()
}

/// Makes the periods that have no row yet, and locks all of them, where it is to be applied.
async fn lock(tx: &mut Tenant, places: &[Place], apply: bool) -> Result<Ledger, Problem> {
    if !apply {
        return Ok(Ledger::default());
    }
    let wanted: BTreeMap<PeriodKey, DateTime<Utc>> =
        places.iter().map(|place| (place.wanted.key, place.wanted.ends_at)).collect();
    let keys: Vec<PeriodKey> = wanted.keys().copied().collect();
    let wanted: Vec<Wanted> =
        wanted.into_iter().map(|(key, ends_at)| Wanted { key, ends_at }).collect();
    sql::ledger::insert_missing(tx, &wanted).await.map_err(problem)?;
    sql::ledger::lock(tx, None, keys).await.map_err(problem)
}

async fn report(
    tx: &mut Tenant,
    provider: &str,
    export: &Export,
    places: &[Place],
    now: DateTime<Utc>,
) -> Result<Reconciliation, Problem> {
    let (org, days) = (tx.org(), export.days.iter().copied().collect::<Vec<_>>());
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Err(Problem::field("export", "tells of no day"));
    };
    let span = (start_of(*first), end_of(*last));
    let all_from = calls_from(tx, org).await.map_err(problem)?;
    if let Some(all_from) = all_from.filter(|all_from| span.0 < *all_from) {
        let from = all_from.format("%Y-%m-%d %H:%M UTC");
        let rule = format!("tells of {first}, but records of calls before {from} were pruned");
        return Err(Problem::field("export", rule));
    }
    let mut recorded = sql::reconcile::recorded(tx, org, provider, span).await.map_err(problem)?;
    recorded.retain(|row| export.days.contains(&row.day));
    let adjusted = sql::reconcile::adjusted(tx, org, provider, &days).await.map_err(problem)?;
    let lost = sql::reconcile::lost(tx, org, &days).await.map_err(problem)?;
    let (adjusted, lost) = (by_place(adjusted), by_place(lost));
    let day = |day: NaiveDate| {
        let exported: Money =
            export.rows.iter().filter(|((of, _), _)| *of == day).map(|(_, told)| told.cost).sum();
        let recorded = recorded.iter().filter(|row| row.day == day).map(|row| row.cost).sum();
        let difference = exported - recorded;
        let budgets = places.iter().filter(|place| export.billed && place.day == day);
        let budgets = budgets.map(|place| {
            let key = (place.wanted.key.budget, day);
            let adjusted = adjusted.get(&key).copied().unwrap_or_default();
            let lease_lost = lost.get(&key).copied().unwrap_or_default();
            let adds = difference - adjusted;
            ReconciledBudget { budget: key.0, adjusted, adds, lease_lost }
        });
        ReconciledDay {
            day,
            exported: export.billed.then_some(exported),
            recorded,
            difference: export.billed.then_some(difference),
            over: end_of(day) <= now,
            budgets: budgets.collect(),
        }
    };
    let days = export.days.iter().map(|it| day(*it)).collect();
    let rows = rows(export, &recorded);
    Ok(Reconciliation { provider: provider.to_owned(), applied: false, rows, days })
}

fn by_place(found: Vec<Adjusted>) -> BTreeMap<(BudgetId, NaiveDate), Money> {
    found.into_iter().map(|it| ((it.budget, it.day), it.amount)).collect()
}

/// Each day and model that either side tells of.
fn rows(export: &Export, recorded: &[Recorded]) -> Vec<ReconciledRow> {
    let ours: BTreeMap<RowKey, &Recorded> =
        recorded.iter().map(|row| ((row.day, Some(row.model.clone())), row)).collect();
    let keys: BTreeSet<&RowKey> = export.rows.keys().chain(ours.keys()).collect();
    let row = |key: &RowKey| {
        let told = export.rows.get(key).copied().unwrap_or_default();
        let ours = ours.get(key).copied();
        let recorded = ours.map_or(Money::ZERO, |it| it.cost);
        let count = |count: Option<i64>| u64::try_from(count.unwrap_or(0)).unwrap_or(0);
        ReconciledRow {
            day: key.0,
            model: key.1.clone(),
            exported: export.billed.then_some(told.cost),
            recorded,
            difference: export.billed.then_some(told.cost - recorded),
            exported_input_tokens: told.input_tokens,
            exported_output_tokens: told.output_tokens,
            recorded_input_tokens: count(ours.map(|it| it.input_tokens)),
            recorded_output_tokens: count(ours.map(|it| it.output_tokens)),
        }
    };
    keys.into_iter().map(row).collect()
}

/// Writes an entry for every budget and day that is not adjusted as the export tells.
async fn apply(
    tx: &mut Tenant,
    scope: &Scope,
    asked: &Reconcile,
    ledger: &mut Ledger,
    mut report: Reconciliation,
    places: &[Place],
) -> Result<Reconciliation, Problem> {
    let (org, author) = (scope.org(), scope.author());
    let mut events = Vec::new();
    let mut days = report.days.iter_mut();
    let mut written = 0;
    for day in days.by_ref() {
        let (exported, recorded) = (day.exported.unwrap_or_default(), day.recorded);
        for budget in &mut day.budgets {
            let place =
                places.iter().find(|it| it.day == day.day && it.wanted.key.budget == budget.budget);
            let Some(key) = place.map(|place| place.wanted.key) else { continue };
            // No more is taken away than counts as spent.
            let (amount, effect) = ledger.adjust(key, budget.adds);
            budget.adds = amount;
            if amount == Money::ZERO {
                continue;
            }
            if amount.is_positive() {
                // What nodes have in hand may be more than is left now.
                recall(tx, &[key]).await.map_err(problem)?;
            }
            let new = New {
                id: AdjustmentId::generate(),
                key,
                amount,
                reason: AdjustmentReason::Reconciled.as_str(),
                reverses: None,
                told: Some((day.day, &asked.provider)),
                note: "",
                created_by: author.actor_id(),
            };
            sql::adjust::insert(tx, &new).await.map_err(problem)?;
            let event = AdjustmentEvent::Reconciled {
                budget: key.budget,
                adjustment: new.id,
                provider: asked.provider.clone(),
                day: day.day,
                amount,
                exported,
                recorded,
            };
            events.push(Entry::new(author.clone(), Event::Adjustment(event)));
            events.extend(crossed(org, &effect.crossings));
            written += 1;
        }
    }
    sql::ledger::write(tx, ledger).await.map_err(problem)?;
    events
        .push(Entry::new(author.clone(), Event::Adjustment(applied(org, asked, &report, written))));
    ralex_audit::record_all(tx, events).await.map_err(problem)?;
    report.applied = true;
    Ok(report)
}

/// The periods in which something was taken away from what is spent.
fn lowered(report: &Reconciliation, places: &[Place]) -> BTreeSet<PeriodKey> {
    let takes = |place: &&Place| {
        let day = report.days.iter().find(|it| it.day == place.day);
        let mut budgets = day.into_iter().flat_map(|it| &it.budgets);
        budgets.any(|it| it.budget == place.wanted.key.budget && it.adds < Money::ZERO)
    };
    places.iter().filter(takes).map(|place| place.wanted.key).collect()
}

fn applied(
    org: OrgId,
    asked: &Reconcile,
    report: &Reconciliation,
    entries: u32,
) -> AdjustmentEvent {
    let digest = Sha256::digest(asked.export.as_bytes());
    let digest = digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    });
    AdjustmentEvent::Applied {
        org,
        provider: asked.provider.clone(),
        format: asked.format.as_str(),
        digest,
        days: u32::try_from(report.days.len()).unwrap_or(u32::MAX),
        entries,
    }
}

fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

fn end_of(day: NaiveDate) -> DateTime<Utc> {
    start_of(day.checked_add_days(Days::new(1)).unwrap_or(day))
}
