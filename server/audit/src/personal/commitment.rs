//! Commitments: what stands in a leaf in the place of a personal value.
//!
//! In the manner of RFC 9901 (SD-JWT): a disclosure is the JSON array of a salt and the value, in
//! base64url; the leaf holds `{"...": digest}`, with the SHA-256 of that text. Without the salt the
//! digest tells nothing of the value, however few values there are to guess from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const SALT: usize = 16;
/// The one key of a commitment.
pub(crate) const KEY: &str = "...";

/// A disclosure as JSON, and the commitment to it.
pub(crate) fn commit(value: &Value) -> (String, Value) {
    let mut salt = [0; SALT];
    rand::fill(&mut salt);
    let disclosure = json!([URL_SAFE_NO_PAD.encode(salt), value]).to_string();
    let commitment = json!({ KEY: digest(&encoded(&disclosure)) });
    (disclosure, commitment)
}

/// A disclosure as it is handed out.
pub(crate) fn encoded(disclosure: &str) -> String {
    URL_SAFE_NO_PAD.encode(disclosure)
}

pub(crate) fn digest(encoded: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(encoded))
}

/// The value that a disclosure discloses.
pub(crate) fn value(disclosure: &str) -> Option<Value> {
    let Ok(Value::Array(parts)) = serde_json::from_str(disclosure) else { return None };
    let [_salt, value] = <[Value; 2]>::try_from(parts).ok()?;
    Some(value)
}

/// The digest of a commitment; nothing where it is none.
pub(crate) fn committed(value: &Value) -> Option<&str> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get(KEY)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_is_to_its_disclosure_and_to_no_other() {
        let (one, first) = commit(&json!("203.0.113.9"));
        let (two, second) = commit(&json!("203.0.113.9"));
        assert_ne!(first, second, "salted");
        assert_eq!(committed(&first), Some(digest(&encoded(&one)).as_str()));
        assert_ne!(committed(&first), Some(digest(&encoded(&two)).as_str()));
        assert_eq!(value(&one), Some(json!("203.0.113.9")));
        assert_eq!(committed(&json!({ "...": "x", "y": 1 })), None);
    }

    /// The example of RFC 9901, section 4.2.1.
    #[test]
    fn digests_are_those_of_the_standard() {
        let disclosure = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        assert_eq!(digest(disclosure), "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
    }
}
