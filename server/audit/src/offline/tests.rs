//! Bundles of every kind of tampering, none of which may pass.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ralex_kernel::{DeploymentId, OrgId};
use sha2::{Digest, Sha256};

use super::key::NotAKey;
use super::*;
use crate::Signer;
use crate::bundle::{Lines, Manifest};
use crate::tree::{Range, leaf_hash};

mod parts;

fn signer(seed: u8) -> Signer {
    Signer::new(DeploymentId::from_uuid(uuid::Uuid::nil()), [seed; 32])
}

fn event(index: u64) -> String {
    format!("{{\"action\":\"team.created\",\"detail\":{{\"name\":\"Team {index}\"}}}}")
}

/// A bundle of `size` leaves, with a checkpoint after every third.
fn bundle_of(size: u64, with_event: impl Fn(u64) -> bool) -> Vec<u8> {
    bundle(size, 7, with_event, event)
}

fn bundle(
    size: u64,
    seed: u8,
    with_event: impl Fn(u64) -> bool,
    event: impl Fn(u64) -> String,
) -> Vec<u8> {
    part((0, size), seed, with_event, event)
}

/// The same of leaves from `first` on.
fn part(
    (first, size): (u64, u64),
    seed: u8,
    with_event: impl Fn(u64) -> bool,
    event: impl Fn(u64) -> String,
) -> Vec<u8> {
    let (signer, org) = (signer(seed), OrgId::from_uuid(uuid::Uuid::max()));
    let count = (first..size).filter(|index| with_event(*index)).count() as u64;
    let mut range = Range::default();
    for index in 0..first {
        range.push(leaf_hash(event(index).as_bytes()));
    }
    let peaks = range.peaks();
    let manifest = Manifest {
        ralex_audit_bundle: 1,
        origin: &signer.origin(org),
        org: &org.to_string(),
        tree_size: size,
        first_index: first,
        peaks: peaks.iter().map(|peak| STANDARD.encode(peak)).collect(),
        count,
        filtered: count != size - first,
        pruned: 0,
        keys: vec![signer.verifier().to_string()],
        exported_at: "2026-11-21T00:00:00.000000Z".into(),
        anchored: false,
        witnesses: Vec::new(),
    };
    let sign = |text: &str| signer.sign_manifest(1, text);
    let mut lines = Lines::begin(&manifest, sign).unwrap();
    for index in first..size {
        let (event, number) = (event(index), i64::try_from(index).unwrap());
        let hash = leaf_hash(event.as_bytes());
        range.push(hash);
        lines.leaf(number, &hash, with_event(index).then_some(event.as_bytes()));
        if index % 3 == 2 && index + 1 < size {
            lines.checkpoint(&signer.note(&signer.origin(org), 1, index + 1, &range.root()));
        }
    }
    lines.checkpoint(&signer.note(&signer.origin(org), 1, size, &range.root()));
    lines.text
}

fn check(bytes: &[u8]) -> Verdict {
    verify_bundle(bytes, None).unwrap()
}

fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// The line of a leaf in a bundle as `bundle` makes it.
fn line_of_leaf(index: usize) -> usize {
    2 + index + index / 3
}

fn assert_tampered_at(bytes: &[u8], index: u64) {
    let verdict = check(bytes);
    assert_eq!(
        (verdict.finding, verdict.first_bad_index, verdict.exit_code()),
        (Finding::Tampered, Some(index), 1),
        "{verdict:?}"
    );
}

#[test]
fn an_untouched_bundle_is_good() {
    for size in [1, 2, 3, 5, 8, 100] {
        let verdict = check(&bundle_of(size, |_| true));
        assert!(verdict.good(), "{verdict:?}");
        assert_eq!((verdict.leaves, verdict.events, verdict.exit_code()), (size, size, 0));
        assert!(check(&bundle_of(size, |index| index % 2 == 0)).good());
    }
}

#[test]
fn no_flipped_bit_of_any_byte_passes() {
    for whole in [bundle_of(5, |_| true), bundle_of(5, |index| index == 3)] {
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[place] ^= 1 << bit;
                let verdict = check(&bytes);
                assert_eq!(verdict.finding, Finding::Tampered, "{place} {bit} {verdict:?}");
                let line = whole[..place].split(|byte| *byte == b'\n').count() - 1;
                let expected = (0..5).find(|leaf| line_of_leaf(*leaf) >= line).unwrap_or(5);
                assert_eq!(verdict.first_bad_index, Some(expected as u64), "{place} {bit}");
            }
        }
    }
}

#[test]
fn a_deleted_line_is_named_by_the_index_that_is_missing() {
    let whole = lines_of(&bundle_of(10, |_| true));
    for index in 0..10 {
        let mut lines = whole.clone();
        lines.remove(line_of_leaf(index));
        assert_tampered_at(&lines.concat(), index as u64);
    }
    let mut lines = whole.clone();
    lines.remove(line_of_leaf(2) + 1);
    assert_tampered_at(&lines.concat(), 3);
    for head in [0, 1] {
        let mut lines = whole.clone();
        lines.remove(head);
        assert_tampered_at(&lines.concat(), 0);
    }
}

