//! What providers keep for callers: files, and batches of calls that are answered later.
//!
//! An organisation's key is shared by its teams, so whatever a provider keeps under it is one heap
//! for all of them. What always holds: ids that are given out are ours, and only the scope that made
//! a thing finds it; nothing is sent before it is recorded; every line of a batch is judged like the
//! call that it will be; a batch is one call, held at the worst case of all its lines and settled
//! line by line at what they used.

mod answers;
mod batch;
mod find;
mod follow;
mod guarded;
mod kept;
mod lines;
pub(crate) mod named;
mod reckon;
mod send;
mod shape;
mod sql;

use bytes::Bytes;
use ralex_access::{Permission, Scope};
use ralex_budgets::Spender;
use ralex_identity::SignedIn;
use ralex_kernel::{OrgId, Problem, ScopePath, TokenId, UserId};
use ralex_providers::{Dialect, Inbound, Kept, Operation};
use ralex_store::Tenant;

pub use answers::AnswerAction;
pub use kept::{Content, FileQuery, NewFile};

use crate::Broker;
use crate::choice::Wishes;
use crate::exchange::CallRequest;

/// Who asks for something that is kept, and at which provider.
#[derive(Clone)]
pub struct KeepRequest {
    pub signed_in: SignedIn,
    pub org: OrgId,
    /// The team or project that it belongs to.
    pub at: ScopePath,
    pub wishes: Wishes,
    /// `x-ralex-provider`.
    pub provider: Option<String>,
}

/// Whose something is: of a team or project all who may call models there; above the teams, of one
/// person or one token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub org: OrgId,
    pub at: ScopePath,
    pub user: Option<UserId>,
    pub token: Option<TokenId>,
}

impl KeepRequest {
    fn owner(&self) -> Owner {
        let caller = &self.signed_in.caller;
        let (user, token) = (caller.subject.user(), caller.credential.token());
        Owner { org: self.org, at: self.at, user, token }
    }

    /// Who spends.
    pub(crate) fn spender(&self) -> Spender<'_> {
        Spender::of(&self.signed_in.caller, self.at, self.wishes.run.as_deref())
    }

    /// The call that something kept is recorded as.
    fn as_call(&self, inbound: Inbound) -> CallRequest {
        CallRequest {
            signed_in: self.signed_in.clone(),
            org: self.org,
            at: self.at,
            inbound,
            body: Bytes::new(),
            wishes: Wishes { purpose: Some("batch"), ..self.wishes.clone() },
            meaning: String::new(),
        }
    }
}

impl Broker {
    /// A transaction of an organisation; its failure is a caller's problem like any other.
    async fn tenant(&self, org: OrgId) -> Result<Tenant, Problem> {
        self.db.tenant(org).await.map_err(Problem::from)
    }

    async fn allow_keep(&self, request: &KeepRequest) -> Result<Scope, Problem> {
        let caller = &request.signed_in.caller;
        self.parts.access.allow(caller, request.org, Permission::LlmInvoke, request.at).await
    }
}

/// A request about something that is kept.
fn about(operation: Operation, kept: Kept<'_>, body: Bytes) -> Result<Inbound, Problem> {
    Inbound::parse_kept(operation, Dialect::OpenaiChat, kept, body, None)
}

/// An id of ours as callers see it: `file-…`, `batch_…`.
fn shown(prefix: &str, id: uuid::Uuid) -> String {
    format!("{prefix}{}", id.simple())
}

/// The id that a caller means; nothing where it is not one of ours.
fn meant<T: From<uuid::Uuid>>(prefix: &str, text: &str) -> Option<T> {
    let id = text.strip_prefix(prefix).filter(|id| id.len() == 32)?;
    uuid::Uuid::try_parse(id).ok().map(T::from)
}

const FILE: &str = "file-";
const BATCH: &str = "batch_";
