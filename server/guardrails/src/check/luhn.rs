//! Luhn's algorithm (ISO/IEC 7812), with the prefixes that payment cards have.

use super::{digits, monotone};

pub(super) fn passes(text: &str) -> bool {
    let digits = digits(text);
    issued(&digits) && !monotone(&digits) && sum(&digits).is_multiple_of(10)
}

/// Prefix and length as the card schemes give them out.
fn issued(digits: &[u8]) -> bool {
    let prefix = |length: usize| {
        digits.iter().take(length).fold(0_u32, |number, digit| number * 10 + u32::from(*digit))
    };
    match digits.len() {
        13 => prefix(1) == 4,
        14 => matches!(prefix(3), 300..=305) || matches!(prefix(2), 36 | 38 | 39),
        15 => matches!(prefix(2), 34 | 37),
        16 => {
            prefix(1) == 4
                || matches!(prefix(2), 51..=55 | 60 | 62 | 64 | 65)
                || matches!(prefix(4), 2221..=2720 | 3528..=3589 | 5018 | 5020 | 5038 | 6304 | 6759)
        }
        17..=19 => {
            matches!(prefix(2), 62)
                || matches!(prefix(4), 5018 | 5020 | 5038 | 6304 | 6759 | 6761 | 6762 | 6763)
                || (digits.len() == 19 && prefix(1) == 4)
        }
        _ => false,
    }
}

fn sum(digits: &[u8]) -> u32 {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) => doubled(digit),
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn cards_of_every_scheme_pass_and_one_wrong_digit_does_not() {
        let cards = [
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "378282246310005",
            "6011111111111117",
            "30569309025904",
            "3530111333300000",
            "2223003122003222",
        ];
        for card in cards {
            assert!(passes(card), "{card}");
        }
        assert!(!passes("4111 1111 1111 1112"));
        assert!(!passes("0000000000000000"), "a sum of nothing is no card");
        assert!(!passes("1234567812345670"), "no scheme begins with 1");
    }
}
