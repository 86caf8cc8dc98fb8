//! Alerts: raised, kept, and told.

mod book;
mod channel;
mod deliver;
mod fact;
mod follow;
mod inbox;
mod message;
mod place;
mod quiet;
mod raise;
mod rule;
mod send;
mod sql;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt;
use std::sync::Arc;

use ralex_budgets::Budgets;
use ralex_kernel::{AlertChannelId, Clock, OrgId, Problem};
use ralex_mail::Mailer;
use ralex_providers::Post;
use ralex_store::Db;
use ralex_usage::Usage;
use ralex_vault::{Sealer, Vault};
use url::Url;
use zeroize::Zeroizing;

use book::Book;

/// The alerts of this process. Cheap to clone.
#[derive(Clone)]
pub struct Alerts(Arc<Inner>);

/// What alerts are made with.
pub struct Parts {
    pub budgets: Arc<Budgets>,
    pub usage: Usage,
    pub mailer: Mailer,
    pub post: Post,
    pub clock: Clock,
    /// What links begin with, where an operator has said it.
    pub public_url: Option<Url>,
}

struct Inner {
    db: Db,
    parts: Parts,
    sealer: Sealer,
    book: Book,
}

impl Alerts {
    pub async fn open(db: Db, vault: &Vault, parts: Parts) -> Result<Self, Problem> {
        let sealer = vault.sealer("alert-webhooks").await?;
        Ok(Self(Arc::new(Inner { db, parts, sealer, book: Book::built_in()? })))
    }

    fn seal(&self, org: OrgId, id: AlertChannelId, plain: &[u8]) -> Result<Vec<u8>, Problem> {
        self.0.sealer.of(org)?.seal(&[b"alert-channel", id.uuid().as_bytes()], plain)
    }

    fn unseal(
        &self,
        org: OrgId,
        id: AlertChannelId,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let sealer = self.0.sealer.of(org)?;
        let opened = sealer.open(&[b"alert-channel", id.uuid().as_bytes()], sealed);
        opened.map(Zeroizing::new)
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alerts")
    }
}

/// A gauge of a count.
fn gauge(count: i64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
