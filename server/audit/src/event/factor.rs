//! What is recorded of second factors and of proofs. Codes and secrets have no field.

use ralex_api::factors::Method;
use ralex_kernel::{OrgId, PasskeyId, SessionId, UserId};
use serde::Serialize;

/// Something about how a person proves who they are, beside the password.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum FactorEvent {
    /// A secret was made for an app; it counts for nothing yet.
    #[serde(rename = "factor.begun")]
    Begun { user: UserId, factor: Method },
    #[serde(rename = "factor.added")]
    Added { user: UserId, factor: Method, sessions_ended: u32 },
    #[serde(rename = "factor.removed")]
    Removed { user: UserId, factor: Method },
    /// Its owner's name for it is not told: it may say more of them than their id.
    #[serde(rename = "passkey.added")]
    PasskeyAdded { user: UserId, passkey: PasskeyId, sessions_ended: u32 },
    #[serde(rename = "passkey.renamed")]
    PasskeyRenamed { user: UserId, passkey: PasskeyId },
    #[serde(rename = "passkey.removed")]
    PasskeyRemoved { user: UserId, passkey: PasskeyId, sessions_ended: u32 },
    /// Its signature was right and its count of signatures was not ahead: there may be a copy of it.
    #[serde(rename = "passkey.copy_suspected")]
    PasskeyCopied { user: UserId, passkey: PasskeyId },
    /// A password was right and what came after it was not; floods are counted.
    #[serde(rename = "login.factor_failed")]
    Failed { user: UserId, failures: u32 },
    #[serde(rename = "recovery_codes.created")]
    CodesCreated { user: UserId, codes: u32 },
    #[serde(rename = "recovery_code.used")]
    CodeUsed { user: UserId, left: u32 },
    /// An operator removed all of them, since their owner had lost them.
    #[serde(rename = "factors.reset")]
    Reset { user: UserId, reason: String, passkeys: u32, sessions_ended: u32 },
    /// What the organisation asks of everybody who signs in.
    #[serde(rename = "org.security_changed")]
    Asked { org: OrgId, second_factor_required: bool, device_login: bool },
    /// The person behind a session proved anew who they are.
    #[serde(rename = "session.proven")]
    Proven { session: SessionId, methods: Vec<Method> },
}

impl FactorEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Begun { user, .. }
            | Self::Added { user, .. }
            | Self::Removed { user, .. }
            | Self::PasskeyAdded { user, .. }
            | Self::PasskeyRenamed { user, .. }
            | Self::PasskeyRemoved { user, .. }
            | Self::PasskeyCopied { user, .. }
            | Self::Failed { user, .. }
            | Self::Reset { user, .. }
            | Self::CodesCreated { user, .. }
            | Self::CodeUsed { user, .. } => format!("user:{user}"),
            Self::Asked { org, .. } => format!("org:{org}"),
            Self::Proven { session, .. } => format!("session:{session}"),
        }
    }
}
