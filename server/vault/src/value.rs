//! What a key may look like: it goes into one header line, and a paste often brings a newline.

use ralex_kernel::{Problem, Secret};

const LONGEST: usize = 8192;

/// The value to store, without the newline that a paste brings along.
pub(crate) fn check(value: &Secret) -> Result<&str, Problem> {
    let text = value.expose().trim_end_matches(['\n', '\r']);
    let wrong = |message: &str| Err(Problem::field("value", message));
    if text.is_empty() {
        return wrong("must not be empty");
    }
    if text.len() > LONGEST {
        return wrong("must be at most 8192 bytes");
    }
    if text.contains(char::is_control) {
        return wrong("must not contain line breaks or other control characters");
    }
    if text.trim() != text {
        return wrong("must not begin or end with a space");
    }
    // A header line is visible ASCII; anything else is a wrong paste, told here and not per call.
    if !text.is_ascii() {
        return wrong("must be plain ASCII, as provider keys are");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(value: &str) -> Result<String, String> {
        check(&Secret::new(value.to_owned())).map(str::to_owned).map_err(|problem| problem.detail)
    }

    #[test]
    fn a_trailing_newline_is_dropped_and_nothing_else_is_changed() {
        assert_eq!(checked("sk-1\n").unwrap(), "sk-1");
        assert_eq!(checked("sk-1\r\n").unwrap(), "sk-1");
        assert_eq!(checked("sk 1").unwrap(), "sk 1");
        assert_eq!(checked(&"x".repeat(8192)).unwrap().len(), 8192);
    }

    #[test]
    fn what_no_provider_gives_out_is_refused_without_repeating_it() {
        for wrong in
            ["", "\n", " sk-1", "sk-1 ", "sk\n1", "sk\u{0}1", "sk-ü", &"x".repeat(8193), "sk-1 \n"]
        {
            let detail = checked(wrong).unwrap_err();
            assert!(!detail.contains("sk"), "{detail}");
        }
    }
}
