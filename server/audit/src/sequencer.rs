//! The sequencer: gives every committed event its place in its organisation's tree.
//!
//! Every node runs one, and the row lock on the cursor lets one at a time do the work: the lock,
//! the new leaves and the grown tree are one transaction, so a sequencer that lost its connection
//! or was overtaken cannot write anything late. Indexes are dense and an event has one place;
//! the table's constraints refuse anything else.

use std::collections::BTreeMap;

use ralex_kernel::OrgId;
use ralex_store::{Db, Error, System, horizon};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::tree::{Hash, Range, leaf_hash};

/// Events of one transaction of the sequencer.
const BATCH: i64 = 4_000;

/// What one round did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// Another node's sequencer is at work.
    Elsewhere,
    /// Everything that had committed has its place.
    CaughtUp,
    /// There is more to do.
    More,
    /// The database is older than the cursor, so events may lie on the wrong side of it.
    Restored,
}

/// Which events a round looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Those since the cursor.
    Ahead,
    /// Those anywhere, which reads the whole log.
    Everywhere,
}

struct Event {
    org: OrgId,
    id: Uuid,
    xid: i64,
    leaf: Vec<u8>,
}

/// Appends one batch of committed events, each in the order of its transaction.
pub(crate) async fn sequence(db: &Db, look: Look) -> Result<Round, Error> {
    let mut tx = db.system("sequence audit events").await?;
    if look == Look::Ahead && is_idle(&mut tx).await? {
        return Ok(Round::CaughtUp);
    }
    let Some(cursor) = take_cursor(&mut tx).await? else { return Ok(Round::Elsewhere) };
    let horizon = horizon(&mut tx).await?;
    let events = match look {
        Look::Ahead if cursor > horizon.next => return Ok(Round::Restored),
        Look::Ahead => ahead(&mut tx, cursor, horizon.settled).await?,
        Look::Everywhere => everywhere(&mut tx).await?,
    };
    let full = i64::try_from(events.len()).is_ok_and(|count| count >= BATCH);
    let last = events.iter().map(|event| event.xid).max();
    append(&mut tx, events).await?;
    // A full batch may end in the middle of a transaction, whose rest comes with the next one.
    let next = match (look, last) {
        (Look::Ahead, Some(last)) if full => last,
        (Look::Everywhere, _) if full => cursor,
        // A neighbour's transaction that ended while it was looked for counted as ours just now.
        (Look::Ahead, _) => horizon.settled.max(cursor),
        (Look::Everywhere, _) => horizon.settled,
    };
    move_cursor(&mut tx, cursor, next).await?;
    tx.commit().await?;
    Ok(if full { Round::More } else { Round::CaughtUp })
}

/// Whether there are events that no look ahead will find, which only a restore can bring about:
/// the numbers of transactions start anew with a database, those in the rows do not.
pub(crate) async fn has_strays(db: &Db) -> Result<bool, Error> {
    let mut tx = db.system("find audit events that were passed over").await?;
    wait_as_long_as_it_takes(&mut tx).await?;
    sqlx::query!("insert into audit_cursor (xid) values ('0') on conflict do nothing")
        .execute(&mut *tx)
        .await?;
    let found = sqlx::query_scalar!(
        r#"select exists(
               select from audit_event e
               where (e.xid < (select xid from audit_cursor)
                      or e.xid >= pg_snapshot_xmax(pg_current_snapshot()))
                 and not exists (select from audit_leaf l
                                 where l.org_id = e.org_id and l.event_id = e.id)) as "found!""#
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(found)
}

/// Reading the whole log may take longer than a request may.
async fn wait_as_long_as_it_takes(tx: &mut System) -> Result<(), sqlx::Error> {
    sqlx::query!("select set_config('statement_timeout', '0', true)").fetch_one(&mut **tx).await?;
    Ok(())
}

/// Whether there is nothing ahead, seen without a lock: taking one writes to the disk, which a
/// quiet deployment should not do five times a second.
async fn is_idle(tx: &mut System) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select not exists (
               select from audit_event e
               where e.xid >= c.xid
                 and not exists (select from audit_leaf l
                                 where l.org_id = e.org_id and l.event_id = e.id))
             and c.xid <= pg_snapshot_xmax(pg_current_snapshot()) as "idle!"
           from audit_cursor c"#
    )
    .fetch_optional(&mut **tx)
    .await
    .map(Option::unwrap_or_default)
}

