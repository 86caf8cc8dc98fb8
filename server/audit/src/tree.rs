//! The Merkle tree of RFC 6962, as a compact range: the size and the roots of its perfect subtrees.
//!
//! That is all one needs to append leaves and to know the root, a few hundred bytes however large
//! the log is.

use sha2::{Digest, Sha256};

/// A SHA-256 hash of a leaf or of an inner node.
pub(crate) type Hash = [u8; 32];

// Different first bytes, so that no inner node can pass for a leaf.
const LEAF: u8 = 0;
const NODE: u8 = 1;

/// A tree that can grow, without its leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    size: u64,
    /// The largest subtree first.
    peaks: Vec<Hash>,
}

pub(crate) fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new().chain_update([LEAF]).chain_update(leaf).finalize().into()
}

pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([NODE]).chain_update(left).chain_update(right).finalize().into()
}

impl Range {
    /// A stored range; none where the peaks cannot belong to a tree of that size.
    pub fn stored(size: i64, peaks: &[Vec<u8>]) -> Option<Self> {
        let size = u64::try_from(size).ok()?;
        let peaks: Vec<Hash> =
            peaks.iter().map(|peak| peak.as_slice().try_into().ok()).collect::<Option<_>>()?;
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn peaks(&self) -> Vec<Vec<u8>> {
        self.peaks.iter().map(|peak| peak.to_vec()).collect()
    }

    /// Appends one leaf. Two subtrees of one size become one, as in binary addition.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root: the subtrees joined from the smallest to the largest.
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.peaks.iter().rev();
        let Some(&last) = smallest_first.next() else { return Sha256::digest([]).into() };
        smallest_first.fold(last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition of RFC 6962 section 2.1, word by word.
    fn naive(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => leaf_hash(one),
            many => {
                let split = many.len().next_power_of_two() / 2;
                node_hash(&naive(&many[..split]), &naive(&many[split..]))
            }
        }
    }

    fn range_of(leaves: &[Vec<u8>]) -> Range {
        let mut range = Range::default();
        for leaf in leaves {
            range.push(leaf_hash(leaf));
        }
        range
    }

    fn hex(hash: Hash) -> String {
        hash.map(|byte| format!("{byte:02x}")).concat()
    }

    #[test]
    fn the_published_vectors_of_certificate_transparency_hold() {
        let leaves: Vec<Vec<u8>> = vec![
            vec![],
            vec![0x00],
            vec![0x10],
            vec![0x20, 0x21],
            vec![0x30, 0x31],
            vec![0x40, 0x41, 0x42, 0x43],
            (0x50..=0x57).collect(),
            (0x60..=0x6f).collect(),
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (size, root) in roots.iter().enumerate() {
            assert_eq!(hex(range_of(&leaves[..size]).root()), *root, "size {size}");
        }
    }

    #[test]
    fn the_range_equals_the_definition_at_every_size_up_to_1025() {
        let leaves: Vec<Vec<u8>> = (0..1025u32).map(|n| n.to_be_bytes().to_vec()).collect();
        let mut range = Range::default();
        for size in 0..=leaves.len() {
            assert_eq!(range.root(), naive(&leaves[..size]), "size {size}");
            if let Some(leaf) = leaves.get(size) {
                range.push(leaf_hash(leaf));
            }
        }
    }

    proptest! {
        #[test]
        fn a_stored_range_grows_like_one_that_was_never_stored(
            leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..200),
            at in any::<prop::sample::Index>(),
        ) {
            let at = at.index(leaves.len() + 1);
            let before = range_of(&leaves[..at]);
            let size = i64::try_from(before.size()).unwrap();
            let mut range = Range::stored(size, &before.peaks()).unwrap();
            for leaf in &leaves[at..] {
                range.push(leaf_hash(leaf));
            }
            prop_assert_eq!(range.root(), naive(&leaves));
            prop_assert!(Range::stored(size + 1, &before.peaks()).is_none()
                || (size + 1).count_ones() == size.count_ones());
        }
    }
}
