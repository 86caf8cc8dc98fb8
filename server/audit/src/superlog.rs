//! The log of logs: every organisation's signed head is a leaf of the deployment's own tree.
//!
//! One head of it, noted outside, vouches for all logs: none of them can be cut, rewritten or
//! shown in two versions without that head being wrong. It is what witnesses are asked to sign.
//! Between two rounds an organisation's tree may get several heads; the newest one is enough,
//! since each contains the earlier ones.

use ralex_kernel::OrgId;
use ralex_store::{Db, Error};
use sqlx::PgConnection;

use crate::checkpoint::{Signer, note_body};
use crate::keys::is_current;
use crate::nodes::{Log, fill};
use crate::signing::Refused;
use crate::tree::{Hash, Range, leaf_hash};

/// One node at a time does it.
const LOCK: i64 = 0x7261_6c65_7861_736c;

/// What a round found.
#[derive(Debug, Default)]
pub(crate) struct Anchored {
    pub refused: Vec<Refused>,
    /// Why nothing can be added at all.
    pub broken: Option<String>,
}

struct Head {
    org: OrgId,
    size: i64,
    root: Vec<u8>,
    note: String,
    key_version: i32,
    /// The size of the organisation's newest leaf here.
    anchored: i64,
}

/// The newest signed state.
struct Last {
    range: Range,
    key_version: u32,
}

/// Adds the heads that are new, and signs.
pub(crate) async fn anchor(db: &Db, signer: &Signer) -> Result<Anchored, Error> {
    let mut tx = db.system("anchor audit checkpoints").await?;
    let mut done = Anchored::default();
    if !is_first(&mut tx).await? {
        return Ok(done);
    }
    let heads = new_heads(&mut tx).await?;
    if heads.is_empty() || !is_current(&mut tx, signer).await? {
        return Ok(done);
    }
    let Some(last) = last(&mut tx, signer).await? else {
        done.broken = Some("the newest head of the log of logs is not what was signed".to_owned());
        return Ok(done);
    };
    let mut size = last.range.size();
    for head in heads {
        if let Some(reason) = refusal(signer, &head) {
            done.refused.push(Refused { org: head.org, reason });
        } else {
            insert(&mut tx, size, &head).await?;
            size += 1;
        }
    }
    if size > last.range.size() {
        sign(&mut tx, signer, last).await?;
        tx.commit().await?;
    }
    Ok(done)
}

async fn is_first(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "first!""#, LOCK)
        .fetch_one(conn)
        .await
}

async fn new_heads(conn: &mut PgConnection) -> Result<Vec<Head>, sqlx::Error> {
    sqlx::query_as!(
        Head,
        r#"select t.org_id as "org: OrgId", c.tree_size as size, c.root, c.note, c.key_version,
                  coalesce(s.tree_size, 0) as "anchored!"
           from audit_tree t
           cross join lateral (select * from audit_checkpoint h where h.org_id = t.org_id
                               order by h.tree_size desc limit 1) c
           left join lateral (select l.tree_size from audit_super_leaf l where l.org_id = t.org_id
                              order by l.tree_size desc limit 1) s on true
           where c.tree_size <> coalesce(s.tree_size, 0)
           order by t.org_id"#
    )
    .fetch_all(conn)
    .await
}

/// Why a head may not go in.
fn refusal(signer: &Signer, head: &Head) -> Option<String> {
    if head.size < head.anchored {
        return Some(format!(
            "its newest head is of {} leaves, where one of {} was signed before: the log was cut",
            head.size, head.anchored
        ));
    }
    let root: Option<Hash> = head.root.as_slice().try_into().ok();
    let size = u64::try_from(head.size).unwrap_or(0);
    let version = u32::try_from(head.key_version).unwrap_or(0);
    let right = root.is_some_and(|root| {
        signer.vouches(version, &head.note, &signer.origin(head.org), size, &root)
    });
    (!right).then(|| format!("the head of size {size} is not what was signed"))
}

/// The newest head, if its note, root and peaks agree; empty before the first.
async fn last(conn: &mut PgConnection, signer: &Signer) -> Result<Option<Last>, sqlx::Error> {
    let row = sqlx::query!(
        "select tree_size, root, note, peaks, key_version from audit_super_checkpoint
         order by tree_size desc limit 1"
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else {
        return Ok(Some(Last { range: Range::default(), key_version: signer.version() }));
    };
    let key_version = u32::try_from(row.key_version).unwrap_or(0);
    Ok(Range::stored(row.tree_size, &row.peaks)
        .filter(|range| {
            let (root, origin) = (range.root(), signer.super_origin());
            root.as_slice() == row.root
                && signer.vouches(key_version, &row.note, &origin, range.size(), &root)
        })
        .map(|range| Last { range, key_version }))
}

async fn insert(conn: &mut PgConnection, index: u64, head: &Head) -> Result<(), sqlx::Error> {
    let leaf = note_body(&head.note).as_bytes();
    let hash = leaf_hash(leaf);
    sqlx::query!(
        "insert into audit_super_leaf (leaf_index, org_id, tree_size, leaf, leaf_hash)
         values ($1, $2, $3, $4, $5)",
        i64::try_from(index).unwrap_or(i64::MAX),
        head.org as _,
        head.size,
        leaf,
        hash.as_slice(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Signs what the table holds now, not what this process believes to have written.
async fn sign(conn: &mut PgConnection, signer: &Signer, last: Last) -> Result<(), Error> {
    let mut range = last.range;
    let leaves = sqlx::query_scalar!(
        "select leaf from audit_super_leaf where leaf_index >= $1 order by leaf_index",
        i64::try_from(range.size()).unwrap_or(i64::MAX)
    )
    .fetch_all(&mut *conn)
    .await?;
    for leaf in leaves {
        range.push(leaf_hash(&leaf));
    }
    let (size, root) = (range.size(), range.root());
    sqlx::query!(
        "insert into audit_super_checkpoint (tree_size, root, note, peaks, key_version)
         values ($1, $2, $3, $4, $5)",
        i64::try_from(size).unwrap_or(i64::MAX),
        root.as_slice(),
        signer.note(&signer.super_origin(), last.key_version, size, &root),
        &range.peaks(),
        i32::try_from(signer.version()).unwrap_or(i32::MAX),
    )
    .execute(&mut *conn)
    .await?;
    fill(conn, Log::Super, size).await?;
    Ok(())
}
