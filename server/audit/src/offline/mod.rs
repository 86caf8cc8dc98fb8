//! The offline verifier: tells whether an exported bundle is what was signed, and where not.
//!
//! It needs no database, no network and, so that one mistake cannot hide in both, none of the
//! code that writes the log. It reads line by line; the size of the bundle does not matter. The
//! form of every line is exact: one spelling, no freedom of white space or escapes, so that there
//! is no byte that may be another.

mod disclosed;
mod gone;
mod key;
mod line;
mod note;
mod proof;
mod receipt;
mod since;
mod tree;
mod walk;

use std::io::{self, BufRead, Read};

pub use disclosed::verify_disclosures;
pub use key::{Key, NotAKey};
pub use receipt::verify_proof;
pub use since::verify_since;
use walk::Walk;

/// No line is longer: events are small, and a reader must not be made to hold a giant one.
const LONGEST_LINE: u64 = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Every leaf and the head are what was signed.
    Good,
    /// Something was changed.
    Tampered,
    /// The end is missing; what is there fits together.
    Incomplete,
}

/// Whom the verifier believes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Keys of the log that were noted earlier or got elsewhere; one of them must have signed.
    pub keys: Vec<Key>,
    /// Witnesses all of whom must have signed.
    pub witnesses: Vec<Key>,
}

/// What the verifier found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub finding: Finding,
    /// The first line's word for whose log it is; not proven unless good.
    pub origin: String,
    /// The size of the signed tree; what the bundle claims, unless good.
    pub tree_size: u64,
    /// Base64 of the signed root; empty unless good.
    pub root: String,
    /// The index of the first leaf: 0, or where an earlier bundle of the same log ended.
    pub first_index: u64,
    /// Leaves that were read and fit.
    pub leaves: u64,
    /// Of these, how many came with their event.
    pub events: u64,
    pub filtered: bool,
    /// How many events were pruned, as the manifest says and, unless filtered, the log itself.
    pub pruned: u64,
    /// The key that vouches for it, as a verifier key.
    pub key: String,
    /// Whether the caller named that key; otherwise the bundle itself did.
    pub key_was_given: bool,
    /// The index of the first leaf that is not vouched for, when anything was changed.
    pub first_bad_index: Option<u64>,
    /// The line in which it showed.
    pub line: u64,
    /// One sentence for people.
    pub reason: String,
    /// All keys that signed this log, oldest first.
    pub keys: Vec<String>,
    /// Whether the newest head is proven to be in the deployment's log.
    pub anchored: bool,
    /// Which witnesses signed the deployment's log, and when (seconds since 1970).
    pub witnesses: Vec<(String, u64)>,
    /// Of a receipt: its place, and the text that it is about.
    pub index: Option<u64>,
    pub text: Option<String>,
    /// How many personal values are disclosed, and of how many; only where disclosures were given.
    pub disclosed: Option<(u64, u64)>,
}

impl Verdict {
    fn empty() -> Self {
        Self {
            finding: Finding::Incomplete,
            origin: String::new(),
            tree_size: 0,
            root: String::new(),
            first_index: 0,
            leaves: 0,
            events: 0,
            filtered: false,
            pruned: 0,
            key: String::new(),
            key_was_given: false,
            first_bad_index: None,
            line: 0,
            reason: String::new(),
            keys: Vec::new(),
            anchored: false,
            witnesses: Vec::new(),
            index: None,
            text: None,
            disclosed: None,
        }
    }

    pub fn good(&self) -> bool {
        self.finding == Finding::Good
    }

    /// What a command should exit with: 0 good, 1 tampered, 2 incomplete.
    pub const fn exit_code(&self) -> u8 {
        match self.finding {
            Finding::Good => 0,
            Finding::Tampered => 1,
            Finding::Incomplete => 2,
        }
    }
}

/// Why a walk ends before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    pub index: u64,
    pub reason: String,
}

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bundle,
    /// A receipt, or a proof that one tree continues another.
    Proof,
}

impl Kind {
    pub fn of(first_bytes: &[u8]) -> Self {
        let starts = |text: &str| first_bytes.starts_with(text.as_bytes());
        if starts(receipt::RECEIPT) || starts(receipt::CONSISTENCY) {
            Self::Proof
        } else {
            Self::Bundle
        }
    }
}

