//! A connection that one job keeps to itself, because it writes all the time.
//!
//! It runs as `ralex_system` for as long as it lives and is never shared, so nothing has to be
//! reset between two transactions. Its statements keep one plan each: planning the wide ones anew
//! for every batch takes longer than running them.

use std::ops::{Deref, DerefMut};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tokio::time::{Instant, sleep, timeout_at};

use crate::db::{Db, PATIENCE};
use crate::error::Error;
use crate::transaction::Pause;

/// A plan is made once, perhaps while its table is still empty, so it must be the one that is
/// right for a full one: every statement of such a job finds its rows by their keys.
const PLANS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// Makes the connection when it is first needed, and again after it was lost.
#[derive(Debug)]
pub struct Dedicated {
    options: PgConnectOptions,
    idle: Option<PgConnection>,
}

/// A transaction on the job's own connection, which sees all organisations. Dropped without a
/// commit, it takes the connection with it, and the database undoes what was begun: whatever was
/// cancelled on it, the next transaction begins on a connection that holds nothing.
#[derive(Debug)]
pub struct Exclusive<'a> {
    conn: PgConnection,
    home: &'a mut Option<PgConnection>,
}

impl Db {
    /// A connection of its own for the job that `why` names.
    pub fn dedicated(&self, why: &'static str) -> Dedicated {
        let name = format!("ralex: {why}");
        let options = self.options().clone().application_name(&name).options(PLANS);
        Dedicated { options, idle: None }
    }
}

impl Dedicated {
    /// Begins; connects where there is no connection, or where the last one has died.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database did not answer in time.
    pub async fn begin(&mut self) -> Result<Exclusive<'_>, Error> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Pause::default();
        let begun = timeout_at(deadline, async {
            loop {
                match self.try_begin().await {
                    // Nothing has happened yet, so trying again is safe.
                    Err(Error::Unavailable(_)) => sleep(pause.next()).await,
                    begun => return begun,
                }
            }
        });
        let conn = begun.await.map_err(|_| Error::Unavailable(None))??;
        Ok(Exclusive { conn, home: &mut self.idle })
    }

    /// Does something that is a transaction by itself, and keeps the connection if that went well.
    ///
    /// # Errors
    /// Whatever went wrong. Nobody knows then whether it was done.
    pub async fn at_once<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Error> {
        let mut conn = match self.idle.take() {
            Some(conn) => conn,
            None => timeout_at(Instant::now() + PATIENCE, self.connect())
                .await
                .map_err(|_| Error::Unavailable(None))??,
        };
        let done = work(&mut conn).await?;
        self.idle = Some(conn);
        Ok(done)
    }

    async fn try_begin(&mut self) -> Result<PgConnection, Error> {
        let mut conn = match self.idle.take() {
            Some(conn) => conn,
            None => self.connect().await?,
        };
        conn.execute("begin").await?;
        Ok(conn)
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut conn = self.options.connect().await?;
        conn.execute("set role ralex_system").await?;
        Ok(conn)
    }

    /// Takes leave of the database.
    pub async fn close(mut self) {
        if let Some(conn) = self.idle.take() {
            conn.close().await.ok();
        }
    }
}

impl Exclusive<'_> {
    /// Returns when all of it is durable; the connection is kept only then.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        let Self { mut conn, home } = self;
        conn.execute("commit").await?;
        *home = Some(conn);
        Ok(())
    }

    /// Undoes everything, and keeps the connection.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        let Self { mut conn, home } = self;
        conn.execute("rollback").await?;
        *home = Some(conn);
        Ok(())
    }
}

impl Deref for Exclusive<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.conn
    }
}

impl DerefMut for Exclusive<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Executor, PgConnection};

    use crate::testing::Database;

    async fn count(conn: &mut PgConnection) -> i64 {
        sqlx::query_scalar!(r#"select count(*) as "n!" from node"#).fetch_one(conn).await.unwrap()
    }

    async fn add(conn: &mut PgConnection) {
        conn.execute("insert into node (id) values (gen_random_uuid())").await.unwrap();
    }

    #[tokio::test]
    async fn only_what_is_committed_stays() {
        let database = Database::fresh().await;
        let mut dedicated = database.db().dedicated("a test");
        let mut kept = dedicated.begin().await.unwrap();
        add(&mut kept).await;
        kept.commit().await.unwrap();
        let mut undone = dedicated.begin().await.unwrap();
        add(&mut undone).await;
        undone.rollback().await.unwrap();
        let mut dropped = dedicated.begin().await.unwrap();
        add(&mut dropped).await;
        drop(dropped);
        let mut seen = dedicated.begin().await.unwrap();
        assert_eq!(count(&mut seen).await, 1);
    }

    #[tokio::test]
    async fn a_connection_is_kept_from_one_transaction_to_the_next_and_replaced_when_it_has_died() {
        let database = Database::fresh().await;
        let mut dedicated = database.db().dedicated("a test");
        let mut backends = Vec::new();
        for killed in [false, true, false] {
            let mut tx = dedicated.begin().await.unwrap();
            let pid = sqlx::query_scalar!(r#"select pg_backend_pid() as "pid!""#);
            backends.push(pid.fetch_one(&mut *tx).await.unwrap());
            tx.commit().await.unwrap();
            if killed {
                let mut other = database.db().system("end a connection in a test").await.unwrap();
                end(&mut other, backends[0]).await;
            }
        }
        assert_eq!(backends[0], backends[1]);
        assert_ne!(backends[1], backends[2]);
    }

    /// As its login, which may end its own connections.
    async fn end(conn: &mut PgConnection, pid: i32) {
        conn.execute("reset role").await.unwrap();
        sqlx::query!("select pg_terminate_backend($1)", pid).fetch_one(conn).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_cancelled_in_the_middle_of_a_statement_leaves_nothing_behind() {
        let database = Database::fresh().await;
        let mut dedicated = database.db().dedicated("a test");
        let mut tx = dedicated.begin().await.unwrap();
        add(&mut tx).await;
        let slow = tx.execute("select pg_sleep(600)");
        let cut = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(cut, slow).await.is_err());
        drop(tx);
        let mut next = dedicated.begin().await.unwrap();
        assert_eq!(count(&mut next).await, 0);
        add(&mut next).await;
        next.commit().await.unwrap();
    }

    #[tokio::test]
    async fn its_statements_keep_their_plans_and_never_read_a_whole_table() {
        let database = Database::fresh().await;
        let mut dedicated = database.db().dedicated("a test");
        let mut tx = dedicated.begin().await.unwrap();
        for (setting, value) in super::PLANS {
            let now = sqlx::query_scalar!(r#"select current_setting($1) as "now!""#, setting);
            assert_eq!(now.fetch_one(&mut *tx).await.unwrap(), value, "{setting}");
        }
        let role = sqlx::query_scalar!(r#"select current_user::text as "role!""#);
        assert_eq!(role.fetch_one(&mut *tx).await.unwrap(), "ralex_system");
    }
}
