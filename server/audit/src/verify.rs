//! The server's own check: every stored leaf against its hash, its place and every signed head.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ralex_api::audit::Verification;
use ralex_kernel::{OrgId, Problem};
use ralex_store::{Tenant, problem};

use crate::checkpoint::note_body;
use crate::nodes::{Above, Log, first_wrong};
use crate::pruned::{Pruned, pruned};
use crate::service::Audit;
use crate::tree::{Hash, Range, leaf_hash};

const PAGE: i64 = 2_000;

/// Why a log is not good, and from which leaf on.
struct Bad {
    index: u64,
    reason: String,
}

struct Signed {
    size: u64,
    root: Vec<u8>,
    note: String,
    key_version: u32,
}

impl Signed {
    fn stored(size: i64, root: Vec<u8>, note: String, key_version: i32) -> Self {
        let size = u64::try_from(size).unwrap_or(0);
        Self { size, root, note, key_version: u32::try_from(key_version).unwrap_or(0) }
    }
}

/// What was read so far.
struct Walk {
    range: Range,
    above: Above,
    /// The size of the last signed head whose root came out as signed.
    sure: u64,
    newest: Option<Signed>,
    /// Events that need not be there any more, and how many are not.
    pruned: Pruned,
    gone: u64,
}

impl Audit {
    /// Reads the whole log and checks it against what was signed. `good` also means that the
    /// search columns say what the leaves say.
    pub async fn verify(&self, tenant: &mut Tenant) -> Result<Verification, Problem> {
        let started = Instant::now();
        let (range, above) = (Range::default(), Above::default());
        let org = tenant.org();
        let pruned = pruned(tenant, org).await.map_err(problem)?;
        let mut walk = Walk { range, above, sure: 0, newest: None, pruned, gone: 0 };
        let bad = self.walk(tenant, &mut walk).await?;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let size = walk.range.size();
        Ok(Verification {
            good: bad.is_none(),
            tree_size: walk.newest.as_ref().map_or(0, |newest| newest.size),
            root: walk.newest.as_ref().map_or_else(String::new, |new| STANDARD.encode(&new.root)),
            first_bad_index: bad.as_ref().map(|bad| bad.index),
            summary: bad
                .map_or_else(|| good(size, walk.newest.as_ref(), walk.gone), |bad| bad.reason),
            duration_ms,
        })
    }

    async fn walk(&self, tenant: &mut Tenant, walk: &mut Walk) -> Result<Option<Bad>, Problem> {
        let org = tenant.org();
        // The newest head first: what is appended meanwhile lies beyond it.
        let newest = newest(tenant).await.map_err(problem)?;
        let stored = crate::sequencer::stored_tree(tenant, org).await;
        let Ok(stored) = stored else {
            return Ok(bad(0, "the stored state of the tree does not fit its size".to_owned()));
        };
        let signed_size = newest.as_ref().map_or(0, |newest| newest.size);
        walk.newest = newest;
        let cut = self.check_anchor(tenant, signed_size).await.map_err(problem)?;
        let until = stored.size().max(signed_size);
        while walk.range.size() < until {
            if let Some(found) = self.page(tenant, walk, until).await.map_err(problem)? {
                return Ok(Some(found));
            }
        }
        if walk.range != stored {
            return Ok(bad(walk.sure, tree_differs(walk.sure)));
        }
        let beyond = leaves_beyond(tenant, until).await.map_err(problem)?;
        // A leaf beyond the tree may also have come just now, together with a larger tree.
        if beyond && crate::sequencer::stored_tree(tenant, org).await?.size() == until {
            return Ok(bad(until, format!("leaf {until} is not part of the tree")));
        }
        Ok(cut)
    }

