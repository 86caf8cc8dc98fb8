//! Tax identification numbers of Germany: eleven digits, ISO 7064 MOD 11,10.

use super::digits;

pub(super) fn passes(text: &str) -> bool {
    let digits = digits(text);
    digits.len() == 11 && digits[0] != 0 && one_digit_repeats(&digits[..10]) && {
        let product = digits[..10].iter().fold(10_u32, |product, digit| {
            let sum = match (u32::from(*digit) + product) % 10 {
                0 => 10,
                sum => sum,
            };
            sum * 2 % 11
        });
        (11 - product) % 10 == u32::from(digits[10])
    }
}

/// Of the first ten digits exactly one comes twice or three times, and the others at most once.
fn one_digit_repeats(digits: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for digit in digits {
        counts[usize::from(*digit)] += 1;
    }
    let repeated: Vec<u8> = counts.into_iter().filter(|count| *count > 1).collect();
    matches!(repeated.as_slice(), [2 | 3])
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn numbers_of_the_specification_pass_and_others_do_not() {
        for number in ["86 095 742 719", "47036892816", "65929970489"] {
            assert!(passes(number), "{number}");
        }
        assert!(!passes("86095742718") && !passes("12345678901") && !passes("11111111111"));
    }
}
