//! Receipts (C2SP tlog-proof): one event, or one head, with the proof that the log holds it.

use std::io::{self, BufRead, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::key::Key;
use super::tree::{Hash, Tree, hash_leaf};
use super::{Finding, Trust, Verdict, note, proof};

/// The first line of a receipt.
pub(crate) const RECEIPT: &str = "c2sp.org/tlog-proof@v1";
/// How a consistency proof begins.
pub(crate) const CONSISTENCY: &str = "{\"ralex_audit_consistency\":1,";

/// No proof is longer.
const LONGEST: u64 = 64 << 20;

/// A receipt taken apart.
pub(crate) struct Receipt<'a> {
    pub extra: Option<Vec<u8>>,
    pub index: u64,
    pub path: Vec<Hash>,
    pub note: &'a str,
}

impl<'a> Receipt<'a> {
    /// Reads the one exact form that there is; none for anything else.
    pub fn read(text: &'a str) -> Option<Self> {
        let (proof, note) = text.split_once("\n\n")?;
        let mut lines = proof.split('\n');
        if lines.next()? != RECEIPT {
            return None;
        }
        let mut line = lines.next()?;
        let mut extra = None;
        if let Some(text) = line.strip_prefix("extra ") {
            extra = Some(STANDARD.decode(text).ok()?);
            line = lines.next()?;
        }
        let digits = line.strip_prefix("index ")?;
        let index: u64 = digits.parse().ok()?;
        if index.to_string() != digits {
            return None;
        }
        let path: Option<Vec<Hash>> =
            lines.map(|line| STANDARD.decode(line).ok()?.try_into().ok()).collect();
        Some(Self { extra, index, path: path?, note })
    }
}

