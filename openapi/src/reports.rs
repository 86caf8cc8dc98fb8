//! Compliance reports: what is asked for, what came of it, and which controls it is evidence for.

use chrono::{DateTime, Utc};
use ralex_kernel::{Email, Name, ReportId, ReportScheduleId};
use serde::{Deserialize, Serialize};

crate::words! {
    /// What a report is about.
    pub enum ReportKind {
        /// Who holds which role where, who gave it, and what was changed.
        AccessReview = "access_review",
        /// Provider keys, their versions and rotations, signing keys, and tokens.
        KeyLifecycle = "key_lifecycle",
        /// Events of the audit log with a bundle that proves them.
        AuditExtract = "audit_extract",
        /// All that is kept about one person.
        DataSubject = "data_subject",
        /// Which models are used for what, by whom, and what oversees it.
        AiRegister = "ai_register",
        /// Whether the controls themselves work.
        ControlHealth = "control_health",
    }

    /// How far a report is.
    pub enum ReportState {
        Queued = "queued",
        Running = "running",
        Done = "done",
        Failed = "failed",
    }

    /// A file of a report.
    pub enum ReportFormat {
        Pdf = "pdf",
        Csv = "csv",
        Json = "json",
        /// Of an audit extract: what `ralex audit verify` reads.
        Bundle = "bundle",
    }

    /// How often a schedule asks.
    pub enum ReportEvery {
        /// Over the week that has ended, Monday to Sunday.
        Week = "week",
        Month = "month",
        Quarter = "quarter",
    }

    /// How a report went out by e-mail.
    pub enum ReportMail {
        Waiting = "waiting",
        Sent = "sent",
        Failed = "failed",
    }

    /// What the system itself can tell about a control.
    pub enum CheckState {
        Good = "good",
        /// Somebody should look.
        Attention = "attention",
        /// Ralex does nothing here; the evidence has to come from elsewhere.
        NotProvided = "not_provided",
    }
}

/// What a report is narrowed to. Which of these a kind takes, its documentation says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReportFilters {
    /// Access review and register of AI use: only this team, by its slug or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Data-subject pack: whom it is about, by e-mail address or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Audit extract: as in the search of the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// A random sample of an access review's roles or of an extract's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReportSample {
    /// 1 to 500.
    pub size: u32,
    /// The same seed over the same population selects the same items. One is drawn, and shown, where
    /// none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
}

crate::request! {
    pub struct NewReport {
        pub kind: ReportKind,
        /// 30 days before the end when absent; of a data-subject pack, the beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub from: Option<DateTime<Utc>>,
        /// Now when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub to: Option<DateTime<Utc>>,
        #[serde(default)]
        pub filters: ReportFilters,
        /// All that the kind has when absent.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub formats: Vec<ReportFormat>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub sample: Option<ReportSample>,
    }

    pub struct NewReportSchedule {
        pub name: Name,
        pub kind: ReportKind,
        pub every: ReportEvery,
        /// The day on which it is made: of the week (1 is Monday), or of the month or quarter, 1 to 28.
        pub day: u8,
        /// 0 to 23.
        pub hour: u8,
        /// An IANA name; UTC when absent. Periods and the hour are of this zone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub time_zone: Option<String>,
        #[serde(default)]
        pub filters: ReportFilters,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub formats: Vec<ReportFormat>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub sample: Option<ReportSample>,
        /// Who gets it by e-mail, beside its place in the list.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub recipients: Vec<Email>,
    }

    /// What is absent stays.
    pub struct UpdateReportSchedule {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub day: Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub hour: Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub recipients: Option<Vec<Email>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub enabled: Option<bool>,
    }
}

