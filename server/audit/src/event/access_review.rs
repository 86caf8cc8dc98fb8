//! What is recorded of reviews of access: what was looked at, who decided what and why, and what came of it.

use chrono::{DateTime, Utc};
use ralex_kernel::{AccessReviewId, BindingId, Name, ScopePath};
use serde::Serialize;

/// What came of a review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReviewCounted {
    pub items: u32,
    pub kept: u32,
    pub removed: u32,
    pub refused: u32,
    pub gone: u32,
    pub changed: u32,
}

/// Something that happened to a review of access.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum AccessReviewEvent {
    #[serde(rename = "access_review.created")]
    Created {
        access_review: AccessReviewId,
        name: Name,
        scope: ScopePath,
        roles: Vec<String>,
        subjects: Vec<String>,
        /// `user:<id>` or `group:<id>`; nobody where whoever may bind there decides.
        reviewers: Vec<String>,
        opens_at: DateTime<Utc>,
        due_days: u32,
        undecided: String,
        repeats: String,
        round: u32,
    },
    /// What is held was written down.
    #[serde(rename = "access_review.opened")]
    Opened { access_review: AccessReviewId, items: u32, due_at: DateTime<Utc> },
    #[serde(rename = "access_review.decided")]
    Decided {
        access_review: AccessReviewId,
        bindings: Vec<BindingId>,
        decision: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Nothing is decided any more.
    #[serde(rename = "access_review.closing")]
    Closing { access_review: AccessReviewId, undecided: u32, undecided_are: String },
    /// What came of one item, which is said once.
    #[serde(rename = "access_review.item_ended")]
    ItemEnded {
        access_review: AccessReviewId,
        binding: BindingId,
        subject: String,
        role: String,
        outcome: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    #[serde(rename = "access_review.closed")]
    Closed { access_review: AccessReviewId, counted: ReviewCounted },
    #[serde(rename = "access_review.cancelled")]
    Cancelled { access_review: AccessReviewId, items: u32 },
    #[serde(rename = "access_review.signed")]
    Signed { access_review: AccessReviewId, note: String, counted: ReviewCounted },
    /// Its evidence was given out.
    #[serde(rename = "access_review.exported")]
    Exported { access_review: AccessReviewId, items: u32 },
}

impl AccessReviewEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Created { access_review, .. }
            | Self::Opened { access_review, .. }
            | Self::Decided { access_review, .. }
            | Self::Closing { access_review, .. }
            | Self::ItemEnded { access_review, .. }
            | Self::Closed { access_review, .. }
            | Self::Cancelled { access_review, .. }
            | Self::Signed { access_review, .. }
            | Self::Exported { access_review, .. } => format!("access_review:{access_review}"),
        }
    }
}
