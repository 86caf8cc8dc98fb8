//! JSON web tokens: the header is base64 of an object that names an algorithm.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(super) fn passes(text: &str) -> bool {
    let header = text.split('.').next().unwrap_or_default().trim_end_matches('=');
    let Ok(header) = URL_SAFE_NO_PAD.decode(header) else { return false };
    let header: Result<serde_json::Value, _> = serde_json::from_slice(&header);
    header.is_ok_and(|header| header.get("alg").is_some_and(serde_json::Value::is_string))
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn a_header_without_an_algorithm_is_no_token() {
        assert!(passes("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2ln"));
        assert!(!passes("eyJ0eXAiOiJKV1QifQ.e30.c2ln") && !passes("eyJub3QganNvbg.e30.c2ln"));
    }
}
