//! Signed notes: the head of a tree and who vouches for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{Key, Said};
use super::tree::Hash;

/// A head, and which of the given keys signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub size: u64,
    pub root: Hash,
    /// The text that was signed.
    pub body: String,
    /// Places of the keys, in the order of the lines.
    pub signed_by: Vec<usize>,
    /// The names of witnesses, and when they signed (seconds since 1970).
    pub seen_by: Vec<(Key, u64)>,
}

/// Opens a note of the log `origin`. Every one of its lines must be the signature of a key that
/// is given, and right; so there is no byte in a note that may be another.
pub(crate) fn open(note: &str, origin: &str, keys: &[Key], witnesses: &[Key]) -> Option<Head> {
    let (head, signatures) = note.split_once("\n\n")?;
    let mut lines = head.split('\n');
    let (first, size, root) = (lines.next()?, lines.next()?, lines.next()?);
    if lines.next().is_some() || first != origin {
        return None;
    }
    let number: u64 = size.parse().ok()?;
    if number.to_string() != size {
        return None;
    }
    let root: Hash = STANDARD.decode(root).ok()?.try_into().ok()?;
    let body = format!("{head}\n");
    let mut opened = Head { size: number, root, body, signed_by: Vec::new(), seen_by: Vec::new() };
    for line in signatures.split_inclusive('\n') {
        let line = line.strip_prefix("\u{2014} ")?.strip_suffix('\n')?;
        let (name, signature) = line.split_once(' ')?;
        let bytes = STANDARD.decode(signature).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        let made =
            |key: &&Key| key.name == name && key.made(*id, signature, &opened.body).is_some();
        if let Some(place) = keys.iter().position(|key| made(&key)) {
            if opened.signed_by.contains(&place) {
                return None;
            }
            opened.signed_by.push(place);
            continue;
        }
        let witness = witnesses.iter().find(|key| made(key))?;
        let Said::Seen(time) = witness.made(*id, signature, &opened.body)? else { return None };
        if opened.seen_by.iter().any(|(known, _)| known == witness) {
            return None;
        }
        opened.seen_by.push((witness.clone(), time));
    }
    (!opened.signed_by.is_empty()).then_some(opened)
}

/// The name of the log that a note is about.
pub(crate) fn origin(note: &str) -> &str {
    note.split('\n').next().unwrap_or_default()
}
