//! Alerts: what happened that a person should know of, who is told, and what came of the telling.

use chrono::{DateTime, Utc};
use ralex_kernel::{AlertChannelId, AlertDeliveryId, AlertId, AlertRuleId, EventId, Name};
use serde::{Deserialize, Serialize};
use serde_json::Value;

crate::words! {
    /// What an alert is about. `policies/monitor/alerts.toml` has the words for each.
    pub enum AlertKind {
        BudgetThreshold = "budget.threshold",
        BudgetExhausted = "budget.exhausted",
        BudgetOverrun = "budget.overrun",
        BudgetLeaseLost = "budget.lease_lost",
        BudgetDegraded = "budget.degraded",
        BudgetForecast = "budget.forecast",
        BooksOff = "books.off",
        SpendAnomaly = "spend.anomaly",
        SinkParked = "sink.parked",
        SinkLagging = "sink.lagging",
        RetentionAsked = "retention.asked",
        RetentionFailed = "retention.failed",
        ArchiveFailed = "archive.failed",
        AuditPruned = "audit.pruned",
        ApprovalWaiting = "approval.waiting",
        LoginFailures = "login.failures",
        TokenLeaked = "token.leaked",
        BreakGlassOpened = "break_glass.opened",
        AlertUndelivered = "alert.undelivered",
    }

    /// How much it matters, the least first.
    pub enum Severity {
        Info = "info",
        Warning = "warning",
        Critical = "critical",
    }

    /// How an alert stands.
    pub enum AlertState {
        /// Nobody has taken it on.
        Open = "open",
        /// A person has.
        Acknowledged = "acknowledged",
        /// It is over: its cause ended, or a person said so.
        Resolved = "resolved",
    }

    /// How somebody is told.
    pub enum ChannelKind {
        Email = "email",
        /// A POST, signed as Standard Webhooks says.
        Webhook = "webhook",
    }

    /// What came of telling somebody.
    pub enum DeliveryState {
        /// It is on its way.
        Pending = "pending",
        /// Quiet hours hold it back; it goes out with all others when they end.
        Held = "held",
        /// The last try failed; the next one comes by itself.
        Retrying = "retrying",
        Sent = "sent",
        /// It was refused for good, or failed for too long.
        GaveUp = "gave_up",
        /// Its channel was taken away before it went out.
        Canceled = "canceled",
    }

    pub enum Day {
        Monday = "mon",
        Tuesday = "tue",
        Wednesday = "wed",
        Thursday = "thu",
        Friday = "fri",
        Saturday = "sat",
        Sunday = "sun",
    }
}

