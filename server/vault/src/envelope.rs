//! The form in which one version of a secret is stored, and nothing else ever is.
//!
//! ```text
//! "RLXV1" | algorithm u8 | org key version u32 | nonce[12] | data key, wrapped [48]
//!         | commitment[32] | nonce[12] | ciphertext | tag[16]
//! ```
//!
//! The data key encrypts exactly one plaintext. Both ciphertexts are bound to what never changes
//! of their row, so a blob opens in no other row, organisation or deployment. AES-GCM alone does
//! not commit to its key, therefore the HMAC of the data key. Inside, before the value, stands
//! the origin that it may be sent to: who can write to the database can still not point a stored
//! key at a host of their own.

use ralex_kernel::{DeploymentId, OrgId, Secret, SecretId};
use zeroize::{Zeroize, Zeroizing};

use crate::cipher::{self, Identity, Integrity, KEY, KeyBytes, MAC, NONCE, TAG};
use crate::keys::OrgKey;

const MAGIC: &[u8; 5] = b"RLXV1";
const AES_256_GCM: u8 = 1;
const KIND: &[u8] = b"provider_key";
const COMMITMENT: &[u8] = b"commit/v1";

/// Which version of which secret a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub deployment: DeploymentId,
    pub org: OrgId,
    pub secret: SecretId,
    pub version: u32,
}

impl Place {
    fn identity(&self, label: &str) -> Identity {
        Identity::of(label)
            .with(self.deployment.uuid().as_bytes())
            .with(self.org.uuid().as_bytes())
            .with(self.secret.uuid().as_bytes())
            .with(&u64::from(self.version).to_be_bytes())
    }

    fn of_value(&self) -> Identity {
        self.identity("rlxv1/secret").with(KIND)
    }

    fn of_data_key(&self, org_key: u32) -> Identity {
        self.identity("rlxv1/dek").with(&org_key.to_be_bytes())
    }
}

/// Encrypts a value for one place and one origin.
pub(crate) fn seal(
    key: &OrgKey,
    place: &Place,
    origin: &str,
    value: &str,
) -> Result<Vec<u8>, Integrity> {
    let data_key = cipher::random::<KEY>();
    let nonce = cipher::random::<NONCE>();
    let plain = join(origin, value)?;
    let mut blob = MAGIC.to_vec();
    blob.push(AES_256_GCM);
    blob.extend(key.version.to_be_bytes());
    blob.extend(cipher::wrap(&key.wrapping, &place.of_data_key(key.version), &*data_key)?);
    blob.extend(cipher::mac(&data_key, COMMITMENT)?);
    blob.extend(*nonce);
    blob.extend(cipher::encrypt(&data_key, &nonce, place.of_value().bytes(), &plain)?);
    Ok(blob)
}

/// Decrypts what [`seal`] made for this place and this origin.
pub(crate) fn open(
    key: &OrgKey,
    place: &Place,
    origin: &str,
    blob: &[u8],
) -> Result<Secret, Integrity> {
    let parts = Parts::of(blob)?;
    if parts.org_key != key.version {
        return Err(Integrity);
    }
    let of_data_key = place.of_data_key(parts.org_key);
    let data_key: KeyBytes = cipher::unwrap_key(&key.wrapping, &of_data_key, parts.wrapped)?;
    cipher::check_mac(&data_key, COMMITMENT, parts.commitment)?;
    let identity = place.of_value();
    let plain = cipher::decrypt(&data_key, parts.nonce, identity.bytes(), parts.sealed)?;
    split(plain, origin)
}

/// The parts of a blob, by their places.
struct Parts<'a> {
    org_key: u32,
    wrapped: &'a [u8],
    commitment: &'a [u8],
    nonce: &'a [u8; NONCE],
    sealed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(blob: &'a [u8]) -> Result<Self, Integrity> {
        let rest = blob.strip_prefix(MAGIC).ok_or(Integrity)?;
        let (&[algorithm], rest) = rest.split_first_chunk().ok_or(Integrity)?;
        if algorithm != AES_256_GCM {
            return Err(Integrity);
        }
        let (version, rest) = rest.split_first_chunk().ok_or(Integrity)?;
        let (wrapped, rest) = rest.split_at_checked(NONCE + KEY + TAG).ok_or(Integrity)?;
        let (commitment, rest) = rest.split_at_checked(MAC).ok_or(Integrity)?;
        let (nonce, sealed) = rest.split_first_chunk().ok_or(Integrity)?;
        Ok(Self { org_key: u32::from_be_bytes(*version), wrapped, commitment, nonce, sealed })
    }
}

