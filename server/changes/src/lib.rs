//! Changes that take two people: what a second person confirms is done here, and who may confirm is told.
//!
//! Which changes take two people, who may confirm them and that each is done once at most, is in `access`
//! (`four_eyes`), which every service ends such a change with. What is left for here is to know the
//! service of each: confirming is to do the same there again, by the proof of who confirms.
//!
//! Uses the services whose changes can take two people, and `mail`; used by the binary.

mod confirm;
mod letter;
mod sql;

use std::fmt;
use std::sync::Arc;

use ralex_access::Access;
use ralex_budgets::Budgets;
use ralex_identity::Identity;
use ralex_kernel::Clock;
use ralex_mail::Mailer;
use ralex_sso::Sso;
use ralex_store::Db;
use ralex_vault::Vault;
use url::Url;

/// What it is made of.
pub struct Sources {
    pub db: Db,
    pub access: Arc<Access>,
    pub budgets: Arc<Budgets>,
    pub identity: Identity,
    pub sso: Sso,
    pub vault: Vault,
    pub mailer: Mailer,
    pub clock: Clock,
    /// Where people reach the console, for links.
    pub public_url: Option<Url>,
}

/// Changes that take two people, in this process. Cheap to clone.
#[derive(Clone)]
pub struct Changes(Arc<Sources>);

impl Changes {
    pub fn new(sources: Sources) -> Self {
        Self(Arc::new(sources))
    }

    /// Ends what nobody confirmed in time, and tells who may confirm, until `shutdown`.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let work = async {
            tokio::join!(self.0.access.run_changes(std::future::pending()), self.run_letters());
        };
        tokio::select! {
            () = shutdown => {}
            () = work => {}
        }
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changes")
    }
}
