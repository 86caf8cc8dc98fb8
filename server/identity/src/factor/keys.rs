//! What second factors are sealed and digested with, derived from the deployment's key of tokens.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use ralex_kernel::{Problem, UserId};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::broken;

const NONCE: usize = 12;

/// Two keys with nothing in common, so that neither serves for what the other does.
pub(crate) struct Keys {
    sealing: Zeroizing<[u8; 32]>,
    recovery: Zeroizing<[u8; 32]>,
}

impl Keys {
    pub fn new(pepper: &[u8; 32]) -> Result<Self, Problem> {
        let derive = |purpose: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            Hkdf::<Sha256>::new(None, pepper)
                .expand(purpose, &mut *key)
                .map_err(|_| broken())
                .map(|()| key)
        };
        Ok(Self {
            sealing: derive(b"ralex/second-factor/seal/1")?,
            recovery: derive(b"ralex/second-factor/recovery-code/1")?,
        })
    }

    /// Seals a secret of one person: it opens for nobody else.
    pub fn seal(&self, user: UserId, secret: &[u8]) -> Result<Vec<u8>, Problem> {
        let mut nonce = [0; NONCE];
        rand::fill(&mut nonce[..]);
        let user = user.uuid();
        let payload = Payload { msg: secret, aad: user.as_bytes() };
        let sealed = self.cipher().encrypt(&Nonce::from(nonce), payload).map_err(|_| broken())?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub fn open(&self, user: UserId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or_else(broken)?;
        let user = user.uuid();
        let payload = Payload { msg: sealed, aad: user.as_bytes() };
        let opened = self.cipher().decrypt(&Nonce::from(*nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| broken())
    }

    /// What is kept of a recovery code. It is of one person, so that equal codes of two differ.
    pub fn recovery_digest(&self, user: UserId, code: &str) -> Vec<u8> {
        // HMAC fills a short key with zeros to a whole block; done here, it cannot fail.
        let mut key = Zeroizing::new([0_u8; 64]);
        key[..32].copy_from_slice(&*self.recovery);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&(*key).into());
        mac.update(user.uuid().as_bytes());
        mac.update(code.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&Key::<Aes256Gcm>::from(*self.sealing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_for_its_person_alone_and_unchanged_only() {
        let keys = Keys::new(&[7; 32]).unwrap();
        let (ann, bob) = (UserId::generate(), UserId::generate());
        let mut sealed = keys.seal(ann, b"a secret of twenty b").unwrap();
        assert!(!sealed.windows(6).any(|it| it == b"secret"));
        assert_eq!(*keys.open(ann, &sealed).unwrap(), b"a secret of twenty b");
        assert!(keys.open(bob, &sealed).is_err());
        assert!(Keys::new(&[8; 32]).unwrap().open(ann, &sealed).is_err());
        assert!(keys.open(ann, &sealed[..8]).is_err());
        sealed[20] ^= 1;
        assert!(keys.open(ann, &sealed).is_err());
    }

    #[test]
    fn a_recovery_code_is_of_one_person_and_one_deployment() {
        let (keys, other) = (Keys::new(&[7; 32]).unwrap(), Keys::new(&[8; 32]).unwrap());
        let (ann, bob) = (UserId::generate(), UserId::generate());
        let digest = keys.recovery_digest(ann, "abc");
        assert_eq!(keys.recovery_digest(ann, "abc"), digest);
        assert_ne!(keys.recovery_digest(bob, "abc"), digest);
        assert_ne!(keys.recovery_digest(ann, "abd"), digest);
        assert_ne!(other.recovery_digest(ann, "abc"), digest);
    }
}
