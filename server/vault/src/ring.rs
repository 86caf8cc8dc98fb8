//! Use: from a provider's id to the key for one outgoing request, in two steps.
//!
//! [`Vault::locate`] says which version would be used and holds no plaintext; the broker records
//! that intent, and when the record is durable [`Vault::open_key`] decrypts. What is cached in
//! between calls is ciphertext and the organisation's opened key, for as long as the policy
//! version stands and a minute at most.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ralex_kernel::{Code, OrgId, Problem, ProviderId, Secret, SecretId};
use tokio::time::Instant;

use crate::envelope::{self, Place};
use crate::error::{broken_key, broken_secret};
use crate::keys::OrgKey;
use crate::limits::Limits;
use crate::{Inner, Vault, sql};

/// Together with the time between two sweeps, a minute.
const FRESH: Duration = Duration::from_secs(50);
const SWEEP: Duration = Duration::from_secs(10);

/// An organisation's active secret versions, still encrypted, and the keys that open them.
pub(crate) struct Ring {
    policy_version: i64,
    loaded_at: Instant,
    org_keys: Vec<OrgKey>,
    /// The newest first.
    secrets: Vec<sql::secret::Usable>,
}

/// Which key a call would use. Holds no plaintext.
#[derive(Clone)]
pub struct KeyRef {
    pub org: OrgId,
    pub secret: SecretId,
    pub version: u32,
    /// The only place that the key may be sent to.
    pub origin: Arc<str>,
    /// Its share beside the provider's other keys.
    pub limits: Limits,
    ring: Arc<Ring>,
}

impl fmt::Debug for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRef({} version {} for {})", self.secret, self.version, self.origin)
    }
}

impl Vault {
    /// The newest key for a provider that was entered for `origin`; nothing where the provider
    /// has no key at all. Keys for other origins are never considered.
    pub async fn locate(
        &self,
        org: OrgId,
        provider: ProviderId,
        origin: &str,
    ) -> Result<Option<KeyRef>, Problem> {
        let ring = self.0.ring(org).await?;
        let mut detached = false;
        for secret in ring.secrets.iter().filter(|secret| secret.provider == provider) {
            if secret.origin.as_ref() == origin {
                let (id, version) = (secret.id, secret.version);
                let origin = secret.origin.clone();
                let limits = secret.limits;
                return Ok(Some(KeyRef { org, secret: id, version, origin, limits, ring }));
            }
            detached = true;
        }
        if detached { Err(detached_key(origin)) } else { Ok(None) }
    }

    /// Every key for a provider that was entered for `origin`, the newest first; none where the
    /// provider has no key at all. Keys for other origins are never considered.
    pub async fn locate_all(
        &self,
        org: OrgId,
        provider: ProviderId,
        origin: &str,
    ) -> Result<Vec<KeyRef>, Problem> {
        let ring = self.0.ring(org).await?;
        let of_provider = || ring.secrets.iter().filter(|secret| secret.provider == provider);
        let usable = of_provider().filter(|secret| secret.origin.as_ref() == origin);
        let keys: Vec<KeyRef> = usable
            .map(|secret| KeyRef {
                org,
                secret: secret.id,
                version: secret.version,
                origin: secret.origin.clone(),
                limits: secret.limits,
                ring: ring.clone(),
            })
            .collect();
        if keys.is_empty() && of_provider().next().is_some() {
            return Err(detached_key(origin));
        }
        Ok(keys)
    }

    /// Decrypts a located key for one outgoing request to its origin.
    ///
    /// Only to be called once the intent of that call is durable: this is the moment at which a
    /// key leaves the vault.
    pub fn open_key(&self, key: &KeyRef) -> Result<Secret, Problem> {
        let place = Place {
            deployment: self.0.deployment,
            org: key.org,
            secret: key.secret,
            version: key.version,
        };
        let stored = key.ring.secrets.iter().find(|secret| secret.id == key.secret);
        let org_key = |version| key.ring.org_keys.iter().find(|key| key.version == version);
        stored
            .and_then(|stored| Some((stored, org_key(stored.org_key)?)))
            .ok_or(crate::cipher::Integrity)
            .and_then(|(stored, org_key)| {
                envelope::open(org_key, &place, &key.origin, &stored.blob)
            })
            .map_err(|error| broken_secret(key.secret, error))
    }
}

fn detached_key(origin: &str) -> Problem {
    Problem::new(
        Code::ProviderNotReady,
        format!(
            "The provider's address changed to {origin} after its key was entered, so the key is \
             not sent there. Someone who may manage provider keys must enter it again."
        ),
    )
}

impl Inner {
    /// The ring of now: as new as the policy version that this node knows.
    async fn ring(&self, org: OrgId) -> Result<Arc<Ring>, Problem> {
        // Read before the rows are, so that a change in between makes the ring old, not wrong.
        let version = self.access.version(org);
        if let Some(ring) = self.cached(org, version) {
            return Ok(ring);
        }
        let _one_at_a_time = self.loading.lock().await;
        let version = self.access.version(org);
        if let Some(ring) = self.cached(org, version) {
            return Ok(ring);
        }
        let ring = Arc::new(self.load(org, version).await?);
        self.rings.write().insert(org, ring.clone());
        Ok(ring)
    }

    fn cached(&self, org: OrgId, version: i64) -> Option<Arc<Ring>> {
        let rings = self.rings.read();
        rings.get(&org).filter(|ring| ring.policy_version == version && !ring.is_old()).cloned()
    }

