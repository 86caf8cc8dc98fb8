//! Break-glass: a dormant way in for an emergency, which two named people open together.
//!
//! What always holds: both sign for their own part by a passkey, in a session of their own; there is one
//! use at a time, and it comes to one end; it is over at its time, whether anything sweeps or not; every
//! step is in the audit log in the transaction that takes it, and the owners are written to; and each use
//! waits for its review by somebody else, which nothing that is armed later takes away.
//!
//! **None of this asks what a node remembers.** Who is named, what is open and whom it lets in is read from
//! the database each time, since an emergency may be that rights cannot be read. What an open glass allows
//! is decided in `access` (`glass`), and so is how it is armed. Uses `identity` for the passkeys and `mail`;
//! used by the binary.

mod letter;
mod list;
mod named;
mod opening;
mod review;
mod sql;
mod sweep;

use std::fmt;
use std::sync::Arc;

use ralex_access::Access;
use ralex_kernel::Clock;
use ralex_mail::Mailer;
use ralex_store::Db;
use url::Url;

/// What it is made of.
pub struct Sources {
    pub db: Db,
    pub access: Arc<Access>,
    pub mailer: Mailer,
    pub clock: Clock,
    /// Where people reach the console, for links.
    pub public_url: Option<Url>,
}

/// The break-glass access of every organisation, in this process. Cheap to clone.
#[derive(Clone)]
pub struct BreakGlass(Arc<Sources>);

impl BreakGlass {
    pub fn new(sources: Sources) -> Self {
        Self(Arc::new(sources))
    }

    /// Ends what is late and sends letters, until `shutdown`.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let work = async {
            tokio::join!(self.run_sweeper(), self.run_letters());
        };
        tokio::select! {
            () = shutdown => {}
            () = work => {}
        }
    }
}

impl fmt::Debug for BreakGlass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BreakGlass")
    }
}
