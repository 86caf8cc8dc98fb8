//! Break-glass: a dormant way in for an emergency, which two named people open together.

use chrono::{DateTime, Utc};
use ralex_kernel::{BreakGlassId, UserId};
use serde::Deserialize;

use crate::access::RoleName;
use crate::passkeys::PasskeyAnswer;

crate::words! {
    /// How a use of the break-glass access stands.
    pub enum BreakGlassState {
        /// It waits for a second named person, and gives nothing.
        Asked = "asked",
        /// Both people hold what it gives.
        Open = "open",
        /// It was taken back before anybody confirmed it.
        Withdrawn = "withdrawn",
        /// Nobody confirmed it in time.
        Expired = "expired",
        Ended = "ended",
    }
}

crate::answer! {
    /// Somebody who may open it.
    pub struct BreakGlassPerson {
        pub user: UserId,
        pub email: String,
        pub name: String,
        /// Why they could not open it today; absent where they could.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub hindered: Option<String>,
    }

    /// How it is armed.
    pub struct BreakGlassArmed {
        /// Whose permissions were written out when it was armed.
        pub role: RoleName,
        /// All that it gives, at the organisation and everywhere in it. A later change of the role makes no
        /// difference.
        pub permissions: Vec<String>,
        pub longest_minutes: u32,
        pub people: Vec<BreakGlassPerson>,
        /// The e-mail address of who armed it, or else their id.
        pub armed_by: String,
        pub armed_at: DateTime<Utc>,
    }

    /// One use of it.
    pub struct BreakGlassOpening {
        pub id: BreakGlassId,
        pub state: BreakGlassState,
        /// A drill takes all the steps and gives nothing.
        pub drill: bool,
        pub reason: String,
        /// For how long it is open once it is confirmed.
        pub minutes: u32,
        pub role: RoleName,
        pub permissions: Vec<String>,
        pub asked_by: String,
        pub asked_by_id: UserId,
        pub asked_at: DateTime<Utc>,
        pub confirm_until: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub confirmed_by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub opened_at: Option<DateTime<Utc>>,
        /// When it ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub until: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ended_at: Option<DateTime<Utc>>,
        /// Who ended it; absent where its time was over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ended_by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reviewed_by: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reviewed_at: Option<DateTime<Utc>>,
        /// What came of the review.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub note: Option<String>,
        /// Whether whoever reads this may confirm it now.
        pub may_confirm: bool,
        pub may_end: bool,
        pub may_review: bool,
    }

    /// The break-glass access of an organisation.
    pub struct BreakGlass {
        /// For whoever may arm it and for those who are named; absent for others, and where it is not armed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub armed: Option<BreakGlassArmed>,
        /// What waits to be confirmed or is open, for the same people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub current: Option<BreakGlassOpening>,
        /// Until when it is open, for everybody; absent while it is closed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub open_until: Option<DateTime<Utc>>,
        /// How many uses wait for their review.
        pub reviews_waiting: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_drill_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_opened_at: Option<DateTime<Utc>>,
        /// Whether it is armed and neither was drilled nor opened for more than 92 days.
        pub drill_due: bool,
        /// Whether whoever reads this is named.
        pub is_named: bool,
        pub may_arm: bool,
        /// Permissions that it never gives, whatever the role has.
        pub never: Vec<String>,
    }
}

crate::request! {
    /// Who may open it, and what it gives.
    pub struct ArmBreakGlass {
        /// 2 to 5 members, each with a passkey; by e-mail address or id.
        pub people: Vec<String>,
        /// The role whose permissions it gives; `owner` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub role: Option<RoleName>,
        /// 5 to 60; 60 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub longest_minutes: Option<u32>,
    }

    /// What a passkey is asked to sign for.
    pub struct AskBreakGlassPasskey {
        /// The use that is to be confirmed; absent to ask for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub opening: Option<BreakGlassId>,
    }

    /// What came of the review of a use.
    pub struct ReviewBreakGlass {
        /// 10 to 2,000 characters.
        pub note: String,
    }
}

/// That it be opened.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenBreakGlass {
    /// Why, for those who confirm, the owners and the audit log; 10 to 1,000 characters.
    pub reason: String,
    /// 5 up to what is armed, which is also meant when absent.
    #[serde(default)]
    pub minutes: Option<u32>,
    /// To take all the steps and be given nothing.
    #[serde(default)]
    pub drill: bool,
    pub passkey: PasskeyAnswer,
}

/// That a second person agrees.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfirmBreakGlass {
    pub passkey: PasskeyAnswer,
}
