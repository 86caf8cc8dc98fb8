//! Disclosures: values that stand in a file of their own, against the commitments of a bundle.
//!
//! A disclosure is right where the leaf of its line has the commitment to it, which only the salt in
//! it can be made to fit. The bundle itself is verified by itself, before and after.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, BufRead, Read};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Finding, LONGEST_LINE, Trust, Verdict, line, verify_bundle_for};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    ralex_audit_disclosures: u32,
    origin: String,
    #[serde(rename = "tree_size")]
    _tree_size: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    index: u64,
    disclosures: Vec<String>,
}

/// Verifies a bundle, and then that each disclosure is one that a leaf of it commits to. Both are
/// read line by line, in the order of the leaves.
pub fn verify_disclosures<R: BufRead>(
    open: impl Fn() -> io::Result<R>,
    disclosures: impl BufRead,
    trust: &Trust,
) -> io::Result<Verdict> {
    let verdict = verify_bundle_for(open()?, trust)?;
    if !verdict.good() {
        return Ok(verdict);
    }
    check(verdict, open()?, disclosures)
}

/// How it stands so far.
#[derive(Default)]
struct Count {
    disclosed: u64,
    committed: u64,
    /// Of leaves that came after the bundle was taken, or before those that it holds.
    beyond: u64,
}

fn check(
    verdict: Verdict,
    mut bundle: impl BufRead,
    mut disclosures: impl BufRead,
) -> io::Result<Verdict> {
    let (mut number, mut count) = (1, Count::default());
    let head = next_line(&mut disclosures)?.and_then(|head| serde_json::from_slice(&head).ok());
    let fits = |head: &Head| head.ralex_audit_disclosures == 1 && head.origin == verdict.origin;
    if !head.is_some_and(|head| fits(&head)) {
        return Ok(wrong(verdict, 0, number, "the disclosures are not of this log"));
    }
    let mut next = next_of(&mut disclosures, &mut number)?;
    while let Next::Line(line) = &next
        && line.index < verdict.first_index
    {
        count.beyond += line.disclosures.len() as u64;
        next = next_of(&mut disclosures, &mut number)?;
    }
    while let Some(text) = next_line(&mut bundle)? {
        let Some(leaf) = line::leaf(&text) else { continue };
        let digests = leaf.event.map(digests).unwrap_or_default();
        count.committed += digests.len() as u64;
        let told = match &next {
            Next::Line(line) if line.index == leaf.index => &line.disclosures,
            Next::Line(line) if line.index < leaf.index => {
                let index = line.index;
                return Ok(wrong(verdict, index, number, "the disclosures are not in order"));
            }
            Next::Malformed => {
                return Ok(wrong(
                    verdict,
                    leaf.index,
                    number,
                    "a line of the disclosures is malformed",
                ));
            }
            Next::Line(_) | Next::End => continue,
        };
        for disclosure in told {
            let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(disclosure));
            if !digests.contains(digest.as_str()) {
                let why = format!(
                    "a disclosure of leaf {} is not what the leaf commits to: it is wrong, or invented",
                    leaf.index
                );
                return Ok(wrong(verdict, leaf.index, number, &why));
            }
            count.disclosed += 1;
        }
        next = next_of(&mut disclosures, &mut number)?;
    }
    loop {
        match next {
            Next::End => return Ok(good(verdict, &count)),
            Next::Malformed => {
                return Ok(wrong(verdict, 0, number, "a line of the disclosures is malformed"));
            }
            Next::Line(line) if line.index < verdict.tree_size => {
                return Ok(wrong(verdict, line.index, number, "the disclosures are not in order"));
            }
            Next::Line(line) => count.beyond += line.disclosures.len() as u64,
        }
        next = next_of(&mut disclosures, &mut number)?;
    }
}

enum Next {
    Line(Line),
    Malformed,
    End,
}

fn next_of(reader: &mut impl BufRead, number: &mut u64) -> io::Result<Next> {
    *number += 1;
    let Some(text) = next_line(reader)? else { return Ok(Next::End) };
    Ok(serde_json::from_slice(&text).map_or(Next::Malformed, Next::Line))
}

fn next_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    if reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut text)? == 0 {
        return Ok(None);
    }
    text.pop_if(|last| *last == b'\n');
    Ok(Some(text))
}

/// The commitments of an event: `{"...":"<43 letters>"}`. A quotation mark in a text has a
/// backslash before it, so none can be made up inside of one.
fn digests(event: &[u8]) -> HashSet<&str> {
    const START: &[u8] = b"{\"...\":\"";
    const LENGTH: usize = 43;
    let mut found = HashSet::new();
    let mut rest = event;
    while let Some(at) = rest.windows(START.len()).position(|part| part == START) {
        rest = &rest[at + START.len()..];
        let digest = rest.split_at_checked(LENGTH).filter(|(_, end)| end.starts_with(b"\"}"));
        found.extend(digest.and_then(|(digest, _)| std::str::from_utf8(digest).ok()));
    }
    found
}

fn wrong(verdict: Verdict, index: u64, line: u64, why: &str) -> Verdict {
    Verdict {
        finding: Finding::Tampered,
        root: String::new(),
        anchored: false,
        first_bad_index: Some(index),
        line,
        reason: format!("The disclosures were tampered with: {why}."),
        ..verdict
    }
}

fn good(verdict: Verdict, count: &Count) -> Verdict {
    let Count { disclosed, committed, beyond } = count;
    let closed = committed - disclosed.min(committed);
    let mut reason = format!(
        "{} Of {committed} personal values {disclosed} are disclosed, and are what was committed \
         to; {closed} are not.",
        verdict.reason
    );
    if *beyond > 0 {
        write!(reason, " {beyond} disclosures are of leaves that are not in this bundle.").ok();
    }
    Verdict { reason, disclosed: Some((*disclosed, *committed)), ..verdict }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commitments_are_found_and_none_is_made_up_inside_a_text() {
        let digest = "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0";
        let event = format!(
            r#"{{"address":{{"...":"{digest}"}},"detail":{{"reason":"{{\"...\":\"{digest}\"}}"}}}}"#
        );
        assert_eq!(digests(event.as_bytes()), HashSet::from([digest]));
        let short = br#"{"address":{"...":"X9yH"}}"#;
        assert!(digests(short).is_empty());
        let text = format!(r#"{{"reason":"{{\"...\":\"{digest}\"}}"}}"#);
        assert!(digests(text.as_bytes()).is_empty());
    }
}
