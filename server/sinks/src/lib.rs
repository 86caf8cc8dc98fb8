//! Sinks: the audit log of an organisation, sent on as it grows to where the organisation says: to
//! webhooks, to collectors of syslog, and to stores of objects.
//!
//! What always holds: each sink has a cursor of its own, which moves only over records that the
//! receiver took, in the log's order, or that a person said to leave out, and that is in the log;
//! a record may come twice, and never after a later one for the first time. What a receiver cannot
//! take now is tried again, with longer and longer waits; what it refuses for good parks the sink,
//! with the reason, until a person decides. Only records in a signed tree are sent, only one
//! process of all sends, and only to addresses that the egress policy allows. What signs is sealed
//! by the vault.
//!
//! Uses `audit`, `vault`, `access` and `providers`' way out; used by the binary.

mod collector;
mod delivery;
mod kind;
mod runner;
mod sink;
mod sql;
mod store;
pub mod webhook;

use std::fmt;
use std::sync::Arc;

use ralex_audit::Audit;
use ralex_kernel::{OrgId, Problem, SinkId};
use ralex_providers::Post;
use ralex_store::Db;
use ralex_vault::{OrgSealer, Sealer, Vault};
use zeroize::Zeroizing;

/// The sinks of this process. Cheap to clone.
#[derive(Clone)]
pub struct Sinks(Arc<Inner>);

struct Inner {
    db: Db,
    audit: Audit,
    post: Post,
    sealer: Sealer,
}

impl Sinks {
    pub async fn open(db: Db, audit: Audit, vault: &Vault, post: Post) -> Result<Self, Problem> {
        let sealer = vault.sealer("audit-sinks").await?;
        Ok(Self(Arc::new(Inner { db, audit, post, sealer })))
    }

    fn sealed_for(&self, org: OrgId) -> Result<OrgSealer, Problem> {
        self.0.sealer.of(org)
    }

    fn secret(&self, org: OrgId, id: SinkId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let opened = self.sealed_for(org)?.open(&[b"sink", id.uuid().as_bytes()], sealed);
        opened.map(Zeroizing::new)
    }
}

impl fmt::Debug for Sinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sinks")
    }
}
