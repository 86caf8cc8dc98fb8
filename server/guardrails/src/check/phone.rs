//! Telephone numbers: a plausible number of digits (E.164 has at most 15), and not a date, a
//! version or a row of one digit.

use super::{digits, monotone};

pub(super) fn passes(text: &str) -> bool {
    let digits = digits(text);
    (7..=15).contains(&digits.len()) && !monotone(&digits) && !counts_up(&digits) && !is_date(text)
}

/// 123456789 and the like, as forms have them for an example.
fn counts_up(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 10)
}

/// 2026-11-21, 21.11.2026 and the like.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', '.', '/', ' ']).collect();
    let number = |part: &str, from: u32, to: u32| {
        part.parse().is_ok_and(|number: u32| (from..=to).contains(&number))
    };
    let year = |part: &str| part.len() == 4 && number(part, 1800, 2199);
    match parts.as_slice() {
        [y, m, d, ..] if year(y) => number(m, 1, 12) && number(d, 1, 31),
        [d, m, y] if year(y) => number(d, 1, 31) && number(m, 1, 31),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn dates_and_counters_are_no_numbers_to_call() {
        assert!(passes("+49 30 901820") && passes("(415) 555-2671") && passes("020 7946 0958"));
        assert!(!passes("2026-11-21") && !passes("21.11.2026") && !passes("1234567890"));
        assert!(!passes("0000000000") && !passes("12345"));
    }
}
