//! Events of provisioning, by which an organisation's directory says who its people are.

use chrono::{DateTime, Utc};
use ralex_kernel::{GroupId, Name, ScimConnectionId, TokenId, UserId};
use serde::Serialize;

/// Something that happened to the connection of a directory, or by it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum ScimEvent {
    #[serde(rename = "scim.enabled")]
    Enabled { connection: ScimConnectionId },
    #[serde(rename = "scim.disabled")]
    Disabled { connection: ScimConnectionId },
    #[serde(rename = "scim.token_created")]
    TokenCreated {
        connection: ScimConnectionId,
        token: TokenId,
        name: Name,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<DateTime<Utc>>,
    },
    #[serde(rename = "scim.token_revoked")]
    TokenRevoked { connection: ScimConnectionId, token: TokenId, name: Name },
    #[serde(rename = "scim.user_created")]
    UserCreated { user: UserId },
    /// What changed is told by name: what it says of the person is no business of the log.
    #[serde(rename = "scim.user_updated")]
    UserUpdated { user: UserId, changed: Vec<String> },
    #[serde(rename = "scim.user_deleted")]
    UserDeleted { user: UserId },
    #[serde(rename = "scim.group_updated")]
    GroupUpdated { group: GroupId, changed: Vec<String>, added: u32, removed: u32 },
    /// The directory names people in a group of whom it has not told; they are passed over.
    #[serde(rename = "scim.members_unknown")]
    MembersUnknown { group: GroupId, unknown: u32 },
    /// The directory wanted an owner out without whom there would be none.
    #[serde(rename = "scim.owner_kept")]
    OwnerKept { user: UserId, sessions_ended: u32 },
    /// From now on people decide who is in a group.
    #[serde(rename = "scim.group_released")]
    GroupReleased { group: GroupId },
}

impl ScimEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Enabled { connection }
            | Self::Disabled { connection }
            | Self::TokenCreated { connection, .. }
            | Self::TokenRevoked { connection, .. } => format!("scim_connection:{connection}"),
            Self::UserCreated { user }
            | Self::UserUpdated { user, .. }
            | Self::UserDeleted { user }
            | Self::OwnerKept { user, .. } => format!("user:{user}"),
            Self::GroupUpdated { group, .. }
            | Self::MembersUnknown { group, .. }
            | Self::GroupReleased { group } => {
                format!("group:{group}")
            }
        }
    }
}
