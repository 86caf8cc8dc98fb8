//! Bundles that begin where another one ended, alone and one after the other.

use super::*;

fn of(first: u64, size: u64) -> Vec<u8> {
    part((first, size), 7, |_| true, event)
}

fn since(later: &[u8], earlier: &[u8], trust: &Trust) -> Verdict {
    verify_since(|| Ok(later), || Ok(earlier), trust).unwrap()
}

#[test]
fn a_part_is_good_by_itself_and_goes_on_from_the_one_before() {
    for (first, size) in [(1, 2), (2, 3), (3, 9), (7, 8), (8, 20), (13, 64), (100, 131)] {
        let later = of(first, size);
        let verdict = check(&later);
        assert!(verdict.good(), "{verdict:?}");
        let whole = check(&of(0, size));
        assert_eq!((verdict.root.clone(), verdict.tree_size), (whole.root, size));
        assert_eq!((verdict.leaves, verdict.first_index), (size - first, first));
        assert!(verdict.reason.contains(&format!("from leaf {first} on")), "{verdict:?}");
        for earlier in [of(0, first), of(first / 2, first)] {
            let verdict = since(&later, &earlier, &Trust::default());
            assert!(verdict.good() && verdict.reason.contains("goes on where"), "{verdict:?}");
        }
        // One that reaches into it, and one of all.
        assert!(since(&later, &of(0, first + 1), &Trust::default()).good());
        assert!(since(&of(0, size), &later, &Trust::default()).good());
        let verdict = since(&later, &of(0, first - 1), &Trust::default());
        if first > 1 {
            assert_eq!((verdict.finding, verdict.exit_code()), (Finding::Incomplete, 2));
            assert!(verdict.reason.contains("do not meet"), "{verdict:?}");
        }
    }
}

#[test]
fn no_flipped_bit_of_a_part_passes() {
    let whole = of(5, 8);
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << bit;
            assert_ne!(check(&bytes).finding, Finding::Good, "{place} {bit}");
        }
    }
}

/// Whoever has the key writes another beginning, which only the bundle before can show.
#[test]
fn a_part_of_another_history_is_good_by_itself_and_found_beside_the_one_before() {
    let forged =
        part((5, 8), 7, |_| true, |index| if index == 2 { "{}".into() } else { event(index) });
    assert!(check(&forged).good());
    let verdict = since(&forged, &of(0, 5), &Trust::default());
    assert_eq!((verdict.finding, verdict.first_bad_index), (Finding::Tampered, Some(5)));
    assert!(verdict.reason.contains("before leaf 5"), "{verdict:?}");
    let verdict = since(&forged, &of(0, 7), &Trust::default());
    assert_eq!(verdict.finding, Finding::Tampered);
    let rewritten =
        part((5, 8), 7, |_| true, |index| if index == 6 { "{}".into() } else { event(index) });
    let verdict = since(&rewritten, &of(0, 8), &Trust::default());
    assert_eq!((verdict.finding, verdict.first_bad_index), (Finding::Tampered, Some(6)));
    let other = part((5, 8), 8, |_| true, event);
    let trust =
        Trust { keys: vec![signer(7).verifier().to_string().parse().unwrap()], ..Trust::default() };
    assert_eq!(since(&other, &of(0, 5), &trust).finding, Finding::Tampered);
    assert_eq!(since(&other, &of(0, 5), &Trust::default()).finding, Finding::Tampered);
}
