//! The three primitives that everything here is made of: AES-256-GCM over a stated identity,
//! HMAC-SHA-256 and HKDF-SHA-256.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

pub(crate) const KEY: usize = 32;
pub(crate) const NONCE: usize = 12;
pub(crate) const TAG: usize = 16;
pub(crate) const MAC: usize = 32;

/// A key, wiped when it is dropped.
pub(crate) type KeyBytes = Zeroizing<[u8; KEY]>;

/// What was stored is not what stands there now, or it stands in another's place.
///
/// There is no second variant on purpose: which check failed is of use to an attacker only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the integrity check failed")]
pub(crate) struct Integrity;

/// Fresh bytes of the process's generator, which the operating system seeds.
pub(crate) fn random<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    rand::fill(&mut bytes[..]);
    bytes
}

/// Whose ciphertext it is: every part with its length before it, so that no two rows of parts
/// read the same.
pub(crate) struct Identity(Vec<u8>);

impl Identity {
    pub fn of(label: &str) -> Self {
        Self(Vec::with_capacity(128)).with(label.as_bytes())
    }

    pub fn with(mut self, part: &[u8]) -> Self {
        // Parts are ids, numbers and our own words; a length beyond 32 bits cannot come to be.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(part);
        self
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Encrypts under a key and nonce that never meet again; the tag stands at the end.
pub(crate) fn encrypt(
    key: &KeyBytes,
    nonce: &[u8; NONCE],
    identity: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, Integrity> {
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(**key));
    cipher
        .encrypt(&Nonce::from(*nonce), Payload { msg: plain, aad: identity })
        .map_err(|_| Integrity)
}

pub(crate) fn decrypt(
    key: &KeyBytes,
    nonce: &[u8; NONCE],
    identity: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Integrity> {
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(**key));
    cipher
        .decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: identity })
        .map(Zeroizing::new)
        .map_err(|_| Integrity)
}

/// Encrypts something small under a fresh nonce, which stands before it.
pub(crate) fn wrap(
    key: &KeyBytes,
    identity: &Identity,
    plain: &[u8],
) -> Result<Vec<u8>, Integrity> {
    let nonce = random::<NONCE>();
    let mut wrapped = nonce.to_vec();
    wrapped.extend(encrypt(key, &nonce, identity.bytes(), plain)?);
    Ok(wrapped)
}

/// Undoes [`wrap`] for a key.
pub(crate) fn unwrap_key(
    key: &KeyBytes,
    identity: &Identity,
    wrapped: &[u8],
) -> Result<KeyBytes, Integrity> {
    let (nonce, sealed) = wrapped.split_first_chunk::<NONCE>().ok_or(Integrity)?;
    let plain = decrypt(key, nonce, identity.bytes(), sealed)?;
    let plain: &[u8; KEY] = plain.as_slice().try_into().map_err(|_| Integrity)?;
    Ok(Zeroizing::new(*plain))
}

/// A key for one purpose, from a key that serves several.
pub(crate) fn derive(key: &KeyBytes, purpose: &str) -> Result<KeyBytes, Integrity> {
    let mut derived = Zeroizing::new([0; KEY]);
    Hkdf::<Sha256>::new(None, &**key)
        .expand(purpose.as_bytes(), &mut *derived)
        .map_err(|_| Integrity)?;
    Ok(derived)
}

pub(crate) fn mac(key: &KeyBytes, message: &[u8]) -> Result<[u8; MAC], Integrity> {
    Ok(keyed(key, message)?.finalize().into_bytes().into())
}

/// Compares in constant time.
pub(crate) fn check_mac(key: &KeyBytes, message: &[u8], mac: &[u8]) -> Result<(), Integrity> {
    keyed(key, message)?.verify_slice(mac).map_err(|_| Integrity)
}

fn keyed(key: &KeyBytes, message: &[u8]) -> Result<Hmac<Sha256>, Integrity> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&**key).map_err(|_| Integrity)?;
    mac.update(message);
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_of_an_identity_cannot_be_shifted() {
        let one = Identity::of("a").with(b"bc").with(b"d");
        let other = Identity::of("a").with(b"b").with(b"cd");
        assert_ne!(one.bytes(), other.bytes());
    }

    /// NIST's GCM test case 16: AES-256, 60 bytes of plaintext, 20 of identity.
    #[test]
    fn the_cipher_agrees_with_a_published_vector() {
        let bytes = |text| hex::decode(text).unwrap();
        let key: [u8; KEY] =
            bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
                .try_into()
                .unwrap();
        let nonce: [u8; NONCE] = bytes("cafebabefacedbaddecaf888").try_into().unwrap();
        let plain = bytes(concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        ));
        let identity = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let sealed = encrypt(&Zeroizing::new(key), &nonce, &identity, &plain).unwrap();
        let expected = concat!(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b"
        );
        assert_eq!(hex::encode(sealed), expected);
    }

    #[test]
    fn keys_of_different_purposes_have_nothing_in_common() {
        let key = random::<KEY>();
        assert_ne!(*derive(&key, "one").unwrap(), *derive(&key, "two").unwrap());
    }

    proptest! {
        #[test]
        fn what_is_wrapped_opens_only_under_its_key_and_identity(
            bytes: [u8; KEY], name in "[a-z]{1,20}", at in 0usize..60,
        ) {
            let key = random::<KEY>();
            let identity = Identity::of(&name);
            let mut wrapped = wrap(&key, &identity, &bytes).unwrap();
            prop_assert_eq!(*unwrap_key(&key, &identity, &wrapped).unwrap(), bytes);
            prop_assert!(unwrap_key(&random(), &identity, &wrapped).is_err());
            let other = Identity::of(&name).with(b"");
            prop_assert!(unwrap_key(&key, &other, &wrapped).is_err());
            wrapped[at] ^= 1;
            prop_assert!(unwrap_key(&key, &identity, &wrapped).is_err());
            prop_assert!(unwrap_key(&key, &identity, &wrapped[..at]).is_err());
        }
    }
}
