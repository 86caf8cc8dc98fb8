//! Two exports: whether the earlier one still stands at the beginning of the later one.
//!
//! One export alone cannot show that its end was cut off, or that a backup was put back: what is
//! left is what was signed, only less of it. An earlier export that was kept elsewhere shows it.

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
    let (after, root_then) = verify(later()?, trust, Some(size))?;
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
    if root_then.as_deref() == Some(before.root.as_str()) {
        let reason =
            format!("{} The {size} leaves of the earlier export stand unchanged.", after.reason);
        return Ok(Verdict { reason, ..after });
    }
    let index = first_difference(later()?, earlier()?)?.unwrap_or(size);
    let reason = format!(
        "The history was rewritten and signed anew: leaf {index} is not what the earlier export holds."
    );
    Ok(tampered(index, reason))
}

/// The index of the first leaf that the two do not share.
fn first_difference(mut one: impl BufRead, mut other: impl BufRead) -> io::Result<Option<u64>> {
    loop {
        match (next_hash(&mut one)?, next_hash(&mut other)?) {
            (Some((index, hash)), Some((_, other))) if hash != other => return Ok(Some(index)),
            (Some(_), Some(_)) => {}
            (Some(_) | None, None) | (None, Some(_)) => return Ok(None),
        }
    }
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
