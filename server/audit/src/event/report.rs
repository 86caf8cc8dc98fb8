//! What is recorded of compliance reports: their hashes, so that the log vouches for each file.

use ralex_kernel::{Email, Name, ReportId, ReportScheduleId};
use serde::Serialize;

/// Something that happened to a report or a schedule of reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum ReportEvent {
    #[serde(rename = "report.asked")]
    Asked {
        report: ReportId,
        kind: &'static str,
        from: String,
        to: String,
        filtered: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        sample: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        schedule: Option<ReportScheduleId>,
    },
    /// It is made; the files are those with these hashes.
    #[serde(rename = "report.finished")]
    Finished { report: ReportId, kind: &'static str, rows: u64, tree_size: u64, files: Vec<Hashed> },
    #[serde(rename = "report.failed")]
    Failed { report: ReportId, kind: &'static str, why: String },
    #[serde(rename = "report.downloaded")]
    Downloaded { report: ReportId, format: &'static str, sha256: String },
    /// It was handed to the operator's mail server for these people.
    #[serde(rename = "report.mailed")]
    Mailed { report: ReportId, recipients: Vec<Email>, attached: bool },
    #[serde(rename = "report.deleted")]
    Deleted { report: ReportId, kind: &'static str, expired: bool },
    #[serde(rename = "report_schedule.created")]
    ScheduleCreated {
        schedule: ReportScheduleId,
        name: Name,
        kind: &'static str,
        every: &'static str,
        day: u8,
        hour: u8,
        time_zone: String,
        recipients: Vec<Email>,
    },
    #[serde(rename = "report_schedule.updated")]
    ScheduleUpdated {
        schedule: ReportScheduleId,
        day: u8,
        hour: u8,
        recipients: Vec<Email>,
        enabled: bool,
    },
    #[serde(rename = "report_schedule.deleted")]
    ScheduleDeleted { schedule: ReportScheduleId, name: Name },
}

/// A file, by its SHA-256 in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hashed {
    pub format: &'static str,
    pub bytes: u64,
    pub sha256: String,
}

impl ReportEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Asked { report, .. }
            | Self::Finished { report, .. }
            | Self::Failed { report, .. }
            | Self::Downloaded { report, .. }
            | Self::Mailed { report, .. }
            | Self::Deleted { report, .. } => format!("report:{report}"),
            Self::ScheduleCreated { schedule, .. }
            | Self::ScheduleUpdated { schedule, .. }
            | Self::ScheduleDeleted { schedule, .. } => format!("report_schedule:{schedule}"),
        }
    }
}
