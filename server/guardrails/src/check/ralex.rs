//! Ralex's own tokens: the last six characters are a checksum of the others.

const CHECK_LENGTH: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(super) fn passes(text: &str) -> bool {
    if text.len() <= CHECK_LENGTH || !text.is_ascii() {
        return false;
    }
    let (body, check) = text.split_at(text.len() - CHECK_LENGTH);
    checksum(body) == check
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = ['0'; CHECK_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(ALPHABET[(rest % 62) as usize]);
        rest /= 62;
    }
    digits.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{checksum, passes};

    #[test]
    fn only_a_token_with_its_checksum_passes() {
        let body = "rlx_svc_012345678901234567890123456789";
        assert!(passes(&format!("{body}{}", checksum(body))));
        assert!(!passes(&format!("{body}000000")) && !passes(body));
    }
}
