//! The walk: from line to line, with what must hold at each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::gone::Gone;
use super::key::Key;
use super::line::{self, Manifest};
use super::note::{self, Head};
use super::receipt::Receipt;
use super::tree::{Hash, Tree, hash_leaf};
use super::{Bad, Trust, proof};

/// Everything that the verifier remembers of the lines so far.
#[derive(Clone)]
pub(crate) struct Walk {
    pub manifest: Option<Manifest>,
    /// The index of the leaf that comes next.
    next: u64,
    pub events: u64,
    /// Leaves that came without their event, though no filter left it out.
    pub gone: Gone,
    /// Witnesses of the deployment's log, and when they signed.
    pub seen_by: Vec<(String, u64)>,
    trust: Trust,
    /// The manifest's keys, oldest first, and its witnesses.
    keys: Vec<Key>,
    witnesses: Vec<Key>,
    /// The key that must sign the next head, as far as the leaves have told.
    current: usize,
    /// The newest key that signed the last head, and so vouches for what named its successor.
    vouching: usize,
    first_line: Vec<u8>,
    at: Place,
    chain: Hash,
    tree: Tree,
    /// The size of the last checkpoint that fitted: up to there all is as signed.
    sure: u64,
    /// The text of that checkpoint.
    head: String,
    watched: Option<u64>,
    watched_root: Option<Hash>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Manifest,
    Signature,
    Leaves,
    /// After the newest checkpoint, where the manifest announces one line more.
    Anchor,
    End,
}

impl Walk {
    pub fn new(trust: Trust, watched: Option<u64>) -> Self {
        Self {
            manifest: None,
            next: 0,
            events: 0,
            gone: Gone::default(),
            seen_by: Vec::new(),
            trust,
            keys: Vec::new(),
            witnesses: Vec::new(),
            current: 0,
            vouching: 0,
            first_line: Vec::new(),
            at: Place::Manifest,
            chain: Hash::default(),
            sure: 0,
            head: String::new(),
            watched,
            watched_root: None,
            tree: Tree::default(),
        }
    }

    pub fn key_was_given(&self) -> bool {
        !self.trust.keys.is_empty()
    }

    pub fn key_texts(&self) -> Vec<String> {
        self.keys.iter().map(ToString::to_string).collect()
    }

    pub fn watched_root(&self) -> Option<String> {
        self.watched_root.map(|root| STANDARD.encode(root))
    }

    /// A witness that is trusted and has not signed.
    pub fn missing_witness(&self) -> Option<String> {
        let has_signed = |key: &&Key| self.seen_by.iter().any(|(name, _)| *name == key.name);
        let named = |key: &&Key| self.witnesses.contains(key);
        let missing = |key: &&Key| !(has_signed(key) && named(key));
        self.trust.witnesses.iter().find(missing).map(|key| key.name.clone())
    }

    /// The index of the leaf that comes next.
    pub fn expected(&self) -> u64 {
        self.next
    }

    /// How many leaves were read and fit.
    pub fn leaves(&self) -> u64 {
        self.next - self.first_index().min(self.next)
    }

