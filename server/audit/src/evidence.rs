//! Evidence: parts of the log with the proof that they are parts of it.
//!
//! Everything handed out here was checked before it left, from what the tables hold now to the
//! signed head: a proof that does not come out is a finding, not an answer.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ralex_api::audit::{ConsistencyProof, InclusionProof, SignedTree};
use ralex_kernel::{Code, EventId, OrgId, Problem};
use ralex_store::{Tenant, problem};
use sqlx::PgConnection;

use crate::nodes::{Log, TILE, hashes, roots};
use crate::proof::{self, Span};
use crate::service::Audit;
use crate::tree::{Hash, leaf_hash};

/// The first line of a receipt (C2SP tlog-proof).
pub(crate) const RECEIPT: &str = "c2sp.org/tlog-proof@v1";

/// The version of the form of consistency proofs.
const CONSISTENCY: u32 = 1;

pub(crate) struct Head {
    pub size: u64,
    pub root: Vec<u8>,
    pub note: String,
    pub signed_at: DateTime<Utc>,
    pub key_version: u32,
}

struct Leaf {
    index: Option<u64>,
    text: Vec<u8>,
}

impl Audit {
    /// Proves that an event is in the newest signed tree, and waits for that tree if the event is
    /// new.
    pub async fn prove(&self, org: OrgId, event: EventId) -> Result<InclusionProof, Problem> {
        let (leaf, head) = self.placed(org, event).await?;
        let index = leaf.index.unwrap_or(u64::MAX);
        if index >= head.size {
            let detail = "This event is in no signed tree: the log is not what was written, so \
                          nothing more of it is signed. Verify it now.";
            return Err(Problem::new(Code::Unavailable, detail));
        }
        let mut tenant = self.db().tenant(org).await?;
        let path = proof::path(index, head.size);
        let path = roots(&mut tenant, Log::Org(org), &path).await.map_err(problem)?;
        tenant.rollback().await.map_err(problem)?;
        let hash = leaf_hash(&leaf.text);
        let root = path.as_ref().and_then(|path| proof::root_of(index, head.size, hash, path));
        let Some(path) = path.filter(|_| root.is_some_and(|root| root.as_slice() == head.root))
        else {
            return Err(unprovable(org));
        };
        let key = self.signer().verifiers(head.key_version, head.key_version).pop();
        Ok(InclusionProof {
            event,
            index,
            tree_size: head.size,
            leaf_hash: STANDARD.encode(hash),
            leaf: String::from_utf8_lossy(&leaf.text).into_owned(),
            path: path.iter().map(|hash| STANDARD.encode(hash)).collect(),
            root: STANDARD.encode(&head.root),
            checkpoint: head.note,
            signed_at: head.signed_at,
            key: key.map(|key| key.to_string()).unwrap_or_default(),
        })
    }

    /// The same as a file that verifies offline (C2SP tlog-proof), with the event in it.
    pub async fn receipt(&self, org: OrgId, event: EventId) -> Result<String, Problem> {
        let proof = self.prove(org, event).await?;
        Ok(receipt(Some(proof.leaf.as_bytes()), proof.index, &proof.path, &proof.checkpoint))
    }

