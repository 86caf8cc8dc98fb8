//! Retention: how long the audit log says what it says and calls are recorded, and what two people agree about that.

use chrono::{DateTime, Utc};
use ralex_kernel::{AuditRequestId, HoldId};
use serde::{Deserialize, Serialize};

crate::words! {
    /// What is asked for.
    pub enum AuditRequestKind {
        /// Another time for a class of events.
        Retention = "retention",
        /// That nothing is pruned until it is lifted.
        Hold = "hold",
        /// That a hold ends.
        Lift = "lift",
        /// That what is personal of somebody who has left is destroyed.
        Erasure = "erasure",
    }

    /// How a request stands.
    pub enum AuditRequestState {
        Pending = "pending",
        Approved = "approved",
        Denied = "denied",
        /// Nobody decided in time.
        Expired = "expired",
    }
}

crate::answer! {
    /// A class of events, and how long they are kept.
    pub struct RetentionClass {
        pub class: String,
        pub label: String,
        /// The least that can be chosen.
        pub minimum_days: u32,
        /// For ever when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub days: Option<u32>,
        /// How the actions of its events begin; all that are of no other class when empty. Those of
        /// `records` are no events, but calls with their costs and token counts.
        pub actions: Vec<String>,
    }

    /// Where the log is written before anything of it is pruned.
    pub struct AuditArchive {
        /// Without one, what is pruned is gone unless somebody took it away before.
        pub configured: bool,
        /// The newest file that was written and verified.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub sha256: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub at: Option<DateTime<Utc>>,
        /// Why the last try failed, so that nothing is pruned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub failure: Option<String>,
    }

    /// While there is one, nothing is pruned.
    pub struct LegalHold {
        pub id: HoldId,
        pub reason: String,
        pub set_at: DateTime<Utc>,
    }

    /// What one person asks for, and another decides.
    pub struct AuditRequest {
        pub id: AuditRequestId,
        pub kind: AuditRequestKind,
        pub state: AuditRequestState,
        /// Of a request about retention.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub class: Option<String>,
        /// For ever when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub days: Option<u32>,
        /// The hold that would be lifted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub hold: Option<HoldId>,
        /// Who would be erased; their e-mail address as long as it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub person: Option<String>,
        pub reason: String,
        pub asked_by: String,
        pub asked_at: DateTime<Utc>,
        pub expires_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub decided_by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub decided_at: Option<DateTime<Utc>>,
        /// Whether whoever reads this may approve it: has the right, and is not who asks.
        pub may_approve: bool,
    }

    /// How long the log is kept.
    pub struct AuditRetention {
        pub classes: Vec<RetentionClass>,
        /// Those that are not lifted.
        pub holds: Vec<LegalHold>,
        /// What waits, and what was decided last, the newest first.
        pub requests: Vec<AuditRequest>,
        /// How many events were pruned by now; their hashes stay.
        pub pruned: u64,
        pub archive: AuditArchive,
        /// Nothing from this place on is pruned yet: it is not anchored, or some receiver has yet
        /// to get it.
        pub prunable_below: u64,
        /// Where records of calls were pruned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub records: Option<PrunedRecords>,
    }

    /// Records of calls that are gone. What they cost and used still counts, on budgets and in usage.
    pub struct PrunedRecords {
        pub count: u64,
        /// All calls that began from this moment on are there.
        pub before: DateTime<Utc>,
    }

    /// What was pruned just now.
    pub struct AuditPruned {
        pub count: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub first_index: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_index: Option<u64>,
        /// The files of the archive that have what was pruned; none where no archive is configured.
        #[serde(default)]
        pub archives: Vec<String>,
        /// Records of calls, which are no events.
        #[serde(default)]
        pub records: u64,
    }
}

/// How to prune.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct PruneQuery {
    /// Begin another archive, with all that the log still says. For an archive of which a file is
    /// lost for good.
    #[serde(default)]
    pub archive_anew: bool,
}

crate::request! {
    pub struct NewAuditRequest {
        pub kind: AuditRequestKind,
        /// For a request about retention.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub class: Option<String>,
        /// For ever when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub days: Option<u32>,
        /// For a request to lift a hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub hold: Option<HoldId>,
        /// For an erasure: the id or the e-mail address of somebody who has left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub person: Option<String>,
        /// For whoever decides, and for the audit log; 1 to 500 characters.
        pub reason: String,
    }
}
