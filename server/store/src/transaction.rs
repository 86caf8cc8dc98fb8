//! Transactions: the only way to the tables, bound to one organisation or openly to all.
//!
//! They begin in a task of their own, because sqlx leaves a connection inside a transaction when
//! the future of `begin` is dropped; the task runs on and its transaction is dropped whole.
//! A transaction that is dropped without a commit is rolled back before anyone else gets the
//! connection.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use ralex_kernel::OrgId;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::time::{Instant, timeout_at};

use crate::db::PATIENCE;
use crate::error::Error;

const PAUSE_STEP: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A transaction in which only one organisation's rows exist.
#[derive(Debug)]
pub struct Tenant {
    tx: Transaction<'static, Postgres>,
    org: OrgId,
}

/// A transaction that sees all organisations: login, the resolution of tokens, jobs, the writer.
#[derive(Debug)]
pub struct System {
    tx: Transaction<'static, Postgres>,
}

impl Tenant {
    pub(crate) async fn begin(pool: PgPool, org: OrgId) -> Result<Self, Error> {
        let mut tx = pool.begin().await?;
        let text = org.to_string();
        let set = sqlx::query_scalar!("select set_config('app.org', $1, true)", text)
            .fetch_one(&mut *tx)
            .await?;
        if set.as_deref() != Some(text.as_str()) {
            return Err(Error::TenantNotSet);
        }
        Ok(Self { tx, org })
    }

    /// The organisation whose rows this transaction sees.
    pub fn org(&self) -> OrgId {
        self.org
    }

    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.tx.commit().await
    }

    /// Undoes everything at once, without waiting for the drop to do it.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.tx.rollback().await
    }
}

impl System {
    pub(crate) async fn begin(pool: PgPool) -> Result<Self, Error> {
        let tx = pool.begin_with("begin; set local role ralex_system").await?;
        Ok(Self { tx })
    }

    pub(crate) async fn snapshot(pool: PgPool) -> Result<Self, Error> {
        let begin = "begin isolation level repeatable read read only; set local role ralex_system";
        Ok(Self { tx: pool.begin_with(begin).await? })
    }

    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.tx.commit().await
    }

    /// Undoes everything at once, without waiting for the drop to do it.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.tx.rollback().await
    }
}

impl Deref for Tenant {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.tx
    }
}

impl DerefMut for Tenant {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

impl Deref for System {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.tx
    }
}

impl DerefMut for System {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

/// Begins in a task that goes on when the caller is gone, and tries again where a connection
/// turns out to be dead: after a restart of the database every idle one of the pool is.
pub(crate) async fn begin<T, F, Fut>(pool: &PgPool, how: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: Fn(PgPool) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, Error>> + Send,
{
    let deadline = Instant::now() + PATIENCE;
    let pool = pool.clone();
    let begun = tokio::spawn(async move {
        let mut pause = Pause::default();
        loop {
            match how(pool.clone()).await {
                Err(error) if is_dead_connection(&error) && Instant::now() < deadline => {}
                result => return result,
            }
            tokio::time::sleep(pause.next()).await;
        }
    });
    match timeout_at(deadline, begun).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) | Err(_) => Err(Error::Unavailable(None)),
    }
}

/// Between two tries. The first ones use up what is dead already; further ones wait for a database
/// that is away, and must not keep a core busy meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Pause(Duration);

impl Pause {
    pub(crate) fn next(&mut self) -> Duration {
        let after = (self.0 + PAUSE_STEP).min(LONGEST_PAUSE);
        std::mem::replace(&mut self.0, after)
    }
}

fn is_dead_connection(error: &Error) -> bool {
    let Error::Unavailable(Some(source)) = error else { return false };
    match source {
        sqlx::Error::Io(_) => true,
        // The farewell of a server that shuts down, or that ended just this connection.
        sqlx::Error::Database(database) => {
            matches!(database.code().as_deref(), Some("57P01" | "57P02" | "57P05" | "25P03"))
        }
        _ => false,
    }
}
