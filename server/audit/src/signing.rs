//! Signing: a checkpoint for every tree that has grown, after reading back what was written.
//!
//! A log that signs a wrong root can never be repaired, so nothing in memory is trusted: the new
//! leaves' bytes are read again, hashed again and appended to the state of the last checkpoint,
//! and only if that gives the stored tree is its root signed.

use ralex_kernel::OrgId;
use ralex_store::{Db, Error};
use sqlx::PgConnection;

use crate::checkpoint::Signer;
use crate::keys::is_current;
use crate::nodes::{Log, fill};
use crate::sequencer::stored_tree;
use crate::tree::{Range, leaf_hash};

const PAGE: i64 = 2_000;

/// Keeps these advisory locks apart from those of other jobs.
const LOCK: i64 = 0x7261_6c65_7861_7564;

/// An organisation whose tree was not signed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub org: OrgId,
    pub reason: String,
}

enum Outcome {
    /// By this node, or by another one that is at it or knows a newer key.
    Signed,
    Refused(String),
}

/// Signs every tree that has grown; answers with those that it refused to sign.
pub(crate) async fn sign_all(db: &Db, signer: &Signer) -> Result<Vec<Refused>, Error> {
    let mut tx = db.system("find audit trees to sign").await?;
    let grown = grown(&mut tx).await?;
    tx.rollback().await?;
    let mut refused = Vec::new();
    for org in grown {
        let mut tx = db.system("sign an audit checkpoint").await?;
        match sign(&mut tx, signer, org).await? {
            Outcome::Signed => tx.commit().await?,
            Outcome::Refused(reason) => refused.push(Refused { org, reason }),
        }
    }
    Ok(refused)
}

/// Spares the nodes of one deployment from doing the same work at the same time.
async fn is_first(conn: &mut PgConnection, org: OrgId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtextextended($1, $2)) as "first!""#,
        org.to_string(),
        LOCK
    )
    .fetch_one(conn)
    .await
}

async fn grown(conn: &mut PgConnection) -> Result<Vec<OrgId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select t.org_id as "org: OrgId" from audit_tree t
           where t.size <> coalesce((select max(c.tree_size) from audit_checkpoint c
                                     where c.org_id = t.org_id), 0)"#
    )
    .fetch_all(conn)
    .await
}

async fn sign(conn: &mut PgConnection, signer: &Signer, org: OrgId) -> Result<Outcome, Error> {
    if !is_first(conn, org).await? {
        return Ok(Outcome::Signed);
    }
    let Some((mut range, since)) = last_signed(conn, signer, org).await? else {
        return Ok(Outcome::Refused("the last checkpoint is not what this server signed".into()));
    };
    let tree = stored_tree(conn, org).await?;
    if !is_current(conn, signer).await? || changes_later(conn, org, tree.size()).await? {
        return Ok(Outcome::Signed);
    }
    while range.size() < tree.size() {
        if let Some(reason) = grow(conn, org, &mut range, tree.size()).await? {
            return Ok(Outcome::Refused(reason));
        }
    }
    if range != tree {
        return Ok(Outcome::Refused("the stored tree is not that of its leaves".into()));
    }
    store(conn, signer, org, since, &range).await
}

/// Whether the key has changed and the leaf that says so is not in this tree yet. The new key signs no
/// head before that one: verifiers go on to it there, and want that head of both keys.
async fn changes_later(
    conn: &mut PgConnection,
    org: OrgId,
    size: u64,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from audit_event e
               left join audit_leaf l on l.org_id = e.org_id and l.event_id = e.id
               where e.org_id = $1 and e.action = 'audit.key_rotated'
                 and (l.leaf_index is null or l.leaf_index >= $2)) as "later!""#,
        org as _,
        i64::try_from(size).unwrap_or(i64::MAX),
    )
    .fetch_one(conn)
    .await
}

/// The state of the newest checkpoint and the version of its key, if its note, root and peaks all
/// agree; empty before the first.
async fn last_signed(
    conn: &mut PgConnection,
    signer: &Signer,
    org: OrgId,
) -> Result<Option<(Range, u32)>, sqlx::Error> {
    let last = sqlx::query!(
        "select tree_size, root, note, peaks, key_version from audit_checkpoint
         where org_id = $1 order by tree_size desc limit 1",
        org as _
    )
    .fetch_optional(conn)
    .await?;
    let Some(last) = last else { return Ok(Some((Range::default(), signer.version()))) };
    let version = u32::try_from(last.key_version).unwrap_or(0);
    Ok(Range::stored(last.tree_size, &last.peaks)
        .filter(|range| {
            let (root, origin) = (range.root(), signer.origin(org));
            root.as_slice() == last.root
                && signer.vouches(version, &last.note, &origin, range.size(), &root)
        })
        .map(|range| (range, version)))
}

/// Appends one page of leaves as the table has them now; a reason where they are not as they were.
async fn grow(
    conn: &mut PgConnection,
    org: OrgId,
    range: &mut Range,
    until: u64,
) -> Result<Option<String>, sqlx::Error> {
    let rows = sqlx::query!(
        "select l.leaf_index, l.leaf_hash, e.leaf
         from audit_leaf l join audit_event e on e.org_id = l.org_id and e.id = l.event_id
         where l.org_id = $1 and l.leaf_index >= $2 and l.leaf_index < $3
         order by l.leaf_index limit $4",
        org as _,
        i64::try_from(range.size()).unwrap_or(i64::MAX),
        i64::try_from(until).unwrap_or(i64::MAX),
        PAGE,
    )
    .fetch_all(conn)
    .await?;
    if rows.is_empty() {
        return Ok(Some(format!("leaf {} is missing", range.size())));
    }
    for row in rows {
        if u64::try_from(row.leaf_index) != Ok(range.size()) {
            return Ok(Some(format!("leaf {} is missing", range.size())));
        }
        let hash = leaf_hash(&row.leaf);
        if hash.as_slice() != row.leaf_hash {
            return Ok(Some(format!("leaf {} is not what was hashed", row.leaf_index)));
        }
        range.push(hash);
    }
    Ok(None)
}

async fn store(
    conn: &mut PgConnection,
    signer: &Signer,
    org: OrgId,
    since: u32,
    range: &Range,
) -> Result<Outcome, Error> {
    let root = range.root();
    let size = i64::try_from(range.size()).unwrap_or(i64::MAX);
    let done = sqlx::query!(
        "insert into audit_checkpoint (org_id, tree_size, root, note, peaks, key_version)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        org as _,
        size,
        root.as_slice(),
        signer.note(&signer.origin(org), since, range.size(), &root),
        &range.peaks(),
        i32::try_from(signer.version()).unwrap_or(i32::MAX),
    )
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 1 {
        fill(conn, Log::Org(org), range.size()).await?;
        return Ok(Outcome::Signed);
    }
    // Another node was first, which is fine as long as it saw the same tree.
    let signed = sqlx::query_scalar!(
        "select root from audit_checkpoint where org_id = $1 and tree_size = $2",
        org as _,
        size
    )
    .fetch_one(conn)
    .await?;
    Ok(if signed == root {
        Outcome::Signed
    } else {
        Outcome::Refused(format!("another root is already signed for size {size}"))
    })
}
