//! The tree's hashes as they are stored: leaves, and above each 256 of them one root.
//!
//! C2SP calls 256 neighbors of one row a tile (tlog-tiles). Here a row of the table is one hash,
//! and a tile is 256 rows that stand side by side in the primary key. The rows above the leaves
//! only save work: where one is missing it is computed from those below.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ralex_kernel::OrgId;
use sqlx::PgConnection;

use crate::proof::{Block, Span, joined};
use crate::tree::{Hash, Range};

/// The hashes of a tile.
pub(crate) const TILE: u64 = 256;
/// The height of a tile: from one row of the table to the next.
const HEIGHT: u32 = 8;
/// So many tiles are closed at once; what is left waits for the next head.
const AT_ONCE: i64 = 64;

/// Which tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    Org(OrgId),
    /// The deployment's log of the organisations' heads.
    Super,
}

type Found = HashMap<i64, Hash>;

/// The roots of these spans, all of which lie within the tree; none where a leaf is missing.
pub(crate) async fn roots(
    conn: &mut PgConnection,
    log: Log,
    spans: &[Span],
) -> Result<Option<Vec<Hash>>, sqlx::Error> {
    let blocks: Vec<Vec<Block>> = spans.iter().map(|span| span.blocks()).collect();
    let mut wanted: BTreeMap<u32, BTreeSet<i64>> = BTreeMap::new();
    for block in blocks.iter().flatten() {
        wanted.entry(block.height / HEIGHT).or_default().extend(places(*block));
    }
    let mut found = BTreeMap::new();
    for (level, places) in wanted {
        let places: Vec<i64> = places.into_iter().collect();
        found.insert(level, hashes(conn, log, level, &places).await?);
    }
    let root_of_block = |block: &Block| {
        let row = found.get(&(block.height / HEIGHT))?;
        let mut range = Range::default();
        for place in places(*block) {
            range.push(*row.get(&place)?);
        }
        Some(range.root())
    };
    let root_of_span = |blocks: &Vec<Block>| {
        let roots: Option<Vec<Hash>> = blocks.iter().map(root_of_block).collect();
        joined(&roots?)
    };
    Ok(blocks.iter().map(root_of_span).collect())
}

/// The places in a block's row of the table.
fn places(block: Block) -> std::ops::Range<i64> {
    let inner = block.height % HEIGHT;
    let place = |index: u64| i64::try_from(index << inner).unwrap_or(i64::MAX);
    place(block.index)..place(block.index + 1)
}

/// Hashes of one row, at these places. Missing ones above the leaves are computed.
pub(crate) async fn hashes(
    conn: &mut PgConnection,
    log: Log,
    level: u32,
    places: &[i64],
) -> Result<Found, sqlx::Error> {
    let mut found = stored(conn, log, level, places).await?;
    if level == 0 {
        return Ok(found);
    }
    for place in places {
        if found.contains_key(place) {
            continue;
        }
        let below: Vec<i64> = (place * 256..(place + 1) * 256).collect();
        let below_found = Box::pin(hashes(conn, log, level - 1, &below)).await?;
        let below: Option<Vec<Hash>> =
            below.iter().map(|at| below_found.get(at).copied()).collect();
        if let Some(below) = below {
            found.insert(*place, tile_root(below));
        }
    }
    Ok(found)
}

/// Closes the tiles that a tree of this size has filled.
pub(crate) async fn fill(conn: &mut PgConnection, log: Log, size: u64) -> Result<(), sqlx::Error> {
    for level in 1..=7 {
        let full = i64::try_from(size >> (HEIGHT * level)).unwrap_or(i64::MAX);
        if full == 0 {
            break;
        }
        let known = count(conn, log, level).await?;
        let until = full.min(known + AT_ONCE);
        for place in known..until {
            let below: Vec<i64> = (place * 256..(place + 1) * 256).collect();
            let found = stored(conn, log, level - 1, &below).await?;
            let below: Option<Vec<Hash>> = below.iter().map(|at| found.get(at).copied()).collect();
            // A row below that is itself behind comes first.
            let Some(below) = below else { break };
            insert(conn, log, level, place, &tile_root(below)).await?;
        }
    }
    Ok(())
}

/// The hashes above leaves that are read in order.
#[derive(Default)]
pub(crate) struct Above {
    rows: Vec<(i64, Range)>,
    /// Row, place and hash of those that are complete.
    pub complete: Vec<(u32, i64, Hash)>,
}

