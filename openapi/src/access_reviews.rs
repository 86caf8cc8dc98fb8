//! Access reviews: who holds what is looked at, and what nobody stands up for is taken away.

use chrono::{DateTime, Utc};
use ralex_kernel::{AccessReviewId, BindingId, Name};
use serde::{Deserialize, Serialize};

use crate::access::RoleName;

crate::words! {
    /// How a review of access stands.
    pub enum AccessReviewState {
        /// It opens by itself at its time.
        Scheduled = "scheduled",
        /// It is decided about.
        Open = "open",
        /// Nothing is decided any more, and what was decided is being done.
        Closing = "closing",
        /// Everything is done.
        Closed = "closed",
        /// Somebody ended it, and nothing was done.
        Cancelled = "cancelled",
    }

    /// Whose roles are reviewed.
    pub enum ReviewedKind {
        User = "user",
        /// Service accounts and teams' own tokens.
        ServiceAccount = "service_account",
        Group = "group",
    }

    /// What becomes of a role that somebody holds.
    pub enum ReviewDecision {
        Keep = "keep",
        Remove = "remove",
    }

    /// How often a review opens anew.
    pub enum ReviewRepeats {
        Never = "never",
        Monthly = "monthly",
        Quarterly = "quarterly",
        Yearly = "yearly",
    }

    /// How somebody came to hold a role.
    pub enum ReviewOrigin {
        /// Somebody gave it to them.
        Hand = "hand",
        /// A provider of single sign-on says so.
        SingleSignOn = "single_sign_on",
        /// The organisation's directory gave it.
        Directory = "directory",
        /// They asked for it, for a while.
        Request = "request",
    }

    /// Why a review recommends what it does; only what is known.
    pub enum ReviewAdvice {
        /// Used in the last 90 days.
        Used = "used",
        /// Given in the last 90 days and not used yet.
        New = "new",
        /// It ends by itself.
        Ends = "ends",
        /// Not used for 90 days.
        Unused = "unused",
        /// Held for 90 days and never used, as far as is known.
        NeverUsed = "never_used",
        /// The member is suspended.
        Suspended = "suspended",
        /// The person is no member any more, or their account is closed.
        NotMember = "not_member",
        /// The service account is disabled, or the token is over.
        Disabled = "disabled",
        /// Nobody is in the group.
        EmptyGroup = "empty_group",
        /// They hold the same role for a wider place.
        HeldWider = "held_wider",
        /// There is no such role any more.
        RoleGone = "role_gone",
    }

    /// What came of one role in a review.
    pub enum ReviewOutcome {
        Kept = "kept",
        Removed = "removed",
        /// It was to be removed and could not be; the reason says what to do.
        Refused = "refused",
        /// It was gone already.
        Gone = "gone",
        /// It is not any more what was reviewed, and stays.
        Changed = "changed",
        /// The review was cancelled.
        Cancelled = "cancelled",
    }

    /// Which items of a review.
    pub enum ReviewItemsOnly {
        Undecided = "undecided",
        Keep = "keep",
        Remove = "remove",
        /// Those that are recommended to be removed.
        Advised = "advised",
        /// Those that were to be removed and could not be.
        Refused = "refused",
    }
}

