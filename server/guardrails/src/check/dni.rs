//! Identity numbers of Spain: the letter is the number modulo 23.

const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

pub(super) fn passes(text: &str) -> bool {
    let mut written: Vec<u8> = text
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| byte.to_ascii_uppercase())
        .collect();
    if written.len() != 9 {
        return false;
    }
    // A foreigner's number begins with a letter that counts as a digit.
    written[0] = match written[0] {
        b'X' => b'0',
        b'Y' => b'1',
        b'Z' => b'2',
        other => other,
    };
    if !written[..8].iter().all(u8::is_ascii_digit)
        || written[..8].iter().all(|it| *it == written[0])
    {
        return false;
    }
    let number =
        written[..8].iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    LETTERS[number % 23] == written[8]
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn the_letter_must_fit_the_number() {
        assert!(passes("12345678Z") && passes("12345678-z") && passes("X1234567L"));
        assert!(!passes("12345678A") && !passes("X1234567A") && !passes("00000000T"));
    }
}