    /// Proves that the tree of `from` leaves is the beginning of a signed one.
    pub async fn prove_consistency(
        &self,
        org: OrgId,
        from: u64,
        to: Option<u64>,
    ) -> Result<ConsistencyProof, Problem> {
        let mut tenant = self.db().tenant(org).await?;
        let head = match to {
            None => newest(&mut tenant).await?,
            Some(size) => {
                signed_at(&mut tenant, size).await.map_err(problem)?.ok_or_else(|| {
                    Problem::field("to", "is not the size of a signed tree of this log")
                })?
            }
        };
        if from > head.size {
            return Err(Problem::field("from", "is larger than the later tree"));
        }
        let conn = &mut *tenant;
        let log = Log::Org(org);
        let path = roots(conn, log, &proof::between(from, head.size)).await.map_err(problem)?;
        let old_root = match from {
            0 => Some(crate::tree::Range::default().root()),
            size => {
                let whole = roots(conn, log, &[Span { from: 0, to: size }]).await;
                whole.map_err(problem)?.and_then(|roots| roots.first().copied())
            }
        };
        let earlier = signed_at(&mut tenant, from).await.map_err(problem)?;
        tenant.rollback().await.map_err(problem)?;
        let new_root: Option<Hash> = head.root.as_slice().try_into().ok();
        let (Some(path), Some(old_root), Some(new_root)) = (path, old_root, new_root) else {
            return Err(unprovable(org));
        };
        let as_signed = earlier.as_ref().is_none_or(|earlier| earlier.root == old_root);
        if !as_signed || !proof::extends((from, old_root), (head.size, new_root), &path) {
            return Err(unprovable(org));
        }
        let tree = |tree_size, root: Hash, checkpoint| SignedTree {
            tree_size,
            root: STANDARD.encode(root),
            checkpoint,
        };
        Ok(ConsistencyProof {
            ralex_audit_consistency: CONSISTENCY,
            origin: self.signer().origin(org),
            from: tree(from, old_root, earlier.map(|earlier| earlier.note)),
            to: tree(head.size, new_root, Some(head.note)),
            path: path.iter().map(|hash| STANDARD.encode(hash)).collect(),
        })
    }

    /// The newest signed note, as it is.
    pub async fn newest_note(&self, org: OrgId) -> Result<String, Problem> {
        let mut tenant = self.db().tenant(org).await?;
        Ok(newest(&mut tenant).await?.note)
    }

    /// A tile of hashes (C2SP tlog-tiles) of the newest signed tree.
    pub async fn tile(
        &self,
        org: OrgId,
        level: u32,
        index: u64,
        width: u64,
    ) -> Result<Vec<u8>, Problem> {
        let mut tenant = self.db().tenant(org).await?;
        let places = self.tile_places(&mut tenant, level, index, width).await?;
        let found = hashes(&mut tenant, Log::Org(org), level, &places).await.map_err(problem)?;
        let tile: Option<Vec<Hash>> = places.iter().map(|at| found.get(at).copied()).collect();
        Ok(tile.ok_or_else(|| unprovable(org))?.concat())
    }

    /// The events of such a tile, each after its length in two bytes.
    pub async fn entries(&self, org: OrgId, index: u64, width: u64) -> Result<Vec<u8>, Problem> {
        let mut tenant = self.db().tenant(org).await?;
        let places = self.tile_places(&mut tenant, 0, index, width).await?;
        let leaves = sqlx::query_scalar!(
            r#"select e.leaf from audit_leaf l
               join audit_event e on e.org_id = l.org_id and e.id = l.event_id
               where l.org_id = $1 and l.leaf_index = any($2) order by l.leaf_index"#,
            org as _,
            &places,
        )
        .fetch_all(&mut *tenant)
        .await
        .map_err(problem)?;
        if leaves.len() != places.len() {
            let pruned = crate::pruned::pruned(&mut tenant, org).await.map_err(problem)?;
            let gone = places.iter().any(|at| u64::try_from(*at).is_ok_and(|at| pruned.has(at)));
            if gone {
                let detail = "Events of this tile were pruned; its hashes are still served.";
                return Err(Problem::new(Code::NotFound, detail));
            }
            return Err(unprovable(org));
        }
        let mut bundle = Vec::new();
        for leaf in leaves {
            let length = u16::try_from(leaf.len()).map_err(|_| {
                let detail =
                    "An event of this tile is longer than the form allows; export the log.";
                Problem::new(Code::Unsupported, detail)
            })?;
            bundle.extend(length.to_be_bytes());
            bundle.extend(leaf);
        }
        Ok(bundle)
    }

