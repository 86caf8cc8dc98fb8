//! Facts: what an event of the audit log means for alerts. No event says more than it was given.

use chrono::{DateTime, Utc};
use ralex_api::alerts::{AlertKind, Severity};
use ralex_audit::Pruning;
use ralex_kernel::{Code, EventId, ScopePath};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::book::Watch;

/// The actions that mean anything, so that no other is fetched.
pub(crate) const ACTIONS: [&str; 31] = [
    "approval.approved",
    "approval.asked",
    "approval.denied",
    "approval.expired",
    "audit.archive_failed",
    "audit.erasure_failed",
    "audit.person_erased",
    "audit.prune_failed",
    "audit.prune_resumed",
    "audit.pruned",
    "audit.retention_asked",
    "audit.retention_changed",
    "audit.retention_denied",
    "break_glass.opened",
    "budget.deleted",
    "budget.increased",
    "budget.lease_lost",
    "budget.overrun",
    "budget.threshold_crossed",
    "budget.updated",
    "call.refused",
    "link.leaked",
    "login.factor_failed",
    "login.failed",
    "session.leaked",
    "sink.deleted",
    "sink.parked",
    "sink.resumed",
    "sink.skipped",
    "sink.updated",
    "token.leaked",
];

/// An event as it stands in the log.
#[derive(Debug)]
pub(crate) struct Happened {
    pub id: EventId,
    pub action: String,
    pub at: DateTime<Utc>,
    pub leaf: Vec<u8>,
}

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Raise(Found),
    /// The cause of these has ended, and may come back.
    Ended {
        subject: String,
        kinds: &'static [AlertKind],
    },
    /// What they are about is no more.
    Gone {
        subject: String,
    },
}

/// Something to be told, before it is known how its subject is called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub kind: AlertKind,
    pub severity: Option<Severity>,
    pub subject: Subject,
    /// Tells apart what is told of one subject.
    pub key: String,
    pub detail: Map<String, Value>,
    pub at: DateTime<Utc>,
    pub event: Option<EventId>,
}

impl Found {
    /// Whether it says all that another says, and more: a higher threshold, passed with the lower.
    pub fn replaces(&self, earlier: &Self) -> bool {
        self.kind == AlertKind::BudgetThreshold
            && earlier.kind == self.kind
            && earlier.subject == self.subject
            && earlier.detail.get("spent") == self.detail.get("spent")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Budget(Uuid),
    Sink(Uuid),
    User(Uuid),
    Request(Uuid),
    Approval(Uuid, ScopePath),
    Pruning(Pruning),
    Event(EventId),
}

impl Subject {
    pub fn written(self) -> String {
        match self {
            Self::Budget(id) => format!("budget:{id}"),
            Self::Sink(id) => format!("sink:{id}"),
            Self::User(id) => format!("user:{id}"),
            Self::Request(id) => format!("audit_request:{id}"),
            Self::Pruning(what) => format!("retention:{}", what.as_str()),
            Self::Approval(id, _) => format!("approval:{id}"),
            Self::Event(id) => format!("event:{id}"),
        }
    }
}

/// Alerts that a new limit ends.
const LIMITED: &[AlertKind] =
    &[AlertKind::BudgetExhausted, AlertKind::BudgetDegraded, AlertKind::BudgetForecast];

/// An event with what it says, ready to be asked for its fields.
struct Said<'a> {
    event: &'a Happened,
    detail: &'a Value,
}

impl Said<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.detail.get(name).and_then(Value::as_str)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.detail.get(name).and_then(Value::as_u64)
    }

    fn id(&self, name: &str) -> Option<Uuid> {
        self.text(name)?.parse().ok()
    }

    fn budget(&self) -> Option<Subject> {
        self.id("budget").map(Subject::Budget)
    }

    fn pruning(&self) -> Option<Pruning> {
        let what = self.text("what")?;
        let all = [Pruning::Archive, Pruning::Events, Pruning::Records];
        all.into_iter().find(|it| it.as_str() == what)
    }

    fn sink(&self) -> Option<Subject> {
        self.id("sink").map(Subject::Sink)
    }

    fn found(&self, kind: AlertKind, subject: Subject, key: String, fields: &[&str]) -> Found {
        let kept = fields.iter().filter_map(|name| {
            let value = self.detail.get(*name)?;
            Some(((*name).to_owned(), value.clone()))
        });
        let (at, event) = (self.event.at, Some(self.event.id));
        Found { kind, severity: None, subject, key, detail: kept.collect(), at, event }
    }
}

