//! Two exports: whether the earlier one still stands in the later one, or is what that one goes on from.
//!
//! One export alone cannot show that its end was cut off, or that a backup was put back: what is
//! left is what was signed, only less of it. An earlier export that was kept elsewhere shows it.

use std::cmp::Ordering;
use std::io::{self, BufRead, Read};

use super::{Finding, LONGEST_LINE, Trust, Verdict, line, verify};

/// Verifies both and compares. Each reader is asked for twice where the first difference must be
/// found, so they are made by functions.
pub fn verify_since<R: BufRead>(
    later: impl Fn() -> io::Result<R>,
    earlier: impl Fn() -> io::Result<R>,
    trust: &Trust,
) -> io::Result<Verdict> {
    let (before, _) = verify(earlier()?, &Trust { witnesses: Vec::new(), ..trust.clone() }, None)?;
    if !before.good() {
        let reason = format!("Of the earlier export: {}", before.reason);
        return Ok(Verdict { reason, ..before });
    }
    let size = before.tree_size;
    // One that goes on where the earlier one ends names the keys from there on, and the earlier one
    // vouches for the first of them.
    let vouched = trust.keys.first().and_then(|_| before.key.parse().ok());
    let keys = trust.keys.iter().cloned().chain(vouched).collect();
    let (after, root_then) = verify(later()?, &Trust { keys, ..trust.clone() }, Some(size))?;
    if !after.good() {
        return Ok(after);
    }
    let tampered = |index: u64, reason: String| Verdict {
        finding: Finding::Tampered,
        first_bad_index: Some(index),
        reason,
        ..after.clone()
    };
    if before.origin != after.origin {
        return Ok(tampered(0, "The two exports are of different logs.".to_owned()));
    }
    if !after.keys.contains(&before.key) {
        let reason =
            "The later export is signed by keys that do not follow from the earlier one's.";
        return Ok(tampered(0, reason.to_owned()));
    }
    if after.tree_size < size {
        let reason = format!(
            "The log was cut or put back: it had {size} leaves before and has {} now.",
            after.tree_size
        );
        return Ok(tampered(after.tree_size, reason));
    }
    if after.first_index > size {
        let reason = format!(
            "The two exports do not meet: the earlier one ends before leaf {size} and the later one begins with leaf {}; get the one between them.",
            after.first_index
        );
        return Ok(Verdict { finding: Finding::Incomplete, reason, ..after });
    }
    if root_then.as_deref() == Some(before.root.as_str()) {
        let since = if after.first_index == size {
            format!("It goes on where the earlier export ends, and its {size} leaves")
        } else {
            format!("The {size} leaves of the earlier export")
        };
        let reason = format!("{} {since} stand unchanged.", after.reason);
        return Ok(Verdict { reason, ..after });
    }
    let shared = first_difference(later()?, earlier()?)?;
    let index = shared.unwrap_or(after.first_index);
    let place = if shared.is_some() { "leaf" } else { "what stood before leaf" };
    let what = format!("{place} {index} is not what the earlier export holds");
    let reason = format!("The history was rewritten and signed anew: {what}.");
    Ok(tampered(index, reason))
}

/// The index of the first leaf that both hold and do not share.
fn first_difference(mut one: impl BufRead, mut other: impl BufRead) -> io::Result<Option<u64>> {
    let (mut left, mut right) = (next_hash(&mut one)?, next_hash(&mut other)?);
    while let (Some((here, hash)), Some((there, other_hash))) = (&left, &right) {
        match here.cmp(there) {
            Ordering::Less => left = next_hash(&mut one)?,
            Ordering::Greater => right = next_hash(&mut other)?,
            Ordering::Equal if hash != other_hash => return Ok(Some(*here)),
            Ordering::Equal => {
                (left, right) = (next_hash(&mut one)?, next_hash(&mut other)?);
            }
        }
    }
    Ok(None)
}

fn next_hash(reader: &mut impl BufRead) -> io::Result<Option<(u64, Vec<u8>)>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        line.pop_if(|last| *last == b'\n');
        if let Some(leaf) = line::leaf(&line) {
            return Ok(Some((leaf.index, leaf.hash.to_vec())));
        }
    }
}
