//! The pool: every connection in it runs as the role that row level security binds.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ralex_kernel::OrgId;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgConnection, PgPool};
use tracing::debug;

use crate::error::Error;
use crate::transaction::{System, Tenant, begin};

/// How long a caller waits for a connection and the start of its transaction.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// The database, as the server uses it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
    options: Arc<PgConnectOptions>,
}

impl Db {
    /// Connects to a database that [`crate::migrate()`] has prepared.
    ///
    /// Every connection gives up the rights of the login (which owns the tables) for those of
    /// `ralex_app`, and comes back to the pool rolled back and reset.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, Error> {
        let options = session_options(PgConnectOptions::from_str(url)?);
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .min_connections(1)
            .acquire_timeout(PATIENCE)
            // A ping would cost a round trip on every borrow. `begin` retries instead, which is
            // safe, since nothing has happened before it.
            .test_before_acquire(false)
            .after_connect(|conn, _| Box::pin(take_role(conn)))
            .after_release(|conn, _| Box::pin(reset(conn)))
            .connect_with(options.clone())
            .await?;
        Ok(Self { pool, options: Arc::new(options) })
    }

    /// A transaction that sees one organisation.
    pub async fn tenant(&self, org: OrgId) -> Result<Tenant, Error> {
        begin(&self.pool, move |pool| Tenant::begin(pool, org)).await
    }

    /// A transaction that sees all organisations. `why` says which job needs that.
    pub async fn system(&self, why: &'static str) -> Result<System, Error> {
        debug!(why, "a system transaction begins: {why}");
        begin(&self.pool, System::begin).await
    }

    /// The same as everything was at one moment, whatever is written meanwhile; for reading only. That
    /// moment is the first query's.
    pub async fn snapshot(&self, why: &'static str) -> Result<System, Error> {
        debug!(why, "a snapshot begins: {why}");
        begin(&self.pool, System::snapshot).await
    }

    /// Ends every connection, after the transactions on them have ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Connections that are open, and how many of them wait for work.
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    #[cfg(test)]
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

/// Limits are given when the connection starts, so that `reset all` returns to them.
fn session_options(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name("ralex").options([
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("lock_timeout", "5s"),
        ("client_min_messages", "error"),
    ])
}

/// `role` is not among the settings that `reset all` resets, so this lasts.
pub(crate) async fn take_role(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    conn.execute("set role ralex_app").await?;
    Ok(())
}

/// Two strings, since one with both would itself be a transaction block. The `begin` keeps the
/// server's log quiet: a rollback of nothing warns there, at every return of a connection. In a
/// transaction that has failed it fails, and the connection is thrown away.
async fn reset(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    conn.execute("begin; rollback").await?;
    conn.execute("reset all").await?;
    Ok(true)
}
