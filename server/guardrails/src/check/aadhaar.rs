//! Identity numbers of India: twelve digits with Verhoeff's check digit.

use super::{digits, monotone};

/// Multiplication in the dihedral group of order ten.
const PRODUCT: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];

/// What a digit becomes by its place, from the right.
const PLACE: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

pub(super) fn passes(text: &str) -> bool {
    let digits = digits(text);
    digits.len() == 12 && digits[0] > 1 && !monotone(&digits) && verhoeff(&digits)
}

fn verhoeff(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0_u8, |sum, (at, digit)| {
        PRODUCT[usize::from(sum)][usize::from(PLACE[at % 8][usize::from(*digit)])]
    });
    sum == 0
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn every_changed_digit_and_swapped_pair_is_seen() {
        let good = b"234123412346";
        assert!(passes("2341 2341 2346"));
        for at in 0..good.len() {
            let mut changed = *good;
            changed[at] = if changed[at] == b'9' { b'8' } else { changed[at] + 1 };
            assert!(!passes(std::str::from_utf8(&changed).unwrap()), "digit {at}");
        }
        assert!(!passes("2431 2341 2346") && !passes("0341 2341 2346"));
    }
}