crate::answer! {
    /// A file of a report that is done.
    pub struct ReportFile {
        pub format: ReportFormat,
        pub bytes: u64,
        /// In hexadecimal, as the audit log has it too.
        pub sha256: String,
    }

    pub struct Report {
        pub id: ReportId,
        pub kind: ReportKind,
        /// What the kind is called.
        pub title: String,
        pub state: ReportState,
        /// How much of it is done.
        pub percent: u8,
        /// What is done at the moment.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub step: String,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub failure: Option<String>,
        pub from: DateTime<Utc>,
        pub to: DateTime<Utc>,
        pub filters: ReportFilters,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub sample: Option<ReportSample>,
        /// Of how many the sample was taken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub population: Option<u64>,
        pub formats: Vec<ReportFormat>,
        /// The person's e-mail address.
        pub asked_by: String,
        pub asked_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ended_at: Option<DateTime<Utc>>,
        /// Rows of all of its tables.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub rows: Option<u64>,
        /// The signed head of the audit log when it was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tree_size: Option<u64>,
        /// Its root, in base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub root: Option<String>,
        /// The key that signed it, as verifiers are given it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub key: Option<String>,
        pub files: Vec<ReportFile>,
        /// The schedule that asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub schedule: Option<ReportScheduleId>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub recipients: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub mail: Option<ReportMail>,
        /// Why it did not go out the last time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub mail_failure: Option<String>,
        /// When it is deleted by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<DateTime<Utc>>,
    }

    pub struct ReportSchedule {
        pub id: ReportScheduleId,
        pub name: Name,
        pub kind: ReportKind,
        pub title: String,
        pub every: ReportEvery,
        pub day: u8,
        pub hour: u8,
        pub time_zone: String,
        pub filters: ReportFilters,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub sample: Option<ReportSample>,
        pub formats: Vec<ReportFormat>,
        pub recipients: Vec<String>,
        pub enabled: bool,
        /// The person whose rights its reports are made with.
        pub made_by: String,
        pub created_at: DateTime<Utc>,
        pub next_at: DateTime<Utc>,
    }

    pub struct ReportSchedules {
        pub items: Vec<ReportSchedule>,
        /// Whether the server can send e-mail at all.
        pub mail: bool,
    }

    /// What one control is evidenced by.
    pub struct Control {
        pub clause: String,
        /// What it asks for, in our own words.
        pub title: String,
        /// What an auditor is usually shown.
        pub evidence: String,
        pub reports: Vec<ControlReport>,
        /// What the system itself can tell at this moment.
        pub checks: Vec<ControlCheck>,
        /// What has to come from elsewhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub beyond: Option<String>,
    }

    /// A report that shows something of a control.
    pub struct ControlReport {
        pub kind: ReportKind,
        pub title: String,
        /// Which part of it.
        pub shows: String,
        /// The newest one that is done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub newest: Option<ReportId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub newest_at: Option<DateTime<Utc>>,
    }

    pub struct ControlCheck {
        pub name: String,
        pub state: CheckState,
        /// One sentence.
        pub detail: String,
    }

    pub struct Framework {
        pub name: String,
        pub title: String,
        pub edition: String,
        pub controls: Vec<Control>,
    }

    pub struct Frameworks {
        /// What this is and is not.
        pub note: String,
        pub items: Vec<Framework>,
    }
}

impl ReportKind {
    pub const fn title(self) -> &'static str {
        match self {
            Self::AccessReview => "Access review",
            Self::KeyLifecycle => "Key lifecycle",
            Self::AuditExtract => "Audit extract with proof",
            Self::DataSubject => "Data-subject pack",
            Self::AiRegister => "Register of AI use",
            Self::ControlHealth => "Control health",
        }
    }

    /// What it can be had as.
    pub const fn formats(self) -> &'static [ReportFormat] {
        match self {
            Self::AuditExtract => ReportFormat::ALL,
            Self::AccessReview
            | Self::KeyLifecycle
            | Self::DataSubject
            | Self::AiRegister
            | Self::ControlHealth => &[ReportFormat::Pdf, ReportFormat::Csv, ReportFormat::Json],
        }
    }

    /// Whether a sample can be taken of it.
    pub const fn samples(self) -> bool {
        matches!(self, Self::AccessReview | Self::AuditExtract)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct ReportQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many items, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only reports of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ReportKind>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct DownloadQuery {
    /// The PDF when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ReportFormat>,
}
