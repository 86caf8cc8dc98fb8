//! Links: how somebody who was invited, or who forgot their password, chooses one, and how somebody who has
//! an account says whether they belong to one more organisation.

use chrono::{DateTime, Utc};
use ralex_kernel::{Email, Name, Secret, Slug};
use serde::Deserialize;

crate::words! {
    /// What a link is for.
    pub enum LinkPurpose {
        /// Somebody added this person, who has no password yet.
        Invited = "invited",
        /// This person asked for another password.
        Forgotten = "forgotten",
        /// An organisation added this person, who has an account and says whether they belong to it.
        Join = "join",
    }
}

crate::answer! {
    /// An invitation that waits to be used.
    pub struct Invitation {
        pub expires_at: DateTime<Utc>,
        /// Whether the mail server has taken it.
        pub mailed: bool,
        /// What to hand over, where no mail brought it. Shown once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub link: Option<String>,
        /// Why no mail brought it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub failure: Option<String>,
        /// Whether who opens it has an account, signs in with it and says yes or no; else they choose a
        /// password by it.
        #[serde(default)]
        pub has_account: bool,
    }

    /// What was said to an invitation.
    pub struct InvitationAnswered {
        pub org: Slug,
        pub accepted: bool,
    }

    /// Whether who forgot their password can have a link by mail.
    pub struct ForgottenOffer {
        pub offered: bool,
    }

    /// Whose account a link opens.
    pub struct LinkShown {
        pub purpose: LinkPurpose,
        pub email: Email,
        pub name: Name,
        pub expires_at: DateTime<Utc>,
        /// The organisation that it asks them to belong to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub org: Option<Name>,
    }
}

/// What stands after the `#` of a link.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UseLink {
    pub link: Secret,
}

/// Whether one belongs to the organisation of a link, which is used up by it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AnswerInvitation {
    pub link: Secret,
    pub accept: bool,
}

/// A password for the account of a link, which is used up by it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SetPassword {
    pub link: Secret,
    pub new: Secret,
    /// What one wants to be called, if something else than whoever invited one wrote.
    #[serde(default)]
    pub name: Option<Name>,
}

crate::request! {
    /// Whose password is forgotten.
    pub struct ForgottenPassword {
        pub email: Email,
    }
}
