//! The walk: from line to line, with what must hold at each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::Bad;
use super::key::{Head, Key};
use super::line::{self, Manifest};
use super::tree::{Hash, Tree, hash_leaf};

/// Everything that the verifier remembers of the lines so far.
#[derive(Clone)]
pub(crate) struct Walk {
    pub manifest: Option<Manifest>,
    pub key: Option<Key>,
    pub key_was_given: bool,
    pub leaves: u64,
    pub events: u64,
    first_line: Vec<u8>,
    at: Place,
    chain: Hash,
    tree: Tree,
    /// The size of the last checkpoint that fitted: up to there all is as signed.
    sure: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Manifest,
    Signature,
    Leaves,
    /// After the newest checkpoint, which is the end.
    End,
}

impl Walk {
    pub fn new(key: Option<Key>) -> Self {
        Self {
            manifest: None,
            key_was_given: key.is_some(),
            key,
            leaves: 0,
            events: 0,
            first_line: Vec::new(),
            at: Place::Manifest,
            chain: Hash::default(),
            tree: Tree::default(),
            sure: 0,
        }
    }

    /// The index of the leaf that comes next.
    pub fn expected(&self) -> u64 {
        self.leaves
    }

    pub fn size(&self) -> Option<u64> {
        self.manifest.as_ref().map(|manifest| manifest.tree_size)
    }

    pub fn is_complete(&self) -> bool {
        self.at == Place::End
    }

    pub fn root(&self) -> String {
        STANDARD.encode(self.tree.root())
    }

    /// Takes the next line, without its end.
    pub fn step(&mut self, line: &[u8]) -> Result<(), Bad> {
        match self.at {
            Place::Manifest => self.take_manifest(line),
            Place::Signature => self.take_signature(line),
            Place::Leaves if line.starts_with(line::CHECKPOINT) => self.take_checkpoint(line),
            Place::Leaves => self.take_leaf(line),
            Place::End => self.bad("something follows the signed head"),
        }
    }

    /// Whether the next line may begin like this; a cut line shows no more.
    pub fn could_begin_with(&self, part: &[u8]) -> bool {
        let fits = |start: &[u8]| part.starts_with(start) || start.starts_with(part);
        match self.at {
            Place::Manifest => fits(b"{\"ralex_audit_bundle\":1,\"origin\":\""),
            Place::Signature => fits(b"{\"signature\":\""),
            Place::Leaves => {
                let more = self.size().is_some_and(|size| self.leaves < size);
                fits(line::CHECKPOINT) || (more && fits(&line::leaf_start(self.leaves)))
            }
            Place::End => false,
        }
    }

    /// What the whole comes to, after the last line.
    pub fn total(&self) -> Result<String, Bad> {
        let manifest = self.manifest.clone().unwrap_or_default();
        if manifest.count != self.events {
            return Err(Bad {
                index: manifest.first_index,
                reason: format!(
                    "it has {} events where {} were exported",
                    self.events, manifest.count
                ),
            });
        }
        let what = if manifest.filtered { "; the filter left out the other events" } else { "" };
        let whose = if self.key_was_given {
            "the given key signed it"
        } else {
            "the key that the bundle itself names signed it; give the expected key to be sure of the signer"
        };
        Ok(format!(
            "Good: {} leaves, {} with their event, are exactly what was signed{what}; {whose}.",
            self.leaves, self.events
        ))
    }

    fn take_manifest(&mut self, line: &[u8]) -> Result<(), Bad> {
        let Some(manifest) = line::manifest(line) else {
            return self.bad("the first line is not a manifest");
        };
        if manifest.ralex_audit_bundle != 1 || manifest.first_index != 0 {
            return self.bad("the manifest is of a form that this verifier does not know");
        }
        let named: Vec<Key> = manifest.keys.iter().filter_map(|key| key.parse().ok()).collect();
        let [key] = named.as_slice() else {
            return self.bad("the manifest names no key, or a damaged one");
        };
        if self.key.as_ref().is_some_and(|given| given != key) {
            return self.bad("it is signed by another key than the given one");
        }
        if manifest.origin != format!("{}/audit/{}", key.name, manifest.org) {
            return self.bad("the manifest's origin is not its key's and organisation's");
        }
        self.key = Some(key.clone());
        self.manifest = Some(manifest);
        self.first_line = line.to_vec();
        self.at = Place::Signature;
        Ok(())
    }

