//! Keys and signed notes, as C2SP writes them down.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use super::tree::Hash;

/// A public key with its name, as text `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    id: [u8; 4],
    public: VerifyingKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a verifier key such as ralex-<deployment>+<8 hexadecimal digits>+<base64>")]
pub struct NotAKey;

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NotAKey);
        };
        let bytes = STANDARD.decode(key).map_err(|_| NotAKey)?;
        let Some((1, public)) = bytes.split_first().map(|(kind, rest)| (*kind, rest)) else {
            return Err(NotAKey);
        };
        let public: [u8; 32] = public.try_into().map_err(|_| NotAKey)?;
        let named = [name.as_bytes(), b"\n\x01", &public].concat();
        let digest = Sha256::digest(named);
        let key = Self {
            name: name.to_owned(),
            id: [digest[0], digest[1], digest[2], digest[3]],
            public: VerifyingKey::from_bytes(&public).map_err(|_| NotAKey)?,
        };
        // The id must be the key's own, and the text the only spelling of it.
        if key.to_string() == text && id.len() == 8 { Ok(key) } else { Err(NotAKey) }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let public = [&[1], self.public.as_bytes().as_slice()].concat();
        let id = u32::from_be_bytes(self.id);
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(public))
    }
}

/// A checkpoint whose signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub size: u64,
    pub root: Hash,
}

impl Key {
    /// Whether this key signed the bundle's first line.
    pub(crate) fn signed_manifest(&self, manifest: &[u8], signature: &str) -> bool {
        let text = [b"ralex audit bundle 1\n".as_slice(), manifest].concat();
        let bytes = STANDARD.decode(signature).unwrap_or_default();
        self.signed(&text, &bytes)
    }

    /// Opens a signed note of this log; none where it is not exactly such a note.
    pub(crate) fn open(&self, note: &str, origin: &str) -> Option<Head> {
        let (head, signatures) = note.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let (first, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        if lines.next().is_some() || first != origin {
            return None;
        }
        let number: u64 = size.parse().ok()?;
        let root: Hash = STANDARD.decode(root).ok()?.try_into().ok()?;
        let line = signatures.strip_prefix("\u{2014} ")?.strip_suffix('\n')?;
        let (name, signature) = line.split_once(' ')?;
        let bytes = STANDARD.decode(signature).ok()?;
        let (id, signature) = bytes.split_at_checked(4)?;
        let body = format!("{head}\n");
        let right = number.to_string() == size
            && name == self.name
            && id == self.id
            && self.signed(body.as_bytes(), signature);
        right.then_some(Head { size: number, root })
    }

    fn signed(&self, text: &[u8], signature: &[u8]) -> bool {
        // Strict: there is one signature of a text by a key, and no other spelling of it.
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.public.verify_strict(text, &signature).is_ok())
    }
}
