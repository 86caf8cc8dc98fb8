//! Recording: an event goes into the log in the transaction that it tells of.
//!
//! Either both commit or neither, so nothing happens without its event and no event tells of
//! what did not happen. The event has no place in the tree yet: the sequencer gives it one.

use chrono::{DateTime, SubsecRound, Utc};
use ralex_kernel::EventId;
use sqlx::PgConnection;

use crate::leaf::Leaf;
use crate::personal::{self, Hidden, SealedColumns};
use crate::{Author, Event};

/// An event with its author, ready to be recorded together with others.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub id: EventId,
    pub occurred_at: DateTime<Utc>,
    pub author: Author,
    pub event: Event,
}

impl Entry {
    /// An event that happens now.
    pub fn new(author: Author, event: Event) -> Self {
        Self::at(Utc::now(), author, event)
    }

    /// An event that happened at `occurred_at`. Ids grow with every entry of this process, so
    /// entries of one transaction keep the order in which they were made.
    pub fn at(occurred_at: DateTime<Utc>, author: Author, event: Event) -> Self {
        Self { id: EventId::generate(), occurred_at: occurred_at.trunc_subsecs(6), author, event }
    }
}

/// Records one event. Works as the tenant itself and as the system.
pub async fn record(
    conn: &mut PgConnection,
    author: &Author,
    event: Event,
) -> Result<EventId, sqlx::Error> {
    let entry = Entry::new(author.clone(), event);
    let leaf = Leaf::of(&entry).map_err(unwritable)?;
    let sealed = personal::seal(&mut *conn, &leaf.hidden).await?;
    sqlx::query!(
        "insert into audit_event (org_id, id, occurred_at, actor_kind, actor_id, action, outcome,
             target, call_id, leaf)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        entry.author.org as _,
        entry.id as _,
        entry.occurred_at,
        entry.author.subject.kind(),
        entry.author.actor_id(),
        leaf.action,
        leaf.outcome.as_str(),
        leaf.target,
        entry.event.call() as _,
        leaf.text,
    )
    .execute(&mut *conn)
    .await?;
    personal::insert(conn, &sealed).await?;
    Ok(entry.id)
}

/// Records many events, of one organisation or of several, in one statement.
pub async fn record_all(conn: &mut PgConnection, entries: Vec<Entry>) -> Result<(), sqlx::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let columns = EntryColumns::of(&entries)?;
    let sealed = columns.seal(&mut *conn).await?;
    sqlx::query!(
        "insert into audit_event (org_id, id, occurred_at, actor_kind, actor_id, action, outcome,
             target, call_id, leaf)
         select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::uuid[],
             $6::text[], $7::text[], $8::text[], $9::uuid[], $10::bytea[])",
        &columns.org,
        &columns.id,
        &columns.occurred_at,
        &columns.actor_kind as _,
        &columns.actor_id as _,
        &columns.action,
        &columns.outcome as _,
        &columns.target as _,
        &columns.call as _,
        &columns.leaf,
    )
    .execute(&mut *conn)
    .await?;
    personal::insert(conn, &sealed).await
}

/// Entries turned by a quarter: `unnest` takes one array a column.
#[derive(Debug, Default)]
pub struct EntryColumns {
    pub org: Vec<uuid::Uuid>,
    pub id: Vec<uuid::Uuid>,
    pub occurred_at: Vec<DateTime<Utc>>,
    pub actor_kind: Vec<&'static str>,
    pub actor_id: Vec<Option<uuid::Uuid>>,
    pub action: Vec<String>,
    pub outcome: Vec<&'static str>,
    pub target: Vec<Option<String>>,
    pub call: Vec<Option<uuid::Uuid>>,
    pub leaf: Vec<Vec<u8>>,
    hidden: Vec<Hidden>,
}

impl EntryColumns {
    pub fn of(entries: &[Entry]) -> Result<Self, sqlx::Error> {
        let mut columns = Self::default();
        for entry in entries {
            let leaf = Leaf::of(entry).map_err(unwritable)?;
            columns.org.push(entry.author.org.uuid());
            columns.id.push(entry.id.uuid());
            columns.occurred_at.push(entry.occurred_at);
            columns.actor_kind.push(entry.author.subject.kind());
            columns.actor_id.push(entry.author.actor_id());
            columns.action.push(leaf.action);
            columns.outcome.push(leaf.outcome.as_str());
            columns.target.push(leaf.target);
            columns.call.push(entry.event.call().map(uuid::Uuid::from));
            columns.leaf.push(leaf.text);
            columns.hidden.extend(leaf.hidden);
        }
        Ok(columns)
    }

    /// What is personal in them, sealed, to be written with them. Asks the database nothing where
    /// there is nothing, as with calls of teams' tokens, or where the keys are known.
    pub async fn seal(&self, conn: &mut PgConnection) -> Result<SealedColumns, sqlx::Error> {
        personal::seal(conn, &self.hidden).await
    }
}

/// An event that cannot be written must fail the transaction that it tells of.
fn unwritable(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}
