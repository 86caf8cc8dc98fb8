//! Watching figures: what no event tells of, looked at steadily by whichever server comes first.
//!
//! Every half minute come the cheap looks over all organisations; forecasts and anomalies, which
//! read weeks of history, come every quarter of an hour for each, one organisation at a time.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use ralex_access::Access;
use ralex_api::alerts::AlertKind;
use ralex_api::forecast::{Anomaly, AnomalyQuery};
use ralex_api::usage::GroupBy;
use ralex_kernel::{BudgetId, OrgId, Problem};
use ralex_store::{Error, Sweeper, System, problem};
use serde_json::{Map, Value, json};
use tracing::warn;

use super::fact::{Found, Subject};
use super::place::BudgetPlace;
use super::raise::{Raise, raise};
use super::{Alerts, sql};

const WATCHER: Sweeper = Sweeper {
    name: "alert figures",
    why: "raise alerts from figures",
    pace: Duration::from_secs(30),
    at_once: 1,
};
/// Organisations whose forecasts are looked at in one round.
const AT_ONCE: usize = 20;
const ANOMALY_LASTS: TimeDelta = TimeDelta::days(2);
/// How long alerts are kept.
const KEPT: TimeDelta = TimeDelta::days(400);

impl Alerts {
    /// Raises alerts from figures, until `shutdown`.
    pub async fn watch(&self, shutdown: impl Future<Output = ()>) {
        WATCHER.run(shutdown, || self.look()).await;
    }

    /// One round. Returns how many organisations' forecasts were looked at.
    pub(crate) async fn look(&self) -> Result<u64, Error> {
        WATCHER.all(&self.0.db, async |tx| self.look_at_all(tx).await).await?;
        let mut looked = 0;
        while looked < AT_ONCE as u64 {
            let Some(org) = self.next_to_look_at().await? else { break };
            looked += 1;
            for outcome in [self.forecasts(org).await, self.anomalies(org).await] {
                if let Err(problem) = outcome {
                    let why = &problem.detail;
                    warn!(org.id = %org, "figures for alerts cannot be looked at: {why}");
                }
            }
        }
        Ok(looked)
    }

    async fn look_at_all(&self, mut tx: System) -> Result<u64, Error> {
        let now = self.0.parts.clock.now();
        sql::alerts::end_late(&mut tx, now).await?;
        sql::alerts::forget(&mut tx, now - KEPT).await?;
        let mut raises = self.degraded(&mut tx).await?;
        raises.extend(self.lagging(&mut tx).await?);
        raises.extend(self.books(&mut tx).await?);
        raise(&mut tx, &self.0.book, now, raises).await?;
        tx.commit().await?;
        Ok(0)
    }

    async fn degraded(&self, tx: &mut System) -> Result<Vec<Raise>, Error> {
        let now = self.0.parts.clock.now();
        let found = sql::watch::degraded(tx, now).await?;
        let raises = found.into_iter().map(|(org, budget, degrade_at, place)| {
            let detail = object(json!({ "degrade_at": degrade_at }));
            place.raise(org, self.figure(AlertKind::BudgetDegraded, budget, detail))
        });
        Ok(raises.collect())
    }

    async fn lagging(&self, tx: &mut System) -> Result<Vec<Raise>, Error> {
        let now = self.0.parts.clock.now();
        let minutes = self.0.book.watch.sink_lag_minutes;
        let lagging = sql::watch::lagging(tx, now, minutes).await?;
        let late: Vec<String> = lagging.iter().map(|lag| format!("sink:{}", lag.sink)).collect();
        sql::alerts::end_others(tx, AlertKind::SinkLagging, &late, now).await?;
        let raises = lagging.into_iter().map(|lag| Raise {
            org: lag.org,
            kind: AlertKind::SinkLagging,
            severity: None,
            subject: format!("sink:{}", lag.sink),
            dedup: format!("sink.lagging:sink:{}", lag.sink),
            detail: object(
                json!({ "sink": lag.name, "behind": lag.behind, "failure": lag.failure }),
            ),
            subject_name: lag.name,
            team: None,
            project: None,
            standing: true,
            at: now,
            ends_at: None,
            event: None,
            count: 1,
        });
        Ok(raises.collect())
    }

