//! Approvals: what waits for a person, and what was decided about it.

use chrono::{DateTime, Utc};
use ralex_kernel::{ApprovalId, CallId};
use serde::{Deserialize, Serialize};

use crate::guardrails::Noted;

/// What asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ApprovalKind {
    /// A model call in which a guardrail found something.
    Call,
}

impl ApprovalKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
        }
    }
}

/// How an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ApprovalState {
    /// It waits for a person.
    Pending,
    /// The same call by the same caller passes.
    Approved,
    /// The same call by the same caller is refused.
    Denied,
    /// It was approved, and has let pass what it was for.
    Used,
    /// Nobody decided in time, or what was approved was not used in time.
    Expired,
}

impl ApprovalState {
    pub const ALL: &'static [Self] =
        &[Self::Pending, Self::Approved, Self::Denied, Self::Used, Self::Expired];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Used => "used",
            Self::Expired => "expired",
        }
    }
}

/// Which approvals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct ApprovalsQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ApprovalState>,
    /// Only those that this rule asked for (`pii.iban`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Only those of calls that asked for this model or route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Only what this person or team token asked for, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<String>,
}

/// How to read one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct ApprovalQuery {
    /// While it waits for a person, answer only when it no longer does, or after so many seconds:
    /// 0 to 50; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u32>,
}

/// A few words around something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Excerpt {
    pub rule: String,
    /// Where in the request (`messages[2].content`).
    pub path: String,
    /// Values that any rule of the packs `pii` and `secrets` knows are left out of it, whether or
    /// not somebody looks for them there.
    pub text: String,
}

crate::answer! {
    /// Something that waits for a person, or did.
    pub struct Approval {
        pub id: ApprovalId,
        pub kind: ApprovalKind,
        pub state: ApprovalState,
        /// The person's address, or the token's name.
        pub asker: String,
        /// The id of the person or of the team token.
        pub asker_id: String,
        /// `org`, `team:<slug>` or `project:<slug>`.
        pub scope: String,
        /// The scope in words (`Platform team`).
        pub scope_name: String,
        /// The model or route that was asked for.
        pub model: String,
        /// The caller's wire format.
        pub dialect: String,
        /// The call that was stopped.
        pub call: CallId,
        /// How many bytes it has.
        pub size: u64,
        /// Rules that asked, and how often each found something.
        pub rules: Vec<Noted>,
        /// For those who may decide, while it waits; absent where the organisation keeps none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub excerpts: Vec<Excerpt>,
        pub asked_at: DateTime<Utc>,
        /// Until when its state holds: to decide, to use, or to stay denied.
        pub expires_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub decided_at: Option<DateTime<Utc>>,
        /// The address of who decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub decided_by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reason: Option<String>,
        /// Whether it lets one call pass, or as many as come before it expires.
        pub once: bool,
        pub uses: u32,
        /// The call that it let pass last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub used_call: Option<CallId>,
        /// Whether whoever reads this may decide it: has the right there, and is not who asks.
        pub may_decide: bool,
    }

    /// How many wait that whoever reads this may decide about.
    pub struct ApprovalsWaiting {
        pub waiting: u64,
    }

    /// How approvals work in an organisation.
    pub struct ApprovalSettings {
        /// How long a person has to decide.
        pub pending_minutes: u32,
        /// How long an approval may be used.
        pub approved_minutes: u32,
        /// How long a denial holds before the same may be asked again.
        pub denied_minutes: u32,
        /// Whether an approval lets one call pass, or as many as come in its time.
        pub once: bool,
        /// Whether a few words around what was found are kept until it is decided.
        pub excerpts: bool,
    }
}

crate::request! {
    /// A decision, and why.
    pub struct Decide {
        /// For the asker and the audit log; 1 to 500 characters.
        pub reason: String,
    }

    pub struct SetApprovalSettings {
        /// 1 to 10,080.
        pub pending_minutes: u32,
        /// 1 to 10,080.
        pub approved_minutes: u32,
        /// 0 to 43,200.
        pub denied_minutes: u32,
        pub once: bool,
        pub excerpts: bool,
    }
}
