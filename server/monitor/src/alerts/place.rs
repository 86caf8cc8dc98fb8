//! Places: how the subject of an alert is called, where it belongs, and when it is over by itself.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use ralex_api::alerts::AlertKind;
use ralex_audit::Pruning;
use ralex_kernel::{OrgId, Period, ScopePath};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use super::fact::{Found, Subject};
use super::raise::Raise;
use super::sql;

/// How long alerts stay open that nothing else ends.
const EVENT_LASTS: TimeDelta = TimeDelta::days(7);
const RUN_LASTS: TimeDelta = TimeDelta::days(1);
const LOGINS_LAST: TimeDelta = TimeDelta::days(1);

/// A budget with the period that an instant was in.
#[derive(Clone, Debug)]
pub(crate) struct BudgetPlace {
    pub period: String,
    pub scope_name: Option<String>,
    pub only: Option<String>,
    pub team: Option<Uuid>,
    pub project: Option<Uuid>,
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
}

impl BudgetPlace {
    /// `monthly budget of Platform`
    pub fn name(&self) -> String {
        let period = Period::ALL.iter().find(|period| period.as_str() == self.period);
        let period = match period {
            Some(Period::Hour) => "hourly",
            Some(Period::Day) => "daily",
            Some(Period::Week) => "weekly",
            Some(Period::Month) => "monthly",
            Some(Period::Quarter) => "quarterly",
            Some(Period::Year) => "yearly",
            Some(Period::Total) => "total",
            Some(Period::Rolling) => "rolling",
            Some(Period::Run) => "per-run",
            None => &self.period,
        };
        let scope = self.scope_name.as_deref().unwrap_or("something that was deleted");
        let only = self.only.as_ref().map(|only| format!(" for {only}")).unwrap_or_default();
        format!("{period} budget of {scope}{only}")
    }

    /// When the period ends, if ever.
    fn end(&self) -> Option<DateTime<Utc>> {
        // A budget for the total ends in a far future.
        self.ends_at.filter(|end| end.year() < 3000)
    }

    /// An alert about the budget in this period.
    pub fn raise(&self, org: OrgId, found: Found) -> Raise {
        let began = self.starts_at.map_or(0, |at| at.timestamp());
        let name = self.name();
        let mut raise = rough(org, found, &capital(&name), &[("budget", &name)]);
        raise.dedup = format!("{}:{began}", raise.dedup);
        raise.team = self.team;
        raise.project = self.project;
        // Runs come and go: that one of them had nothing left is news for a day.
        let is_run = self.period == Period::Run.as_str();
        raise.ends_at = if is_run { Some(raise.at + RUN_LASTS) } else { self.end() };
        raise
    }
}

/// Names what was found. What is no more by now is not told.
pub(crate) async fn placed(
    conn: &mut PgConnection,
    org: OrgId,
    found: Vec<Found>,
) -> Result<Vec<Raise>, sqlx::Error> {
    let mut budgets = Budgets::of(conn, org, &found).await?.0;
    let mut raises = Vec::with_capacity(found.len());
    for (number, found) in found.into_iter().enumerate() {
        let raise = match found.subject {
            Subject::Budget(_) => budgets.remove(&number).map(|place| place.raise(org, found)),
            Subject::Sink(id) => {
                let name = sql::places::sink(conn, org, id).await?;
                name.map(|name| rough(org, found, &name, &[("sink", &name)]))
            }
            Subject::User(id) => {
                let email = sql::places::user(conn, id).await?;
                email.map(|email| Raise {
                    ends_at: Some(found.at + LOGINS_LAST),
                    ..rough(org, found, &email, &[("user", &email)])
                })
            }
            Subject::Pruning(what) => {
                let name = match what {
                    Pruning::Archive => "Archive of the audit log",
                    Pruning::Events => "Pruning of the audit log",
                    Pruning::Records => "Pruning of records of calls",
                };
                Some(rough(org, found, name, &[("what", name)]))
            }
            Subject::Request(_) if found.kind == AlertKind::RetentionFailed => {
                let name = "Erasure of a person";
                let raise = rough(org, found, name, &[("what", name)]);
                // No request waits longer.
                Some(Raise { ends_at: Some(raise.at + EVENT_LASTS), ..raise })
            }
            Subject::Request(_) => Some(rough(org, found, "Retention of the audit log", &[])),
            Subject::Event(_) => Some(Raise {
                ends_at: Some(found.at + EVENT_LASTS),
                ..rough(org, found, "Audit log", &[])
            }),
            Subject::Approval(_, place) => Some(approval(org, found, place)),
        };
        raises.extend(raise);
    }
    Ok(raises)
}

