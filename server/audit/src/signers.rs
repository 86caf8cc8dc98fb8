//! Who signs a log: its keys, the witnesses, and the newest head of it that they stand behind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ralex_api::audit::{AuditKey, AuditKeys, AuditWitness};
use ralex_kernel::{Code, OrgId, Problem};
use ralex_store::problem;
use sqlx::PgConnection;

use crate::cosign::known;
use crate::evidence::receipt;
use crate::nodes::{Log, roots};
use crate::proof;
use crate::service::Audit;
use crate::tree::{Hash, leaf_hash};

/// A head of an organisation, with its place in the log of logs.
pub(crate) struct Anchor {
    /// The size of the organisation's tree.
    pub tree_size: i64,
    pub index: i64,
    leaf: Vec<u8>,
}

/// A head of the log of logs.
struct SuperHead {
    size: i64,
    root: Vec<u8>,
    note: String,
}

impl Audit {
    /// The keys and witnesses of an organisation's log.
    pub async fn keys(&self, org: OrgId) -> Result<AuditKeys, Problem> {
        let mut tx = self.db().system("tell who signs an audit log").await?;
        let rows = sqlx::query!(
            r#"select k.version, k.verifier, k.created_at,
                      (select min(c.tree_size) from audit_checkpoint c
                       where c.org_id = $1 and c.key_version = k.version) as first_size
               from audit_key k order by k.version"#,
            org as _
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(problem)?;
        let keys = rows.into_iter().map(|row| AuditKey {
            version: u32::try_from(row.version).unwrap_or(0),
            verifier: row.verifier,
            created_at: row.created_at,
            first_size: row.first_size.and_then(|size| u64::try_from(size).ok()),
        });
        let keys = keys.collect();
        let mut witnesses = Vec::new();
        for witness in &self.witnesses().list {
            let verifier = witness.verifier();
            let known = known(&mut tx, &verifier).await.map_err(problem)?.unwrap_or_default();
            witnesses.push(AuditWitness {
                name: witness.name().to_owned(),
                verifier,
                seen_size: u64::try_from(known.seen_size).unwrap_or(0),
                cosigned_at: known.cosigned_at,
                failure: known.failure,
                conflict: known.conflict,
            });
        }
        let signer = self.signer();
        let (origin, deployment_origin) = (signer.origin(org), signer.super_origin());
        Ok(AuditKeys { origin, deployment_origin, keys, witnesses })
    }

    /// Proves that the organisation's newest anchored head is in the deployment's log, as a file
    /// that verifies offline (C2SP tlog-proof), with the witnesses' signatures.
    pub async fn anchor_receipt(&self, org: OrgId) -> Result<String, Problem> {
        let mut tx = self.db().system("prove a head in the log of logs").await?;
        let anchor = newest_anchor(&mut tx, org).await.map_err(problem)?.ok_or_else(|| {
            let detail =
                "No head of this log is in the deployment's log yet; try again in a moment.";
            Problem::new(Code::Unavailable, detail).with_retry_after(2)
        })?;
        let proof = self.anchor_proof(&mut tx, &anchor, 1, None, true).await?;
        proof.ok_or_else(|| {
            let detail = "The deployment's log does not prove this head: its tables are not what was signed.";
            Problem::new(Code::Internal, detail)
        })
    }

    /// The proof of a head, signed by keys from `since` on; if `until` is given, by no later one.
    pub(crate) async fn anchor_proof(
        &self,
        conn: &mut PgConnection,
        anchor: &Anchor,
        since: u32,
        until: Option<u32>,
        with_leaf: bool,
    ) -> Result<Option<String>, Problem> {
        let found = super_head(conn, anchor.index, until).await.map_err(problem)?;
        let Some(head) = found else { return Ok(None) };
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        let (index, size) = (unsigned(anchor.index), unsigned(head.size));
        let path = roots(conn, Log::Super, &proof::path(index, size)).await.map_err(problem)?;
        let hash = leaf_hash(&anchor.leaf);
        let right = |path: &Vec<Hash>| {
            let root = proof::root_of(index, size, hash, path);
            root.is_some_and(|root| root.as_slice() == head.root)
        };
        let Some(path) = path.filter(right) else { return Ok(None) };
        let path: Vec<String> = path.iter().map(|hash| STANDARD.encode(hash)).collect();
        let mut note = self.signer().only_since(since, &head.note);
        for (witness, line) in cosignatures(conn, head.size).await.map_err(problem)? {
            // Those of earlier witnesses say nothing to a verifier that is not told of them.
            if self.witnesses().list.iter().any(|known| known.verifier() == witness) {
                note.push_str(&line);
            }
        }
        Ok(Some(receipt(with_leaf.then_some(anchor.leaf.as_slice()), index, &path, &note)))
    }
}

/// The organisation's newest head in the log of logs.
pub(crate) async fn newest_anchor(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Option<Anchor>, sqlx::Error> {
    sqlx::query_as!(
        Anchor,
        "select tree_size, leaf_index as index, leaf from audit_super_leaf
         where org_id = $1 order by tree_size desc limit 1",
        org as _
    )
    .fetch_optional(conn)
    .await
}

/// The newest head that holds this leaf, rather one that a witness has signed.
async fn super_head(
    conn: &mut PgConnection,
    index: i64,
    until: Option<u32>,
) -> Result<Option<SuperHead>, sqlx::Error> {
    let until = until.map(|version| i32::try_from(version).unwrap_or(i32::MAX));
    let cosigned = sqlx::query_as!(
        SuperHead,
        "select c.tree_size as size, c.root, c.note from audit_super_checkpoint c
         where c.tree_size = (select max(s.tree_size) from audit_cosignature s
                              where s.tree_size > $1)
           and ($2::int is null or c.key_version <= $2)",
        index,
        until,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if cosigned.is_some() {
        return Ok(cosigned);
    }
    sqlx::query_as!(
        SuperHead,
        "select tree_size as size, root, note from audit_super_checkpoint
         where tree_size > $1 and ($2::int is null or key_version <= $2)
         order by tree_size desc limit 1",
        index,
        until,
    )
    .fetch_optional(conn)
    .await
}

async fn cosignatures(
    conn: &mut PgConnection,
    size: i64,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select witness, line from audit_cosignature where tree_size = $1 order by witness",
        size
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.witness, row.line)).collect())
}
