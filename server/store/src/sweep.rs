//! Sweeping: what ends by time alone is ended by whichever process looks first.
//!
//! Every process looks steadily; a lock that lives as long as a transaction lets one at a time
//! work, so that no two wait for the rows of each other, and a process that dies or stalls in the
//! middle rolls back and leaves the work to the next one. How often each looked, how often that
//! failed and how much it ended is in the metrics.

use std::fmt::Display;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::{Db, Error, System};

/// One kind of sweeping.
#[derive(Clone, Copy, Debug)]
pub struct Sweeper {
    /// Its name, for the lock, the log and the metrics.
    pub name: &'static str,
    /// What it does, to say why it sees all organisations (`end approvals that are late`).
    pub why: &'static str,
    /// How often a process looks.
    pub pace: Duration,
    /// Ended in one transaction, so that locks stay short.
    pub at_once: i64,
}

impl Sweeper {
    /// Looks, at once and then steadily, until `shutdown`. A look that fails is told and followed
    /// by the next one; one that is cut short rolls back.
    pub async fn run<F, E>(&self, shutdown: impl Future<Output = ()>, mut look: impl FnMut() -> F)
    where
        F: Future<Output = Result<u64, E>>,
        E: Display,
    {
        let mut shutdown = pin!(shutdown);
        let mut ticks = interval(self.pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => {}
            }
            let ended = tokio::select! {
                () = &mut shutdown => return,
                ended = look() => ended,
            };
            let outcome = match ended {
                Ok(_) => "done",
                Err(error) => {
                    let (job, why) = (self.name, self.why);
                    warn!(sweep = job, %error, "could not {why}, the next try is soon: {error}");
                    "failed"
                }
            };
            metrics::counter!("ralex_sweeps_total", "sweep" => self.name, "outcome" => outcome)
                .increment(1);
        }
    }

    /// Ends everything that is late, in as many transactions as that takes, and returns how much
    /// it was. `some` ends at most [`Self::at_once`] in the transaction that it gets, commits it,
    /// and says how much it ended. Where another process sweeps, the rest is left to that one.
    pub async fn all<F>(&self, db: &Db, mut some: impl FnMut(System) -> F) -> Result<u64, Error>
    where
        F: Future<Output = Result<u64, Error>>,
    {
        let mut all = 0;
        loop {
            let mut tx = db.system(self.why).await?;
            if !self.is_alone(&mut tx).await? {
                return Ok(all);
            }
            let ended = some(tx).await?;
            metrics::counter!("ralex_swept_total", "sweep" => self.name).increment(ended);
            all += ended;
            if ended < self.at_once.unsigned_abs() {
                return Ok(all);
            }
        }
    }

    /// Holds the lock until the transaction ends; false where another one holds it.
    async fn is_alone(&self, tx: &mut System) -> Result<bool, Error> {
        let locked = sqlx::query_scalar!(
            r#"select pg_try_advisory_xact_lock(hashtextextended('ralex sweep ' || $1::text, 0)) as "locked!""#,
            self.name
        )
        .fetch_one(&mut **tx)
        .await?;
        Ok(locked)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::testing::Database;

    const SWEEPER: Sweeper = Sweeper {
        name: "test",
        why: "try how sweeping works",
        pace: Duration::from_secs(5),
        at_once: 10,
    };

    #[tokio::test]
    async fn everything_is_swept_in_transactions_of_a_bounded_size() {
        let database = Database::fresh().await;
        let db = database.db();
        let (left, rounds) = (Cell::new(25), Cell::new(0));
        let some = async |tx: System| {
            let ended = left.get().min(10);
            left.set(left.get() - ended);
            rounds.set(rounds.get() + 1);
            tx.commit().await?;
            Ok(ended)
        };
        assert_eq!(SWEEPER.all(&db, some).await.unwrap(), 25);
        assert_eq!((left.get(), rounds.get()), (0, 3));
    }

    #[tokio::test]
    async fn while_one_sweeps_another_leaves_it_the_work_until_it_is_gone() {
        let database = Database::fresh().await;
        let db = database.db();
        let mut first = db.system("a test").await.unwrap();
        assert!(SWEEPER.is_alone(&mut first).await.unwrap());
        let never = async |_| panic!("another one sweeps");
        assert_eq!(SWEEPER.all(&db, never).await.unwrap(), 0);
        let other = Sweeper { name: "other", ..SWEEPER };
        assert_eq!(other.all(&db, async |_| Ok(1)).await.unwrap(), 1, "of its own kind");
        // It dies in the middle, and with it its lock.
        first.rollback().await.unwrap();
        assert_eq!(SWEEPER.all(&db, async |_| Ok(2)).await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_failed_is_followed_by_the_next_one_until_the_end() {
        let looks = Cell::new(0);
        let began = tokio::time::Instant::now();
        let shutdown = tokio::time::sleep(Duration::from_secs(12));
        let look = async || {
            looks.set(looks.get() + 1);
            if looks.get() == 2 { Err("the database is away") } else { Ok(0) }
        };
        SWEEPER.run(shutdown, look).await;
        assert_eq!((looks.get(), began.elapsed().as_secs()), (3, 12));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_does_not_hold_up_the_end() {
        let shutdown = tokio::time::sleep(Duration::from_secs(1));
        SWEEPER.run(shutdown, std::future::pending::<Result<u64, Error>>).await;
    }
}
