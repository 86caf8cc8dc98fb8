//! Programs that ask a person for a token of theirs (RFC 6749, 7636, 8252, 8628).
//!
//! What programs send and are told at `/oauth/…` has the form of these standards; what the person's
//! browser asks stands below `/api/v1` as everything else.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The one program that is known: it keeps no secret, and nothing follows from its name.
pub const CLIENT_ID: &str = "ralex-cli";

crate::answer! {
    /// Where the browser goes on to, with a code for the program or with word that there is none.
    pub struct ProgramAnswered {
        pub redirect: String,
    }

    /// A program that waits for a person who types its code.
    pub struct DeviceLogin {
        /// What the program says that it runs on.
        pub name: String,
        /// Where it asked from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub address: Option<String>,
        pub asked_at: DateTime<Utc>,
        pub expires_at: DateTime<Utc>,
    }
}

crate::request! {
    /// What a program has a browser ask, and what the person says to it.
    pub struct AnswerProgram {
        pub client_id: String,
        /// An address of the machine itself: `http://127.0.0.1:PORT/…` or `http://[::1]:PORT/…`.
        pub redirect_uri: String,
        /// SHA-256 of what the program will show, in base64 for addresses.
        pub code_challenge: String,
        /// `S256`.
        pub code_challenge_method: String,
        /// Handed back as it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        /// What the program runs on, for the name of the token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        pub approve: bool,
    }

    /// What a person says to the program whose code they typed.
    pub struct AnswerDevice {
        pub user_code: String,
        pub approve: bool,
    }
}

/// What a program may do now (RFC 6749, 5.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TokenGranted {
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds.
    pub expires_in: i64,
}

/// Why it may not (RFC 6749, 5.2; RFC 8628, 3.5).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OAuthError {
    pub error: String,
    pub error_description: String,
}

/// What a program shows to a person who has a browser elsewhere (RFC 8628, 3.2).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeviceAuthorization {
    pub device_code: String,
    pub user_code: String,
    pub verification_uri: String,
    pub verification_uri_complete: String,
    /// Seconds.
    pub expires_in: i64,
    /// Seconds to wait between two questions.
    pub interval: i64,
}
