//! What is recorded of the log itself.

use ralex_kernel::{AuditRequestId, HoldId, UserId};
use serde::Serialize;
use uuid::Uuid;

/// Something that happened to the log or its keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum LogEvent {
    /// From this leaf on another key signs. Verifiers read this event: the earlier key vouches for
    /// it, and it names the next one.
    #[serde(rename = "audit.key_rotated")]
    KeyRotated { version: u32, from: String, to: String },
    /// What these events said is gone. Verifiers read this event: it names the places, first and
    /// last of each range, and the signed tree that they were taken from.
    #[serde(rename = "audit.pruned")]
    Pruned {
        from: u64,
        to: u64,
        count: u64,
        tree_size: u64,
        ranges: Vec<(u64, u64)>,
        /// The files that they are in, where there is an archive.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        archives: Vec<ArchivedAs>,
    },
    /// The log was written into the archive from the first leaf on that no earlier file holds, and
    /// verified as it was read back.
    #[serde(rename = "audit.archived")]
    Archived { name: String, sha256: String, bytes: u64, first_index: u64, tree_size: u64 },
    /// It could not be, so nothing was pruned.
    #[serde(rename = "audit.archive_failed")]
    ArchiveFailed { why: String },
    /// What two people agreed about could not be pruned; it is tried again.
    #[serde(rename = "audit.prune_failed")]
    PruneFailed { what: Pruning, why: String },
    /// What failed last time did not this time.
    #[serde(rename = "audit.prune_resumed")]
    PruneResumed { what: Pruning },
    /// A second person agreed to an erasure that cannot be carried out as things stand; it waits.
    #[serde(rename = "audit.erasure_failed")]
    ErasureFailed { request: AuditRequestId, why: String },
    /// One person asks for another to agree.
    #[serde(rename = "audit.retention_asked")]
    Asked { request: AuditRequestId, what: Retained, reason: String },
    /// The other person does not agree, or the first one asks for it no more.
    #[serde(rename = "audit.retention_denied")]
    Denied { request: AuditRequestId, reason: String },
    /// What was personal of somebody is destroyed; by ids only, since this stays.
    #[serde(rename = "audit.person_erased")]
    Erased {
        request: AuditRequestId,
        person: UserId,
        asked_by: UserId,
        keys: Vec<DestroyedKey>,
        account_removed: bool,
        reason: String,
    },
    /// Both agree, and it holds from now on.
    #[serde(rename = "audit.retention_changed")]
    Changed { request: AuditRequestId, what: Retained, asked_by: String, reason: String },
}

/// A part of pruning that can fail by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pruning {
    Archive,
    Events,
    Records,
}

impl Pruning {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Events => "events",
            Self::Records => "records",
        }
    }
}

/// What two people agree about.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Retained {
    /// How long events of a class are kept; for ever where no days are given.
    Retention { class: String, days: Option<u32> },
    /// Nothing may be pruned.
    Hold { hold: Option<HoldId> },
    /// The hold is no more.
    Lift { hold: HoldId },
    /// What is personal of somebody is destroyed.
    Erasure { person: UserId },
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchivedAs {
    pub name: String,
    pub sha256: String,
}

/// A key of a person that is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DestroyedKey {
    pub key: Uuid,
    pub fingerprint: String,
    /// How many values it sealed.
    pub disclosures: u64,
}

impl LogEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::KeyRotated { version, .. } => format!("audit_key:{version}"),
            Self::Pruned { from, to, .. } => format!("audit_leaves:{from}-{to}"),
            Self::Archived { tree_size, .. } => format!("audit_archive:{tree_size}"),
            Self::ArchiveFailed { .. } => "audit_archive:".to_owned(),
            Self::PruneFailed { what, .. } | Self::PruneResumed { what } => {
                format!("audit_pruning:{}", what.as_str())
            }
            Self::Asked { request, .. }
            | Self::Denied { request, .. }
            | Self::Erased { request, .. }
            | Self::ErasureFailed { request, .. }
            | Self::Changed { request, .. } => format!("audit_request:{request}"),
        }
    }
}
