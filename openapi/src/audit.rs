//! The audit log: entries, proofs, and what the verifier says.

use chrono::{DateTime, Utc};
use ralex_kernel::EventId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct AuditQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only what this actor did: `user:<id>`, `token:<id>`, `service_account:<id>`, `directory:<id>`,
    /// `system`, or a person's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Only this action (`budget.created`), or all of one subject (`budget.*`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Only what was done to this (`budget:<id>`), or to all of one kind (`budget:*`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Only what ended so: `success`, `intent`, `denied` or `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// At this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ExportFormat {
    /// The bundle that `ralex audit verify` reads: every leaf, the tree's head and the keys.
    #[default]
    Jsonl,
    /// A table for people; formulas are made harmless.
    Csv,
    /// One event of the Open Cybersecurity Schema Framework a line, as JSON.
    Ocsf,
    /// One record of the Common Event Format a line.
    Cef,
    /// One message of RFC 5424 a line.
    Syslog,
    /// One event of `CloudEvents` 1.0 a line, as JSON.
    #[serde(rename = "cloudevents")]
    CloudEvents,
    /// What the commitments of a bundle's leaves are about (addresses of people, e-mail addresses),
    /// as disclosures in the manner of SD-JWT, without those that were erased.
    Disclosures,
}

impl ExportFormat {
    pub const ALL: [Self; 7] = [
        Self::Jsonl,
        Self::Csv,
        Self::Ocsf,
        Self::Cef,
        Self::Syslog,
        Self::CloudEvents,
        Self::Disclosures,
    ];

    /// The name in queries and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Ocsf => "ocsf",
            Self::Cef => "cef",
            Self::Syslog => "syslog",
            Self::CloudEvents => "cloudevents",
            Self::Disclosures => "disclosures",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct ExportQuery {
    #[serde(default)]
    pub format: ExportFormat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// As in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// As in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
    /// Only what comes after this index, to go on where an earlier export ended. Of a bundle, the
    /// last index of an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

crate::answer! {
    /// One entry of the log.
    pub struct AuditEntry {
        pub id: EventId,
        /// Its place in the tree; absent for the moment until it is sequenced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub index: Option<u64>,
        pub occurred_at: DateTime<Utc>,
        /// `user:<id>`, `token:<id>`, `service_account:<id>`, `directory:<id>` or `system`.
        pub actor: String,
        /// The actor in words: an e-mail address or a token's name.
        pub actor_name: String,
        /// `budget.created`, `call.opened`, …
        pub action: String,
        /// `success`, `denied`, `error`, `intent`, …
        pub outcome: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub target: Option<String>,
        /// The exact record as the tree has it.
        #[cfg_attr(feature = "schema", schema(value_type = Object))]
        pub record: serde_json::Value,
    }

    /// The newest signed head of the organisation's tree.
    pub struct Checkpoint {
        pub tree_size: u64,
        /// Base64 of the RFC 6962 root hash.
        pub root: String,
        /// The signed note (C2SP tlog-checkpoint).
        pub note: String,
        pub signed_at: DateTime<Utc>,
        /// Events that are recorded but not yet in the tree.
        pub pending: u64,
    }

    /// What a check of every leaf against the newest checkpoint found.
    pub struct Verification {
        pub good: bool,
        pub tree_size: u64,
        pub root: String,
        /// The first leaf that is not what was signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub first_bad_index: Option<u64>,
        /// One sentence for people.
        pub summary: String,
        pub duration_ms: u64,
    }

    /// That one event is in the signed tree, for whoever has nothing else of the log.
    pub struct InclusionProof {
        pub event: EventId,
        pub index: u64,
        pub tree_size: u64,
        /// Base64 of the hash of the event's exact text.
        pub leaf_hash: String,
        /// The exact text that is hashed.
        pub leaf: String,
        /// The hashes beside the way from the leaf to the root, the lowest first (RFC 6962).
        pub path: Vec<String>,
        pub root: String,
        /// The signed note (C2SP tlog-checkpoint).
        pub checkpoint: String,
        pub signed_at: DateTime<Utc>,
        /// The key that signed it, as a verifier key.
        pub key: String,
    }

    /// A tree at one size.
    pub struct SignedTree {
        pub tree_size: u64,
        pub root: String,
        /// The signed note, where this size was signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub checkpoint: Option<String>,
    }

    /// That an earlier tree is the beginning of a later one.
    pub struct ConsistencyProof {
        /// The version of this form; it comes first, so that a file is known by its first bytes.
        pub ralex_audit_consistency: u32,
        pub origin: String,
        pub from: SignedTree,
        pub to: SignedTree,
        /// The hashes that prove it (RFC 6962 section 2.1.2).
        pub path: Vec<String>,
    }

    /// A signing key of the log.
    pub struct AuditKey {
        pub version: u32,
        /// As verifiers are given it.
        pub verifier: String,
        pub created_at: DateTime<Utc>,
        /// The size of this log's first tree that it signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub first_size: Option<u64>,
    }

    /// Somebody else who signs that the log only grew.
    pub struct AuditWitness {
        pub name: String,
        pub verifier: String,
        /// The size of the deployment's log when it last signed.
        pub seen_size: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cosigned_at: Option<DateTime<Utc>>,
        /// Why it did not sign when it was asked last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub failure: Option<String>,
        /// Set where it has seen another history than the one that is here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub conflict: Option<String>,
    }

    /// Who signs this log.
    pub struct AuditKeys {
        /// The first line of its checkpoints.
        pub origin: String,
        /// The first line of the checkpoints of the deployment's log, which holds this one's heads.
        pub deployment_origin: String,
        /// Oldest first; the last one signs.
        pub keys: Vec<AuditKey>,
        pub witnesses: Vec<AuditWitness>,
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct ConsistencyQuery {
    /// The size of the earlier tree.
    #[serde(default)]
    pub from: u64,
    /// The size of the later one, which must have been signed; the newest where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
}
