//! What is recorded of people's accounts: how they came to a password, and what they call things.

use ralex_kernel::{SessionId, UserId};
use serde::Serialize;

/// Something that happened to an account.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum AccountEvent {
    /// Somebody by whose account nobody can come in yet, or who has yet to say that they belong here, got a
    /// link.
    #[serde(rename = "member.invited")]
    Invited { user: UserId },
    /// Whoever had an account before they were added said that they belong here.
    #[serde(rename = "member.joined")]
    Joined { user: UserId },
    /// Or that they do not.
    #[serde(rename = "member.declined")]
    Declined { user: UserId },
    /// Somebody asked for another password, and the address got a link.
    #[serde(rename = "password.forgotten")]
    Forgotten { user: UserId },
    /// Somebody reported a link by which a password is chosen, who therefore had it, and it ended.
    #[serde(rename = "link.leaked")]
    LinkLeaked {
        user: UserId,
        /// What it was for.
        purpose: &'static str,
        /// Where it was found, as the finder says.
        #[serde(skip_serializing_if = "Option::is_none")]
        found_at: Option<String>,
    },
    /// Whoever has the server made a link for an operator.
    #[serde(rename = "operator.recovered")]
    Recovered { user: UserId },
    /// What a person wants to be called is not told: it says more of them than their id.
    #[serde(rename = "account.renamed")]
    Renamed { user: UserId },
    /// Nor is what they call a session.
    #[serde(rename = "session.named")]
    SessionNamed { session: SessionId },
}

impl AccountEvent {
    pub(super) fn target(&self) -> String {
        match self {
            Self::Invited { user }
            | Self::Joined { user }
            | Self::Declined { user }
            | Self::Forgotten { user }
            | Self::LinkLeaked { user, .. }
            | Self::Recovered { user }
            | Self::Renamed { user } => format!("user:{user}"),
            Self::SessionNamed { session } => format!("session:{session}"),
        }
    }
}