    async fn load(&self, org: OrgId, policy_version: i64) -> Result<Ring, Problem> {
        let mut tx = self.db.tenant(org).await?;
        let secrets = sql::secret::usable(&mut tx, org).await.map_err(ralex_store::problem)?;
        let wrapped = sql::keys::org_keys(&mut tx, org).await.map_err(ralex_store::problem)?;
        let org_keys = wrapped
            .iter()
            .map(|stored| self.org_key(org, stored))
            .collect::<Result<_, _>>()
            .map_err(|error| broken_key("an organisation's key", error))?;
        Ok(Ring { policy_version, loaded_at: Instant::now(), org_keys, secrets })
    }
}

impl Ring {
    fn is_old(&self) -> bool {
        self.loaded_at.elapsed() >= FRESH
    }
}

/// Drops, and so wipes, opened keys of organisations that make no calls; ends with the vault.
pub(crate) fn forget_the_old(vault: Weak<Inner>) {
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(SWEEP);
        loop {
            ticks.tick().await;
            let Some(vault) = vault.upgrade() else { return };
            vault.rings.write().retain(|_, ring| !ring.is_old());
            ralex_audit::personal::forget_old_keys();
        }
    });
}

#[cfg(test)]
mod tests {
    use ralex_kernel::Code;

    use super::*;
    use crate::testing::{ORIGIN, World, add_org, add_provider};

    const CANARY: &str = "sk-canary-5f0c1d";

    #[tokio::test]
    async fn a_key_is_used_at_its_origin_and_printed_nowhere() {
        let world = World::new().await;
        assert_eq!(world.used(ORIGIN).await.unwrap(), None, "there is no key yet");
        let info = world.enter("main", CANARY).await.unwrap();
        let key = world.vault.locate(world.org, world.provider, ORIGIN).await.unwrap().unwrap();
        assert_eq!((key.secret, key.version, &*key.origin), (info.id, 1, ORIGIN));
        let opened = world.vault.open_key(&key).unwrap();
        assert_eq!(opened.expose(), CANARY);
        let printed = format!("{key:?} {opened:?} {info:?} {:?}", world.vault);
        assert!(!printed.contains(CANARY), "{printed}");
    }

    #[tokio::test]
    async fn a_key_is_never_located_for_another_origin_provider_or_organisation() {
        let world = World::new().await;
        world.enter("main", CANARY).await.unwrap();
        let refused = world.used("https://evil.example").await.unwrap_err();
        assert_eq!(refused.code, Code::ProviderNotReady);
        assert!(refused.detail.contains("enter it again"), "{}", refused.detail);
        let other = ProviderId::generate();
        add_provider(&world.database, world.org, other, "other").await;
        assert!(world.vault.locate(world.org, other, ORIGIN).await.unwrap().is_none());
        let stranger = add_org(&world.database).await;
        let located = world.vault.locate(stranger, world.provider, ORIGIN).await;
        assert!(located.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_newest_key_of_several_is_used() {
        let world = World::new().await;
        let old = world.enter("old", "sk-old").await.unwrap();
        world.enter("new", "sk-new").await.unwrap();
        assert_eq!(world.used(ORIGIN).await.unwrap().as_deref(), Some("sk-new"));
        world.replace(old.id, "sk-newest").await.unwrap();
        assert_eq!(world.used(ORIGIN).await.unwrap().as_deref(), Some("sk-newest"));
    }

    #[tokio::test]
    async fn rows_that_a_foreign_hand_moved_do_not_open() {
        let world = World::new().await;
        let one = world.enter("one", "sk-one").await.unwrap();
        let two = world.enter("two", "sk-two").await.unwrap();
        let mut owner = world.database.owner().await;
        let refused = async || {
            world.touch().await;
            world.used(ORIGIN).await.unwrap_err().code == Code::ProviderNotReady
        };
        sqlx::query!(
            "update secret_version set blob = (select blob from secret_version where secret_id = $1)
             where secret_id = $2",
            one.id as _,
            two.id as _,
        )
        .execute(&mut owner)
        .await
        .unwrap();
        assert!(refused().await, "another row's blob");
        world.replace(two.id, "sk-three").await.unwrap();
        sqlx::query!("update secret_version set version = 9 where version = 2")
            .execute(&mut owner)
            .await
            .unwrap();
        assert!(refused().await, "another version");
    }

    #[tokio::test]
    async fn a_key_whose_row_was_pointed_at_another_origin_does_not_open() {
        let world = World::new().await;
        world.enter("main", CANARY).await.unwrap();
        sqlx::query!("update secret set origin = 'https://evil.example'")
            .execute(&mut world.database.owner().await)
            .await
            .unwrap();
        world.move_provider("https://evil.example/v1").await;
        let refused = world.used("https://evil.example").await.unwrap_err();
        assert_eq!(refused.code, Code::ProviderNotReady);
        assert!(refused.detail.contains("integrity"), "{}", refused.detail);
    }

    #[tokio::test]
    async fn opened_keys_are_forgotten_within_a_minute() {
        let ring = |age| Ring {
            policy_version: 1,
            loaded_at: Instant::now().checked_sub(age).unwrap(),
            org_keys: Vec::new(),
            secrets: Vec::new(),
        };
        assert!(!ring(Duration::from_secs(49)).is_old());
        assert!(ring(FRESH).is_old());
        assert!(FRESH + SWEEP <= Duration::from_mins(1));
        let world = World::new().await;
        let (org, version) = (world.org, 1);
        world.vault.0.rings.write().insert(org, Arc::new(ring(FRESH)));
        assert!(world.vault.0.cached(org, version).is_none());
    }
}
