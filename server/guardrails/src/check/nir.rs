//! Social security numbers of France (NIR): 97 minus the first 13 digits modulo 97.

pub(super) fn passes(text: &str) -> bool {
    let written: String =
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    if written.len() != 15 || !written.starts_with(['1', '2', '3', '4', '7', '8']) {
        return false;
    }
    // The two departments of Corsica stand as 19 and 18.
    let number = written.replacen("2A", "19", 1).replacen("2B", "18", 1);
    let month = number[3..5].parse::<u32>().unwrap_or(0);
    let known_month = matches!(month, 1..=12 | 20 | 30..=42 | 50..=99);
    match (number[..13].parse::<u64>(), number[13..].parse::<u64>()) {
        (Ok(body), Ok(key)) => known_month && 97 - body % 97 == key,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn the_key_must_fit_on_the_mainland_and_in_corsica() {
        assert!(passes("2 55 08 14 168 025 38") && passes("1 84 12 76 451 089 46"));
        assert!(passes("180092A00400102"));
        assert!(!passes("2 55 08 14 168 025 39") && !passes("5 55 08 14 168 025 38"));
        assert!(!passes("2 55 13 14 168 025 38"), "there is no 13th month");
    }
}
