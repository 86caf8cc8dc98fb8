//! Access requests: roles that people ask to hold for a while.

use chrono::{DateTime, Utc};
use ralex_kernel::{AccessRequestId, UserId};
use serde::{Deserialize, Serialize};

use crate::access::RoleName;

crate::words! {
    /// How a request for access stands.
    pub enum AccessRequestState {
        /// It waits for those who may decide.
        Pending = "pending",
        /// The role is held.
        Active = "active",
        Denied = "denied",
        /// Whoever asked does not want it any more.
        Withdrawn = "withdrawn",
        /// Nobody decided in time.
        Expired = "expired",
        /// The role was held and is not any more.
        Ended = "ended",
    }

    /// How access ended.
    pub enum AccessEnding {
        /// Its time was over.
        Expired = "expired",
        /// It was given back or taken away before.
        Revoked = "revoked",
    }
}

crate::answer! {
    /// Somebody who agreed.
    pub struct AccessApproval {
        /// Their e-mail address, or else their id.
        pub by: String,
        pub reason: String,
        pub approved_at: DateTime<Utc>,
    }

    /// A role that somebody asks to hold at a place for a while.
    pub struct AccessRequest {
        pub id: AccessRequestId,
        pub state: AccessRequestState,
        /// The e-mail address of who asks, or else their id.
        pub asker: String,
        pub asker_id: UserId,
        pub role: RoleName,
        /// `org`, `team:<slug>` or `project:<slug>`.
        pub scope: String,
        /// The scope in words (`Platform team`).
        pub scope_name: String,
        /// For how long, from the moment in which it is given.
        pub minutes: u32,
        pub reason: String,
        pub asked_at: DateTime<Utc>,
        /// Until when it can be decided.
        pub pending_until: DateTime<Utc>,
        /// Since when it stands as it does.
        pub changed_at: DateTime<Utc>,
        /// How many people must approve.
        pub approvals_needed: u32,
        /// Those who did, in that order.
        pub approvals: Vec<AccessApproval>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub denied_by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub denied_reason: Option<String>,
        /// Until when the role holds, once it is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ending: Option<AccessEnding>,
        /// Who ended it; absent where time did, or where the role was taken away by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ended_by: Option<String>,
        /// Whether whoever reads this may approve it now.
        pub may_approve: bool,
        pub may_deny: bool,
        pub may_withdraw: bool,
        pub may_end: bool,
    }

    /// What an organisation allows of requests for access.
    pub struct AccessRequestSettings {
        /// How many people must approve.
        pub approvals: u32,
        /// For how long, where who asks does not say.
        pub default_minutes: u32,
        /// For how long at most.
        pub longest_minutes: u32,
        /// How long others have to decide.
        pub pending_minutes: u32,
    }
}

crate::request! {
    /// A role to hold for a while.
    pub struct NewAccessRequest {
        pub role: RoleName,
        /// `org`, `team:<slug or id>` or `project:<slug or id>`; the organisation when absent.
        #[serde(default)]
        pub scope: Option<String>,
        /// For how long, from 1; more than the organisation allows is cut to that. When absent, as long
        /// as is usual there.
        #[serde(default)]
        pub minutes: Option<u32>,
        /// For those who decide, and for the audit log; 1 to 500 characters.
        pub reason: String,
    }

    /// A decision, and why.
    pub struct DecideAccess {
        /// For who asked, and for the audit log; 1 to 500 characters.
        pub reason: String,
    }

    pub struct SetAccessRequestSettings {
        /// 1 to 5.
        pub approvals: u32,
        /// 1 to `longest_minutes`.
        pub default_minutes: u32,
        /// 1 to 20,160, which are 14 days.
        pub longest_minutes: u32,
        /// 1 to 10,080.
        pub pending_minutes: u32,
    }
}

/// Which requests for access.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct AccessRequestsQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AccessRequestState>,
    /// Only one's own, or those of others that the caller can decide now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(inline))]
    pub only: Option<AccessRequestsOnly>,
}

crate::words! {
    pub enum AccessRequestsOnly {
        /// What the caller asked for.
        Mine = "mine",
        /// What waits for the caller: of others, not approved by them yet, and theirs to approve or deny.
        ToDecide = "to_decide",
    }
}