impl Above {
    pub fn push(&mut self, leaf: Hash) {
        let (mut level, mut hash) = (0, leaf);
        loop {
            if self.rows.len() == level {
                self.rows.push((0, Range::default()));
            }
            let (place, row) = &mut self.rows[level];
            row.push(hash);
            if row.size() < TILE {
                return;
            }
            hash = std::mem::take(row).root();
            level += 1;
            self.complete.push((u32::try_from(level).unwrap_or(u32::MAX), *place, hash));
            *place += 1;
        }
    }
}

/// The first of these that stands in the table with another hash.
pub(crate) async fn first_wrong(
    conn: &mut PgConnection,
    log: Log,
    complete: &[(u32, i64, Hash)],
) -> Result<Option<(u32, i64)>, sqlx::Error> {
    for (level, place, hash) in complete {
        let found = stored(conn, log, *level, &[*place]).await?;
        if found.get(place).is_some_and(|found| found != hash) {
            return Ok(Some((*level, *place)));
        }
    }
    Ok(None)
}

fn tile_root(hashes: Vec<Hash>) -> Hash {
    let mut range = Range::default();
    for hash in hashes {
        range.push(hash);
    }
    range.root()
}

struct Row {
    place: i64,
    hash: Vec<u8>,
}

async fn stored(
    conn: &mut PgConnection,
    log: Log,
    level: u32,
    places: &[i64],
) -> Result<Found, sqlx::Error> {
    let row = i16::try_from(level).unwrap_or(i16::MAX);
    let rows = match (log, level) {
        (Log::Org(org), 0) => {
            sqlx::query_as!(
                Row,
                "select leaf_index as place, leaf_hash as hash from audit_leaf
                 where org_id = $1 and leaf_index = any($2)",
                org as _,
                places
            )
            .fetch_all(conn)
            .await?
        }
        (Log::Org(org), _) => {
            sqlx::query_as!(
                Row,
                "select node_index as place, hash from audit_node
                 where org_id = $1 and level = $2 and node_index = any($3)",
                org as _,
                row,
                places
            )
            .fetch_all(conn)
            .await?
        }
        (Log::Super, 0) => {
            sqlx::query_as!(
                Row,
                "select leaf_index as place, leaf_hash as hash from audit_super_leaf
                 where leaf_index = any($1)",
                places
            )
            .fetch_all(conn)
            .await?
        }
        (Log::Super, _) => {
            sqlx::query_as!(
                Row,
                "select node_index as place, hash from audit_super_node
                 where level = $1 and node_index = any($2)",
                row,
                places
            )
            .fetch_all(conn)
            .await?
        }
    };
    let pair = |row: Row| Some((row.place, Hash::try_from(row.hash).ok()?));
    Ok(rows.into_iter().filter_map(pair).collect())
}

async fn count(conn: &mut PgConnection, log: Log, level: u32) -> Result<i64, sqlx::Error> {
    let level = i16::try_from(level).unwrap_or(i16::MAX);
    match log {
        Log::Org(org) => {
            sqlx::query_scalar!(
                r#"select coalesce(max(node_index) + 1, 0) as "count!" from audit_node
                   where org_id = $1 and level = $2"#,
                org as _,
                level
            )
            .fetch_one(conn)
            .await
        }
        Log::Super => {
            sqlx::query_scalar!(
                r#"select coalesce(max(node_index) + 1, 0) as "count!" from audit_super_node
                   where level = $1"#,
                level
            )
            .fetch_one(conn)
            .await
        }
    }
}

async fn insert(
    conn: &mut PgConnection,
    log: Log,
    level: u32,
    place: i64,
    hash: &Hash,
) -> Result<(), sqlx::Error> {
    let level = i16::try_from(level).unwrap_or(i16::MAX);
    match log {
        Log::Org(org) => {
            sqlx::query!(
                "insert into audit_node (org_id, level, node_index, hash) values ($1, $2, $3, $4)
                 on conflict do nothing",
                org as _,
                level,
                place,
                hash.as_slice()
            )
            .execute(conn)
            .await?;
        }
        Log::Super => {
            sqlx::query!(
                "insert into audit_super_node (level, node_index, hash) values ($1, $2, $3)
                 on conflict do nothing",
                level,
                place,
                hash.as_slice()
            )
            .execute(conn)
            .await?;
        }
    }
    Ok(())
}
