//! How a token is made and recognised: `rlx_pat_…`, `rlx_svc_…` and `rlx_scim_…`.
//!
//! 30 random base62 characters (178 bits) and six of checksum, so that a scanner can tell a token
//! from noise and junk is refused without asking the database. Stored is only a keyed digest.

use hmac::{Hmac, KeyInit, Mac};
use ralex_kernel::Secret;
use rand::RngExt;
use sha2::Sha256;
use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH: usize = 30;
/// Characters of a [`random_name`].
pub(crate) const NAME_LENGTH: usize = 22;
/// Characters of what [`Mint::vouch`] says.
pub(crate) const SEAL_LENGTH: usize = 64;
const CHECK_LENGTH: usize = 6;

/// What a token is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    Personal,
    Team,
    /// What an organisation's directory shows.
    Provisioning,
    /// What a console session's cookie holds.
    Session,
    /// A login whose second factor is still to come.
    Challenge,
    /// What an authenticator was asked.
    Ceremony,
    /// What a browser brings to a program.
    ProgramCode,
    /// What a program polls with while somebody types its code.
    DeviceCode,
    /// What somebody chooses a password by.
    Link,
}

impl TokenKind {
    const ALL: [Self; 9] = [
        Self::Personal,
        Self::Team,
        Self::Provisioning,
        Self::Session,
        Self::Challenge,
        Self::Ceremony,
        Self::ProgramCode,
        Self::DeviceCode,
        Self::Link,
    ];

    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Personal => "rlx_pat_",
            Self::Team => "rlx_svc_",
            Self::Provisioning => "rlx_scim_",
            Self::Session => "rlx_ses_",
            Self::Challenge => "rlx_2fa_",
            Self::Ceremony => "rlx_key_",
            Self::ProgramCode => "rlx_code_",
            Self::DeviceCode => "rlx_dev_",
            Self::Link => "rlx_link_",
        }
    }
}

/// A fresh token: the text for its owner, and what is kept of it.
pub struct Minted {
    pub text: Secret,
    pub digest: Vec<u8>,
    pub last_four: String,
}

/// Makes and recognises tokens under one deployment's key.
pub struct Mint {
    pepper: Zeroizing<[u8; 32]>,
}

impl Mint {
    pub const fn new(pepper: Zeroizing<[u8; 32]>) -> Self {
        Self { pepper }
    }

    pub fn mint(&self, kind: TokenKind) -> Minted {
        let mut text = kind.prefix().to_owned();
        text.push_str(&random(RANDOM_LENGTH));
        text.push_str(&checksum(&text));
        let last_four = text[text.len() - 4..].to_owned();
        Minted { digest: self.digest(&text), text: Secret::new(text), last_four }
    }

    /// The kind and stored digest of a well-formed token; nothing for anything else.
    pub fn recognise(&self, text: &str) -> Option<(TokenKind, Vec<u8>)> {
        let kind = TokenKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
        let length = kind.prefix().len() + RANDOM_LENGTH + CHECK_LENGTH;
        if text.len() != length || !text.is_ascii() {
            return None;
        }
        let (body, check) = text.split_at(length - CHECK_LENGTH);
        (checksum(body) == check).then(|| (kind, self.digest(text)))
    }

    /// What only this deployment can say of `text`, in hexadecimal digits. No token is such a text.
    pub fn vouch(&self, text: &str) -> String {
        hex::encode(self.digest(text))
    }

    /// Whether [`Mint::vouch`] said this, compared in constant time.
    pub fn vouches(&self, text: &str, seal: &str) -> bool {
        hex::decode(seal).is_ok_and(|bytes| self.mac(text).verify_slice(&bytes).is_ok())
    }

    pub(crate) fn digest(&self, text: &str) -> Vec<u8> {
        self.mac(text).finalize().into_bytes().to_vec()
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        // HMAC fills a short key with zeros to a whole block; done here, it cannot fail.
        let mut key = Zeroizing::new([0_u8; 64]);
        key[..32].copy_from_slice(&*self.pepper);
        let mut mac = Hmac::<Sha256>::new(&(*key).into());
        mac.update(text.as_bytes());
        mac
    }
}

/// 22 random base62 characters (130 bits).
pub(crate) fn random_name() -> String {
    random(NAME_LENGTH)
}

fn random(length: usize) -> String {
    let mut random = rand::rng();
    (0..length).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [0_u8; CHECK_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_and_one_changed_character_is_not() {
        let mint = Mint::new(Zeroizing::new([7; 32]));
        let minted = mint.mint(TokenKind::Team);
        let text = minted.text.expose();
        assert_eq!(text.len(), 44);
        let (kind, digest) = mint.recognise(text).unwrap();
        assert_eq!((kind, digest), (TokenKind::Team, minted.digest));
        for at in 0..text.len() {
            let mut broken = text.as_bytes().to_vec();
            broken[at] = if broken[at] == b'x' { b'y' } else { b'x' };
            assert!(mint.recognise(std::str::from_utf8(&broken).unwrap()).is_none(), "{at}");
        }
        for junk in ["", "rlx_svc_", "sk-test-123", "rlx_svc_\u{e4}", &"x".repeat(10_000)] {
            assert!(mint.recognise(junk).is_none());
        }
    }

    #[test]
    fn what_is_vouched_for_is_so_for_one_text_only() {
        let mint = Mint::new(Zeroizing::new([7; 32]));
        let seal = mint.vouch("device:a:ann@example.com");
        assert_eq!(seal.len(), SEAL_LENGTH);
        assert!(mint.vouches("device:a:ann@example.com", &seal));
        assert!(!mint.vouches("device:a:bob@example.com", &seal));
        for junk in ["", "0", "\u{e4}\u{e4}", &seal[2..], &seal.replace('0', "g"), "+f+f"] {
            assert!(junk == seal || !mint.vouches("device:a:ann@example.com", junk), "{junk}");
        }
    }

    #[test]
    fn a_digest_depends_on_the_deployment() {
        let minted = Mint::new(Zeroizing::new([1; 32])).mint(TokenKind::Personal);
        let other = Mint::new(Zeroizing::new([2; 32]));
        assert_ne!(other.recognise(minted.text.expose()).unwrap().1, minted.digest);
    }
}