/// The cursor, locked until the transaction ends; none while another sequencer holds it.
async fn take_cursor(tx: &mut System) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select xid::text::bigint as "xid!" from audit_cursor for update skip locked"#
    )
    .fetch_optional(&mut **tx)
    .await
}

async fn ahead(tx: &mut System, cursor: i64, horizon: i64) -> Result<Vec<Event>, sqlx::Error> {
    sqlx::query_as!(
        Event,
        r#"select e.org_id as "org: OrgId", e.id, e.xid::text::bigint as "xid!", e.leaf
           from audit_event e
           where e.xid >= $1::bigint::text::xid8
             and e.xid < $2::bigint::text::xid8
             and not exists (select from audit_leaf l
                             where l.org_id = e.org_id and l.event_id = e.id)
           order by e.xid, e.id
           limit $3"#,
        cursor,
        horizon,
        BATCH,
    )
    .fetch_all(&mut **tx)
    .await
}

/// All events without a place. One that is visible and from beyond the newest transaction was
/// restored from another database, so its transaction has ended too.
async fn everywhere(tx: &mut System) -> Result<Vec<Event>, sqlx::Error> {
    wait_as_long_as_it_takes(tx).await?;
    sqlx::query_as!(
        Event,
        r#"select e.org_id as "org: OrgId", e.id, e.xid::text::bigint as "xid!", e.leaf
           from audit_event e
           where (e.xid < pg_snapshot_xmin(pg_current_snapshot())
                  or e.xid >= pg_snapshot_xmax(pg_current_snapshot()))
             and not exists (select from audit_leaf l
                             where l.org_id = e.org_id and l.event_id = e.id)
           order by e.xid, e.id
           limit $1"#,
        BATCH,
    )
    .fetch_all(&mut **tx)
    .await
}

#[derive(Default)]
struct Leaves {
    org: Vec<Uuid>,
    index: Vec<i64>,
    event: Vec<Uuid>,
    hash: Vec<Vec<u8>>,
}

async fn append(tx: &mut System, events: Vec<Event>) -> Result<(), Error> {
    let mut trees: BTreeMap<OrgId, Range> = BTreeMap::new();
    let mut leaves = Leaves::default();
    for event in events {
        let tree = match trees.entry(event.org) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                new.insert(stored_tree(tx, event.org).await?)
            }
        };
        let hash: Hash = leaf_hash(&event.leaf);
        leaves.org.push(event.org.uuid());
        leaves.index.push(i64::try_from(tree.size()).unwrap_or(i64::MAX));
        leaves.event.push(event.id);
        leaves.hash.push(hash.to_vec());
        tree.push(hash);
    }
    insert_leaves(tx, &leaves).await?;
    for (org, tree) in trees {
        store_tree(tx, org, &tree).await?;
    }
    Ok(())
}

pub(crate) async fn stored_tree(conn: &mut PgConnection, org: OrgId) -> Result<Range, Error> {
    let row = sqlx::query!("select size, peaks from audit_tree where org_id = $1", org as _)
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(Range::default()) };
    Range::stored(row.size, &row.peaks).ok_or_else(|| {
        let reason = format!("the tree of org {org} is damaged: its peaks do not fit its size");
        Error::Database(sqlx::Error::Decode(reason.into()))
    })
}

async fn store_tree(tx: &mut System, org: OrgId, tree: &Range) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into audit_tree (org_id, size, peaks) values ($1, $2, $3)
         on conflict (org_id) do update set size = excluded.size, peaks = excluded.peaks",
        org as _,
        i64::try_from(tree.size()).unwrap_or(i64::MAX),
        &tree.peaks(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert_leaves(tx: &mut System, leaves: &Leaves) -> Result<(), sqlx::Error> {
    if leaves.org.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into audit_leaf (org_id, leaf_index, event_id, leaf_hash)
         select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[])",
        &leaves.org,
        &leaves.index,
        &leaves.event,
        &leaves.hash,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn move_cursor(tx: &mut System, from: i64, to: i64) -> Result<(), sqlx::Error> {
    if from != to {
        sqlx::query!("update audit_cursor set xid = $1::bigint::text::xid8", to)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}
