//! People's keys: what the audit log keeps of a person is sealed under a key of their own, and that
//! under one of the organisation's. To erase a person is to destroy their key.

use std::sync::Arc;

use ralex_access::Access;
use ralex_audit::personal::{Keeper, NotOpened, Spot, SubjectKey};
use ralex_kernel::{Email, OrgId};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cipher::{self, Identity, Integrity, KEY, KeyBytes, NONCE};

/// The deployment's key under which organisations' keys for this are derived.
pub(crate) const PERSONAL_KEY: &str = "audit_personal";
const FINGERPRINT: usize = 16;

/// Seals people's keys and what is sealed under them.
pub(crate) struct PersonalKeys {
    pub key: KeyBytes,
    pub access: Arc<Access>,
}

impl PersonalKeys {
    fn of(&self, org: OrgId, purpose: &str) -> Result<KeyBytes, Integrity> {
        cipher::derive(&self.key, &format!("rlxv1/personal/{purpose}/{org}"))
    }
}

fn of_key(org: OrgId, id: Uuid) -> Identity {
    Identity::of("rlxv1/personal/key").with(org.uuid().as_bytes()).with(id.as_bytes())
}

fn of_value(spot: Spot) -> Identity {
    Identity::of("rlxv1/personal/value")
        .with(spot.org.uuid().as_bytes())
        .with(spot.key.as_bytes())
        .with(spot.event.as_bytes())
        .with(&spot.place.to_be_bytes())
}

impl From<Integrity> for NotOpened {
    fn from(_: Integrity) -> Self {
        Self
    }
}

impl Keeper for PersonalKeys {
    fn make(&self, org: OrgId, id: Uuid) -> Result<(SubjectKey, Vec<u8>, String), NotOpened> {
        let key = cipher::random::<KEY>();
        let wrapped = cipher::wrap(&self.of(org, "wrap")?, &of_key(org, id), &*key)?;
        let print = cipher::derive(&key, "rlxv1/personal/fingerprint")?;
        Ok((key, wrapped, hex::encode(&print[..FINGERPRINT])))
    }

    fn open(&self, org: OrgId, id: Uuid, wrapped: &[u8]) -> Result<SubjectKey, NotOpened> {
        Ok(cipher::unwrap_key(&self.of(org, "wrap")?, &of_key(org, id), wrapped)?)
    }

    fn seal(&self, key: &SubjectKey, spot: Spot, plain: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let sealing = cipher::derive(key, "rlxv1/personal/seal")?;
        Ok(cipher::wrap(&sealing, &of_value(spot), plain)?)
    }

    fn unseal(
        &self,
        key: &SubjectKey,
        spot: Spot,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let sealing = cipher::derive(key, "rlxv1/personal/seal")?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(NotOpened)?;
        Ok(cipher::decrypt(&sealing, nonce, of_value(spot).bytes(), sealed)?)
    }

    fn contact(&self, org: OrgId, email: &Email) -> Result<Uuid, NotOpened> {
        let name = cipher::mac(&self.of(org, "name")?, email.key().as_bytes())?;
        let first: [u8; 16] = name[..16].try_into().map_err(|_| NotOpened)?;
        Ok(uuid::Builder::from_custom_bytes(first).into_uuid())
    }

    fn version(&self, org: OrgId) -> i64 {
        self.access.version(org)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    fn spot(org: OrgId, key: Uuid) -> Spot {
        Spot { org, key, event: Uuid::now_v7(), place: 0 }
    }

    #[tokio::test]
    async fn a_value_opens_under_its_own_key_and_in_its_own_place_alone() {
        let world = World::new().await;
        let keys =
            PersonalKeys { key: Zeroizing::new([7; KEY]), access: Arc::clone(&world.access) };
        let (org, id) = (world.org, Uuid::now_v7());
        let (key, wrapped, fingerprint) = keys.make(org, id).unwrap();
        assert_eq!(fingerprint.len(), 2 * FINGERPRINT);
        assert_eq!(keys.open(org, id, &wrapped).unwrap(), key);
        assert!(keys.open(org, Uuid::now_v7(), &wrapped).is_err());
        assert!(keys.open(OrgId::generate(), id, &wrapped).is_err());
        let here = spot(org, id);
        let sealed = keys.seal(&key, here, b"203.0.113.9").unwrap();
        assert!(!sealed.windows(11).any(|it| it == b"203.0.113.9"));
        assert_eq!(&*keys.unseal(&key, here, &sealed).unwrap(), b"203.0.113.9");
        let (other, ..) = keys.make(org, id).unwrap();
        assert!(keys.unseal(&other, here, &sealed).is_err());
        for elsewhere in [
            Spot { org: OrgId::generate(), ..here },
            Spot { key: Uuid::now_v7(), ..here },
            Spot { event: Uuid::now_v7(), ..here },
            Spot { place: 1, ..here },
        ] {
            assert!(keys.unseal(&key, elsewhere, &sealed).is_err(), "{elsewhere:?}");
        }
        let ada: Email = "Ada@example.com".parse().unwrap();
        let named = keys.contact(org, &ada).unwrap();
        assert_eq!(named, keys.contact(org, &"ada@EXAMPLE.com".parse().unwrap()).unwrap());
        assert_ne!(named, keys.contact(OrgId::generate(), &ada).unwrap());
    }
}