    /// The places of a tile, none of which may lie beyond the newest signed tree.
    async fn tile_places(
        &self,
        tenant: &mut Tenant,
        level: u32,
        index: u64,
        width: u64,
    ) -> Result<Vec<i64>, Problem> {
        let size = newest(tenant).await?.size;
        let there = size.checked_shr(8 * level).unwrap_or(0);
        let first = index.saturating_mul(TILE);
        if width == 0 || width > TILE || first.saturating_add(width) > there {
            return Err(Problem::not_found("tile"));
        }
        let place = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
        Ok((place(first)..place(first + width)).collect())
    }

    /// The event with its place, and a head that covers it.
    async fn placed(&self, org: OrgId, event: EventId) -> Result<(Leaf, Head), Problem> {
        for _ in 0..2 {
            let mut tenant = self.db().tenant(org).await?;
            let found = leaf(&mut tenant, org, event).await.map_err(problem)?;
            let leaf = found.ok_or_else(|| Problem::not_found("event"))?;
            let head = newest(&mut tenant).await;
            tenant.rollback().await.map_err(problem)?;
            match head {
                Ok(head) if leaf.index.is_some_and(|index| index < head.size) => {
                    return Ok((leaf, head));
                }
                Ok(_) | Err(_) => self.flush(org).await?,
            };
        }
        let mut tenant = self.db().tenant(org).await?;
        let found = leaf(&mut tenant, org, event).await.map_err(problem)?;
        Ok((found.ok_or_else(|| Problem::not_found("event"))?, newest(&mut tenant).await?))
    }
}

/// Writes a proof down as C2SP tlog-proof has it.
pub(crate) fn receipt(extra: Option<&[u8]>, index: u64, path: &[String], note: &str) -> String {
    let mut text = format!("{RECEIPT}\n");
    if let Some(extra) = extra {
        writeln!(text, "extra {}", STANDARD.encode(extra)).ok();
    }
    writeln!(text, "index {index}").ok();
    for hash in path {
        writeln!(text, "{hash}").ok();
    }
    write!(text, "\n{note}").ok();
    text
}

pub(crate) fn unprovable(org: OrgId) -> Problem {
    tracing::error!(org.id = %org, "the audit log of org {org} does not prove what it should");
    let detail = "The log does not prove this: its tables are not what was signed. Verify it now.";
    Problem::new(Code::Internal, detail)
}

async fn leaf(
    conn: &mut PgConnection,
    org: OrgId,
    event: EventId,
) -> Result<Option<Leaf>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select e.leaf, l.leaf_index as "index?" from audit_event e
           left join audit_leaf l on l.org_id = e.org_id and l.event_id = e.id
           where e.org_id = $1 and e.id = $2"#,
        org as _,
        event as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Leaf {
        index: row.index.and_then(|index| u64::try_from(index).ok()),
        text: row.leaf,
    }))
}

async fn newest(tenant: &mut Tenant) -> Result<Head, Problem> {
    let org = tenant.org();
    let row = sqlx::query!(
        "select tree_size, root, note, signed_at, key_version from audit_checkpoint
         where org_id = $1 order by tree_size desc limit 1",
        org as _
    )
    .fetch_optional(&mut **tenant)
    .await
    .map_err(problem)?;
    let row = row.ok_or_else(|| Problem::not_found("checkpoint"))?;
    Ok(Head {
        size: u64::try_from(row.tree_size).unwrap_or(0),
        root: row.root,
        note: row.note,
        signed_at: row.signed_at,
        key_version: u32::try_from(row.key_version).unwrap_or(0),
    })
}

async fn signed_at(tenant: &mut Tenant, size: u64) -> Result<Option<Head>, sqlx::Error> {
    let org = tenant.org();
    let row = sqlx::query!(
        "select tree_size, root, note, signed_at, key_version from audit_checkpoint
         where org_id = $1 and tree_size = $2",
        org as _,
        i64::try_from(size).unwrap_or(i64::MAX),
    )
    .fetch_optional(&mut **tenant)
    .await?;
    Ok(row.map(|row| Head {
        size,
        root: row.root,
        note: row.note,
        signed_at: row.signed_at,
        key_version: u32::try_from(row.key_version).unwrap_or(0),
    }))
}
