//! Authors: on whose behalf an event is recorded, and how they proved who they are.

use std::net::IpAddr;

use ralex_kernel::{Caller, Credential, OrgId, RequestId, Subject};
use uuid::Uuid;

/// Who did it, in which organisation, by which credential and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The organisation whose log the event belongs to.
    pub org: OrgId,
    pub subject: Subject,
    pub credential: Credential,
    pub request: Option<RequestId>,
    pub address: Option<IpAddr>,
}

impl Author {
    /// An authenticated caller who acts in `org`.
    pub const fn of(caller: &Caller, org: OrgId) -> Self {
        Self {
            org,
            subject: caller.subject,
            credential: caller.credential,
            request: Some(caller.request),
            address: caller.address,
        }
    }

    /// The deployment itself, which acts in `org` without being asked.
    pub const fn system(org: OrgId) -> Self {
        Self {
            org,
            subject: Subject::System,
            credential: Credential::Internal,
            request: None,
            address: None,
        }
    }

    /// The id of the person, the team token or the service account; the system has none.
    pub fn actor_id(&self) -> Option<Uuid> {
        match self.subject {
            Subject::User(user) => Some(user.uuid()),
            Subject::Token { token, .. } => Some(token.uuid()),
            Subject::Service { account, .. } => Some(account.uuid()),
            Subject::Directory { connection, .. } => Some(connection.uuid()),
            Subject::System => None,
        }
    }
}
