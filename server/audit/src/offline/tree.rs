//! The tree of RFC 6962, once more and written another way: a stack of subtrees with their sizes.

use sha2::{Digest, Sha256};

pub(crate) type Hash = [u8; 32];

#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// Complete subtrees from left to right, each with its number of leaves.
    stack: Vec<(u64, Hash)>,
}

pub(crate) fn hash_leaf(bytes: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"\x00");
    hasher.update(bytes);
    hasher.finalize().into()
}

pub(crate) fn join(left: Hash, right: Hash) -> Hash {
    let mut both = [1; 65];
    both[1..33].copy_from_slice(&left);
    both[33..].copy_from_slice(&right);
    Sha256::digest(both).into()
}

impl Tree {
    /// A tree that goes on after `size` leaves, of which only the roots of the complete subtrees
    /// are known, the largest first. There is one for each binary digit of the size that is 1.
    pub fn after(size: u64, peaks: &[Hash]) -> Option<Self> {
        let sizes = (0..u64::BITS).rev().map(|digit| 1 << digit).filter(|part| size & part != 0);
        let fits = peaks.len() == size.count_ones() as usize;
        fits.then(|| Self { stack: sizes.zip(peaks.iter().copied()).collect() })
    }

    pub fn add(&mut self, leaf: Hash) {
        self.stack.push((1, leaf));
        while let [.., (left_size, left), (right_size, right)] = self.stack[..]
            && left_size == right_size
        {
            self.stack.truncate(self.stack.len() - 2);
            self.stack.push((left_size + right_size, join(left, right)));
        }
    }

    pub fn root(&self) -> Hash {
        let hashes = self.stack.iter().map(|(_, hash)| *hash);
        hashes
            .rev()
            .reduce(|right, left| join(left, right))
            .unwrap_or_else(|| Sha256::digest(b"").into())
    }
}
