//! Numbers of German identity cards: nine characters and a check digit with the weights 7, 3, 1
//! that machine readable documents have (ICAO 9303).

pub(super) fn passes(text: &str) -> bool {
    let bytes: Vec<u8> = text.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let [number @ .., check] = bytes.as_slice() else { return false };
    if number.len() != 9 || !number.iter().any(u8::is_ascii_digit) || !check.is_ascii_digit() {
        return false;
    }
    let sum: u32 = number
        .iter()
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(byte, weight)| value(*byte) * weight)
        .sum();
    sum % 10 == u32::from(check - b'0')
}

fn value(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        letter => u32::from(letter.to_ascii_uppercase() - b'A') + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn the_specimen_passes_and_a_changed_one_does_not() {
        assert!(passes("L01X00T471") && passes("T220001293"));
        assert!(!passes("L01X00T472") && !passes("L01X00T47"));
    }
}