fn join(origin: &str, value: &str) -> Result<Zeroizing<Vec<u8>>, Integrity> {
    let length = u16::try_from(origin.len()).map_err(|_| Integrity)?;
    // With its whole size at once the buffer never moves, so it leaves no copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(2 + origin.len() + value.len()));
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(origin.as_bytes());
    plain.extend_from_slice(value.as_bytes());
    Ok(plain)
}

fn split(plain: Zeroizing<Vec<u8>>, origin: &str) -> Result<Secret, Integrity> {
    let (length, rest) = plain.split_first_chunk::<2>().ok_or(Integrity)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (bound_to, value) = rest.split_at_checked(length).ok_or(Integrity)?;
    if bound_to != origin.as_bytes() {
        return Err(Integrity);
    }
    String::from_utf8(value.to_vec()).map(Secret::new).map_err(|error| {
        error.into_bytes().zeroize();
        Integrity
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://api.example.com";
    const VALUE: &str = "sk-canary-0123456789";

    fn place() -> Place {
        Place {
            deployment: DeploymentId::generate(),
            org: OrgId::generate(),
            secret: SecretId::generate(),
            version: 7,
        }
    }

    fn key() -> OrgKey {
        OrgKey::from_key(3, &cipher::random()).unwrap()
    }

    #[test]
    fn a_value_comes_back_at_its_own_place() {
        let (key, place) = (key(), place());
        let blob = seal(&key, &place, ORIGIN, VALUE).unwrap();
        assert_eq!(blob.len(), 5 + 1 + 4 + 12 + 48 + 32 + 12 + 2 + ORIGIN.len() + VALUE.len() + 16);
        assert_eq!(open(&key, &place, ORIGIN, &blob).unwrap().expose(), VALUE);
        assert!(!blob.windows(VALUE.len()).any(|part| part == VALUE.as_bytes()));
    }

    #[test]
    fn a_changed_or_cut_blob_never_opens() {
        let (key, place) = (key(), place());
        let blob = seal(&key, &place, ORIGIN, VALUE).unwrap();
        for at in 0..blob.len() {
            for bit in 0..8 {
                let mut changed = blob.clone();
                changed[at] ^= 1 << bit;
                assert!(open(&key, &place, ORIGIN, &changed).is_err(), "byte {at}, bit {bit}");
            }
            assert!(open(&key, &place, ORIGIN, &blob[..at]).is_err(), "cut at {at}");
        }
        let longer = [blob.as_slice(), &[0]].concat();
        assert!(open(&key, &place, ORIGIN, &longer).is_err());
    }

    #[test]
    fn a_blob_opens_in_no_other_row_version_organisation_or_deployment() {
        let (key, place) = (key(), place());
        let blob = seal(&key, &place, ORIGIN, VALUE).unwrap();
        let elsewhere = [
            Place { deployment: DeploymentId::generate(), ..place },
            Place { org: OrgId::generate(), ..place },
            Place { secret: SecretId::generate(), ..place },
            Place { version: place.version + 1, ..place },
        ];
        for other in elsewhere {
            assert!(open(&key, &other, ORIGIN, &blob).is_err(), "{other:?}");
        }
        let same_version = OrgKey::from_key(key.version, &cipher::random()).unwrap();
        assert!(open(&same_version, &place, ORIGIN, &blob).is_err());
        assert!(open(&key, &place, "https://evil.example", &blob).is_err());
    }

    #[test]
    fn every_byte_of_both_identities_is_bound() {
        let (key, place) = (key(), place());
        let blob = seal(&key, &place, ORIGIN, VALUE).unwrap();
        let parts = Parts::of(&blob).unwrap();
        let of_data_key = place.of_data_key(key.version);
        let data_key = cipher::unwrap_key(&key.wrapping, &of_data_key, parts.wrapped).unwrap();
        let flipped = |bytes: &[u8], at: usize| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1;
            bytes
        };
        let of_value = place.of_value();
        for at in 0..of_value.bytes().len() {
            let identity = flipped(of_value.bytes(), at);
            assert!(cipher::decrypt(&data_key, parts.nonce, &identity, parts.sealed).is_err());
        }
        let (nonce, sealed) = parts.wrapped.split_first_chunk::<NONCE>().unwrap();
        for at in 0..of_data_key.bytes().len() {
            let identity = flipped(of_data_key.bytes(), at);
            assert!(cipher::decrypt(&key.wrapping, nonce, &identity, sealed).is_err());
        }
    }

    #[test]
    fn another_data_key_is_not_committed_to() {
        let (key, place) = (key(), place());
        let mut blob = seal(&key, &place, ORIGIN, VALUE).unwrap();
        let data_key = cipher::random::<KEY>();
        let wrapped = cipher::wrap(&key.wrapping, &place.of_data_key(key.version), &*data_key);
        blob[10..70].copy_from_slice(&wrapped.unwrap());
        assert!(open(&key, &place, ORIGIN, &blob).is_err());
    }
}