crate::answer! {
    /// How far a review is: of the items that whoever reads this may see.
    pub struct ReviewCounts {
        pub items: u32,
        pub undecided: u32,
        /// Decided to be kept, and to be removed.
        pub keep: u32,
        pub remove: u32,
        pub kept: u32,
        pub removed: u32,
        pub refused: u32,
        pub gone: u32,
        pub changed: u32,
    }

    /// A look at who holds what, with decisions about it.
    pub struct AccessReview {
        pub id: AccessReviewId,
        pub name: Name,
        pub state: AccessReviewState,
        /// `org`, `team:<slug>` or `project:<slug>`, with all that is below.
        pub scope: String,
        pub scope_name: String,
        /// Which roles; all when empty.
        pub roles: Vec<RoleName>,
        /// Whose roles; everybody's when empty.
        pub subjects: Vec<ReviewedKind>,
        /// Who decides (`user:<e-mail>`, `group:<slug>`); when empty, whoever could take such a role away.
        pub reviewers: Vec<String>,
        /// What happens to what nobody decided.
        pub undecided: ReviewDecision,
        pub repeats: ReviewRepeats,
        /// The how manyth of its series.
        pub round: u32,
        pub opens_at: DateTime<Utc>,
        pub due_days: u32,
        /// When it closes by itself, once it is open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub due_at: Option<DateTime<Utc>>,
        /// The e-mail address of who set it up, or else their id.
        pub created_by: String,
        pub created_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ended_at: Option<DateTime<Utc>>,
        /// Who closed it before its time, or cancelled it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub closed_by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub signed_by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub signed_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub signed_note: Option<String>,
        /// The one that follows in its series.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub next: Option<AccessReviewId>,
        pub counts: ReviewCounts,
        /// Whether whoever reads this may close it now, cancel it, sign it, and have all of its evidence.
        pub may_close: bool,
        pub may_cancel: bool,
        pub may_sign: bool,
        pub may_export: bool,
    }

    /// A role that somebody held when a review opened, as it was then.
    pub struct AccessReviewItem {
        pub binding: BindingId,
        /// `user:<id>`, `group:<slug>`, `service_account:<slug>` or `token:<id>`.
        pub subject: String,
        pub subject_name: String,
        pub role: RoleName,
        pub scope: String,
        /// Who was in the group; the first hundred.
        pub people: Vec<String>,
        pub people_count: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub not_before: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<DateTime<Utc>>,
        pub origin: ReviewOrigin,
        pub given_by: String,
        pub given_at: DateTime<Utc>,
        /// When they last logged in, or last used a token. Absent where that is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_used_at: Option<DateTime<Utc>>,
        pub advice: ReviewDecision,
        pub advice_why: ReviewAdvice,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub decision: Option<ReviewDecision>,
        /// Absent where nobody decided in time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub decided_by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub decided_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reason: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub outcome: Option<ReviewOutcome>,
        /// What stood in the way, and what to do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub outcome_why: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ended_at: Option<DateTime<Utc>>,
        /// Whether whoever reads this may decide about it now.
        pub may_decide: bool,
    }
}

crate::request! {
    /// A review to set up.
    pub struct NewAccessReview {
        pub name: Name,
        /// `org`, `team:<slug or id>` or `project:<slug or id>`, with all that is below; the organisation
        /// when absent.
        #[serde(default)]
        pub scope: Option<String>,
        /// Which roles; all when empty.
        #[serde(default)]
        pub roles: Vec<RoleName>,
        /// Whose roles; everybody's when empty.
        #[serde(default)]
        pub subjects: Vec<ReviewedKind>,
        /// Who decides: `user:<id or e-mail>`, `group:<slug or id>`. When empty, whoever could take such a
        /// role away.
        #[serde(default)]
        pub reviewers: Vec<String>,
        /// When it opens; at once when absent.
        #[serde(default)]
        pub opens_at: Option<DateTime<Utc>>,
        /// For how many days it is open, 1 to 90.
        pub due_days: u32,
        /// What happens to what nobody decided.
        pub undecided: ReviewDecision,
        #[serde(default = "never")]
        pub repeats: ReviewRepeats,
    }

    /// A decision about some items of a review.
    pub struct DecideReview {
        /// Their bindings, 1 to 500. All are decided, or none.
        pub bindings: Vec<BindingId>,
        pub decision: ReviewDecision,
        /// Needed to remove, and to keep what is recommended to be removed; up to 500 characters.
        #[serde(default)]
        pub reason: Option<String>,
    }

    /// A signature below what came of a review.
    pub struct SignReview {
        /// What is signed, in words; 1 to 500 characters.
        pub note: String,
    }
}

const fn never() -> ReviewRepeats {
    ReviewRepeats::Never
}

/// Which reviews of access.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct AccessReviewsQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(inline))]
    pub state: Option<AccessReviewState>,
}

/// Which items of a review.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct AccessReviewItemsQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(inline))]
    pub only: Option<ReviewItemsOnly>,
}
