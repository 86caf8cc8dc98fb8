//! What is recorded of operators: what they do to an organisation, in its own log, and who becomes one, in
//! the log of each organisation that the person belongs to. Its own people take an export as well.

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
    DeletionSet {
        org: OrgId,
        reason: String,
        delete_after: DateTime<Utc>,
        /// Who asked for it, where another operator has confirmed it.
        #[serde(skip_serializing_if = "Option::is_none")]
        asked_by: Option<UserId>,
    },
    /// An operator wants that, and another one has to confirm it.
    #[serde(rename = "org.deletion_asked")]
    DeletionAsked { org: OrgId, reason: String, grace_days: u32 },
    /// Nobody wants that any more.
    #[serde(rename = "org.deletion_withdrawn")]
    DeletionWithdrawn { org: OrgId, asked_by: UserId },
    /// It is not deleted.
    #[serde(rename = "org.kept")]
    Kept { org: OrgId },
    /// All that it has is about to leave as one archive.
    #[serde(rename = "org.export_begun")]
    ExportBegun {
        org: OrgId,
        /// Whether an operator carries it, who cannot read it.
        by_operator: bool,
        /// The fingerprints of those who can; nobody's where it is not encrypted.
        recipients: Vec<String>,
        /// The signed tree of the log that is in it.
        tree_size: u64,
        root: String,
    },
    /// It has left, or broke off.
    #[serde(rename = "org.export_ended")]
    ExportEnded {
        org: OrgId,
        whole: bool,
        files: u64,
        rows: u64,
        /// How long the archive is as it was sent.
        bytes: u64,
        /// SHA-256 of these bytes.
        sha256: String,
        /// SHA-256 of its manifest, which has the SHA-256 of each file; only of a whole one.
        manifest: Option<String>,
    },
    /// To whom operators may carry an export.
    #[serde(rename = "org.export_recipients_set")]
    ExportRecipientsSet { org: OrgId, recipients: Vec<String> },
    #[serde(rename = "operator.added")]
    Added { user: UserId },
    #[serde(rename = "operator.removed")]
    Removed { user: UserId },
    /// An account is closed on the whole deployment, with everything that it opened.
    #[serde(rename = "account.deactivated")]
    AccountDeactivated { user: UserId, reason: String, sessions_ended: u32, tokens_ended: u32 },
    /// It may be used again; nothing that was ended comes back.
    #[serde(rename = "account.reactivated")]
    AccountReactivated { user: UserId },
}

impl OperatorEvent {
    pub(super) fn target(&self) -> String {
        match self {
            Self::Suspended { org, .. }
            | Self::Resumed { org }
            | Self::DeletionSet { org, .. }
            | Self::DeletionAsked { org, .. }
            | Self::DeletionWithdrawn { org, .. }
            | Self::Kept { org }
            | Self::ExportBegun { org, .. }
            | Self::ExportEnded { org, .. }
            | Self::ExportRecipientsSet { org, .. } => format!("org:{org}"),
            Self::Added { user }
            | Self::Removed { user }
            | Self::AccountDeactivated { user, .. }
            | Self::AccountReactivated { user } => format!("user:{user}"),
        }
    }

    /// Whether it was meant to go further than it did.
    pub(super) const fn is_broken(&self) -> bool {
        matches!(self, Self::ExportEnded { whole: false, .. })
    }
}
