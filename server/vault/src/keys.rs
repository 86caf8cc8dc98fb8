//! The keys between the seal and a secret: the deployment's root key and each organisation's key.
//!
//! Every key encrypts by a sub-key derived for that purpose, so no key is ever used for two.

use ralex_kernel::{DeploymentId, OrgId};

use crate::cipher::{self, Identity, Integrity, KEY, KeyBytes};

/// How many bytes of a fingerprint are shown.
const FINGERPRINT: usize = 16;

/// The deployment's key; wraps organisations' keys and the deployment's own values.
pub(crate) struct RootKey {
    pub version: u32,
    wrapping: KeyBytes,
    fingerprint: String,
}

/// A fresh or opened root key, in the form in which the database keeps it.
pub(crate) struct WrappedRoot {
    pub version: u32,
    pub wrapped: Vec<u8>,
    pub fingerprint: String,
}

impl RootKey {
    /// Makes the first root key of a deployment.
    pub fn generate(
        seal: &KeyBytes,
        deployment: DeploymentId,
    ) -> Result<(Self, WrappedRoot), Integrity> {
        let version = 1;
        let key = cipher::random::<KEY>();
        let root = Self::from_key(version, &key)?;
        let sealing = cipher::derive(seal, "rlxv1/seal/wrap")?;
        let wrapped = cipher::wrap(&sealing, &root_identity(deployment, version), &*key)?;
        let fingerprint = root.fingerprint.clone();
        Ok((root, WrappedRoot { version, wrapped, fingerprint }))
    }

    pub fn unwrap(
        seal: &KeyBytes,
        deployment: DeploymentId,
        stored: &WrappedRoot,
    ) -> Result<Self, Integrity> {
        let sealing = cipher::derive(seal, "rlxv1/seal/wrap")?;
        let identity = root_identity(deployment, stored.version);
        let key = cipher::unwrap_key(&sealing, &identity, &stored.wrapped)?;
        let root = Self::from_key(stored.version, &key)?;
        if root.fingerprint == stored.fingerprint { Ok(root) } else { Err(Integrity) }
    }

    fn from_key(version: u32, key: &KeyBytes) -> Result<Self, Integrity> {
        Ok(Self {
            version,
            wrapping: cipher::derive(key, "rlxv1/root/wrap")?,
            fingerprint: hex::encode(
                &cipher::derive(key, "rlxv1/root/fingerprint")?[..FINGERPRINT],
            ),
        })
    }

    /// Makes an organisation's key; the second is its wrapped form.
    pub fn new_org_key(
        &self,
        deployment: DeploymentId,
        org: OrgId,
        version: u32,
    ) -> Result<(OrgKey, Vec<u8>), Integrity> {
        let key = cipher::random::<KEY>();
        let wrapped =
            cipher::wrap(&self.wrapping, &self.org_identity(deployment, org, version), &*key)?;
        Ok((OrgKey::from_key(version, &key)?, wrapped))
    }

    pub fn org_key(
        &self,
        deployment: DeploymentId,
        org: OrgId,
        version: u32,
        wrapped: &[u8],
    ) -> Result<OrgKey, Integrity> {
        let identity = self.org_identity(deployment, org, version);
        OrgKey::from_key(version, &cipher::unwrap_key(&self.wrapping, &identity, wrapped)?)
    }

    /// Makes a key of the deployment itself; the second is its sealed form.
    pub fn new_value(
        &self,
        deployment: DeploymentId,
        name: &str,
    ) -> Result<(KeyBytes, Vec<u8>), Integrity> {
        let value = cipher::random::<KEY>();
        let identity = self.value_identity(deployment, name);
        let sealed = cipher::wrap(&self.wrapping, &identity, &*value)?;
        Ok((value, sealed))
    }

    pub fn value(
        &self,
        deployment: DeploymentId,
        name: &str,
        sealed: &[u8],
    ) -> Result<KeyBytes, Integrity> {
        cipher::unwrap_key(&self.wrapping, &self.value_identity(deployment, name), sealed)
    }

