//! Principals: who asks, and by which credential.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::id::{
    OrgId, RequestId, ScimConnectionId, ServiceAccountId, SessionId, SsoProviderId, TokenId, UserId,
};
use crate::permission::Permissions;
use crate::scope::ScopePath;

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A person, through a session or a personal token.
    User(UserId),
    /// A team's token by itself, with the rights of its scope.
    Token { token: TokenId, org: OrgId, scope: ScopePath },
    /// A service account, through any of its tokens, with the rights of its home.
    Service { account: ServiceAccountId, org: OrgId, scope: ScopePath },
    /// An organisation's directory, through any of its tokens. It holds no roles: what it may do is what
    /// provisioning is.
    Directory { connection: ScimConnectionId, org: OrgId },
    /// The deployment itself: its background jobs, and its operator at the command line.
    System,
}

impl Subject {
    /// `user`, `token`, `service_account`, `directory` or `system`: the audit log's actor kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Token { .. } => "token",
            Self::Service { .. } => "service_account",
            Self::Directory { .. } => "directory",
            Self::System => "system",
        }
    }

    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(*user),
            Self::Token { .. } | Self::Service { .. } | Self::Directory { .. } | Self::System => {
                None
            }
        }
    }

    pub const fn service_account(&self) -> Option<ServiceAccountId> {
        match self {
            Self::Service { account, .. } => Some(*account),
            Self::User(_) | Self::Token { .. } | Self::Directory { .. } | Self::System => None,
        }
    }

    /// What is no person but belongs to one organisation: its id, that organisation, and its home.
    pub fn machine(&self) -> Option<(uuid::Uuid, OrgId, ScopePath)> {
        match *self {
            Self::Token { token, org, scope } => Some((token.uuid(), org, scope)),
            Self::Service { account, org, scope } => Some((account.uuid(), org, scope)),
            Self::User(_) | Self::Directory { .. } | Self::System => None,
        }
    }
}

/// The name policies use: `user:{id}`, `sa:{id}`, `directory:{id}` or `system`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Token { token, .. } => write!(f, "sa:{token}"),
            Self::Service { account, .. } => write!(f, "sa:{account}"),
            Self::Directory { connection, .. } => write!(f, "directory:{connection}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// What proved who the caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    Session(SessionId),
    PersonalToken(TokenId),
    /// A token of a team, or of a service account.
    TeamToken(TokenId),
    /// A token of an organisation's directory.
    ScimToken(TokenId),
    /// Nothing: the process itself.
    Internal,
}

impl Credential {
    /// `session`, `personal_token`, `team_token`, `scim_token` or `internal`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::PersonalToken(_) => "personal_token",
            Self::TeamToken(_) => "team_token",
            Self::ScimToken(_) => "scim_token",
            Self::Internal => "internal",
        }
    }

    pub fn id(&self) -> Option<uuid::Uuid> {
        match self {
            Self::Session(id) => Some(id.uuid()),
            Self::PersonalToken(id) | Self::TeamToken(id) | Self::ScimToken(id) => Some(id.uuid()),
            Self::Internal => None,
        }
    }

    /// The token whose budget a model call counts against.
    pub const fn token(&self) -> Option<TokenId> {
        match self {
            Self::PersonalToken(id) | Self::TeamToken(id) => Some(*id),
            Self::Session(_) | Self::ScimToken(_) | Self::Internal => None,
        }
    }
}

/// By whose word a person came in: an organisation's own provider of single sign-on. Whoever runs that
/// provider can say anything of anybody, so it counts in that organisation and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignOn {
    pub org: OrgId,
    pub provider: SsoProviderId,
}

/// An authenticated caller. It opens nothing by itself: `access` turns it into a proof.
#[derive(Clone, Debug)]
pub struct Caller {
    pub subject: Subject,
    pub credential: Credential,
    /// Whether more than a password vouches for the person: a session was opened with a second
    /// factor, the person of a personal token has one. Machines are not asked for any.
    pub second_factor: bool,
    /// Nothing for who came in by what only they and Ralex know.
    pub sign_on: Option<SignOn>,
    /// Whether the credential is a token that came of a typed code, which somebody may have been
    /// talked into typing.
    pub by_device: bool,
    /// What the credential is narrowed to, of all that its holder may; nothing where it has it all.
    pub narrowed: Option<Permissions>,
    /// Names of the models that the credential is limited to; nothing for all.
    pub models: Option<Arc<[String]>>,
    pub request: RequestId,
    /// Where the request came from, as far as the trusted proxies tell.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// Whether the credential has less than its holder, in what it may do or in the models that it opens. Such a
    /// one is made for something: it opens nothing of an account, and decides about nobody.
    pub const fn is_narrowed(&self) -> bool {
        self.narrowed.is_some() || self.models.is_some()
    }
}