/// Reads an event. One that has not the form it should have means nothing.
pub(crate) fn read(event: &Happened, watch: &Watch) -> Option<Step> {
    let leaf: Value = serde_json::from_slice(&event.leaf).ok()?;
    let said = Said { event, detail: leaf.get("detail")? };
    let (action, _) = event.action.split_once('.')?;
    match action {
        "budget" => of_budget(&said),
        "sink" => of_sink(&said),
        "audit" => of_log(&said),
        "approval" => of_approval(&said),
        "call" => {
            (said.text("code")? == Code::BudgetExhausted.as_str()).then_some(())?;
            let (kind, fields) = (AlertKind::BudgetExhausted, ["model", "call"]);
            Some(Step::Raise(said.found(kind, said.budget()?, String::new(), &fields)))
        }
        "login" => {
            (said.number("failures")? >= watch.failed_logins).then_some(())?;
            let day = event.at.format("%Y-%m-%d").to_string();
            let user = Subject::User(said.id("user")?);
            Some(Step::Raise(said.found(AlertKind::LoginFailures, user, day, &["failures"])))
        }
        "break_glass" => {
            let (kind, fields) = (AlertKind::BreakGlassOpened, ["opening", "until"]);
            Some(Step::Raise(said.found(kind, Subject::Event(event.id), String::new(), &fields)))
        }
        "token" | "session" | "link" => {
            let kind = AlertKind::TokenLeaked;
            let fields = ["token", "session", "user", "found_at"];
            Some(Step::Raise(said.found(kind, Subject::Event(event.id), String::new(), &fields)))
        }
        _ => None,
    }
}

fn of_budget(said: &Said<'_>) -> Option<Step> {
    let budget = said.budget()?;
    let raise =
        |kind, key, fields: &[&str]| Some(Step::Raise(said.found(kind, budget, key, fields)));
    match said.event.action.as_str() {
        "budget.threshold_crossed" => {
            let percent = said.number("percent")?;
            let key = format!("{percent}:{}", said.text("limit")?);
            let fields = ["percent", "spent", "limit"];
            let found = said.found(AlertKind::BudgetThreshold, budget, key, &fields);
            let severity = (percent >= 100).then_some(Severity::Critical);
            Some(Step::Raise(Found { severity, ..found }))
        }
        "budget.overrun" => raise(AlertKind::BudgetOverrun, String::new(), &["call", "overrun"]),
        "budget.lease_lost" => {
            let node = said.text("node")?.to_owned();
            raise(AlertKind::BudgetLeaseLost, node, &["node", "amount"])
        }
        "budget.updated" | "budget.increased" => {
            Some(Step::Ended { subject: budget.written(), kinds: LIMITED })
        }
        "budget.deleted" => Some(Step::Gone { subject: budget.written() }),
        _ => None,
    }
}

fn of_sink(said: &Said<'_>) -> Option<Step> {
    let sink = said.sink()?;
    let ended = |kinds| Some(Step::Ended { subject: sink.written(), kinds });
    match said.event.action.as_str() {
        "sink.parked" => {
            let found = said.found(AlertKind::SinkParked, sink, String::new(), &["index", "why"]);
            Some(Step::Raise(found))
        }
        "sink.resumed" | "sink.skipped" => ended(&[AlertKind::SinkParked]),
        // What is switched off waits for nobody.
        "sink.updated" if said.detail.get("enabled") == Some(&json!(false)) => {
            ended(&[AlertKind::SinkParked, AlertKind::SinkLagging])
        }
        "sink.deleted" => Some(Step::Gone { subject: sink.written() }),
        _ => None,
    }
}

