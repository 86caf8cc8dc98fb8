//! Proofs over the tree: that a leaf is in it, and that one tree is the beginning of another.
//!
//! RFC 6962 section 2.1.1 and 2.1.2 name the subtrees whose roots make a proof ([`path`],
//! [`between`]); RFC 9162 section 2.1.3.2 and 2.1.4.2 say how one is checked. What this server
//! hands out it has checked before.

use crate::tree::{Hash, node_hash};

/// The leaves of a subtree, from the first one on and without the last number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub from: u64,
    pub to: u64,
}

/// A subtree whose number of leaves is a power of two: its height, and its place in that row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub height: u32,
    pub index: u64,
}

impl Span {
    fn size(self) -> u64 {
        self.to - self.from
    }

    /// The perfect subtrees that it consists of, the largest first.
    pub fn blocks(self) -> Vec<Block> {
        let (mut at, mut blocks) = (self.from, Vec::new());
        while at < self.to {
            let height = at.trailing_zeros().min((self.to - at).ilog2());
            blocks.push(Block { height, index: at >> height });
            at += 1 << height;
        }
        blocks
    }

    /// The two subtrees below its root.
    fn halves(self) -> (Self, Self) {
        let middle = self.from + self.size().next_power_of_two() / 2;
        (Self { to: middle, ..self }, Self { from: middle, ..self })
    }
}

/// The subtrees whose roots prove that leaf `index` is in the tree of `size`, the lowest first.
pub(crate) fn path(index: u64, size: u64) -> Vec<Span> {
    let (mut whole, mut spans) = (Span { from: 0, to: size }, Vec::new());
    while whole.size() > 1 {
        let (left, right) = whole.halves();
        let (own, other) = if index < left.to { (left, right) } else { (right, left) };
        spans.push(other);
        whole = own;
    }
    spans.reverse();
    spans
}

/// The subtrees whose roots prove that the tree of `old` leaves is the beginning of that of `new`.
pub(crate) fn between(old: u64, new: u64) -> Vec<Span> {
    if old == 0 {
        return Vec::new();
    }
    let (mut whole, mut spans, mut known) = (Span { from: 0, to: new }, Vec::new(), true);
    while whole.to != old {
        let (left, right) = whole.halves();
        if old <= left.to {
            spans.push(right);
            whole = left;
        } else {
            spans.push(left);
            whole = right;
            known = false;
        }
    }
    if !known {
        spans.push(whole);
    }
    spans.reverse();
    spans
}

/// The root that follows from a leaf and its path; none where the path has not the right length.
pub(crate) fn root_of(index: u64, size: u64, leaf: Hash, path: &[Hash]) -> Option<Hash> {
    let (mut place, mut last) = (index, size.checked_sub(1)?);
    if index > last {
        return None;
    }
    let mut node = leaf;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            node = node_hash(sibling, &node);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            node = node_hash(&node, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(node)
}

/// Whether the path proves that the old tree is the beginning of the new one.
pub(crate) fn extends(old: (u64, Hash), new: (u64, Hash), path: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == 0 || old_size == new_size {
        return path.is_empty() && (old_size == 0 || old_root == new_root);
    }
    if old_size > new_size {
        return false;
    }
    let mut nodes = path.iter();
    let first = if old_size.is_power_of_two() { Some(&old_root) } else { nodes.next() };
    let Some(&first) = first else { return false };
    let shift = (old_size - 1).trailing_ones();
    let (mut place, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    let (mut old_node, mut new_node) = (first, first);
    for node in nodes {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            old_node = node_hash(node, &old_node);
            new_node = node_hash(node, &new_node);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new_node = node_hash(&new_node, node);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && old_node == old_root && new_node == new_root
}

/// The root of a span, from those of its blocks.
pub(crate) fn joined(blocks: &[Hash]) -> Option<Hash> {
    let mut smallest_first = blocks.iter().rev();
    let last = *smallest_first.next()?;
    Some(smallest_first.fold(last, |right, left| node_hash(left, &right)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::{Range, leaf_hash};

    fn leaf(index: u64) -> Hash {
        leaf_hash(&index.to_be_bytes())
    }

    fn root(span: Span) -> Hash {
        let mut range = Range::default();
        for index in span.from..span.to {
            range.push(leaf(index));
        }
        range.root()
    }

    fn roots(spans: &[Span]) -> Vec<Hash> {
        spans.iter().map(|span| root(*span)).collect()
    }

    fn tree(size: u64) -> (u64, Hash) {
        (size, root(Span { from: 0, to: size }))
    }

    #[test]
    fn every_leaf_of_every_tree_up_to_130_is_proven_and_no_other_is() {
        for size in 1..=130 {
            let (_, whole) = tree(size);
            for index in 0..size {
                let path = roots(&path(index, size));
                assert_eq!(root_of(index, size, leaf(index), &path), Some(whole), "{index}/{size}");
                assert_ne!(root_of(index, size, leaf(index + 1), &path), Some(whole));
                if index + 1 < size {
                    assert_ne!(root_of(index + 1, size, leaf(index), &path), Some(whole));
                }
            }
            assert_eq!(root_of(size, size, leaf(size), &[]), None);
        }
    }

    #[test]
    fn every_tree_up_to_66_is_the_beginning_of_every_later_one() {
        for new in 0..=66 {
            for old in 0..=new {
                let path = roots(&between(old, new));
                assert!(extends(tree(old), tree(new), &path), "{old}..{new}");
                let (mut other, mut longer) = (tree(new), path.clone());
                other.1[0] ^= 1;
                assert!(old == 0 || !extends(tree(old), other, &path), "{old}..{new}");
                longer.push([0; 32]);
                assert!(!extends(tree(old), tree(new), &longer), "{old}..{new}");
                if !path.is_empty() {
                    assert!(!extends(tree(old), tree(new), &path[1..]), "{old}..{new}");
                }
            }
        }
    }

    #[test]
    fn the_root_of_a_span_follows_from_its_blocks() {
        for size in 1..=70 {
            let span = Span { from: 0, to: size };
            let blocks: Vec<Hash> = span
                .blocks()
                .into_iter()
                .map(|block| {
                    let from = block.index << block.height;
                    root(Span { from, to: from + (1 << block.height) })
                })
                .collect();
            assert_eq!(joined(&blocks), Some(root(span)), "{size}");
        }
    }

    proptest! {
        #[test]
        fn a_path_with_one_bit_changed_proves_nothing(
            size in 2_u64..400,
            index in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
            bit in 0_usize..256,
        ) {
            let index = index.index(usize::try_from(size).unwrap()) as u64;
            let mut path = roots(&path(index, size));
            let at = at.index(path.len());
            path[at][bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(root_of(index, size, leaf(index), &path), Some(tree(size).1));
        }

        #[test]
        fn large_trees_are_proven_by_few_hashes(index in 0_u64..1 << 40, more in 1_u64..1 << 40) {
            let size = index + more;
            prop_assert!(path(index, size).len() <= 41);
            prop_assert!(between(index, size).len() <= 42);
            prop_assert!(path(index, size).iter().all(|span| span.blocks().len() <= 41));
        }
    }
}