    /// Walks over one page of leaves and the heads that were signed within it.
    async fn page(
        &self,
        tenant: &mut Tenant,
        walk: &mut Walk,
        until: u64,
    ) -> Result<Option<Bad>, sqlx::Error> {
        let org = tenant.org();
        let rows = leaves(tenant, walk.range.size(), until).await?;
        let end = walk.range.size() + u64::try_from(rows.len()).unwrap_or(0);
        let mut heads = heads(tenant, walk.range.size(), end).await?.into_iter().peekable();
        if rows.is_empty() {
            return Ok(missing(walk.range.size()));
        }
        for row in rows {
            let index = walk.range.size();
            if row.index != index {
                return Ok(missing(index));
            }
            if row.text.is_none() && !walk.pruned.has(index) {
                // It may have been pruned just now.
                walk.pruned = pruned(tenant, org).await?;
            }
            let kept = Hash::try_from(row.hash.as_slice());
            let hash = match (&row.text, kept) {
                // The signed heads above it tell whether this is the hash that was recorded.
                (None, Ok(hash)) if walk.pruned.has(index) => {
                    walk.gone += 1;
                    hash
                }
                (text, _) => {
                    if let Some(reason) = row.fault() {
                        return Ok(bad(index, reason));
                    }
                    leaf_hash(text.as_deref().unwrap_or_default())
                }
            };
            walk.range.push(hash);
            walk.above.push(hash);
            if let Some(head) = heads.next_if(|head| head.size == walk.range.size())
                && let Some(found) = self.check_head(org, walk, &head)
            {
                return Ok(Some(found));
            }
        }
        let complete = std::mem::take(&mut walk.above.complete);
        let wrong = first_wrong(tenant, Log::Org(org), &complete).await?;
        Ok(wrong.and_then(|(level, place)| {
            let first = u64::try_from(place).unwrap_or(0) << (8 * level);
            bad(first, format!("a stored hash above the leaves from {first} on was changed"))
        }))
    }

    fn check_head(&self, org: OrgId, walk: &mut Walk, head: &Signed) -> Option<Bad> {
        let root = walk.range.root();
        let origin = self.signer().origin(org);
        if root.as_slice() == head.root {
            // The signatures of older heads are checked by whoever was given one of them.
            let is_newest = walk.newest.as_ref().is_some_and(|newest| newest.size == head.size);
            if is_newest && !self.has_signed(head, &origin, &root) {
                let reason = format!("the signature of the head of size {} is wrong", head.size);
                return bad(walk.sure, reason);
            }
            walk.sure = head.size;
            return None;
        }
        if self.has_signed(head, &origin, &root) {
            return bad(head.size, format!("the stored root of size {} was changed", head.size));
        }
        let reason = format!(
            "the tree of size {} is not the one that was signed: some leaf from {} on was rewritten together with its hash",
            head.size, walk.sure
        );
        bad(walk.sure, reason)
    }

    fn has_signed(&self, head: &Signed, origin: &str, root: &Hash) -> bool {
        self.signer().vouches(head.key_version, &head.note, origin, head.size, root)
    }

    /// Compares with the log of logs, which holds heads that this one must still have.
    async fn check_anchor(
        &self,
        tenant: &mut Tenant,
        signed_size: u64,
    ) -> Result<Option<Bad>, sqlx::Error> {
        let org = tenant.org();
        let anchored = sqlx::query!(
            r#"select s.tree_size, s.leaf, c.note as "note?" from audit_super_leaf s
               left join audit_checkpoint c on c.org_id = s.org_id and c.tree_size = s.tree_size
               where s.org_id = $1 order by s.tree_size desc limit 1"#,
            org as _
        )
        .fetch_optional(&mut **tenant)
        .await?;
        let Some(anchored) = anchored else { return Ok(None) };
        let size = u64::try_from(anchored.tree_size).unwrap_or(0);
        if size > signed_size {
            let reason = format!(
                "the log ends after {signed_size} leaves, where {size} were signed before: its end was cut off"
            );
            return Ok(bad(signed_size, reason));
        }
        let same = anchored
            .note
            .is_some_and(|note| note_body(&note).as_bytes() == anchored.leaf.as_slice());
        if same {
            return Ok(None);
        }
        let reason = format!("the head of size {size} is not the one that the log of logs holds");
        Ok(bad(size, reason))
    }
}

struct Leaf {
    index: u64,
    hash: Vec<u8>,
    text: Option<Vec<u8>>,
    columns: Columns,
}

/// The search columns, which must say what the leaf says.
struct Columns {
    id: Option<String>,
    action: Option<String>,
    outcome: Option<String>,
    target: Option<String>,
    actor_kind: Option<String>,
    actor_id: Option<String>,
    occurred_at: Option<String>,
}

