//! SCIM 2.0: an organisation's own directory says who its people are, and which groups they are in.
//!
//! What always holds: a directory speaks for one organisation and changes nothing that another one sees,
//! so accounts that are somebody elsewhere are never taken over or renamed; it says who is in its own
//! groups and never what they hold; no owner comes or goes by its word alone; and whoever it deactivates
//! is nobody in the organisation within a second, on every node. What cannot be done leaves nothing behind.
//!
//! Uses `identity`, `access` and `audit`; used by the binary.

mod bulk;
mod connection;
mod discovery;
mod filter;
mod groups;
mod matches;
mod names;
mod patch;
mod project;
mod refusal;
mod resource;
mod schema;
mod search;
mod serve;
mod shown;
mod sql;
#[cfg(test)]
mod tests;
mod users;

use std::fmt;
use std::sync::Arc;

use ralex_access::Access;
use ralex_identity::Identity;
use ralex_kernel::Clock;
use ralex_store::Db;

pub use refusal::Refusal;
pub use serve::{Ask, Told};
pub use shown::Directory;

/// Of one request, in bytes.
pub const LARGEST_BODY: usize = 1 << 20;

/// The provisioning of this process. Cheap to clone.
#[derive(Clone)]
pub struct Scim(Arc<Inner>);

struct Inner {
    db: Db,
    access: Arc<Access>,
    identity: Identity,
    clock: Clock,
    /// Of one token; any number where it is 0.
    requests_a_minute: u32,
}

impl Scim {
    /// `requests_a_minute` bounds what one token asks; 0 bounds nothing.
    pub fn new(
        db: Db,
        access: Arc<Access>,
        identity: Identity,
        clock: Clock,
        requests_a_minute: u32,
    ) -> Self {
        Self(Arc::new(Inner { db, access, identity, clock, requests_a_minute }))
    }
}

impl fmt::Debug for Scim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scim")
    }
}
