//! Witnesses: others who sign that they have seen this log only ever grow (C2SP tlog-witness).
//!
//! A witness remembers the largest tree that it was shown and signs a larger one only with a proof
//! that it continues the first. So a database that was put back to yesterday, or a history that
//! was rewritten and signed anew, cannot get a witness's signature any more, whoever holds our
//! keys. Witnesses see the head of the log of logs and nothing else: a number and a hash.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};

/// The signature type of a timestamped Ed25519 cosignature (C2SP tlog-cosignature).
const COSIGNATURE: u8 = 4;

/// A witness as an operator names it: its verifier key and the address it is asked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
    /// Without a slash at its end.
    url: String,
}

/// Who is asked, and how a request gets there.
#[derive(Clone, Default)]
pub struct Witnesses {
    pub list: Vec<Witness>,
    pub courier: Option<Arc<dyn Courier>>,
}

/// Carries a request to a witness. The crate that knows HTTP implements it.
pub trait Courier: Send + Sync {
    /// Posts a text; an error says in a few words why no answer came.
    fn post<'a>(&'a self, url: &'a str, body: String) -> BoxFuture<'a, Result<Reply, String>>;
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a witness such as `witness.example/w1+<8 hexadecimal digits>+<base64> https://witness.example`"
)]
pub struct NotAWitness;

impl FromStr for Witness {
    type Err = NotAWitness;

    fn from_str(text: &str) -> Result<Self, NotAWitness> {
        let (verifier, url) = text.trim().split_once(char::is_whitespace).ok_or(NotAWitness)?;
        let url = url.trim().trim_end_matches('/');
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            return Err(NotAWitness);
        }
        let mut parts = verifier.splitn(3, '+');
        let (Some(name), Some(_id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NotAWitness);
        };
        let bytes = STANDARD.decode(key).map_err(|_| NotAWitness)?;
        let public = bytes.strip_prefix(&[COSIGNATURE]).ok_or(NotAWitness)?;
        let public: [u8; 32] = public.try_into().map_err(|_| NotAWitness)?;
        let digest = Sha256::new()
            .chain_update(name.as_bytes())
            .chain_update([b'\n', COSIGNATURE])
            .chain_update(public)
            .finalize();
        let witness = Self {
            name: name.to_owned(),
            id: [digest[0], digest[1], digest[2], digest[3]],
            key: VerifyingKey::from_bytes(&public).map_err(|_| NotAWitness)?,
            url: url.to_owned(),
        };
        if !name.is_empty() && witness.verifier() == verifier {
            Ok(witness)
        } else {
            Err(NotAWitness)
        }
    }
}

impl Witness {
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its key in the text form of a verifier key.
    pub fn verifier(&self) -> String {
        let mut key = vec![COSIGNATURE];
        key.extend(self.key.as_bytes());
        format!("{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), STANDARD.encode(key))
    }

    /// When this witness cosigned that text, if the line is its cosignature of it.
    pub(crate) fn cosigned(&self, body: &str, line: &str) -> Option<u64> {
        let rest = line.strip_prefix(&format!("\u{2014} {} ", self.name))?.strip_suffix('\n')?;
        let bytes = STANDARD.decode(rest).ok()?;
        let (time, signature) = bytes.strip_prefix(&self.id)?.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        let text = format!("cosignature/v1\ntime {time}\n{body}");
        let signature = Signature::from_slice(signature).ok()?;
        self.key.verify_strict(text.as_bytes(), &signature).is_ok().then_some(time)
    }
}

impl fmt::Debug for Witnesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Witnesses").field(&self.list).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_verifies() {
        let body =
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        // The specification prints no key for its example, so only its form can be held against it.
        let line = "\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
        let bytes = STANDARD.decode(line.trim_end().rsplit(' ').next().unwrap()).unwrap();
        assert_eq!(bytes.len(), 4 + 8 + 64);
        assert_eq!(u64::from_be_bytes(bytes[4..12].try_into().unwrap()), 1_679_315_147);
        assert!(body.ends_with('\n'));
    }

    #[test]
    fn what_is_not_a_witness_is_refused() {
        for text in ["", "x", "x https://x", "a+00000000+BAAA https://x", "name+1234 ftp://x"] {
            assert_eq!(text.parse::<Witness>(), Err(NotAWitness), "{text}");
        }
    }
}
