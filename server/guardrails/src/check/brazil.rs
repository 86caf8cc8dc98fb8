//! Tax numbers of Brazil: two check digits modulo 11.

use super::{digits, monotone};

/// Of a person: weights count down from 10, then from 11.
pub(super) fn is_cpf(text: &str) -> bool {
    let digits = digits(text);
    digits.len() == 11
        && !monotone(&digits)
        && check(&digits[..9], (2..=10).rev()) == digits[9]
        && check(&digits[..10], (2..=11).rev()) == digits[10]
}

/// Of a company: weights count down to 2 and begin again at 9.
pub(super) fn is_cnpj(text: &str) -> bool {
    let digits = digits(text);
    let weights = |first: u32| (2..=first).rev().chain((2..=9).rev());
    digits.len() == 14
        && !monotone(&digits)
        && check(&digits[..12], weights(5)) == digits[12]
        && check(&digits[..13], weights(6)) == digits[13]
}

fn check(digits: &[u8], weights: impl Iterator<Item = u32>) -> u8 {
    let sum: u32 =
        digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    match sum % 11 {
        0 | 1 => 0,
        rest => u8::try_from(11 - rest).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_cnpj, is_cpf};

    #[test]
    fn both_check_digits_must_fit() {
        assert!(is_cpf("529.982.247-25") && !is_cpf("529.982.247-24") && !is_cpf("111.111.111-11"));
        assert!(is_cnpj("11.222.333/0001-81") && !is_cnpj("11.222.333/0001-80"));
    }
}
