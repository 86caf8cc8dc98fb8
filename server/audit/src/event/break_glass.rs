//! What is recorded of the break-glass access. What was done under it has entries of its own, by the people
//! who did it.

use chrono::{DateTime, Utc};
use ralex_kernel::{BreakGlassId, OrgId, UserId};
use serde::Serialize;

/// Something that happened to the break-glass access of an organisation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum BreakGlassEvent {
    /// Who may open it from now on, and what it gives.
    #[serde(rename = "break_glass.armed")]
    Armed {
        org: OrgId,
        people: Vec<UserId>,
        role: String,
        permissions: Vec<String>,
        longest_minutes: u32,
    },
    #[serde(rename = "break_glass.disarmed")]
    Disarmed { org: OrgId },
    /// A named person proved by a passkey that they want it open.
    #[serde(rename = "break_glass.asked")]
    Asked {
        opening: BreakGlassId,
        drill: bool,
        reason: String,
        minutes: u32,
        confirm_until: DateTime<Utc>,
    },
    /// A second one agreed, likewise: both hold what it gives.
    #[serde(rename = "break_glass.opened")]
    Opened { opening: BreakGlassId, asker: UserId, permissions: Vec<String>, until: DateTime<Utc> },
    /// A second one agreed to a drill, which has given nothing and is over.
    #[serde(rename = "break_glass.drilled")]
    Drilled { opening: BreakGlassId, asker: UserId },
    #[serde(rename = "break_glass.withdrawn")]
    Withdrawn { opening: BreakGlassId, asker: UserId },
    /// Nobody confirmed it in time.
    #[serde(rename = "break_glass.expired")]
    Expired { opening: BreakGlassId, asker: UserId },
    /// By a person or by its time.
    #[serde(rename = "break_glass.ended")]
    Ended { opening: BreakGlassId, asker: UserId, ended_at: DateTime<Utc>, by_time: bool },
    #[serde(rename = "break_glass.reviewed")]
    Reviewed { opening: BreakGlassId, asker: UserId, note: String },
}

impl BreakGlassEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Armed { org, .. } | Self::Disarmed { org } => format!("org:{org}"),
            Self::Asked { opening, .. }
            | Self::Opened { opening, .. }
            | Self::Drilled { opening, .. }
            | Self::Withdrawn { opening, .. }
            | Self::Expired { opening, .. }
            | Self::Ended { opening, .. }
            | Self::Reviewed { opening, .. } => format!("break_glass:{opening}"),
        }
    }
}