crate::answer! {
    pub struct Alert {
        pub id: AlertId,
        pub kind: AlertKind,
        pub severity: Severity,
        pub state: AlertState,
        pub title: String,
        /// What it is about, as `kind:id` (`budget:…`, `sink:…`).
        pub subject: String,
        /// What that is called.
        pub subject_name: String,
        /// Where it belongs: `org`, `team:<slug>` or `project:<slug>`.
        pub scope: String,
        /// Figures and names, as the kind has them.
        pub detail: Value,
        /// How often it happened; an alert of the same thing is not raised again.
        pub occurrences: u64,
        pub raised_at: DateTime<Utc>,
        /// When it happened last.
        pub last_at: DateTime<Utc>,
        /// When it is over by itself, as a budget's period.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ends_at: Option<DateTime<Utc>>,
        /// The event of the audit log that it comes from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub event: Option<EventId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub acknowledged_at: Option<DateTime<Utc>>,
        /// The address of who took it on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub acknowledged_by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub resolved_at: Option<DateTime<Utc>>,
        /// Absent where it ended by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub resolved_by: Option<String>,
        /// Whether whoever asks has read it; false for who is no person.
        pub read: bool,
        /// Whom it was told, and what came of it.
        pub deliveries: Vec<AlertDelivery>,
    }

    /// One alert on its way to one channel.
    pub struct AlertDelivery {
        pub id: AlertDeliveryId,
        pub alert: AlertId,
        pub alert_title: String,
        /// Absent where the rule or its channel is no more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub rule: Option<AlertRuleId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub channel: Option<AlertChannelId>,
        pub kind: ChannelKind,
        /// An e-mail address, or the host of a webhook.
        pub to: String,
        pub state: DeliveryState,
        pub attempts: u32,
        /// Why the last try failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub failure: Option<String>,
        /// When it is tried next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub next_attempt_at: Option<DateTime<Utc>>,
        pub created_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ended_at: Option<DateTime<Utc>>,
    }

    /// What waits to be read.
    pub struct AlertsUnread {
        /// Open alerts that whoever asks has not read.
        pub unread: u64,
        /// Those of them that are critical.
        pub critical: u64,
    }

    /// A kind of alert, in words.
    pub struct AlertKindInfo {
        pub kind: AlertKind,
        pub name: String,
        /// When it is raised, and what to do.
        pub meaning: String,
        /// How much it matters, at least.
        pub severity: Severity,
        /// Whether a rule that names no kinds tells of it.
        pub usual: bool,
    }

    pub struct AlertKinds {
        pub items: Vec<AlertKindInfo>,
        /// Whether mail can be sent: an operator has named a mail server.
        pub mail: bool,
    }

    /// Who is told of which alerts.
    pub struct AlertRule {
        pub id: AlertRuleId,
        pub name: Name,
        pub enabled: bool,
        /// None means all that are usual.
        pub kinds: Vec<AlertKind>,
        /// What matters less is only in the inbox.
        pub least_severity: Severity,
        /// `org` for everything, else `team:<slug>`, `project:<slug>` or `budget:<id>`.
        pub scope: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub quiet: Option<QuietHours>,
        pub channels: Vec<AlertChannel>,
        pub created_at: DateTime<Utc>,
        pub updated_at: DateTime<Utc>,
    }

    pub struct AlertRules {
        pub items: Vec<AlertRule>,
    }

    /// Where a rule tells of alerts.
    pub struct AlertChannel {
        pub id: AlertChannelId,
        pub kind: ChannelKind,
        /// An e-mail address, or the address of a webhook.
        pub to: String,
        /// Deliveries that were given up since the last one that was taken.
        pub failures: u32,
        /// Why the last try failed, where none has succeeded since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub failure: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub failed_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub delivered_at: Option<DateTime<Utc>>,
        /// What signs a webhook's deliveries; told once, when the webhook is new.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub secret: Option<String>,
    }

    /// What came of messages that were only to try.
    pub struct AlertRuleTested {
        pub channels: Vec<ChannelTested>,
    }

    pub struct ChannelTested {
        pub channel: AlertChannelId,
        pub kind: ChannelKind,
        pub to: String,
        pub delivered: bool,
        /// What the receiver said, or why it could not.
        pub detail: String,
        pub duration_ms: u64,
    }
}

/// When nobody is to be disturbed. What is critical passes; all else waits for the end, and then
/// goes out together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct QuietHours {
    /// IANA time zone.
    pub time_zone: String,
    /// `22:00`
    pub from: String,
    /// `07:00`; of the next day where that is not later than `from`.
    pub to: String,
    /// The days on which they begin.
    pub days: Vec<Day>,
}

crate::request! {
    pub struct NewAlertRule {
        /// Nobody else's in the organisation.
        pub name: Name,
        /// Absent or none: all that are usual.
        #[serde(default)]
        pub kinds: Vec<AlertKind>,
        /// `warning` when absent.
        #[serde(default)]
        pub least_severity: Option<Severity>,
        /// `org`, `team:<slug>`, `project:<slug>` or `budget:<id>`; `org` when absent.
        #[serde(default)]
        pub scope: Option<String>,
        #[serde(default)]
        pub quiet: Option<QuietHours>,
        /// From 1 to 10.
        pub channels: Vec<NewAlertChannel>,
        /// True when absent.
        #[serde(default)]
        pub enabled: Option<bool>,
    }

    pub struct NewAlertChannel {
        pub kind: ChannelKind,
        /// An e-mail address, or the address of a webhook.
        pub to: String,
    }

    /// A change; absent fields stay.
    pub struct UpdateAlertRule {
        #[serde(default)]
        pub name: Option<Name>,
        #[serde(default)]
        pub enabled: Option<bool>,
        #[serde(default)]
        pub kinds: Option<Vec<AlertKind>>,
        #[serde(default)]
        pub least_severity: Option<Severity>,
        #[serde(default)]
        pub scope: Option<String>,
        /// Null ends them, and lets go what they hold back.
        #[serde(default, deserialize_with = "crate::given", skip_serializing_if = "Option::is_none")]
        pub quiet: Option<Option<QuietHours>>,
        /// All of them. One that is there already keeps its secret; a webhook that is new gets one.
        #[serde(default)]
        pub channels: Option<Vec<NewAlertChannel>>,
    }

    pub struct ReadAlerts {
        /// Absent: all that are there.
        #[serde(default)]
        pub alerts: Option<Vec<AlertId>>,
    }
}

/// Which alerts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct AlertsQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AlertState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AlertKind>,
    /// Only what matters as much or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_severity: Option<Severity>,
    /// Only what is about this (`budget:<id>`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only what whoever asks has not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<bool>,
}
