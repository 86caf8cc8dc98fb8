//! Entropy: how little of a text can be foretold, in bits per byte. Keys have much, words little.

/// Shannon's entropy over the bytes of a text.
pub(crate) fn bits_per_byte(text: &str) -> f32 {
    let mut counts = [0_u16; 256];
    // What is long enough to be a key says enough in its first bytes.
    let bytes = &text.as_bytes()[..text.len().min(1024)];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = f32::from(u16::try_from(bytes.len()).unwrap_or(u16::MAX)).max(1.0);
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f32::from(*count) / total)
        .map(|share| -share * share.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::bits_per_byte;

    #[test]
    fn keys_have_more_than_words() {
        assert!(bits_per_byte("aaaaaaaaaaaaaaaaaaaa") < 0.1);
        assert!(bits_per_byte("my_database_password") < 3.7);
        assert!(bits_per_byte("zX8k2mQ9vL4nR7tB1wY6cJ3hF5") > 4.5);
        assert!(bits_per_byte("").abs() < f32::EPSILON);
    }
}
