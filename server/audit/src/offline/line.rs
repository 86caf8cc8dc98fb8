//! Lines: each kind has one exact form.

use serde::{Deserialize, Serialize};

/// The first line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub ralex_audit_bundle: u32,
    pub origin: String,
    pub org: String,
    pub tree_size: u64,
    pub first_index: u64,
    /// The subtrees that the leaves before the first one come to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peaks: Vec<String>,
    pub count: u64,
    pub filtered: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pruned: u64,
    pub keys: Vec<String>,
    pub exported_at: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anchored: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    signature: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    checkpoint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Anchor {
    anchor: String,
}

/// A leaf's line; its texts stay where they are.
pub(crate) struct Leaf<'a> {
    pub index: u64,
    pub hash: &'a [u8],
    pub chain: &'a [u8],
    pub event: Option<&'a [u8]>,
}

/// Reads JSON and accepts it only in the form in which we would write it.
fn exact<T: Serialize + for<'de> Deserialize<'de>>(line: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(line).ok()?;
    (serde_json::to_vec(&value).ok()? == line).then_some(value)
}

pub(crate) fn manifest(line: &[u8]) -> Option<Manifest> {
    exact(line)
}

pub(crate) fn signature(line: &[u8]) -> Option<String> {
    exact::<Signed>(line).map(|signed| signed.signature)
}

pub(crate) const CHECKPOINT: &[u8] = b"{\"checkpoint\":\"";

pub(crate) fn checkpoint(line: &[u8]) -> Option<String> {
    exact::<Checkpoint>(line).map(|checkpoint| checkpoint.checkpoint)
}

pub(crate) const ANCHOR: &[u8] = b"{\"anchor\":\"";

pub(crate) fn anchor(line: &[u8]) -> Option<String> {
    exact::<Anchor>(line).map(|anchor| anchor.anchor)
}

/// How the event of a leaf begins that tells of another key.
const ROTATION: &[u8] = b"{\"action\":\"audit.key_rotated\",";

#[derive(Deserialize)]
struct Rotation {
    detail: Keys,
}

/// From which key the log went on to which.
#[derive(Deserialize)]
pub(crate) struct Keys {
    pub from: String,
    pub to: String,
}

pub(crate) fn rotation(event: &[u8]) -> Option<Keys> {
    event.starts_with(ROTATION).then_some(())?;
    serde_json::from_slice::<Rotation>(event).ok().map(|rotation| rotation.detail)
}

/// How the event of a leaf begins that tells of a removal.
const PRUNED: &[u8] = b"{\"action\":\"audit.pruned\",";

#[derive(Deserialize)]
struct Removal {
    detail: Places,
}

#[derive(Deserialize)]
struct Places {
    ranges: Vec<(u64, u64)>,
}

/// The places, first and last of each range, whose events were removed.
pub(crate) fn removal(event: &[u8]) -> Option<Vec<(u64, u64)>> {
    event.starts_with(PRUNED).then_some(())?;
    serde_json::from_slice::<Removal>(event).ok().map(|removal| removal.detail.ranges)
}

/// How the line of a leaf begins.
pub(crate) fn leaf_start(index: u64) -> Vec<u8> {
    format!("{{\"index\":{index},\"hash\":\"").into_bytes()
}

/// By hand, since a bundle is nearly all leaves and an event need not be parsed to be hashed.
pub(crate) fn leaf(line: &[u8]) -> Option<Leaf<'_>> {
    let rest = line.strip_prefix(b"{\"index\":")?;
    let comma = rest.iter().take(21).position(|byte| *byte == b',')?;
    let (digits, rest) = rest.split_at(comma);
    let index: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    // One spelling only: no sign and no leading zero.
    if !digits.iter().all(u8::is_ascii_digit) || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    let (hash, rest) = rest.strip_prefix(b",\"hash\":\"")?.split_at_checked(44)?;
    let (chain, rest) = rest.strip_prefix(b"\",\"chain\":\"")?.split_at_checked(16)?;
    let rest = rest.strip_prefix(b"\"")?.strip_suffix(b"}")?;
    let event = if rest.is_empty() { None } else { Some(rest.strip_prefix(b",\"event\":")?) };
    Some(Leaf { index, hash, chain, event })
}
