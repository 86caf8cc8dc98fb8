//! Tax codes of Italy: sixteen characters, the last a sum over the others.

/// What a digit or its letter adds in an odd place.
const ODD: [u32; 26] =
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

pub(super) fn passes(text: &str) -> bool {
    let written: Vec<u8> = text
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| byte.to_ascii_uppercase())
        .collect();
    let [body @ .., check] = written.as_slice() else { return false };
    if body.len() != 15 {
        return false;
    }
    let sum: u32 = body.iter().enumerate().map(|(at, byte)| added(at, *byte)).sum();
    u32::from(check.wrapping_sub(b'A')) == sum % 26
}

/// Places are counted from one, so the first is odd.
fn added(at: usize, byte: u8) -> u32 {
    let value = if byte.is_ascii_digit() { byte - b'0' } else { byte.saturating_sub(b'A') };
    if at.is_multiple_of(2) {
        ODD.get(usize::from(value)).copied().unwrap_or(0)
    } else {
        u32::from(value)
    }
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn the_last_letter_must_fit() {
        assert!(passes("RSSMRA85T10A562S") && passes("rssmra85t10a562s"));
        assert!(!passes("RSSMRA85T10A562T") && !passes("RSSMRA85T10A562"));
    }
}
