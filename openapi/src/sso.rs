//! Single sign-on: who vouches for an organisation's people, and what follows from it.

use chrono::{DateTime, Utc};
use ralex_kernel::{Name, Secret, Slug, SsoLinkId, SsoProviderId, UserId};
use serde::{Deserialize, Serialize};

use crate::access::RoleName;

crate::answer! {
    /// A provider of single sign-on, without its secret.
    pub struct SsoProvider {
        pub id: SsoProviderId,
        pub slug: Slug,
        pub name: Name,
        pub issuer: String,
        pub client_id: String,
        pub scopes: Vec<String>,
        pub claims: SsoClaims,
        /// Domains of the addresses with which people may be new here.
        pub domains: Vec<String>,
        pub enabled: bool,
        /// Whether somebody who is new gets an account by logging in.
        pub create_members: bool,
        /// What everybody who comes in holds in the whole organisation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub default_role: Option<RoleName>,
        pub mappings: Vec<SsoMapping>,
        /// How long a session lasts.
        pub session_minutes: u32,
        /// What the provider has to be told as the address to come back to.
        pub callback_url: String,
        /// What it has to be told as the address for logging out behind people's backs.
        pub logout_url: String,
        /// Where to begin.
        pub start_url: String,
        /// When its answers made sense last, as it is set now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tested_at: Option<DateTime<Utc>>,
        /// When somebody came in by it last, as it is set now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub used_at: Option<DateTime<Utc>>,
        pub created_at: DateTime<Utc>,
        /// Raised by every change; the `ETag` of the answer.
        pub version: u64,
    }

    /// All providers of an organisation, and whether one of them is the only way in.
    pub struct SsoProviders {
        pub items: Vec<SsoProvider>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub enforcement: Option<SsoEnforcement>,
    }

    /// That people come in by one provider and in no other way.
    pub struct SsoEnforcement {
        pub provider: Slug,
        /// The one owner who may still come in by password.
        pub break_glass: UserId,
        pub break_glass_email: String,
        pub since: DateTime<Utc>,
    }

    /// What a provider said when it was asked.
    pub struct SsoTested {
        pub passed: bool,
        /// What is wrong first, or that all is well.
        pub detail: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub authorization_endpoint: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub token_endpoint: Option<String>,
        /// The keys that it signs with, as far as they are of a kind that is accepted.
        pub keys: Vec<SsoKey>,
        /// What works, but not as well as it could.
        pub warnings: Vec<String>,
    }

    pub struct SsoKey {
        /// Its name; empty where it has none.
        pub kid: String,
        /// The one algorithm that it is accepted with.
        pub algorithm: String,
    }

    /// Who somebody is to a provider.
    pub struct SsoLink {
        pub id: SsoLinkId,
        pub provider: Slug,
        pub provider_name: Name,
        /// The slug of the organisation whose provider it is.
        pub org: Slug,
        pub user: UserId,
        pub email: String,
        /// The provider's word for them.
        pub subject: String,
        pub created_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_login_at: Option<DateTime<Utc>>,
    }

    pub struct SsoLinks {
        pub items: Vec<SsoLink>,
    }

    /// A way in, for who has said where they belong.
    pub struct SsoDoor {
        pub org_name: Name,
        pub provider: Name,
        pub start_url: String,
    }

    pub struct SsoDoors {
        pub items: Vec<SsoDoor>,
    }

    /// Where to go on.
    pub struct SsoBegun {
        pub url: String,
    }
}

/// What the provider calls what it says of somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SsoClaims {
    #[serde(default = "email")]
    pub email: String,
    /// The claim by which the provider says that the address is really theirs.
    #[serde(default = "verified")]
    pub email_verified: String,
    #[serde(default = "name")]
    pub name: String,
    #[serde(default = "groups")]
    pub groups: String,
}

impl Default for SsoClaims {
    fn default() -> Self {
        Self { email: email(), email_verified: verified(), name: name(), groups: groups() }
    }
}

fn email() -> String {
    "email".to_owned()
}

fn verified() -> String {
    "email_verified".to_owned()
}

fn name() -> String {
    "name".to_owned()
}

fn groups() -> String {
    "groups".to_owned()
}

/// The role that a group means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SsoMapping {
    /// The group as the provider writes it, to the letter.
    pub group: String,
    pub role: RoleName,
    /// `org` (the default), `team:<slug or id>` or `project:<slug or id>`.
    #[serde(default = "everywhere")]
    pub scope: String,
}

fn everywhere() -> String {
    "org".to_owned()
}

/// A provider of single sign-on, with its secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewSsoProvider {
    pub slug: Slug,
    pub name: Name,
    /// As the provider writes it in its discovery document, to the letter. It is never changed.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
    /// `openid email profile` when absent; `openid` is always among them.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    #[serde(default)]
    pub claims: SsoClaims,
    #[serde(default)]
    pub domains: Vec<String>,
    #[serde(default)]
    pub create_members: bool,
    #[serde(default)]
    pub default_role: Option<RoleName>,
    #[serde(default)]
    pub mappings: Vec<SsoMapping>,
    /// 720 when absent.
    #[serde(default)]
    pub session_minutes: Option<u32>,
    /// False when absent: test it first.
    #[serde(default)]
    pub enabled: bool,
}