    pub fn first_index(&self) -> u64 {
        self.manifest.as_ref().map_or(0, |manifest| manifest.first_index)
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
            Place::Anchor => self.take_anchor(line),
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
                let more = self.size().is_some_and(|size| self.next < size);
                fits(line::CHECKPOINT) || (more && fits(&line::leaf_start(self.next)))
            }
            Place::Anchor => fits(line::ANCHOR),
            Place::End => false,
        }
    }

    /// What the whole comes to, after the last line.
    pub fn total(&self) -> Result<String, Bad> {
        let manifest = self.manifest.clone().unwrap_or_default();
        // First what names a place: the counts below only say that something is missing.
        self.check_gone(&manifest)?;
        if manifest.count != self.events {
            return Err(Bad {
                index: manifest.first_index,
                reason: format!(
                    "it has {} events where {} were exported",
                    self.events, manifest.count
                ),
            });
        }
        if self.current + 1 != self.keys.len() {
            return Err(Bad {
                index: self.sure,
                reason: "the manifest names a key that the log does not name".to_owned(),
            });
        }
        let pruned = manifest.pruned;
        let what = match (manifest.filtered, pruned) {
            (true, 0) => "; the filter left out the other events".to_owned(),
            (true, _) => format!(
                "; the filter left out the other events, and {pruned} are said to be pruned"
            ),
            (false, 0) => String::new(),
            (false, _) => {
                format!("; the other {pruned} were pruned, each as an event of this log says")
            }
        };
        let from = match manifest.first_index {
            0 => String::new(),
            first => format!(" from leaf {first} on"),
        };
        let whose = match (self.key_was_given(), self.keys.len()) {
            (true, 1) => "the given key signed it",
            (true, _) => "the given key signed it, or the keys that followed it",
            (false, _) => {
                "the key that the bundle itself names signed it; give the expected key to be sure of the signer"
            }
        };
        Ok(format!(
            "Good: {} leaves{from}, {} with their event, are exactly what was signed{what}; {whose}.",
            self.leaves(),
            self.events
        ))
    }

    /// Every event that is missing must be one that the log itself says was pruned.
    fn check_gone(&self, manifest: &Manifest) -> Result<(), Bad> {
        if let Some(index) = self.gone.unexplained() {
            let reason = format!(
                "the event of leaf {index} is missing, and no event of the log says that it was pruned"
            );
            return Err(Bad { index, reason });
        }
        if manifest.filtered || manifest.pruned == self.gone.count() {
            return Ok(());
        }
        let reason = format!(
            "{} events are missing where {} are said to be pruned",
            self.gone.count(),
            manifest.pruned
        );
        Err(Bad { index: 0, reason })
    }

    fn take_manifest(&mut self, line: &[u8]) -> Result<(), Bad> {
        let Some(manifest) = line::manifest(line) else {
            return self.bad("the first line is not a manifest");
        };
        if manifest.ralex_audit_bundle != 1 || manifest.first_index > manifest.tree_size {
            return self.bad("the manifest is of a form that this verifier does not know");
        }
        let Some(tree) = beginning(&manifest) else {
            return self.bad("the manifest does not say what the leaves before it come to");
        };
        let read = |texts: &[String]| -> Option<Vec<Key>> {
            texts.iter().map(|text| text.parse().ok()).collect()
        };
        let named = read(&manifest.keys).filter(|keys| !keys.is_empty());
        let (Some(keys), Some(witnesses)) = (named, read(&manifest.witnesses)) else {
            return self.bad("the manifest names no key, or a damaged one");
        };
        let signs = keys.iter().all(Key::signs_logs) && !witnesses.iter().any(Key::signs_logs);
        let one_name = keys.iter().all(|key| key.name == keys[0].name);
        if !signs || !one_name {
            return self.bad("the manifest names keys that do not belong there");
        }
        let trusted = keys.iter().any(|key| self.trust.keys.contains(key));
        if self.key_was_given() && !trusted {
            return self.bad("it is signed by another key than the given one");
        }
        if manifest.origin != format!("{}/audit/{}", keys[0].name, manifest.org) {
            return self.bad("the manifest's origin is not its key's and organisation's");
        }
        (self.keys, self.witnesses, self.tree) = (keys, witnesses, tree);
        (self.next, self.sure) = (manifest.first_index, manifest.first_index);
        self.watch();
        self.manifest = Some(manifest);
        self.first_line = line.to_vec();
        self.at = Place::Signature;
        Ok(())
    }

    fn take_signature(&mut self, line: &[u8]) -> Result<(), Bad> {
        let signature = line::signature(line);
        let right = signature
            .zip(self.keys.last())
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
        let index = self.next;
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
        let whole = manifest.is_some_and(|manifest| !manifest.filtered);
        if leaf.event.is_none() && whole && manifest.is_some_and(|it| it.pruned == 0) {
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
        self.next += 1;
        self.events += u64::from(leaf.event.is_some());
        if leaf.event.is_none() && whole {
            self.gone.missing(index);
        }
        if let Some(ranges) = leaf.event.and_then(line::removal) {
            self.gone.told(ranges);
        }
        self.watch();
        if let Some(keys) = leaf.event.and_then(line::rotation) {
            self.follow(&keys);
        }
        Ok(())
    }

    fn watch(&mut self) {
        if self.watched == Some(self.next) {
            self.watched_root = Some(self.tree.root());
        }
    }

    /// Goes on to the next key where the log names it as the successor of the current one.
    fn follow(&mut self, keys: &line::Keys) {
        let named = |place: usize, text: &str| {
            self.keys.get(place).is_some_and(|key| key.to_string() == text)
        };
        if named(self.current, &keys.from) && named(self.current + 1, &keys.to) {
            self.current += 1;
        }
    }

    fn take_checkpoint(&mut self, line: &[u8]) -> Result<(), Bad> {
        let Some(head) = self.open(line) else {
            return self.bad("a checkpoint is not what was signed");
        };
        if head.size > self.next {
            return self.bad(&format!("leaf {} is missing", self.next));
        }
        if head.size < self.next || (head.size == self.sure && head.size > 0) {
            let reason = format!("the checkpoint of size {} is not at its place", head.size);
            return Err(Bad { index: head.size, reason });
        }
        if head.root != self.tree.root() {
            let reason = format!(
                "the leaves from {} to {} are not those of the signed tree: one of them was rewritten together with its hash",
                self.sure,
                self.next.saturating_sub(1)
            );
            return Err(Bad { index: self.sure, reason });
        }
        // The earlier keys vouch for the leaf that named the later one, which signs from here on.
        let signed = (self.vouching..=self.current).all(|key| head.signed_by.contains(&key));
        if !signed {
            let reason = format!(
                "the checkpoint of size {} is signed by a key that was not the log's at that time",
                head.size
            );
            return Err(Bad { index: self.sure, reason });
        }
        self.vouching = self.current;
        self.chain = link(4, &self.chain, line);
        self.sure = head.size;
        self.head = head.body;
        if self.size() == Some(head.size) {
            let anchored = self.manifest.as_ref().is_some_and(|manifest| manifest.anchored);
            self.at = if anchored { Place::Anchor } else { Place::End };
        }
        Ok(())
    }

    /// The newest head, as a leaf of the deployment's log.
    fn take_anchor(&mut self, line: &[u8]) -> Result<(), Bad> {
        let text = line::anchor(line);
        let receipt = text.as_deref().and_then(Receipt::read);
        let name = self.keys.first().map(|key| key.name.as_str()).unwrap_or_default();
        let origin = format!("{name}/audit");
        let Some((receipt, head)) =
            receipt.filter(|receipt| receipt.extra.is_none()).and_then(|receipt| {
                let head = note::open(receipt.note, &origin, &self.keys, &self.witnesses)?;
                Some((receipt, head))
            })
        else {
            return self.bad("the head of the deployment's log is not what was signed");
        };
        let leaf = hash_leaf(self.head.as_bytes());
        if proof::inclusion(receipt.index, head.size, leaf, &receipt.path) != Some(head.root) {
            return self.bad("the deployment's log does not hold the newest checkpoint");
        }
        if !head.signed_by.contains(&self.current) {
            return self.bad("the deployment's log is signed by an earlier key than this one");
        }
        self.seen_by = head.seen_by.into_iter().map(|(key, at)| (key.name, at)).collect();
        self.at = Place::End;
        Ok(())
    }

    fn open(&self, line: &[u8]) -> Option<Head> {
        let note = line::checkpoint(line)?;
        let manifest = self.manifest.as_ref()?;
        note::open(&note, &manifest.origin, &self.keys, &[])
    }

    fn bad<T>(&self, reason: &str) -> Result<T, Bad> {
        Err(Bad { index: self.next, reason: reason.to_owned() })
    }
}

/// The tree that the first leaf of a bundle is added to. What its manifest says of the leaves before
/// is shown by the signed heads to come: no other subtrees lead to their roots.
fn beginning(manifest: &Manifest) -> Option<Tree> {
    let peak = |text: &String| -> Option<Hash> { STANDARD.decode(text).ok()?.try_into().ok() };
    let peaks: Vec<Hash> = manifest.peaks.iter().map(peak).collect::<Option<_>>()?;
    Tree::after(manifest.first_index, &peaks)
}

fn link(kind: u8, before: &Hash, what: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([kind]);
    hasher.update(before);
    hasher.update(what);
    hasher.finalize().into()
}