impl Leaf {
    fn fault(&self) -> Option<String> {
        let index = self.index;
        let Some(leaf) = &self.text else {
            return Some(format!("the event of leaf {index} is gone"));
        };
        if leaf_hash(leaf).as_slice() != self.hash {
            return Some(format!("leaf {index} was changed after it was recorded"));
        }
        let Ok(record) = serde_json::from_slice::<serde_json::Value>(leaf) else {
            return Some(format!("leaf {index} is not a record"));
        };
        let columns = &self.columns;
        let says = |path: &str, column: &Option<String>| {
            record.pointer(path).and_then(serde_json::Value::as_str) == column.as_deref()
        };
        let faithful = says("/event_id", &columns.id)
            && says("/action", &columns.action)
            && says("/outcome", &columns.outcome)
            && says("/target", &columns.target)
            && says("/actor/kind", &columns.actor_kind)
            && says("/actor/id", &columns.actor_id)
            && says("/occurred_at", &columns.occurred_at);
        (!faithful).then(|| format!("the search columns of leaf {index} were changed"))
    }
}

async fn leaves(tenant: &mut Tenant, from: u64, until: u64) -> Result<Vec<Leaf>, sqlx::Error> {
    let org = tenant.org();
    let rows = sqlx::query!(
        r#"select l.leaf_index, l.leaf_hash, e.leaf as "leaf?", e.id as "id?", e.action as "action?",
                  e.outcome as "outcome?", e.target, e.actor_kind as "actor_kind?", e.actor_id,
                  e.occurred_at as "occurred_at?"
           from audit_leaf l
           left join audit_event e on e.org_id = l.org_id and e.id = l.event_id
           where l.org_id = $1 and l.leaf_index >= $2 and l.leaf_index < $3
           order by l.leaf_index limit $4"#,
        org as _,
        signed(from),
        signed(until),
        PAGE,
    )
    .fetch_all(&mut **tenant)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Leaf {
            index: u64::try_from(row.leaf_index).unwrap_or(u64::MAX),
            hash: row.leaf_hash,
            text: row.leaf,
            columns: Columns {
                id: row.id.map(|id| id.to_string()),
                action: row.action,
                outcome: row.outcome,
                target: row.target,
                actor_kind: row.actor_kind,
                actor_id: row.actor_id.map(|id| id.to_string()),
                occurred_at: row.occurred_at.map(crate::leaf::written_time),
            },
        })
        .collect())
}

async fn heads(tenant: &mut Tenant, above: u64, to: u64) -> Result<Vec<Signed>, sqlx::Error> {
    let org = tenant.org();
    let rows = sqlx::query!(
        "select tree_size, root, note, key_version from audit_checkpoint
         where org_id = $1 and tree_size > $2 and tree_size <= $3 order by tree_size",
        org as _,
        signed(above),
        signed(to),
    )
    .fetch_all(&mut **tenant)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Signed::stored(row.tree_size, row.root, row.note, row.key_version))
        .collect())
}

async fn newest(tenant: &mut Tenant) -> Result<Option<Signed>, sqlx::Error> {
    let org = tenant.org();
    let row = sqlx::query!(
        "select tree_size, root, note, key_version from audit_checkpoint
         where org_id = $1 order by tree_size desc limit 1",
        org as _,
    )
    .fetch_optional(&mut **tenant)
    .await?;
    Ok(row.map(|row| Signed::stored(row.tree_size, row.root, row.note, row.key_version)))
}

async fn leaves_beyond(tenant: &mut Tenant, size: u64) -> Result<bool, sqlx::Error> {
    let org = tenant.org();
    sqlx::query_scalar!(
        r#"select exists(select from audit_leaf where org_id = $1 and leaf_index >= $2) as "any!""#,
        org as _,
        signed(size),
    )
    .fetch_one(&mut **tenant)
    .await
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[expect(clippy::unnecessary_wraps, reason = "every caller answers with an option")]
fn bad(index: u64, reason: String) -> Option<Bad> {
    Some(Bad { index, reason })
}

fn missing(index: u64) -> Option<Bad> {
    bad(index, format!("leaf {index} is missing"))
}

fn tree_differs(sure: u64) -> String {
    format!("the stored tree is not that of its leaves; up to size {sure} it is as signed")
}

fn good(size: u64, newest: Option<&Signed>, gone: u64) -> String {
    let pruned = match gone {
        0 => String::new(),
        _ => format!(" Of {gone} only the hash is left: they were pruned, as the log says."),
    };
    match newest {
        None => "Nothing is signed yet.".to_owned(),
        Some(newest) if newest.size == size => {
            format!("All {size} events are exactly what was recorded and signed.{pruned}")
        }
        Some(newest) => format!(
            "All {size} events are exactly what was recorded; the newest signed head covers {}.{pruned}",
            newest.size
        ),
    }
}
