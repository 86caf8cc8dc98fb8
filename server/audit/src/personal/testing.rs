//! A keeper that keeps nothing secret, for tests of crates that have no vault.

use std::sync::Arc;

use ralex_kernel::{Email, OrgId};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Keeper, NotOpened, Spot, SubjectKey, keep_with};

struct Plain;

/// Lets this process record personal values.
pub fn keep() {
    keep_with(Arc::new(Plain));
}

fn stream(key: &SubjectKey, spot: Spot, bytes: &[u8]) -> Vec<u8> {
    let pad = Sha256::new().chain_update(**key).chain_update(spot.event).chain_update(spot.key);
    let pad = pad.chain_update(spot.place.to_be_bytes()).finalize();
    bytes.iter().zip(pad.iter().cycle()).map(|(byte, pad)| byte ^ pad).collect()
}

impl Keeper for Plain {
    fn make(&self, _: OrgId, _: Uuid) -> Result<(SubjectKey, Vec<u8>, String), NotOpened> {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(&mut key[..]);
        let wrapped = key.iter().map(|byte| !byte).collect();
        let fingerprint = format!("{:02x}{:02x}", key[0], key[1]);
        Ok((key, wrapped, fingerprint))
    }

    fn open(&self, _: OrgId, _: Uuid, wrapped: &[u8]) -> Result<SubjectKey, NotOpened> {
        let key: [u8; 32] = wrapped.try_into().map_err(|_| NotOpened)?;
        Ok(Zeroizing::new(key.map(|byte| !byte)))
    }

    fn seal(&self, key: &SubjectKey, spot: Spot, plain: &[u8]) -> Result<Vec<u8>, NotOpened> {
        Ok(stream(key, spot, plain))
    }

    fn unseal(
        &self,
        key: &SubjectKey,
        spot: Spot,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        Ok(Zeroizing::new(stream(key, spot, sealed)))
    }

    fn contact(&self, org: OrgId, email: &Email) -> Result<Uuid, NotOpened> {
        let digest = Sha256::new().chain_update(org.uuid()).chain_update(email.key()).finalize();
        Uuid::from_slice(&digest[..16]).map_err(|_| NotOpened)
    }

    fn version(&self, _: OrgId) -> i64 {
        0
    }
}
