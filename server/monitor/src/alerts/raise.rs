//! Raising: an alert and its deliveries are written in the transaction that found the cause.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::alerts::{AlertKind, ChannelKind, Severity};
use ralex_kernel::{AlertDeliveryId, AlertId, EventId, OrgId};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use super::book::Book;
use super::sql::{self, Told};

/// Something to be told. Of one `dedup` there is one alert.
#[derive(Clone, Debug)]
pub(crate) struct Raise {
    pub org: OrgId,
    pub kind: AlertKind,
    /// Where it is more than the kind's own.
    pub severity: Option<Severity>,
    pub subject: String,
    pub subject_name: String,
    pub team: Option<Uuid>,
    pub project: Option<Uuid>,
    pub dedup: String,
    /// It has a cause that can end and come back.
    pub standing: bool,
    pub detail: Map<String, Value>,
    pub at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub event: Option<EventId>,
    pub count: i64,
}

impl Raise {
    pub fn severity(&self, book: &Book) -> Severity {
        self.severity.unwrap_or_else(|| book.severity(self.kind))
    }
}

/// Raises all of them, and sets those on their way that are new. Returns how many are.
pub(crate) async fn raise(
    conn: &mut PgConnection,
    book: &Book,
    now: DateTime<Utc>,
    raises: Vec<Raise>,
) -> Result<u64, sqlx::Error> {
    let mut rules: BTreeMap<OrgId, Vec<Told>> = BTreeMap::new();
    let mut new = 0;
    for raise in merged(raises) {
        let title = book.title(raise.kind, &raise.detail);
        let severity = raise.severity(book);
        let row = sql::alerts::New {
            id: AlertId::generate(),
            raise: &raise,
            severity: severity.as_str(),
            title: &title,
        };
        let Some(id) = sql::alerts::insert(conn, &row).await? else { continue };
        new += 1;
        metrics::counter!("ralex_alerts_raised_total", "kind" => raise.kind.as_str(), "severity" => severity.as_str())
            .increment(1);
        // What tells of a channel that fails would only fail there.
        if raise.kind == AlertKind::AlertUndelivered {
            continue;
        }
        if let std::collections::btree_map::Entry::Vacant(unknown) = rules.entry(raise.org) {
            unknown.insert(sql::rules::told(conn, raise.org).await?);
        }
        let told = rules.get(&raise.org).map_or(&[][..], Vec::as_slice);
        let deliveries = deliveries(book, &raise, severity, told, now);
        sql::deliveries::insert(conn, raise.org, id, &deliveries).await?;
    }
    Ok(new)
}

/// The same thing, found often in one look, counts as often and is written once, as it was last.
fn merged(raises: Vec<Raise>) -> Vec<Raise> {
    let mut places: BTreeMap<(OrgId, String), usize> = BTreeMap::new();
    let mut merged: Vec<Raise> = Vec::new();
    for raise in raises {
        let key = (raise.org, raise.dedup.clone());
        if let Some(earlier) = places.get(&key).and_then(|place| merged.get_mut(*place)) {
            let event = earlier.event.or(raise.event);
            let count = earlier.count + raise.count;
            *earlier = Raise { event, count, ..raise };
        } else {
            places.insert(key, merged.len());
            merged.push(raise);
        }
    }
    merged
}

/// One alert that is to go to one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub id: AlertDeliveryId,
    pub channel: Uuid,
    pub kind: ChannelKind,
    pub target: String,
    pub held: bool,
    pub due_at: DateTime<Utc>,
    pub give_up_at: DateTime<Utc>,
}