#[test]
fn swapped_repeated_and_inserted_lines_are_named() {
    let whole = lines_of(&bundle_of(10, |_| true));
    for (first, second) in [(0, 1), (4, 5), (1, 8), (2, 9)] {
        let mut lines = whole.clone();
        lines.swap(line_of_leaf(first), line_of_leaf(second));
        assert_tampered_at(&lines.concat(), first as u64);
    }
    for place in 2..whole.len() {
        let mut lines = whole.clone();
        lines.insert(place, whole[place].clone());
        assert_eq!(check(&lines.concat()).finding, Finding::Tampered, "{place}");
        let mut lines = whole.clone();
        lines.insert(place, b"{}\n".to_vec());
        assert_eq!(check(&lines.concat()).finding, Finding::Tampered, "{place}");
    }
    let mut lines = whole.clone();
    lines.insert(line_of_leaf(4), whole[line_of_leaf(4)].clone());
    assert_tampered_at(&lines.concat(), 5);
    let mut lines = whole.clone();
    lines.push(b"\n".to_vec());
    assert_tampered_at(&lines.concat(), 10);
}

#[test]
fn a_bundle_that_is_cut_anywhere_is_incomplete() {
    let whole = bundle_of(5, |_| true);
    for length in 0..whole.len() {
        let verdict = check(&whole[..length]);
        assert_eq!((verdict.finding, verdict.exit_code()), (Finding::Incomplete, 2), "{length}");
    }
}

#[test]
fn an_event_that_was_rewritten_with_its_hash_is_named() {
    let whole = lines_of(&bundle_of(10, |_| true));
    for index in 0..10 {
        let mut lines = whole.clone();
        let new = event(999);
        let hash = base64::Engine::encode(&STANDARD, leaf_hash(new.as_bytes()));
        let old = String::from_utf8(lines[line_of_leaf(index)].clone()).unwrap();
        let chain = &old.split("\"chain\":\"").nth(1).unwrap()[..16];
        lines[line_of_leaf(index)] = format!(
            "{{\"index\":{index},\"hash\":\"{hash}\",\"chain\":\"{chain}\",\"event\":{new}}}\n"
        )
        .into_bytes();
        assert_tampered_at(&lines.concat(), index as u64);
    }
}

#[test]
fn a_leaf_that_was_rewritten_with_all_that_follows_from_it_is_narrowed_down() {
    // Whoever rewrites the chain as well still cannot sign, so the signed heads enclose the leaf.
    let original = lines_of(&bundle_of(10, |_| true));
    let forged = bundle(10, 7, |_| true, |index| event(if index == 4 { 999 } else { index }));
    let mut lines = lines_of(&forged);
    lines[..2].clone_from_slice(&original[..2]);
    for place in 0..lines.len() {
        if lines[place].starts_with(line::CHECKPOINT) {
            lines[place].clone_from(&original[place]);
        }
    }
    rechain(&mut lines);
    assert_tampered_at(&lines.concat(), 3);
}

/// Makes the chain of altered lines right again, as a careful forger would.
fn rechain(lines: &mut [Vec<u8>]) {
    let mut chain: [u8; 32] = Sha256::digest([lines[0].clone(), lines[1].clone()].concat()).into();
    for line in &mut lines[2..] {
        let body = line[..line.len() - 1].to_vec();
        let digest = if let Some(leaf) = line::leaf(&body) {
            let hash = STANDARD.decode(leaf.hash);
            Sha256::digest([[2].as_slice(), &chain, &hash.unwrap()].concat())
        } else {
            Sha256::digest([[4].as_slice(), &chain, &body].concat())
        };
        chain = digest.into();
        if let Some(leaf) = line::leaf(&body) {
            let text = STANDARD.encode(&chain[..12]);
            let old = String::from_utf8(leaf.chain.to_vec()).unwrap();
            *line = String::from_utf8(line.clone()).unwrap().replace(&old, &text).into_bytes();
        }
    }
}

#[test]
fn a_bundle_signed_by_another_key_is_refused_when_the_key_is_known() {
    let right: Key = signer(7).verifier().to_string().parse().unwrap();
    let forged = bundle(5, 8, |_| true, event);
    let unpinned = check(&forged);
    assert!(unpinned.good() && !unpinned.key_was_given, "{unpinned:?}");
    let pinned = verify_bundle(forged.as_slice(), Some(&right)).unwrap();
    assert_eq!((pinned.finding, pinned.first_bad_index), (Finding::Tampered, Some(0)));
    let genuine = verify_bundle(bundle_of(5, |_| true).as_slice(), Some(&right)).unwrap();
    assert!(genuine.good() && genuine.key_was_given, "{genuine:?}");
}

#[test]
fn an_older_head_is_refused_at_the_size_that_it_covers() {
    let mut lines = lines_of(&bundle_of(10, |_| true));
    let older = lines[line_of_leaf(2) + 1].clone();
    *lines.last_mut().unwrap() = older;
    assert_tampered_at(&lines.concat(), 3);
}

#[test]
fn a_left_out_event_is_noticed_in_a_bundle_that_claims_all() {
    let mut lines = lines_of(&bundle_of(5, |_| true));
    let line = String::from_utf8(lines[line_of_leaf(3)].clone()).unwrap();
    let start = line.split(",\"event\"").next().unwrap();
    lines[line_of_leaf(3)] = format!("{start}}}\n").into_bytes();
    assert_tampered_at(&lines.concat(), 3);
}

#[test]
fn a_key_has_one_spelling() {
    let text = signer(7).verifier().to_string();
    assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
    for bad in ["", "a+b", &text.to_uppercase(), &format!("{text}="), &text.replacen('+', "-", 1)] {
        assert_eq!(bad.parse::<Key>(), Err(NotAKey), "{bad}");
    }
}
