//! Sweeping: what is over by its time is written down as over. It was over before that: whoever asks
//! looks at the clock.

use std::future::pending;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ralex_api::break_glass::BreakGlassState;
use ralex_audit::{Author, Entry, Event, record_all};
use ralex_kernel::{OrgId, Problem};
use ralex_store::{Error, Sweeper, System, problem};
use sqlx::PgConnection;

use crate::BreakGlass;
use crate::opening::count;
use crate::sql::letter;
use crate::sql::opening::{self as sql, Stored};
use crate::sql::{self as armed, Counts};

const SWEEPER: Sweeper = Sweeper {
    name: "break_glass",
    why: "end break-glass access whose time is over",
    pace: Duration::from_secs(2),
    at_once: 100,
};

impl BreakGlass {
    pub(crate) async fn run_sweeper(&self) {
        SWEEPER.run(pending(), || self.sweep_and_count()).await;
    }

    /// Ends all whose time is over, and returns how much that was.
    pub async fn sweep(&self) -> Result<u64, Error> {
        SWEEPER.all(&self.0.db, |tx| self.sweep_some(tx)).await
    }

    async fn sweep_and_count(&self) -> Result<u64, Error> {
        let ended = self.sweep().await?;
        let mut tx = self.0.db.system("count uses of the break-glass access").await?;
        let Counts { armed, asked, open, reviews } =
            armed::counts(&mut tx, self.0.clock.now()).await?;
        tx.rollback().await?;
        for (state, number) in
            [("armed", armed), ("asked", asked), ("open", open), ("waiting_for_review", reviews)]
        {
            let number = f64::from(u32::try_from(number).unwrap_or(u32::MAX));
            metrics::gauge!("ralex_break_glass", "state" => state).set(number);
        }
        Ok(ended)
    }

    async fn sweep_some(&self, mut tx: System) -> Result<u64, Error> {
        let now = self.0.clock.now();
        let late = sql::end_late(&mut tx, None, SWEEPER.at_once, now).await?;
        write_down(&mut tx, &late, now).await?;
        tx.commit().await?;
        Ok(late.len() as u64)
    }

    /// Writes down as over what is over by now, in the transaction that goes on.
    pub(crate) async fn settle(
        &self,
        conn: &mut PgConnection,
        org: Option<OrgId>,
        now: DateTime<Utc>,
    ) -> Result<(), Problem> {
        let late = sql::end_late(&mut *conn, org, SWEEPER.at_once, now).await.map_err(problem)?;
        write_down(conn, &late, now).await.map_err(problem)
    }
}

async fn write_down(
    conn: &mut PgConnection,
    late: &[Stored],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut entries = Vec::new();
    for stored in late {
        let Ok(state) = stored.state() else { continue };
        letter::ended(&mut *conn, stored.org, (stored.id, state), now).await?;
        let ended_at = stored.ended_at.unwrap_or(now);
        let event = Event::BreakGlass(stored.ended(state, ended_at, true));
        entries.push(Entry::new(Author::system(stored.org), event));
        count(if state == BreakGlassState::Ended { "ended" } else { "expired" });
    }
    record_all(conn, entries).await.map(drop)
}
