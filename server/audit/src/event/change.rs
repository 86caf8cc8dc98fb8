//! What is recorded of changes that take two people. What was done itself has its own entry, of the same
//! request and the same moment as the confirmation.

use chrono::{DateTime, Utc};
use ralex_kernel::{ChangeRequestId, Money, OrgId, ScopePath, UserId};
use serde::Serialize;

/// Something that happened to a change that takes two people.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum ChangeEvent {
    #[serde(rename = "change.asked")]
    Asked {
        change_request: ChangeRequestId,
        what: &'static str,
        target: String,
        scope: ScopePath,
        until: DateTime<Utc>,
    },
    /// A second person agreed, and it was done.
    #[serde(rename = "change.confirmed")]
    Confirmed {
        change_request: ChangeRequestId,
        what: &'static str,
        target: String,
        /// Who asked for it; who confirmed is the author.
        asker: UserId,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    #[serde(rename = "change.refused")]
    Refused { change_request: ChangeRequestId, asker: UserId, reason: String },
    #[serde(rename = "change.withdrawn")]
    Withdrawn { change_request: ChangeRequestId },
    /// Nobody decided in time.
    #[serde(rename = "change.expired")]
    Expired { change_request: ChangeRequestId, asker: UserId },
    /// It was confirmed and could not be done any more.
    #[serde(rename = "change.stale")]
    Stale { change_request: ChangeRequestId, asker: UserId, reason: String },
    /// What takes two people from now on.
    #[serde(rename = "change.configured")]
    Configured {
        org: OrgId,
        actions: Vec<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        budget_limit: Option<Money>,
        pending_minutes: u32,
    },
}

impl ChangeEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Asked { change_request, .. }
            | Self::Confirmed { change_request, .. }
            | Self::Refused { change_request, .. }
            | Self::Withdrawn { change_request }
            | Self::Expired { change_request, .. }
            | Self::Stale { change_request, .. } => format!("change_request:{change_request}"),
            Self::Configured { org, .. } => format!("org:{org}"),
        }
    }
}
