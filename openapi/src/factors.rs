//! Second factors: what people prove beside their password, and how they prove it anew.

use chrono::{DateTime, Utc};
use ralex_kernel::Secret;
use serde::{Deserialize, Serialize};

use crate::passkeys::{Passkey, PasskeyAnswer};

/// By what somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Method {
    Password,
    /// A code of an authenticator app.
    Totp,
    /// One of the codes for those who lost the app or the passkeys.
    RecoveryCode,
    /// The word of the organisation's own identity provider.
    SingleSignOn,
    /// An authenticator that knows its owner by a finger, a face or a PIN: alone as good as a
    /// password and a second factor.
    Passkey,
}

impl Method {
    pub const ALL: [Self; 5] =
        [Self::Password, Self::Totp, Self::RecoveryCode, Self::SingleSignOn, Self::Passkey];

    /// The name as it stands in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::SingleSignOn => "single_sign_on",
            Self::Passkey => "passkey",
        }
    }
}

crate::answer! {
    /// The password was right, and a second factor is asked for. There is no session yet.
    pub struct SecondFactor {
        /// Goes to `POST /auth/second-factor` with a code or a passkey's answer. Good for one login
        /// and for nothing else.
        pub challenge: String,
        pub expires_at: DateTime<Utc>,
        /// What is accepted.
        pub methods: Vec<Method>,
    }

    /// One's own second factors.
    pub struct Factors {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub totp: Option<TotpFactor>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub passkeys: Vec<Passkey>,
        /// How many recovery codes are not used yet.
        pub recovery_codes: u32,
    }

    /// An authenticator app.
    pub struct TotpFactor {
        pub added_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_used_at: Option<DateTime<Utc>>,
    }

    /// What an authenticator app is set up with, shown once. It counts when a code of it came back.
    pub struct NewTotp {
        /// For typing it in: base32.
        pub secret: String,
        /// For apps that open it: `otpauth://…`.
        pub uri: String,
        pub qr_code: QrCode,
    }

    /// The same to be scanned. Draw `path` in black on white, as an SVG's
    /// `<path d="…">` in `viewBox="0 0 size size"`; the quiet zone is part of it.
    pub struct QrCode {
        pub size: u32,
        pub path: String,
    }

    /// Codes for the day on which the app or the passkeys are lost, shown once. Each works once.
    pub struct RecoveryCodes {
        pub codes: Vec<String>,
    }

    /// What an organisation asks of everybody in it.
    pub struct OrgSecurity {
        /// Without a second factor nothing in the organisation is open, neither to sessions nor to
        /// personal tokens. Tokens of teams and service accounts go on.
        pub second_factor_required: bool,
        /// Whether tokens that came of a typed code (RFC 8628) count here.
        #[serde(default)]
        pub device_login: bool,
    }

    /// That somebody proved anew who they are.
    pub struct Proof {
        pub methods: Vec<Method>,
        /// Until when that is enough for what asks for a fresh proof.
        pub fresh_until: DateTime<Utc>,
    }
}

crate::request! {
    pub struct UpdateOrgSecurity {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub second_factor_required: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub device_login: Option<bool>,
    }
}

/// The second half of a login.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SecondFactorLogin {
    /// From the answer to the first half.
    pub challenge: Secret,
    /// Of the authenticator app, or a recovery code.
    #[serde(default)]
    pub code: Option<Secret>,
    /// In the place of a code.
    #[serde(default)]
    pub passkey: Option<PasskeyAnswer>,
}

/// A code of an authenticator app that is being set up.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfirmTotp {
    pub code: Secret,
}

/// A fresh proof of who is behind a session.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StepUp {
    #[serde(default)]
    pub password: Option<Secret>,
    /// Of the authenticator app, or a recovery code. Needed with a password where a second factor is
    /// registered.
    #[serde(default)]
    pub code: Option<Secret>,
    /// In the place of the password and of a code.
    #[serde(default)]
    pub passkey: Option<PasskeyAnswer>,
}
