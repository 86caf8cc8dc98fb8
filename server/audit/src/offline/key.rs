//! Keys, as C2SP writes them down: those that sign a log, and those of witnesses.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

/// Signs notes.
const LOG: u8 = 1;
/// Signs that it has seen one, and when.
const WITNESS: u8 = 4;

/// What a signature says of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is the log's own.
    Mine,
    /// It was seen at that time (seconds since 1970).
    Seen(u64),
}

/// A public key with its name, as text `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    kind: u8,
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
        let Some((&kind, public)) = bytes.split_first() else { return Err(NotAKey) };
        let public: [u8; 32] = public.try_into().map_err(|_| NotAKey)?;
        if kind != LOG && kind != WITNESS {
            return Err(NotAKey);
        }
        let named = [name.as_bytes(), b"\n", &[kind], &public].concat();
        let digest = Sha256::digest(named);
        let key = Self {
            name: name.to_owned(),
            kind,
            id: [digest[0], digest[1], digest[2], digest[3]],
            public: VerifyingKey::from_bytes(&public).map_err(|_| NotAKey)?,
        };
        // The id must be the key's own, and the text the only spelling of it.
        if key.to_string() == text && id.len() == 8 { Ok(key) } else { Err(NotAKey) }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let public = [&[self.kind], self.public.as_bytes().as_slice()].concat();
        let id = u32::from_be_bytes(self.id);
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(public))
    }
}

impl Key {
    /// Whether it signs logs, and not as a witness.
    pub fn signs_logs(&self) -> bool {
        self.kind == LOG
    }

    /// Whether this key signed the bundle's first line.
    pub(crate) fn signed_manifest(&self, manifest: &[u8], signature: &str) -> bool {
        let text = [b"ralex audit bundle 1\n".as_slice(), manifest].concat();
        let bytes = STANDARD.decode(signature).unwrap_or_default();
        self.signs_logs() && self.signed(&text, &bytes)
    }

    /// What this signature of a note says, if it is this key's.
    pub(crate) fn made(&self, id: [u8; 4], signature: &[u8], body: &str) -> Option<Said> {
        if id != self.id {
            return None;
        }
        if self.signs_logs() {
            return self.signed(body.as_bytes(), signature).then_some(Said::Mine);
        }
        let (time, signature) = signature.split_at_checked(8)?;
        let time = u64::from_be_bytes(time.try_into().ok()?);
        let text = format!("cosignature/v1\ntime {time}\n{body}");
        self.signed(text.as_bytes(), signature).then_some(Said::Seen(time))
    }

    fn signed(&self, text: &[u8], signature: &[u8]) -> bool {
        // Strict: there is one signature of a text by a key, and no other spelling of it.
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.public.verify_strict(text, &signature).is_ok())
    }
}