/// Verifies a bundle. With `key` it must be that key which signed; without, the keys that the
/// bundle names are used, which proves that nothing was changed since, but not by whom it was made.
pub fn verify_bundle(reader: impl BufRead, key: Option<&Key>) -> io::Result<Verdict> {
    verify_bundle_for(
        reader,
        &Trust { keys: key.into_iter().cloned().collect(), ..Trust::default() },
    )
}

/// The same for one who trusts several keys, or witnesses.
pub fn verify_bundle_for(reader: impl BufRead, trust: &Trust) -> io::Result<Verdict> {
    verify(reader, trust, None).map(|(verdict, _)| verdict)
}

/// The same, with the root that the tree had at the size `watched`.
fn verify(
    mut reader: impl BufRead,
    trust: &Trust,
    watched: Option<u64>,
) -> io::Result<(Verdict, Option<String>)> {
    let mut walk = Walk::new(trust.clone(), watched);
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            let then = walk.watched_root();
            return Ok((at_the_end(walk, number), then));
        }
        number += 1;
        if line.pop_if(|last| *last == b'\n').is_none() {
            return Ok((without_an_end(walk, &line, number), None));
        }
        if let Err(bad) = walk.step(&line) {
            return Ok((tampered(walk, bad, number), None));
        }
    }
}

fn at_the_end(walk: Walk, number: u64) -> Verdict {
    if !walk.is_complete() {
        return incomplete(walk, number);
    }
    match walk.total() {
        Err(bad) => tampered(walk, bad, number),
        Ok(reason) => match walk.missing_witness() {
            None => verdict(walk, Finding::Good, None, number, reason),
            Some(name) => {
                let reason =
                    format!("The bundle is incomplete: the witness {name} has not signed it.");
                verdict(walk, Finding::Incomplete, None, number, reason)
            }
        },
    }
}

/// The last line has no end: cut off there, or its last byte is another one now.
fn without_an_end(walk: Walk, line: &[u8], number: u64) -> Verdict {
    let without_last = &line[..line.len().saturating_sub(1)];
    let end_was_changed = !walk.is_complete() && walk.clone().step(without_last).is_ok();
    if end_was_changed || !walk.could_begin_with(line) {
        let bad = Bad { index: walk.expected(), reason: format!("line {number} is malformed") };
        return tampered(walk, bad, number);
    }
    incomplete(walk, number)
}

fn incomplete(walk: Walk, number: u64) -> Verdict {
    let (have, size) = (walk.expected(), walk.size());
    let reason = match size {
        None => "The bundle is incomplete: it ends before its manifest does.".to_owned(),
        Some(size) if have == size => {
            format!(
                "The bundle is incomplete: all {size} leaves are here, but not what signs them."
            )
        }
        Some(size) => format!(
            "The bundle is incomplete: it ends before leaf {have} of {size}; get the whole file."
        ),
    };
    verdict(walk, Finding::Incomplete, None, number, reason)
}

fn tampered(walk: Walk, bad: Bad, number: u64) -> Verdict {
    let reason = format!("The bundle was tampered with: {}.", bad.reason);
    verdict(walk, Finding::Tampered, Some(bad.index), number, reason)
}

fn verdict(
    walk: Walk,
    finding: Finding,
    first_bad_index: Option<u64>,
    line: u64,
    reason: String,
) -> Verdict {
    let good = finding == Finding::Good;
    let root = if good { walk.root() } else { String::new() };
    let (keys, witnesses) = (walk.key_texts(), walk.seen_by.clone());
    let (key_was_given, key) = (walk.key_was_given(), keys.last().cloned().unwrap_or_default());
    let leaves = walk.leaves();
    let manifest = walk.manifest.unwrap_or_default();
    Verdict {
        finding,
        origin: manifest.origin,
        tree_size: manifest.tree_size,
        root,
        first_index: manifest.first_index,
        leaves,
        events: walk.events,
        filtered: manifest.filtered,
        pruned: manifest.pruned,
        key,
        key_was_given,
        first_bad_index,
        line,
        reason,
        keys,
        anchored: good && manifest.anchored,
        witnesses,
        ..Verdict::empty()
    }
}

#[cfg(test)]
mod tests;
