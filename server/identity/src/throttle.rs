//! Throttling of failed tries, shared by all nodes through the database.
//!
//! Delays grow with failures and end by themselves; an outsider can slow an account down where it
//! is not known, never lock it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::{Code, Problem};
use ralex_store::{Error, Sweeper, System};
use sqlx::PgConnection;

use crate::{Arrival, Identity};

/// Something that tries are counted against.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub name: String,
    /// Failures that cost nothing: people mistype, and offices share a network.
    pub free_tries: i32,
    /// The longest wait, in seconds.
    pub longest: i64,
}

/// All tries from one network. An office shares one.
pub fn of_network(arrival: &Arrival) -> Key {
    Key { name: format!("network:{}", arrival.network()), free_tries: 50, longest: MINUTE }
}

/// The longest wait of most keys.
pub const MINUTE: i64 = 60;
/// After this long without a failure the count starts anew, in minutes.
pub(crate) const FORGET_AFTER: i64 = 30;

/// Refuses while any of `keys` is blocked.
pub async fn check(
    conn: &mut PgConnection,
    keys: &[Key],
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let names: Vec<_> = keys.iter().map(|key| key.name.clone()).collect();
    let until =
        sqlx::query_scalar!("select max(blocked_until) from throttle where key = any($1)", &names,)
            .fetch_one(conn)
            .await
            .map_err(ralex_store::problem)?;
    match until {
        Some(until) if until > now => {
            let seconds = u64::try_from((until - now).num_seconds() + 1).unwrap_or(1);
            let detail = format!("There were too many failed tries. Try again in {seconds} s.");
            Err(Problem::new(Code::Throttled, detail).with_retry_after(seconds))
        }
        _ => Ok(()),
    }
}

/// Counts a try against each key as a failure before it is looked at, and returns the highest
/// count; a success [`clear`]s them. So tries at the same moment cannot all pass before one counts:
/// the rows are locked one by one, until the transaction ends.
///
/// # Errors
/// `throttled` while any key is blocked. The transaction must not be committed then, so that tries
/// that were not looked at prolong nothing.
pub async fn begin(
    conn: &mut PgConnection,
    keys: &[Key],
    now: DateTime<Utc>,
) -> Result<i32, Problem> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    for key in &sorted {
        sqlx::query!(
            "insert into throttle (key, failures, last_at) values ($1, 0, $2)
             on conflict (key) do update set failures = throttle.failures",
            key.name,
            now,
        )
        .execute(&mut *conn)
        .await
        .map_err(ralex_store::problem)?;
    }
    check(conn, keys, now).await?;
    fail(conn, keys, now).await
}

/// Counts a failure against each key and returns the highest count.
pub async fn fail(
    conn: &mut PgConnection,
    keys: &[Key],
    now: DateTime<Utc>,
) -> Result<i32, Problem> {
    let mut keys = keys.to_vec();
    // One order for all, so that two failures at once cannot wait for each other.
    keys.sort_unstable();
    let mut highest = 0;
    for key in keys {
        let failures = sqlx::query_scalar!(
            "insert into throttle (key, failures, last_at) values ($1, 1, $2)
             on conflict (key) do update set
                failures = case when throttle.last_at < $3 then 1 else throttle.failures + 1 end,
                last_at = $2
             returning failures",
            key.name,
            now,
            now - TimeDelta::minutes(FORGET_AFTER),
        )
        .fetch_one(&mut *conn)
        .await
        .map_err(ralex_store::problem)?;
        highest = highest.max(failures);
        if let Some(wait) = wait_after(failures, &key) {
            sqlx::query!(
                "update throttle set blocked_until = $2 where key = $1",
                key.name,
                now + wait
            )
            .execute(&mut *conn)
            .await
            .map_err(ralex_store::problem)?;
        }
    }
    Ok(highest)
}

/// Forgets the failures of a key after a success.
pub async fn clear(conn: &mut PgConnection, key: &Key) -> Result<(), Problem> {
    sqlx::query!("delete from throttle where key = $1", key.name)
        .execute(conn)
        .await
        .map_err(ralex_store::problem)?;
    Ok(())
}

const SWEEPER: Sweeper = Sweeper {
    name: "tries",
    why: "forget failed tries that count no more",
    pace: Duration::from_mins(10),
    at_once: 1_000,
};

impl Identity {
    /// Forgets tries that count no more, steadily, until `shutdown`: they hold whatever address somebody
    /// typed, and anybody can add to them.
    pub async fn run_tries(&self, shutdown: impl Future<Output = ()>) {
        SWEEPER.run(shutdown, || self.sweep_tries()).await;
    }

    /// Forgets those of now, and says how many there were.
    pub async fn sweep_tries(&self) -> Result<u64, Error> {
        SWEEPER.all(&self.db, |tx| forget(tx, self.clock.now())).await
    }
}

async fn forget(mut tx: System, now: DateTime<Utc>) -> Result<u64, Error> {
    let forgotten = sqlx::query!(
        "delete from throttle where key in (
             select key from throttle
             where last_at < $1 and (blocked_until is null or blocked_until <= $2)
             order by last_at limit $3 for update skip locked)",
        now - TimeDelta::minutes(FORGET_AFTER),
        now,
        SWEEPER.at_once,
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    tx.commit().await?;
    Ok(forgotten)
}

fn wait_after(failures: i32, key: &Key) -> Option<TimeDelta> {
    let extra = u32::try_from(failures - key.free_tries).ok()?;
    let seconds = 1_i64.checked_shl(extra.min(30)).unwrap_or(key.longest).min(key.longest);
    Some(TimeDelta::seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_no_further() {
        let wait = |failures, free_tries| {
            let key = Key { name: "x".to_owned(), free_tries, longest: MINUTE };
            wait_after(failures, &key)
        };
        assert_eq!(wait(4, 5), None);
        assert_eq!(wait(5, 5), Some(TimeDelta::seconds(1)));
        assert_eq!(wait(8, 5), Some(TimeDelta::seconds(8)));
        assert_eq!(wait(1_000_000, 5), Some(TimeDelta::seconds(60)));
    }
}
