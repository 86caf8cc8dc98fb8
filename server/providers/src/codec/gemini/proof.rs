//! Proofs of thoughts: Google's own, which must come back with the call that they belong to, and
//! those of others, which a caller of this dialect keeps for them.
//!
//! Google's field for a proof holds bytes in base64, which SDKs decode and encode anew. Another
//! vendor's proof is a text, so it travels there as the bytes of a marked text.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, prelude::BASE64_STANDARD};

const THINKING: &str = "ralex:thinking:";
const SEALED: &str = "ralex:sealed:";

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Tells Google's models that a call was not theirs, so that they do not ask for its proof.
pub(super) const NOT_ITS_OWN: &str = "skip_thought_signature_validator";
/// The same bytes for a caller, in the alphabet that every SDK can read.
pub(super) const NOT_GOOGLES: &str = "skip/thought/signature/validator";

/// What a proof in a caller's request is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Another vendor's, of the thought that it stands at.
    Thinking(String),
    /// A thought that only another vendor can read.
    Sealed(String),
    /// Google's, which no other vendor has a use for.
    Googles,
}

pub(super) fn thinking(signature: &str) -> String {
    BASE64_STANDARD.encode(format!("{THINKING}{signature}"))
}

pub(super) fn sealed(data: &str) -> String {
    BASE64_STANDARD.encode(format!("{SEALED}{data}"))
}

/// The proof of a call where it is Google's own.
pub(super) fn of_call(proof: &str) -> Option<String> {
    (!matches!(proof, NOT_ITS_OWN | NOT_GOOGLES)).then(|| proof.to_owned())
}

pub(super) fn read(proof: &str) -> Proof {
    let bytes = STANDARD.decode(proof).or_else(|_| URL_SAFE.decode(proof)).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    match (text.strip_prefix(THINKING), text.strip_prefix(SEALED)) {
        (Some(signature), _) => Proof::Thinking(signature.to_owned()),
        (None, Some(data)) => Proof::Sealed(data.to_owned()),
        (None, None) => Proof::Googles,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_of_another_vendor_survives_either_alphabet() {
        let signature = "Ev+/?>~==";
        for proof in [
            thinking(signature),
            thinking(signature).replace('+', "-").replace('/', "_"),
            thinking(signature).trim_end_matches('=').to_owned(),
        ] {
            assert_eq!(read(&proof), Proof::Thinking(signature.to_owned()), "{proof}");
        }
        assert_eq!(read(&sealed("x")), Proof::Sealed("x".to_owned()));
        assert_eq!(read("CiEBjz1rX0ilumvPg6k0sMMUtISo"), Proof::Googles);
        assert_eq!(read("not base64!"), Proof::Googles);
    }
}
