//! Work: one report while it is made, with all that its kind needs.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ralex_audit::Author;
use ralex_kernel::{OrgId, Problem, ReportId};
use ralex_store::{System, Tenant, problem};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Inner;
use crate::document::{Cell, Room, Table, too_large};
use crate::frame::{Frame, Head, Sampled};
use crate::packed::Packed;
use crate::sample;
use crate::sql::events::{self, MOST, Told};
use crate::sql::{people, record};

/// The columns of every table of events.
pub(crate) const EVENT_COLUMNS: &[(&str, &str)] = &[
    ("index", "Index"),
    ("at", "When"),
    ("by", "By"),
    ("action", "Action"),
    ("outcome", "Outcome"),
    ("target", "Done to"),
    ("detail", "Detail"),
    ("event", "Event"),
];

/// How often a log without a signed head is looked at, and for how long: the first takes a second.
const FIRST_HEAD_LOOKS: Duration = Duration::from_millis(100);
const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Work<'a> {
    pub inner: &'a Inner,
    pub id: ReportId,
    pub frame: Frame,
    pub author: Author,
    pub room: Room,
    /// What was asked for: the size of the sample and its seed.
    pub sample: Option<(u32, String)>,
    pub wants_bundle: bool,
    pub bundle: Option<Packed>,
}

impl Work<'_> {
    pub fn org(&self) -> OrgId {
        self.frame.org
    }

    pub fn span(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.frame.from, self.frame.to)
    }

    pub async fn tenant(&self) -> Result<Tenant, Problem> {
        Ok(self.inner.db.tenant(self.org()).await?)
    }

    /// For the few rows that belong to no organisation; every query on them names whose.
    pub async fn system(&self) -> Result<System, Problem> {
        Ok(self.inner.db.system("make a compliance report").await?)
    }

    /// Says how far it is. That this could not be noted is no reason to stop.
    pub async fn at(&self, percent: i16, step: &str) -> Result<(), Problem> {
        let mut tx = self.system().await?;
        let noted = record::progress(&mut tx, self.org(), self.id, (percent, step)).await;
        noted.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    /// The team of the filter.
    pub async fn team(&self, conn: &mut PgConnection) -> Result<Option<Uuid>, Problem> {
        let Some(name) = &self.frame.filters.team else { return Ok(None) };
        let found = people::team(conn, self.org(), name).await.map_err(problem)?;
        let missing = || Problem::field("filters.team", "names no team of this organisation");
        found.ok_or_else(missing).map(Some)
    }

    /// The ids that the sample selects, or nothing where none is asked for.
    pub fn select(&mut self, population: &[String]) -> Option<Vec<String>> {
        let (size, seed) = self.sample.clone()?;
        let ids = population.iter().map(String::as_str);
        let selected = sample::select(&seed, size as usize, ids);
        let selected = selected.into_iter().map(str::to_owned).collect();
        self.frame.sample = Some(Sampled { size, seed, population: population.len() as u64 });
        Some(selected)
    }

    /// A table of the events of some actions within the period.
    pub async fn events(
        &mut self,
        conn: &mut PgConnection,
        actions: &[&str],
        mut table: Table,
        wanted: impl Fn(&Told) -> bool,
    ) -> Result<Table, Problem> {
        let (org, span) = (self.org(), self.span());
        let told = events::of_actions(conn, org, actions, span).await.map_err(problem)?;
        self.within(told.len())?;
        for told in told.iter().filter(|told| wanted(told)) {
            table.push(&mut self.room, event_row(told))?;
        }
        Ok(table)
    }

    /// Refuses what was cut off.
    pub fn within(&self, rows: usize) -> Result<(), Problem> {
        let more = i64::try_from(rows).is_ok_and(|rows| rows > MOST);
        if more { Err(too_large(self.room.most)) } else { Ok(()) }
    }

    /// The newest signed head of the audit log, which vouches for the report. That this report was
    /// asked for is in the log, so a log that has none yet is about to have its first: it is waited
    /// for, unless nobody signs.
    pub async fn head(&self) -> Result<Option<Head>, Problem> {
        let mut looks = tokio::time::interval(FIRST_HEAD_LOOKS);
        let patience = tokio::time::Instant::now() + FIRST_HEAD_WITHIN;
        loop {
            let at = looks.tick().await;
            match self.newest_head().await? {
                None if at < patience => {}
                found => return Ok(found),
            }
        }
    }

    async fn newest_head(&self) -> Result<Option<Head>, Problem> {
        let mut tx = self.system().await?;
        let head = events::head(&mut tx, self.org()).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        Ok(head.map(|head| Head {
            tree_size: u64::try_from(head.tree_size).unwrap_or(0),
            root: head.root,
            note: head.note,
            key: head.key.unwrap_or_default(),
        }))
    }
}

pub(crate) fn event_row(told: &Told) -> Vec<Cell> {
    vec![
        told.index.map_or(Cell::Empty, Cell::Count),
        Cell::Time(told.at),
        Cell::maybe(told.by.clone()),
        Cell::text(&told.action),
        Cell::text(&told.outcome),
        Cell::maybe(told.target.clone()),
        Cell::text(told.words()),
        Cell::text(told.id.to_string()),
    ]
}