#[derive(Serialize, Deserialize)]
struct SignedTree {
    tree_size: u64,
    root: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Growth {
    ralex_audit_consistency: u32,
    origin: String,
    from: SignedTree,
    to: SignedTree,
    path: Vec<String>,
}

/// Verifies a receipt or a consistency proof. Both need the log's key: they do not carry it.
pub fn verify_proof(reader: impl BufRead, trust: &Trust) -> io::Result<Verdict> {
    let mut text = String::new();
    if reader.take(LONGEST).read_to_string(&mut text).is_err() {
        return Ok(failed(trust, Finding::Tampered, None, "it is not text"));
    }
    Ok(if text.starts_with(RECEIPT) { receipt(&text, trust) } else { consistency(&text, trust) })
}

fn receipt(text: &str, trust: &Trust) -> Verdict {
    let Some(receipt) = Receipt::read(text) else {
        return failed(trust, Finding::Tampered, None, "it is not a whole receipt");
    };
    let Some(extra) = &receipt.extra else {
        let why = "it does not hold the text that it is about";
        return failed(trust, Finding::Incomplete, Some(receipt.index), why);
    };
    let origin = note::origin(receipt.note);
    let keys: Vec<Key> = trust.keys.iter().filter(|key| owns(key, origin)).cloned().collect();
    let Some(head) = note::open(receipt.note, origin, &keys, &trust.witnesses) else {
        let why = "its checkpoint is not signed by the given keys, or by others as well; give the key that signed it, and every witness";
        return failed(trust, Finding::Tampered, Some(receipt.index), why);
    };
    let root = proof::inclusion(receipt.index, head.size, hash_leaf(extra), &receipt.path);
    if root != Some(head.root) {
        let why = "what it is about is not in the signed tree at that place";
        return failed(trust, Finding::Tampered, Some(receipt.index), why);
    }
    let missing = trust.witnesses.iter().find(|key| !head.seen_by.iter().any(|(k, _)| k == *key));
    if let Some(missing) = missing {
        let why = format!("the witness {} has not signed it", missing.name);
        return failed(trust, Finding::Incomplete, None, &why);
    }
    let mut verdict = failed(trust, Finding::Good, None, "");
    verdict.reason =
        format!("Good: this is leaf {} of {} leaves that were signed.", receipt.index, head.size);
    origin.clone_into(&mut verdict.origin);
    verdict.tree_size = head.size;
    verdict.root = STANDARD.encode(head.root);
    (verdict.leaves, verdict.events) = (1, 1);
    verdict.index = Some(receipt.index);
    verdict.text = Some(String::from_utf8_lossy(extra).into_owned());
    if let Some(key) = head.signed_by.last().and_then(|place| keys.get(*place)) {
        verdict.key = key.to_string();
    }
    verdict.witnesses = head.seen_by.iter().map(|(key, at)| (key.name.clone(), *at)).collect();
    verdict
}

/// Whether a key may sign the log of that name: its own, and those below it.
fn owns(key: &Key, origin: &str) -> bool {
    let rest = origin.strip_prefix(&key.name).and_then(|rest| rest.strip_prefix("/audit"));
    key.signs_logs() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn consistency(text: &str, trust: &Trust) -> Verdict {
    let tampered = |why: &str| failed(trust, Finding::Tampered, None, why);
    let Ok(claim) = serde_json::from_str::<Growth>(text.trim_end()) else {
        return tampered("it is not a whole proof");
    };
    let keys: Vec<Key> =
        trust.keys.iter().filter(|key| owns(key, &claim.origin)).cloned().collect();
    let signed = |tree: &SignedTree| {
        let head = note::open(tree.checkpoint.as_deref()?, &claim.origin, &keys, &[])?;
        let root = STANDARD.encode(head.root);
        (head.size == tree.tree_size && root == tree.root).then_some(head)
    };
    let Some(to) = signed(&claim.to) else {
        return tampered("the later checkpoint is not what a given key signed");
    };
    let old_root = if claim.from.checkpoint.is_some() {
        let Some(from) = signed(&claim.from) else {
            return tampered("the earlier checkpoint is not what a given key signed");
        };
        from.root
    } else {
        let root = STANDARD.decode(&claim.from.root).ok().and_then(|root| root.try_into().ok());
        let Some(root) = root else { return tampered("the earlier root is malformed") };
        root
    };
    let path: Option<Vec<Hash>> =
        claim.path.iter().map(|hash| STANDARD.decode(hash).ok()?.try_into().ok()).collect();
    let Some(path) = path else { return tampered("its path is malformed") };
    let extends = match claim.from.tree_size {
        0 => path.is_empty() && old_root == Tree::default().root(),
        size => {
            let shown = proof::consistency(size, to.size, old_root, &path);
            shown == Some((old_root, to.root))
        }
    };
    if !extends {
        return failed(
            trust,
            Finding::Tampered,
            Some(0),
            "the earlier tree is not the beginning of the later one: the history was rewritten",
        );
    }
    let mut verdict = failed(trust, Finding::Good, None, "");
    let unsigned = if claim.from.checkpoint.is_none() {
        "; the earlier root is the proof's own word, compare it with one that you noted"
    } else {
        ""
    };
    verdict.reason = format!(
        "Good: the tree of {} leaves continues that of {}{unsigned}.",
        to.size, claim.from.tree_size
    );
    verdict.origin = claim.origin;
    verdict.tree_size = to.size;
    verdict.root = STANDARD.encode(to.root);
    if let Some(key) = to.signed_by.last().and_then(|place| keys.get(*place)) {
        verdict.key = key.to_string();
    }
    verdict
}

fn failed(trust: &Trust, finding: Finding, index: Option<u64>, why: &str) -> Verdict {
    let reason = match finding {
        Finding::Good => String::new(),
        Finding::Tampered => format!("The proof does not hold: {why}."),
        Finding::Incomplete => format!("The proof is incomplete: {why}."),
    };
    let first_bad_index = match finding {
        Finding::Tampered => Some(index.unwrap_or(0)),
        Finding::Good | Finding::Incomplete => None,
    };
    Verdict {
        finding,
        first_bad_index,
        reason,
        key_was_given: !trust.keys.is_empty(),
        ..Verdict::empty()
    }
}