fn of_log(said: &Said<'_>) -> Option<Step> {
    let raise = |kind, subject, fields: &[&str]| {
        Step::Raise(said.found(kind, subject, String::new(), fields))
    };
    match said.event.action.as_str() {
        "audit.retention_asked" => {
            let request = Subject::Request(said.id("request")?);
            Some(raise(AlertKind::RetentionAsked, request, &["what", "reason"]))
        }
        "audit.retention_denied" | "audit.retention_changed" | "audit.person_erased" => {
            Some(Step::Gone { subject: Subject::Request(said.id("request")?).written() })
        }
        "audit.erasure_failed" => {
            let request = Subject::Request(said.id("request")?);
            Some(raise(AlertKind::RetentionFailed, request, &["why"]))
        }
        "audit.archive_failed" => {
            let archive = Subject::Pruning(Pruning::Archive);
            Some(raise(AlertKind::ArchiveFailed, archive, &["why"]))
        }
        "audit.prune_failed" => {
            let subject = Subject::Pruning(said.pruning()?);
            Some(raise(AlertKind::RetentionFailed, subject, &["why"]))
        }
        "audit.prune_resumed" => {
            let subject = Subject::Pruning(said.pruning()?).written();
            let kinds = &[AlertKind::ArchiveFailed, AlertKind::RetentionFailed];
            Some(Step::Ended { subject, kinds })
        }
        "audit.pruned" => {
            let fields = ["count", "from", "to", "tree_size"];
            Some(raise(AlertKind::AuditPruned, Subject::Event(said.event.id), &fields))
        }
        _ => None,
    }
}

fn of_approval(said: &Said<'_>) -> Option<Step> {
    let id = said.id("approval")?;
    match said.event.action.as_str() {
        "approval.asked" => {
            let place = serde_json::from_value(said.detail.get("scope")?.clone()).ok()?;
            let (approval, key) = (Subject::Approval(id, place), String::new());
            let fields = ["model", "call", "rules", "until"];
            Some(Step::Raise(said.found(AlertKind::ApprovalWaiting, approval, key, &fields)))
        }
        "approval.approved" | "approval.denied" | "approval.expired" => {
            Some(Step::Gone { subject: Subject::Approval(id, ScopePath::Org).written() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::book::Book;

    fn happened(action: &str, detail: &Value) -> Option<Step> {
        let leaf = json!({ "action": action, "detail": detail }).to_string().into_bytes();
        let (id, at) = (EventId::generate(), Utc::now());
        let event = Happened { id, action: action.to_owned(), at, leaf };
        read(&event, &Book::built_in().unwrap().watch)
    }

    #[test]
    fn a_full_threshold_is_critical_and_another_limit_is_another_alert() {
        let of = |percent: u32, limit: &str| {
            let detail =
                json!({ "budget": Uuid::nil(), "percent": percent, "spent": "1", "limit": limit });
            let Some(Step::Raise(found)) = happened("budget.threshold_crossed", &detail) else {
                panic!("nothing is raised")
            };
            (found.severity, found.key)
        };
        assert_eq!(of(80, "1").0, None);
        assert_eq!(of(100, "1").0, Some(Severity::Critical));
        assert_ne!(of(80, "1").1, of(80, "2").1);
    }

    #[test]
    fn only_what_a_budget_refuses_and_what_is_a_burst_is_told() {
        let refused = |code: &str, budget: Value| {
            happened(
                "call.refused",
                &json!({ "code": code, "budget": budget, "model": "m", "call": "c" }),
            )
        };
        assert!(refused("budget_exhausted", json!(Uuid::nil())).is_some());
        assert!(refused("budget_exhausted", Value::Null).is_none());
        assert!(refused("forbidden", Value::Null).is_none());
        let failed = |failures| {
            happened("login.failed", &json!({ "user": Uuid::nil(), "failures": failures }))
        };
        assert!(failed(4).is_none());
        assert!(failed(8).is_some());
    }

    #[test]
    fn what_cannot_be_pruned_is_told_until_it_can() {
        let Some(Step::Raise(failed)) = happened("audit.archive_failed", &json!({ "why": "x" }))
        else {
            panic!("nothing is raised")
        };
        let ended = happened("audit.prune_resumed", &json!({ "what": "archive" }));
        let Some(Step::Ended { subject, kinds }) = ended else { panic!("nothing ends") };
        assert!(kinds.contains(&failed.kind) && failed.subject.written() == subject);
        let of = |what: &str| happened("audit.prune_failed", &json!({ "what": what, "why": "x" }));
        assert!(matches!(of("records"), Some(Step::Raise(it)) if it.subject.written() != subject));
        assert!(of("nothing").is_none());
    }

    #[test]
    fn what_ends_a_cause_ends_its_alerts() {
        let sink = json!({ "sink": Uuid::nil(), "enabled": true });
        assert!(happened("sink.updated", &sink).is_none());
        assert!(matches!(happened("sink.resumed", &sink), Some(Step::Ended { .. })));
        assert!(matches!(happened("sink.deleted", &sink), Some(Step::Gone { .. })));
        assert!(happened("sink.parked", &json!({})).is_none(), "it names no sink");
        assert!(happened("team.created", &json!({})).is_none());
    }
}
