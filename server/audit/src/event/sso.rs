//! What is recorded of single sign-on. What a provider says of somebody stays out, but for its word
//! for them: addresses and groups are not ours to keep.

use ralex_kernel::{Name, Slug, SsoLinkId, SsoProviderId, UserId};
use serde::Serialize;

/// Something that happened by single sign-on, or to how it is set.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum SsoEvent {
    #[serde(rename = "sso.provider_created")]
    ProviderCreated { provider: SsoProviderId, slug: Slug, name: Name, issuer: String },
    #[serde(rename = "sso.provider_updated")]
    ProviderUpdated {
        provider: SsoProviderId,
        enabled: bool,
        /// The fields that are not what they were.
        changed: Vec<String>,
        sessions_ended: u32,
    },
    #[serde(rename = "sso.provider_deleted")]
    ProviderDeleted { provider: SsoProviderId, slug: Slug, links: u32, roles: u32, sessions: u32 },
    #[serde(rename = "sso.provider_tested")]
    ProviderTested { provider: SsoProviderId, passed: bool },
    /// From now on people come in by this provider only, but for one owner.
    #[serde(rename = "sso.enforced")]
    Enforced { provider: SsoProviderId, break_glass: UserId },
    #[serde(rename = "sso.relaxed")]
    Relaxed { provider: SsoProviderId },

    #[serde(rename = "sso.login_succeeded")]
    LoginSucceeded { provider: SsoProviderId, user: UserId, link: SsoLinkId },
    /// Somebody came back from the provider and was not let in.
    #[serde(rename = "sso.login_refused")]
    LoginRefused { provider: SsoProviderId, reason: &'static str, user: Option<UserId> },
    #[serde(rename = "sso.link_created")]
    LinkCreated { link: SsoLinkId, provider: SsoProviderId, user: UserId, by: &'static str },
    #[serde(rename = "sso.link_removed")]
    LinkRemoved {
        link: SsoLinkId,
        provider: SsoProviderId,
        user: UserId,
        sessions_ended: u32,
        tokens_ended: u32,
    },
    /// What the groups of somebody who came in gave and took.
    #[serde(rename = "sso.roles_synced")]
    RolesSynced {
        provider: SsoProviderId,
        user: UserId,
        added: u32,
        removed: u32,
        /// Roles that the organisation's own rules kept from them.
        skipped: Vec<String>,
    },
    /// The provider said that somebody is out.
    #[serde(rename = "sso.logged_out")]
    LoggedOut { provider: SsoProviderId, sessions_ended: u32 },
}

impl SsoEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::ProviderCreated { provider, .. }
            | Self::ProviderUpdated { provider, .. }
            | Self::ProviderDeleted { provider, .. }
            | Self::ProviderTested { provider, .. }
            | Self::Enforced { provider, .. }
            | Self::Relaxed { provider }
            | Self::LoginRefused { provider, .. }
            | Self::LoggedOut { provider, .. } => format!("sso_provider:{provider}"),
            Self::LoginSucceeded { user, .. }
            | Self::LinkCreated { user, .. }
            | Self::LinkRemoved { user, .. }
            | Self::RolesSynced { user, .. } => format!("user:{user}"),
        }
    }
}