fn approval(org: OrgId, found: Found, place: ScopePath) -> Raise {
    let until = found.detail.get("until").and_then(Value::as_str);
    let ends_at = until.and_then(|until| until.parse().ok());
    let raise = rough(org, found, "Approval", &[]);
    Raise {
        ends_at,
        team: place.team().map(Into::into),
        project: place.project().map(Into::into),
        ..raise
    }
}

fn rough(org: OrgId, found: Found, name: &str, more: &[(&str, &str)]) -> Raise {
    let subject = found.subject.written();
    let mut detail: Map<String, Value> = found.detail;
    detail.extend(more.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
    Raise {
        org,
        kind: found.kind,
        severity: found.severity,
        dedup: format!("{}:{subject}:{}", found.kind, found.key),
        subject,
        subject_name: name.to_owned(),
        team: None,
        project: None,
        standing: stands(found.kind),
        detail,
        at: found.at,
        ends_at: None,
        event: found.event,
        count: 1,
    }
}

/// Whether its cause can end and come back.
const fn stands(kind: AlertKind) -> bool {
    match kind {
        AlertKind::BudgetExhausted
        | AlertKind::BudgetDegraded
        | AlertKind::BudgetForecast
        | AlertKind::BooksOff
        | AlertKind::SinkParked
        | AlertKind::SinkLagging
        | AlertKind::ArchiveFailed
        | AlertKind::RetentionFailed
        | AlertKind::AlertUndelivered => true,
        AlertKind::BudgetThreshold
        | AlertKind::BudgetOverrun
        | AlertKind::BudgetLeaseLost
        | AlertKind::SpendAnomaly
        | AlertKind::RetentionAsked
        | AlertKind::AuditPruned
        | AlertKind::ApprovalWaiting
        | AlertKind::LoginFailures
        | AlertKind::TokenLeaked
        | AlertKind::BreakGlassOpened => false,
    }
}

/// The budgets among what was found, by its number.
struct Budgets(BTreeMap<usize, BudgetPlace>);

impl Budgets {
    async fn of(conn: &mut PgConnection, org: OrgId, found: &[Found]) -> Result<Self, sqlx::Error> {
        let asked: Vec<(usize, Uuid, DateTime<Utc>)> = found
            .iter()
            .enumerate()
            .filter_map(|(number, found)| match found.subject {
                Subject::Budget(id) => Some((number, id, found.at)),
                Subject::Sink(_)
                | Subject::User(_)
                | Subject::Request(_)
                | Subject::Event(_)
                | Subject::Pruning(_)
                | Subject::Approval(..) => None,
            })
            .collect();
        if asked.is_empty() {
            return Ok(Self(BTreeMap::new()));
        }
        let ids: Vec<Uuid> = asked.iter().map(|(_, id, _)| *id).collect();
        let times: Vec<DateTime<Utc>> = asked.iter().map(|(_, _, at)| *at).collect();
        let places = sql::places::budgets(conn, org, &ids, &times).await?;
        let numbered =
            places.into_iter().filter_map(|(place, budget)| Some((asked.get(place)?.0, budget)));
        Ok(Self(numbered.collect()))
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_called_by_its_period_its_scope_and_what_it_counts() {
        let mut place = BudgetPlace {
            period: "month".to_owned(),
            scope_name: Some("Platform".to_owned()),
            only: None,
            team: None,
            project: None,
            starts_at: None,
            ends_at: None,
        };
        assert_eq!(place.name(), "monthly budget of Platform");
        place.only = Some("gpt-5".to_owned());
        assert_eq!(capital(&place.name()), "Monthly budget of Platform for gpt-5");
    }
}
