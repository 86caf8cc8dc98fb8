//! Changes that take two people: one asks by doing it, another one confirms.

use chrono::{DateTime, Utc};
use ralex_kernel::{ChangeRequestId, Money, UserId};
use serde::{Deserialize, Serialize};

crate::words! {
    /// What an organisation can put under four eyes.
    pub enum GuardedAction {
        SecretDelete = "secret.delete",
        BudgetRaise = "budget.raise",
        OwnerGive = "owner.give",
        SignInLoosen = "sign_in.loosen",
        BreakGlassArm = "break_glass.arm",
        /// Holds by itself as soon as any of the others does.
        FourEyesLoosen = "four_eyes.loosen",
    }

    /// How a change that takes two people stands.
    pub enum ChangeState {
        /// It waits for a second person, and nothing is done.
        Pending = "pending",
        /// A second person agreed, and it was done in that moment.
        Confirmed = "confirmed",
        Refused = "refused",
        /// Whoever asked does not want it any more.
        Withdrawn = "withdrawn",
        /// Nobody decided in time.
        Expired = "expired",
        /// It could not be done any more when it was confirmed, so it was not.
        Stale = "stale",
    }

    /// Which changes are listed.
    pub enum ChangesOnly {
        Mine = "mine",
        ToDecide = "to_decide",
    }
}

crate::answer! {
    /// One thing that would be different.
    pub struct ChangeDetail {
        /// `Limit` for example.
        pub name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub before: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub after: Option<String>,
    }

    /// A change that takes two people.
    pub struct ChangeRequest {
        pub id: ChangeRequestId,
        pub action: GuardedAction,
        pub state: ChangeState,
        /// What would be done, in a sentence.
        pub summary: String,
        pub details: Vec<ChangeDetail>,
        /// What it would be done to, as `kind:id`.
        pub target: String,
        /// Where: `org`, `team:<slug>` or `project:<slug>`.
        pub scope: String,
        /// The permission that whoever confirms needs there, as well as whoever asked.
        pub permission: String,
        /// The e-mail address of who asks, or else their id.
        pub asker: String,
        pub asker_id: UserId,
        pub asked_at: DateTime<Utc>,
        /// Until when it can be confirmed.
        pub pending_until: DateTime<Utc>,
        /// Since when it stands as it does.
        pub changed_at: DateTime<Utc>,
        /// Who confirmed or refused it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub decided_by: Option<String>,
        /// Why it was confirmed or refused, or why it could not be done any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reason: Option<String>,
        /// Whether whoever reads this may confirm it now.
        pub may_confirm: bool,
        pub may_refuse: bool,
        pub may_withdraw: bool,
    }

    /// An action that can be put under four eyes.
    pub struct GuardedActionInfo {
        pub action: GuardedAction,
        /// What it is, in a sentence.
        pub does: String,
        /// What one needs for it; who confirms needs the same.
        pub permissions: Vec<String>,
        /// Whether it takes two people now.
        pub on: bool,
    }

    /// What takes two people in an organisation.
    pub struct FourEyes {
        pub actions: Vec<GuardedActionInfo>,
        /// Up to here one person raises budgets alone; absent where each raise takes two.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub budget_limit: Option<Money>,
        /// How long others have to confirm.
        pub pending_minutes: u32,
    }
}

crate::request! {
    /// What takes two people from now on. To take something out of it takes two people itself.
    pub struct SetFourEyes {
        /// All that do, and no others; `four_eyes.loosen` is never named.
        pub actions: Vec<GuardedAction>,
        /// More than nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub budget_limit: Option<Money>,
        /// 5 to 10,080, which are 7 days.
        pub pending_minutes: u32,
    }

    /// That somebody agrees.
    pub struct ConfirmChange {
        /// For the audit log; up to 500 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reason: Option<String>,
    }

    /// That somebody does not agree, and why.
    pub struct RefuseChange {
        /// For who asked, and for the audit log; 1 to 500 characters.
        pub reason: String,
    }
}

/// Which changes that take two people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct ChangeRequestsQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ChangeState>,
    /// Only one's own, or those that wait where the caller may confirm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(inline))]
    pub only: Option<ChangesOnly>,
}
