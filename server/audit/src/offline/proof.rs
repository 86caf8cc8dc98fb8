//! Proofs, checked another way than the server makes them: by going down from the root.
//!
//! RFC 6962 defines both kinds by recursion over the tree's halves. Here that definition is
//! followed as it stands, taking hashes from the end of the path, where the highest ones are.

use super::tree::{Hash, join};

/// The number of leaves in the left half of a tree: the largest power of two below its size.
fn left_of(size: u64) -> u64 {
    let half = size / 2;
    let mut left = 1;
    while left <= half && left * 2 < size {
        left *= 2;
    }
    left
}

/// The root of a tree of `size` leaves in which `leaf` stands at `index`, if the path is one of
/// that tree and every hash of it is used.
pub(crate) fn inclusion(index: u64, size: u64, leaf: Hash, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    if size == 1 {
        return path.is_empty().then_some(leaf);
    }
    let (top, rest) = path.split_last()?;
    let left = left_of(size);
    if index < left {
        Some(join(inclusion(index, left, leaf, rest)?, *top))
    } else {
        Some(join(*top, inclusion(index - left, size - left, leaf, rest)?))
    }
}

/// The roots of both trees, if the path shows that the old one is the beginning of the new one.
/// `old_root` stands for the old tree where the path leaves it out because it is known.
pub(crate) fn consistency(
    old_size: u64,
    new_size: u64,
    old_root: Hash,
    path: &[Hash],
) -> Option<(Hash, Hash)> {
    if old_size == 0 || old_size > new_size {
        return None;
    }
    subtree(old_size, new_size, Some(old_root), path)
}

fn subtree(old: u64, size: u64, known: Option<Hash>, path: &[Hash]) -> Option<(Hash, Hash)> {
    if old == size {
        return match (known, path) {
            (Some(root), []) => Some((root, root)),
            (None, [root]) => Some((*root, *root)),
            (Some(_) | None, _) => None,
        };
    }
    let (top, rest) = path.split_last()?;
    let left = left_of(size);
    if old <= left {
        let (before, after) = subtree(old, left, known, rest)?;
        Some((before, join(after, *top)))
    } else {
        let (before, after) = subtree(old - left, size - left, None, rest)?;
        Some((join(*top, before), join(*top, after)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Range, leaf_hash};
    use crate::{proof as server, proof::Span};

    fn root(span: Span) -> Hash {
        let mut range = Range::default();
        for index in span.from..span.to {
            range.push(leaf_hash(&index.to_be_bytes()));
        }
        range.root()
    }

    fn roots(spans: &[Span]) -> Vec<Hash> {
        spans.iter().map(|span| root(*span)).collect()
    }

    #[test]
    fn what_the_server_proves_the_verifier_accepts_up_to_100_leaves() {
        let of = |size| root(Span { from: 0, to: size });
        for size in 1..=100 {
            for index in 0..size {
                let path = roots(&server::path(index, size));
                let leaf = leaf_hash(&index.to_be_bytes());
                assert_eq!(inclusion(index, size, leaf, &path), Some(of(size)), "{index}/{size}");
                assert_eq!(inclusion(index, size, leaf, &[path, vec![[0; 32]]].concat()), None);
            }
            for old in 1..=size {
                let path = roots(&server::between(old, size));
                let shown = consistency(old, size, of(old), &path);
                assert_eq!(shown, Some((of(old), of(size))), "{old}..{size}");
                if old < size {
                    let mut other = of(old);
                    other[3] ^= 1;
                    let shown = consistency(old, size, other, &path);
                    assert_ne!(shown, Some((other, of(size))), "{old}..{size}");
                }
            }
        }
    }
}
