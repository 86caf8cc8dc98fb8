//! Who leads a background job: one process of all, known by a lock and fenced by a number.
//!
//! The lock ends with the connection that holds it, so a dead leader is replaced at once. A leader
//! that only seems dead (a stalled process, a cut network) may still commit later; therefore each
//! leader counts the epoch up, and [`Leadership::check`] inside a commit refuses an old one.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tokio::time::timeout;

use crate::{Db, Error};

/// How long the leader's own connection may take to prove that it lives.
const PROOF: Duration = Duration::from_secs(3);

/// Elects.
#[derive(Debug)]
pub struct Leader;

/// The right to do one job, for as long as the connection in it lives.
#[derive(Debug)]
pub struct Leadership {
    conn: PgConnection,
    name: &'static str,
    epoch: i64,
}

impl Leader {
    /// Leads the job `name`, or `None` while another process does.
    pub async fn acquire(db: &Db, name: &'static str) -> Result<Option<Leadership>, Error> {
        // A server must notice within seconds that a leader's machine is gone.
        let options = db.options().clone().options([
            ("tcp_keepalives_idle", "5"),
            ("tcp_keepalives_interval", "2"),
            ("tcp_keepalives_count", "3"),
        ]);
        let mut conn = options.connect().await?;
        conn.execute("set role ralex_system").await?;
        let locked = sqlx::query_scalar!(
            r#"select pg_try_advisory_lock(hashtextextended('ralex leader ' || $1::text, 0)) as "locked!""#,
            name
        )
        .fetch_one(&mut conn)
        .await?;
        if !locked {
            conn.close().await?;
            return Ok(None);
        }
        let epoch = sqlx::query_scalar!(
            "insert into leader (name, epoch) values ($1, 1)
             on conflict (name) do update set epoch = leader.epoch + 1 returning epoch",
            name
        )
        .fetch_one(&mut conn)
        .await?;
        Ok(Some(Leadership { conn, name, epoch }))
    }
}

impl Leadership {
    /// Later leaders of the same job have larger ones.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Whether the lock is still held. An answer of yes is old when it arrives: what must not be
    /// done twice also calls [`Self::check`] in its transaction.
    pub async fn is_held(&mut self) -> bool {
        matches!(timeout(PROOF, self.conn.ping()).await, Ok(Ok(())))
    }

    /// Refuses to go on in a [`crate::System`] transaction where a later leader has begun. Until
    /// that transaction ends, no later one can begin.
    pub async fn check(&self, conn: &mut PgConnection) -> Result<(), Error> {
        let epoch =
            sqlx::query_scalar!("select epoch from leader where name = $1 for share", self.name)
                .fetch_optional(conn)
                .await?;
        if epoch == Some(self.epoch) { Ok(()) } else { Err(Error::LeadershipLost) }
    }

    /// Lets another process lead.
    pub async fn resign(self) {
        self.conn.close().await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Database;

    #[tokio::test]
    async fn only_one_process_leads_until_it_resigns() {
        let database = Database::fresh().await;
        let db = database.db();
        let mut first = Leader::acquire(&db, "test").await.unwrap().unwrap();
        assert!(first.is_held().await);
        assert!(Leader::acquire(&db, "test").await.unwrap().is_none());
        assert!(Leader::acquire(&db, "other").await.unwrap().is_some());
        let before = first.epoch();
        first.resign().await;
        let second = loop {
            // The server lets go of the lock when it has seen the connection end.
            if let Some(second) = Leader::acquire(&db, "test").await.unwrap() {
                break second;
            }
        };
        assert!(second.epoch() > before);
    }

    #[tokio::test]
    async fn a_leader_that_lost_its_connection_cannot_commit_after_the_next_one_began() {
        let database = Database::fresh().await;
        let db = database.db();
        let mut old = Leader::acquire(&db, "test").await.unwrap().unwrap();
        let pid = sqlx::query_scalar!("select pg_backend_pid()").fetch_one(&mut old.conn).await;
        let pid = pid.unwrap().unwrap();
        let mut owner = database.owner().await;
        let ended = sqlx::query!("select pg_terminate_backend($1, 5000)", pid);
        ended.fetch_one(&mut owner).await.unwrap();
        let new = Leader::acquire(&db, "test").await.unwrap().unwrap();
        assert!(!old.is_held().await);
        let mut tx = db.system("a test").await.unwrap();
        assert!(matches!(old.check(&mut tx).await, Err(Error::LeadershipLost)));
        new.check(&mut tx).await.unwrap();
    }
}
