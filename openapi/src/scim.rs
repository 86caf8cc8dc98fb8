//! Provisioning: an organisation's own directory says over SCIM who its people are.

use chrono::{DateTime, Utc};
use ralex_kernel::{Name, TokenId};

crate::answer! {
    /// Whether an organisation's directory is heard, and by which tokens.
    pub struct ScimConnection {
        pub enabled: bool,
        /// What the directory has to be told as the address.
        pub base_url: String,
        pub tokens: Vec<ScimToken>,
        /// How many members the directory tells of.
        pub users: u32,
        /// How many groups the directory decides about.
        pub groups: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub created_at: Option<DateTime<Utc>>,
        /// When the directory was heard last, to the minute.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub used_at: Option<DateTime<Utc>>,
    }

    /// A token that the directory shows, without its text.
    pub struct ScimToken {
        pub id: TokenId,
        pub name: Name,
        pub last_four: String,
        pub created_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_used_at: Option<DateTime<Utc>>,
    }
}

crate::request! {
    pub struct SetScim {
        pub enabled: bool,
    }

    pub struct NewScimToken {
        pub name: Name,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<DateTime<Utc>>,
    }
}