    /// Looked at only where this server's own look at the books found something.
    async fn books(&self, tx: &mut System) -> Result<Vec<Raise>, Error> {
        let now = self.0.parts.clock.now();
        let books = self.0.parts.budgets.books();
        let off = if books.off() > 0 { books.differences(&self.0.db).await? } else { Vec::new() };
        let subjects: Vec<String> = off.iter().map(|it| format!("budget:{}", it.budget)).collect();
        sql::alerts::end_others(tx, AlertKind::BooksOff, &subjects, now).await?;
        let mut raises = Vec::with_capacity(off.len());
        for it in off {
            let detail = object(json!({ "finding": it.to_string() }));
            let found = self.figure(AlertKind::BooksOff, it.budget, detail);
            raises.extend(super::place::placed(tx, it.org, vec![found]).await?);
        }
        Ok(raises)
    }

    /// The organisation that was not looked at for longest, if that is long enough.
    async fn next_to_look_at(&self) -> Result<Option<OrgId>, Error> {
        let now = self.0.parts.clock.now();
        let before = now - TimeDelta::minutes(self.0.book.watch.look_minutes);
        let mut tx = self.0.db.system("find whose forecasts to look at").await?;
        let org = sql::cursor::look_at(&mut tx, before, now).await?;
        tx.commit().await?;
        Ok(org)
    }

    pub(crate) async fn forecasts(&self, org: OrgId) -> Result<(), Problem> {
        let (book, parts) = (&self.0.book, &self.0.parts);
        let now = parts.clock.now();
        let mut tx = self.0.db.system("find budgets to foretell").await?;
        let spent = book.watch.forecast_spent_percent;
        let candidates =
            sql::watch::to_foretell(&mut tx, org, now, spent).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let scope = Access::internal(org);
        let mut raises = Vec::new();
        for (id, place) in candidates {
            let budget = parts.budgets.find(&scope, id).await?;
            let forecast = parts.usage.budget_forecast(&scope, &budget, None).await?;
            let Some(expected) = forecast.expected else { continue };
            let chance = expected.passes_limit.unwrap_or(0.0);
            if chance * 100.0 < f64::from(book.watch.forecast_percent) {
                continue;
            }
            let by = expected.passes_limit_at.unwrap_or(forecast.until);
            let detail = object(json!({
                "by": by.to_rfc3339_opts(SecondsFormat::Secs, true),
                "percent": (chance * 100.0).round(),
                "spent": forecast.spent,
                "limit": forecast.limit,
                "middle": expected.middle,
            }));
            raises.push(place.raise(org, self.figure(AlertKind::BudgetForecast, id, detail)));
        }
        self.write(raises).await
    }

    pub(crate) async fn anomalies(&self, org: OrgId) -> Result<(), Problem> {
        let query = AnomalyQuery { group_by: GroupBy::Team, days: Some(1) };
        let found = self.0.parts.usage.anomalies(&Access::internal(org), &query).await?;
        if found.items.is_empty() {
            return Ok(());
        }
        let mut tx = self.0.db.system("name the teams of anomalies").await?;
        let mut raises = Vec::with_capacity(found.items.len());
        for anomaly in found.items {
            let team = sql::places::team(&mut tx, org, &anomaly.key).await.map_err(problem)?;
            raises.push(self.strange(org, team, anomaly));
        }
        tx.rollback().await.map_err(problem)?;
        self.write(raises).await
    }

    fn strange(&self, org: OrgId, team: Option<uuid::Uuid>, anomaly: Anomaly) -> Raise {
        let subject = team.map_or_else(|| "usage:".to_owned(), |team| format!("team:{team}"));
        let hour = anomaly.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let now = self.0.parts.clock.now();
        Raise {
            org,
            kind: AlertKind::SpendAnomaly,
            severity: None,
            dedup: format!("spend.anomaly:{subject}:{hour}"),
            subject,
            subject_name: anomaly.name.clone(),
            team,
            project: None,
            standing: false,
            detail: object(json!({
                "name": anomaly.name,
                "hour": hour,
                "cost": anomaly.cost,
                "usual": anomaly.usual,
                "threshold": anomaly.threshold,
                "calls": anomaly.calls,
            })),
            at: now,
            ends_at: Some(now + ANOMALY_LASTS),
            event: None,
            count: 1,
        }
    }

    async fn write(&self, raises: Vec<Raise>) -> Result<(), Problem> {
        if raises.is_empty() {
            return Ok(());
        }
        let mut tx = self.0.db.system(WATCHER.why).await?;
        let now = self.0.parts.clock.now();
        raise(&mut tx, &self.0.book, now, raises).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    fn figure(&self, kind: AlertKind, budget: BudgetId, detail: Map<String, Value>) -> Found {
        Found {
            kind,
            severity: None,
            subject: Subject::Budget(budget.uuid()),
            key: String::new(),
            detail,
            at: self.0.parts.clock.now(),
            event: None,
        }
    }
}

/// A budget that is to be looked at.
pub(crate) type Candidate = (BudgetId, BudgetPlace);

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}