/// What is absent stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UpdateSsoProvider {
    #[serde(default)]
    pub name: Option<Name>,
    #[serde(default)]
    pub client_id: Option<String>,
    #[serde(default)]
    pub client_secret: Option<Secret>,
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    #[serde(default)]
    pub claims: Option<SsoClaims>,
    #[serde(default)]
    pub domains: Option<Vec<String>>,
    #[serde(default)]
    pub create_members: Option<bool>,
    /// An empty text takes it away.
    #[serde(default)]
    pub default_role: Option<RoleName>,
    /// All of them, in place of those that there are.
    #[serde(default)]
    pub mappings: Option<Vec<SsoMapping>>,
    #[serde(default)]
    pub session_minutes: Option<u32>,
    #[serde(default)]
    pub enabled: Option<bool>,
}

crate::request! {
    pub struct EnforceSso {
        /// Id or slug of the provider that is the only way in from now on.
        pub provider: String,
        /// Id or e-mail address of the one owner who may still come in by password.
        pub break_glass: String,
    }

    /// Who a member is to a provider, as its administrator says.
    pub struct NewSsoLink {
        /// Id or e-mail address of the member.
        pub user: String,
        /// The provider's word for them (`sub`).
        pub subject: String,
    }

    /// A provider that one wants to come in by from now on.
    pub struct ConnectSso {
        /// Id or slug.
        pub org: String,
        /// Id or slug.
        pub provider: String,
    }
}

/// Where somebody belongs, by the slug of an organisation or by an e-mail address. Only the domain of
/// the address counts, so that the answer tells of no account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct SsoDoorsQuery {
    /// `acme`, or `ann@acme.example`.
    pub at: String,
}

crate::words! {
    /// Why somebody who came back from a provider was not let in.
    pub enum SsoRefusal {
        /// There is no such provider, or it is switched off.
        Unavailable = "unavailable",
        /// Too many tries from one network.
        Throttled = "throttled",
        /// The provider cannot be reached, or answers with something else than it should.
        Provider = "provider",
        /// What came back was never sent out, came back before, or took too long.
        State = "state",
        /// It came back in another browser than it was sent from.
        Browser = "browser",
        /// The provider itself said no.
        Refused = "refused",
        /// The answer names another provider than the one that was asked.
        MixUp = "mix_up",
        /// The provider did not take the code.
        Code = "code",
        /// What the provider says is not proven to be its word, or is not for us, or not for now.
        Token = "token",
        /// The provider does not say that the person proved anew who they are, which it was asked for.
        NotProven = "not_proven",
        /// Its two answers are about two people.
        Userinfo = "userinfo",
        /// The person is no member here, and nobody becomes one by logging in.
        NotAMember = "not_a_member",
        /// The provider does not say that the address is really theirs.
        EmailUnverified = "email_unverified",
        /// People with this address are not let in by this provider.
        Domain = "domain",
        /// There is an account with this address, which is not linked to the provider.
        AccountExists = "account_exists",
        /// The account is disabled.
        Disabled = "disabled",
        /// Somebody else is linked to this identity, or the person to another one.
        LinkTaken = "link_taken",
    }
}

impl SsoRefusal {
    /// For the person at the browser.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Unavailable => "This single sign-on is not available. Ask your administrator.",
            Self::Throttled => "There were too many tries from your network. Wait a few minutes.",
            Self::Provider => {
                "Your identity provider does not answer as it should. Try again later."
            }
            Self::State => "This login was used already or took too long. Start again.",
            Self::Browser => "This login was started in another browser. Start again in this one.",
            Self::Refused => "Your identity provider did not let you in.",
            Self::MixUp => "The answer came from another identity provider. Start again.",
            Self::Code | Self::Token | Self::Userinfo => {
                "What your identity provider said could not be verified. Ask your administrator."
            }
            Self::NotProven => {
                "Your identity provider did not confirm that you proved just now who you are. Try again, or \
                 ask your administrator."
            }
            Self::NotAMember => "You are not a member of this organisation. Ask to be added.",
            Self::EmailUnverified => {
                "Your identity provider does not confirm your e-mail address. Ask your administrator."
            }
            Self::Domain => "Addresses of your domain are not let in here. Ask your administrator.",
            Self::AccountExists => {
                "There is an account with your e-mail address that is not linked. Log in with your \
                 password and connect single sign-on in your profile, or ask an administrator to link \
                 it."
            }
            Self::Disabled => {
                "Your account is disabled, or suspended in this organisation. Ask an administrator."
            }
            Self::LinkTaken => {
                "This identity, or your account, is linked already. Unlink it first."
            }
        }
    }
}

impl UpdateSsoProvider {
    /// Whether it changes nothing but, perhaps, whether the provider is switched on.
    pub fn is_silent_otherwise(&self) -> bool {
        let Self {
            name,
            client_id,
            client_secret,
            scopes,
            claims,
            domains,
            create_members,
            default_role,
            mappings,
            session_minutes,
            enabled: _,
        } = self;
        name.is_none()
            && client_id.is_none()
            && client_secret.is_none()
            && scopes.is_none()
            && claims.is_none()
            && domains.is_none()
            && create_members.is_none()
            && default_role.is_none()
            && mappings.is_none()
            && session_minutes.is_none()
    }
}