    fn org_identity(&self, deployment: DeploymentId, org: OrgId, version: u32) -> Identity {
        Identity::of("rlxv1/org")
            .with(deployment.uuid().as_bytes())
            .with(org.uuid().as_bytes())
            .with(&version.to_be_bytes())
            .with(&self.version.to_be_bytes())
    }

    fn value_identity(&self, deployment: DeploymentId, name: &str) -> Identity {
        Identity::of("rlxv1/value")
            .with(deployment.uuid().as_bytes())
            .with(name.as_bytes())
            .with(&self.version.to_be_bytes())
    }
}

fn root_identity(deployment: DeploymentId, version: u32) -> Identity {
    Identity::of("rlxv1/root").with(deployment.uuid().as_bytes()).with(&version.to_be_bytes())
}

/// One organisation's key, opened.
pub(crate) struct OrgKey {
    pub version: u32,
    /// Wraps the data keys of secret versions.
    pub wrapping: KeyBytes,
    fingerprinting: KeyBytes,
}

impl OrgKey {
    pub fn from_key(version: u32, key: &KeyBytes) -> Result<Self, Integrity> {
        Ok(Self {
            version,
            wrapping: cipher::derive(key, "rlxv1/org/wrap")?,
            fingerprinting: cipher::derive(key, "rlxv1/org/fingerprint")?,
        })
    }

    /// Equal for equal values of this organisation, and of no use to anyone without this key.
    pub fn fingerprint(&self, value: &str) -> Result<String, Integrity> {
        let mac = cipher::mac(&self.fingerprinting, value.as_bytes())?;
        Ok(hex::encode(&mac[..FINGERPRINT]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_key_opens_only_under_its_seal_and_in_its_deployment() {
        let (seal, deployment) = (cipher::random::<KEY>(), DeploymentId::generate());
        let (root, stored) = RootKey::generate(&seal, deployment).unwrap();
        assert_eq!(RootKey::unwrap(&seal, deployment, &stored).unwrap().wrapping, root.wrapping);
        assert!(RootKey::unwrap(&cipher::random(), deployment, &stored).is_err());
        assert!(RootKey::unwrap(&seal, DeploymentId::generate(), &stored).is_err());
    }

    #[test]
    fn an_organisations_key_opens_for_it_alone() {
        let (deployment, org) = (DeploymentId::generate(), OrgId::generate());
        let (root, _) = RootKey::generate(&cipher::random(), deployment).unwrap();
        let (key, wrapped) = root.new_org_key(deployment, org, 1).unwrap();
        let opened = root.org_key(deployment, org, 1, &wrapped).unwrap();
        assert_eq!(opened.wrapping, key.wrapping);
        assert!(root.org_key(deployment, OrgId::generate(), 1, &wrapped).is_err());
        assert!(root.org_key(deployment, org, 2, &wrapped).is_err());
    }

    #[test]
    fn a_fingerprint_is_the_same_in_one_organisation_and_different_in_another() {
        let one = OrgKey::from_key(1, &cipher::random()).unwrap();
        let other = OrgKey::from_key(1, &cipher::random()).unwrap();
        let print = one.fingerprint("sk-1").unwrap();
        assert_eq!(print.len(), 2 * FINGERPRINT);
        assert_eq!(print, one.fingerprint("sk-1").unwrap());
        assert_ne!(print, one.fingerprint("sk-2").unwrap());
        assert_ne!(print, other.fingerprint("sk-1").unwrap());
    }

    #[test]
    fn a_value_of_the_deployment_opens_under_its_own_name_alone() {
        let deployment = DeploymentId::generate();
        let (root, _) = RootKey::generate(&cipher::random(), deployment).unwrap();
        let (value, sealed) = root.new_value(deployment, "token_pepper").unwrap();
        assert_eq!(root.value(deployment, "token_pepper", &sealed).unwrap(), value);
        assert!(root.value(deployment, "audit_seed", &sealed).is_err());
    }
}
