//! What is recorded of operators: what they do to an organisation, in its own log, and who becomes one, in
//! the log of each organisation that the person belongs to.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, UserId};
use serde::Serialize;

/// Something that an operator did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum OperatorEvent {
    /// Nothing is open in the organisation any more.
    #[serde(rename = "org.suspended")]
    Suspended { org: OrgId, reason: String },
    /// It is open again.
    #[serde(rename = "org.resumed")]
    Resumed { org: OrgId },
    /// It is closed, and deleted after that moment.
    #[serde(rename = "org.deletion_set")]
    DeletionSet { org: OrgId, reason: String, delete_after: DateTime<Utc> },
    /// It is not deleted.
    #[serde(rename = "org.kept")]
    Kept { org: OrgId },
    #[serde(rename = "operator.added")]
    Added { user: UserId },
    #[serde(rename = "operator.removed")]
    Removed { user: UserId },
}

impl OperatorEvent {
    pub(super) fn target(&self) -> String {
        match self {
            Self::Suspended { org, .. }
            | Self::Resumed { org }
            | Self::DeletionSet { org, .. }
            | Self::Kept { org } => format!("org:{org}"),
            Self::Added { user } | Self::Removed { user } => format!("user:{user}"),
        }
    }
}
