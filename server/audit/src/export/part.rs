//! Parts: bundles that go on where an earlier one ended.
//!
//! In the place of the leaves before stand the roots of the subtrees that these come to. The signed
//! heads that follow are right with these roots only, so a part verifies by itself; together with the
//! earlier bundle it is shown that both are of one log.

use ralex_kernel::{OrgId, Problem};
use ralex_store::problem;
use sqlx::PgConnection;

use crate::evidence::unprovable;
use crate::nodes::{Log, roots};
use crate::proof::Span;
use crate::service::Audit;
use crate::tree::{Hash, Range};

impl Audit {
    /// The version of the key that signs from there on, and what the first `size` leaves come to, as
    /// they were signed.
    pub(super) async fn beginning(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        size: i64,
    ) -> Result<(u32, Vec<Hash>), Problem> {
        let signed = sqlx::query!(
            "select root, note, key_version from audit_checkpoint
             where org_id = $1 and tree_size = $2",
            org as _,
            size,
        )
        .fetch_optional(&mut *conn)
        .await
        .map_err(problem)?
        .ok_or_else(|| {
            let rule = "is not the last leaf of an earlier bundle; take its `tree_size`, less one";
            Problem::field("after", rule)
        })?;
        let peaks = roots(conn, Log::Org(org), &subtrees(size)).await.map_err(problem)?;
        let stored: Option<Vec<Vec<u8>>> =
            peaks.as_ref().map(|peaks| peaks.iter().map(|peak| peak.to_vec()).collect());
        let root = stored.and_then(|peaks| Range::stored(size, &peaks)).map(|range| range.root());
        let version = u32::try_from(signed.key_version).unwrap_or(0);
        let origin = self.signer().origin(org);
        let right = root.is_some_and(|root| {
            root.as_slice() == signed.root
                && self.signer().vouches(version, &signed.note, &origin, size.unsigned_abs(), &root)
        });
        peaks.filter(|_| right).map(|peaks| (version, peaks)).ok_or_else(|| unprovable(org))
    }
}

/// The complete subtrees of a tree, the largest first.
fn subtrees(size: i64) -> Vec<Span> {
    let size = size.unsigned_abs();
    let mut spans = Vec::new();
    let mut from = 0;
    for part in (0..u64::BITS).rev().map(|digit| 1 << digit).filter(|part| size & part != 0) {
        spans.push(Span { from, to: from + part });
        from += part;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subtrees_of_a_tree_are_all_of_it_and_one_for_each_digit() {
        for size in 1..300_i64 {
            let spans = subtrees(size);
            assert_eq!(spans.len(), size.count_ones() as usize);
            assert_eq!(
                spans.iter().map(|span| span.to - span.from).sum::<u64>(),
                size.unsigned_abs()
            );
            assert!(spans.windows(2).all(|two| two[0].to == two[1].from));
        }
    }
}
