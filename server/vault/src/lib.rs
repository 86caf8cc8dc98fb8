//! The vault: provider keys that are used and never seen.
//!
//! A seal outside the database opens the root key, the root key opens each organisation's key,
//! and that opens one data key for every version of a secret. The database holds ciphertext only,
//! bound to its row and to the one origin that it may be sent to.
//!
//! What always holds: a key leaves the vault only through [`Vault::open_key`], for one outgoing
//! request to the origin it was entered for, after that use was recorded. There is no way to read
//! one back. Every change is one transaction with its audit event. With a missing or wrong seal
//! the server does not start and nothing is written. Plaintext is never cached; opened
//! organisation keys are, for a minute at most, and all key material is wiped when dropped.
//!
//! Uses `store`, `audit` and `access`; used by `identity` and `audit`'s wiring (the deployment's
//! own keys), by `routing` and by `broker`.

mod answers;
mod cipher;
mod envelope;
mod error;
mod keys;
mod limits;
mod origin;
mod personal;
mod ring;
mod root;
mod seal;
mod sealer;
mod secret;
mod sql;
#[cfg(test)]
mod testing;
mod value;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use ralex_access::Access;
use ralex_kernel::{DeploymentId, OrgId};
use ralex_store::Db;

pub use answers::{Attempt, Known};
pub use error::OpenError;
pub use limits::Limits;
pub use origin::origin_of;
pub use ring::KeyRef;
pub use seal::Seal;
pub use sealer::{OrgSealer, Sealer};

/// The vault of this process. Cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    db: Db,
    access: Arc<Access>,
    deployment: DeploymentId,
    root: keys::RootKey,
    rings: RwLock<HashMap<OrgId, Arc<ring::Ring>>>,
    /// One load at a time: after a change all calls in flight want the same one.
    loading: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}
