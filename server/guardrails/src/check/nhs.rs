//! Numbers of the British National Health Service: weights 10 to 2, modulo 11.

use super::{digits, monotone};

pub(super) fn passes(text: &str) -> bool {
    let digits = digits(text);
    if digits.len() != 10 || monotone(&digits) {
        return false;
    }
    let sum: u32 =
        digits[..9].iter().zip((2..=10).rev()).map(|(d, weight)| u32::from(*d) * weight).sum();
    let check = (11 - sum % 11) % 11;
    check != 10 && check == u32::from(digits[9])
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn a_wrong_check_digit_does_not_pass() {
        assert!(passes("943 476 5919") && passes("4010232137"));
        assert!(!passes("943 476 5918") && !passes("94347659"));
    }
}