    fn take_signature(&mut self, line: &[u8]) -> Result<(), Bad> {
        let signature = line::signature(line);
        let right = signature
            .zip(self.key.as_ref())
            .is_some_and(|(signature, key)| key.signed_manifest(&self.first_line, &signature));
        if !right {
            return self.bad("the manifest is not what was signed");
        }
        let head = [self.first_line.as_slice(), b"\n", line, b"\n"].concat();
        self.chain = Sha256::digest(head).into();
        self.at = Place::Leaves;
        Ok(())
    }

    fn take_leaf(&mut self, line: &[u8]) -> Result<(), Bad> {
        let index = self.leaves;
        let Some(leaf) = line::leaf(line) else {
            return self.bad(&format!("the line of leaf {index} is malformed"));
        };
        if leaf.index != index {
            return self.bad(&format!("leaf {} stands where leaf {index} should", leaf.index));
        }
        let manifest = self.manifest.as_ref();
        if manifest.is_none_or(|manifest| index >= manifest.tree_size) {
            return self.bad(&format!("leaf {index} is more than were exported"));
        }
        if leaf.event.is_none() && manifest.is_some_and(|manifest| !manifest.filtered) {
            return self.bad(&format!("the event of leaf {index} is missing"));
        }
        let mut hash = Hash::default();
        if STANDARD.decode_slice(leaf.hash, &mut hash) != Ok(hash.len()) {
            return self.bad(&format!("the hash of leaf {index} is malformed"));
        }
        if leaf.event.is_some_and(|event| hash_leaf(event) != hash) {
            return self.bad(&format!("leaf {index} is not what was recorded"));
        }
        let chain = link(if leaf.event.is_some() { 2 } else { 3 }, &self.chain, &hash);
        let mut named = [0; 12];
        if STANDARD.decode_slice(leaf.chain, &mut named) != Ok(12) || named != chain[..12] {
            return self.bad(&format!("leaf {index} does not follow from the lines before it"));
        }
        self.chain = chain;
        self.tree.add(hash);
        self.leaves += 1;
        self.events += u64::from(leaf.event.is_some());
        Ok(())
    }

    fn take_checkpoint(&mut self, line: &[u8]) -> Result<(), Bad> {
        let Some(head) = self.open(line) else {
            return self.bad("a checkpoint is not what was signed");
        };
        if head.size > self.leaves {
            return self.bad(&format!("leaf {} is missing", self.leaves));
        }
        if head.size < self.leaves || (head.size == self.sure && head.size > 0) {
            let reason = format!("the checkpoint of size {} is not at its place", head.size);
            return Err(Bad { index: head.size, reason });
        }
        if head.root != self.tree.root() {
            let reason = format!(
                "the leaves from {} to {} are not those of the signed tree: one of them was rewritten together with its hash",
                self.sure,
                self.leaves.saturating_sub(1)
            );
            return Err(Bad { index: self.sure, reason });
        }
        self.chain = link(4, &self.chain, line);
        self.sure = head.size;
        if self.size() == Some(head.size) {
            self.at = Place::End;
        }
        Ok(())
    }

    fn open(&self, line: &[u8]) -> Option<Head> {
        let note = line::checkpoint(line)?;
        let manifest = self.manifest.as_ref()?;
        self.key.as_ref()?.open(&note, &manifest.origin)
    }

    fn bad<T>(&self, reason: &str) -> Result<T, Bad> {
        Err(Bad { index: self.leaves, reason: reason.to_owned() })
    }
}

fn link(kind: u8, before: &Hash, what: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([kind]);
    hasher.update(before);
    hasher.update(what);
    hasher.finalize().into()
}
