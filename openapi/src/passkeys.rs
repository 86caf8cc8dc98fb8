//! Passkeys: what browsers are asked, what they answer, and what is told of the keys themselves.
//!
//! `options` and `credential` are the JSON forms of Web Authentication (level 3), as browsers read and write them:
//! `PublicKeyCredential.parseCreationOptionsFromJSON`, `parseRequestOptionsFromJSON` and `toJSON`.

use chrono::{DateTime, Utc};
use ralex_kernel::{Name, PasskeyId, Secret};
use serde::Deserialize;
use serde_json::Value;

use crate::factors::RecoveryCodes;

crate::answer! {
    /// A passkey of one's own.
    pub struct Passkey {
        pub id: PasskeyId,
        pub name: Name,
        pub added_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_used_at: Option<DateTime<Utc>>,
    }

    /// Whether people can have passkeys here.
    pub struct PasskeyOffer {
        pub offered: bool,
        /// Why they cannot, and what whoever runs this server changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reason: Option<String>,
    }

    /// What an authenticator is asked. It is answered once, for what it was asked for.
    pub struct PasskeyCeremony {
        /// Goes back with the answer.
        pub ceremony: String,
        pub expires_at: DateTime<Utc>,
        /// For `navigator.credentials.create` or `navigator.credentials.get`, as `publicKey`.
        pub options: Value,
    }

    /// A passkey that was added.
    pub struct PasskeyAdded {
        pub passkey: Passkey,
        /// For the day on which it is lost, shown once: with the first second factor only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub recovery_codes: Option<RecoveryCodes>,
    }
}

crate::request! {
    pub struct RenamePasskey {
        pub name: Name,
    }
}

/// What an authenticator answered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PasskeyAnswer {
    /// From what it was asked with.
    pub ceremony: Secret,
    /// What the browser's credential gave as JSON.
    pub credential: Value,
}

/// A passkey that an authenticator made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewPasskey {
    /// What its owner calls it.
    pub name: Name,
    /// From what the authenticator was asked with.
    pub ceremony: Secret,
    /// What the browser's credential gave as JSON.
    pub credential: Value,
}

/// Which login an authenticator is to complete.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WaitingLogin {
    /// From the answer to the password.
    pub challenge: Secret,
}
