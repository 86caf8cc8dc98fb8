//! Asking other nodes for what they have in hand of a period that somebody is short of.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use ralex_store::{Db, Feed, Hint};
use sqlx::PgConnection;

use crate::charge::PeriodKey;
use crate::lease::{ALIVE, Leases};
use crate::sql;

pub(crate) const CHANNEL: &str = "ralex_lease";

/// Asks all nodes, this one included, when the transaction is committed.
pub async fn recall(conn: &mut PgConnection, keys: &[PeriodKey]) -> Result<(), sqlx::Error> {
    if keys.is_empty() { Ok(()) } else { sql::lease::recall(conn, keys).await }
}

/// Which of these periods some node has in hand that may be there to give it back. One that has not
/// said so for as long as nodes believe it of themselves will not.
pub async fn in_living_hands(
    conn: &mut PgConnection,
    keys: &[PeriodKey],
) -> Result<HashSet<PeriodKey>, sqlx::Error> {
    let keys = sql::lease::in_living_hands(conn, keys, ALIVE.as_secs_f64()).await?;
    Ok(keys.into_iter().collect())
}

impl Leases {
    /// Hears what other nodes ask for, for as long as it is polled.
    pub async fn hear(&self, db: &Db) {
        let mut feed = Feed::listen(db, &[CHANNEL]);
        loop {
            match feed.next().await {
                Hint::Sent { payload, .. } => {
                    if let Ok(key) = payload.parse() {
                        self.recall(key);
                    }
                }
                Hint::Connected => self.recall_all(),
            }
        }
    }
}

impl fmt::Display for PeriodKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { org, budget, starts_at } = self;
        write!(f, "{org} {budget} {}", starts_at.timestamp_micros())
    }
}

/// Not what [`PeriodKey`] prints.
#[derive(Debug)]
pub struct NoKey;

impl FromStr for PeriodKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let mut parts = text.split(' ');
        let mut next = || parts.next().ok_or(NoKey);
        let org = next()?.parse().map_err(|_| NoKey)?;
        let budget = next()?.parse().map_err(|_| NoKey)?;
        let micros = next()?.parse().map_err(|_| NoKey)?;
        let starts_at: DateTime<Utc> = DateTime::from_timestamp_micros(micros).ok_or(NoKey)?;
        Ok(Self { org, budget, starts_at })
    }
}
