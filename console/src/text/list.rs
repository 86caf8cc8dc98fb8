//! Lists as people write them: words between commas.

/// `a, b` → a and b.
pub fn words(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn stray_commas_and_spaces_are_no_words() {
        assert_eq!(words(" a,, b c ,"), ["a", "b c"]);
        assert!(words(" , ").is_empty());
    }
}
