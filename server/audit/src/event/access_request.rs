//! What is recorded of requests for access: who asked for what and why, who decided, and its end.

use chrono::{DateTime, Utc};
use ralex_kernel::{AccessRequestId, BindingId, OrgId, ScopePath, UserId};
use serde::Serialize;

/// Something that happened to a request for access.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum AccessRequestEvent {
    #[serde(rename = "access_request.asked")]
    Asked {
        access_request: AccessRequestId,
        role: String,
        scope: ScopePath,
        minutes: u32,
        reason: String,
        /// How many must approve, and until when they can.
        needed: u32,
        until: DateTime<Utc>,
    },
    /// Somebody agreed. With the last one that is needed the role is given.
    #[serde(rename = "access_request.approved")]
    Approved {
        access_request: AccessRequestId,
        user: UserId,
        role: String,
        scope: ScopePath,
        reason: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        binding: Option<BindingId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<DateTime<Utc>>,
    },
    #[serde(rename = "access_request.denied")]
    Denied { access_request: AccessRequestId, user: UserId, reason: String },
    #[serde(rename = "access_request.withdrawn")]
    Withdrawn { access_request: AccessRequestId },
    /// Nobody decided in time.
    #[serde(rename = "access_request.expired")]
    Expired { access_request: AccessRequestId, user: UserId },
    /// What it gave is over: its time was, or it was taken away.
    #[serde(rename = "access_request.ended")]
    Ended {
        access_request: AccessRequestId,
        user: UserId,
        role: String,
        scope: ScopePath,
        ending: &'static str,
    },
    /// What an organisation allows of such requests from now on.
    #[serde(rename = "access_request.configured")]
    Configured {
        org: OrgId,
        approvals: u32,
        default_minutes: u32,
        longest_minutes: u32,
        pending_minutes: u32,
    },
}

impl AccessRequestEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Asked { access_request, .. }
            | Self::Approved { access_request, .. }
            | Self::Denied { access_request, .. }
            | Self::Withdrawn { access_request }
            | Self::Expired { access_request, .. }
            | Self::Ended { access_request, .. } => format!("access_request:{access_request}"),
            Self::Configured { org, .. } => format!("org:{org}"),
        }
    }
}
