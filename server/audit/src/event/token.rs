//! What is recorded of people's tokens, and of the secrets of all tokens, which themselves have no field.

use chrono::{DateTime, Utc};
use ralex_kernel::{Name, SessionId, TokenId, UserId};
use serde::Serialize;

/// Something that happened to a personal token, or to a token's secret. `user` is there where the token is a
/// personal one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum TokenEvent {
    #[serde(rename = "personal_token.created")]
    PersonalCreated {
        token: TokenId,
        name: Name,
        /// Of the names that it is limited to, those that this organisation has.
        #[serde(skip_serializing_if = "Option::is_none")]
        models: Option<Vec<String>>,
        /// How many more it is limited to; what others call their models is not told here.
        #[serde(skip_serializing_if = "Option::is_none")]
        other_models: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        permissions: Option<Vec<String>>,
        /// Where it works from tells where its person is; that it is limited is enough.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        limited_to_addresses: bool,
        /// Who made it, and so the actor; not written twice.
        #[serde(skip)]
        user: UserId,
    },
    #[serde(rename = "personal_token.revoked")]
    PersonalRevoked {
        token: TokenId,
        name: Name,
        #[serde(skip)]
        user: UserId,
    },
    #[serde(rename = "token.rotated")]
    Rotated {
        token: TokenId,
        name: Name,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<UserId>,
        /// Until when the former secret works beside the new one.
        #[serde(skip_serializing_if = "Option::is_none")]
        former_until: Option<DateTime<Utc>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<DateTime<Utc>>,
    },
    /// The former secret ended before its time.
    #[serde(rename = "token.former_ended")]
    FormerEnded {
        token: TokenId,
        name: Name,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<UserId>,
    },
    /// Somebody reported the secret, who therefore has it, and it ended.
    #[serde(rename = "token.leaked")]
    Leaked {
        token: TokenId,
        name: Name,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<UserId>,
        /// Only the former secret ended; the token goes on.
        former: bool,
        /// Where it was found, as the finder says.
        #[serde(skip_serializing_if = "Option::is_none")]
        found_at: Option<String>,
    },
    #[serde(rename = "session.leaked")]
    SessionLeaked {
        session: SessionId,
        #[serde(skip_serializing_if = "Option::is_none")]
        found_at: Option<String>,
    },
    /// A token was shown from a network that it does not work from; told once an hour.
    #[serde(rename = "token.address_refused")]
    AddressRefused {
        token: TokenId,
        name: Name,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<UserId>,
    },
}

impl TokenEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::PersonalCreated { token, .. }
            | Self::PersonalRevoked { token, .. }
            | Self::Rotated { token, .. }
            | Self::FormerEnded { token, .. }
            | Self::Leaked { token, .. }
            | Self::AddressRefused { token, .. } => format!("token:{token}"),
            Self::SessionLeaked { session, .. } => format!("session:{session}"),
        }
    }

    /// Whose the name of the token is.
    pub(crate) const fn user(&self) -> Option<UserId> {
        match self {
            Self::PersonalCreated { user, .. } | Self::PersonalRevoked { user, .. } => Some(*user),
            Self::Rotated { user, .. }
            | Self::FormerEnded { user, .. }
            | Self::Leaked { user, .. }
            | Self::AddressRefused { user, .. } => *user,
            Self::SessionLeaked { .. } => None,
        }
    }
}