/// Whom the rules tell of it. Somebody whom several name gets it once, by the one that disturbs
/// soonest.
fn deliveries(
    book: &Book,
    raise: &Raise,
    severity: Severity,
    told: &[Told],
    now: DateTime<Utc>,
) -> Vec<Delivery> {
    let mut chosen: BTreeMap<(ChannelKind, String), Delivery> = BTreeMap::new();
    for told in told.iter().filter(|told| tells(book, told, raise, severity)) {
        let quiet = told.quiet.as_ref().filter(|_| severity != Severity::Critical);
        let end = quiet.and_then(|quiet| quiet.end(now));
        let due_at = end.unwrap_or(now);
        let delivery = Delivery {
            id: AlertDeliveryId::generate(),
            channel: told.channel,
            kind: told.kind,
            target: told.shown(),
            held: end.is_some(),
            due_at,
            give_up_at: due_at + TimeDelta::hours(book.delivery.give_up_hours),
        };
        let key = (told.kind, told.target.to_lowercase());
        let sooner = chosen.get(&key).is_none_or(|other| delivery.due_at < other.due_at);
        if sooner {
            chosen.insert(key, delivery);
        }
    }
    chosen.into_values().collect()
}

fn tells(book: &Book, told: &Told, raise: &Raise, severity: Severity) -> bool {
    let kind = if told.kinds.is_empty() {
        book.is_usual(raise.kind)
    } else {
        told.kinds.iter().any(|kind| kind == raise.kind.as_str())
    };
    let budget = told.budget.is_none_or(|id| raise.subject == format!("budget:{id}"));
    let team = told.team.is_none_or(|team| raise.team == Some(team));
    let project = told.project.is_none_or(|project| raise.project == Some(project));
    kind && severity >= told.least && budget && team && project
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raise(kind: AlertKind) -> Raise {
        Raise {
            org: OrgId::generate(),
            kind,
            severity: None,
            subject: "budget:1".to_owned(),
            subject_name: "Budget".to_owned(),
            team: None,
            project: None,
            dedup: "one".to_owned(),
            standing: false,
            detail: Map::new(),
            at: Utc::now(),
            ends_at: None,
            event: None,
            count: 1,
        }
    }

    fn told(target: &str) -> Told {
        Told {
            channel: Uuid::now_v7(),
            kind: ChannelKind::Email,
            target: target.to_owned(),
            kinds: Vec::new(),
            least: Severity::Info,
            team: None,
            project: None,
            budget: None,
            quiet: None,
        }
    }

    #[test]
    fn what_is_found_often_at_once_is_one_alert_with_a_count() {
        let one = raise(AlertKind::BudgetExhausted);
        let other = Raise { dedup: "other".to_owned(), ..one.clone() };
        let merged = merged(vec![one.clone(), other, one.clone(), one]);
        assert_eq!(merged.iter().map(|it| it.count).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn a_rule_tells_of_its_kinds_its_place_and_what_matters_enough() {
        let book = Book::built_in().unwrap();
        let count = |raise: &Raise, told: &Told| {
            let severity = raise.severity(&book);
            deliveries(&book, raise, severity, std::slice::from_ref(told), Utc::now()).len()
        };
        let threshold = raise(AlertKind::BudgetThreshold);
        assert_eq!(count(&threshold, &told("a@b")), 1);
        let critical = Told { least: Severity::Critical, ..told("a@b") };
        assert_eq!(count(&threshold, &critical), 0);
        assert_eq!(count(&raise(AlertKind::BudgetExhausted), &critical), 1);
        let other = Told { kinds: vec!["sink.parked".to_owned()], ..told("a@b") };
        assert_eq!(count(&threshold, &other), 0);
        let team = Some(Uuid::now_v7());
        assert_eq!(count(&threshold, &Told { team, ..told("a@b") }), 0);
        assert_eq!(count(&Raise { team, ..threshold }, &Told { team, ..told("a@b") }), 1);
        // What comes often is told only to those who name it.
        let waiting = raise(AlertKind::ApprovalWaiting);
        assert_eq!(count(&waiting, &told("a@b")), 0);
        let named = Told { kinds: vec!["approval.waiting".to_owned()], ..told("a@b") };
        assert_eq!(count(&waiting, &named), 1);
    }

    #[test]
    fn somebody_whom_two_rules_name_is_told_once() {
        let book = Book::built_in().unwrap();
        let told = [told("Ada@example.com"), told("ada@example.com"), told("bob@example.com")];
        let raise = raise(AlertKind::BudgetThreshold);
        let sent = deliveries(&book, &raise, Severity::Warning, &told, Utc::now());
        assert_eq!(sent.len(), 2);
    }
}
