//! Checkpoints: signed heads of a tree (C2SP tlog-checkpoint in a signed note, Ed25519).
//!
//! One key signs for all organisations of a deployment; the first line of each note names the one
//! organisation that it is about.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use ralex_kernel::{DeploymentId, OrgId};
use sha2::{Digest, Sha256};

use crate::tree::Hash;

/// The signature type of Ed25519 in a signed note.
const ED25519: u8 = 1;

/// What a signed manifest starts with, so that it can never pass for a note.
const BUNDLE_DOMAIN: &str = "ralex audit bundle 1\n";

/// The deployment's signing key.
pub struct Signer {
    name: String,
    key: SigningKey,
}

/// The public half, in the text form that verifiers are given (`name+id+key`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl Signer {
    pub fn new(deployment: DeploymentId, seed: [u8; 32]) -> Self {
        Self { name: format!("ralex-{deployment}"), key: SigningKey::from_bytes(&seed) }
    }

    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The first line of an organisation's checkpoints.
    pub fn origin(&self, org: OrgId) -> String {
        format!("{}/audit/{org}", self.name)
    }

    /// The signed note for a tree of this size and root.
    pub(crate) fn note(&self, org: OrgId, size: u64, root: &Hash) -> String {
        let body = body(&self.origin(org), size, root);
        let mut signature = self.verifier().id().to_vec();
        signature.extend(self.key.sign(body.as_bytes()).to_bytes());
        format!("{body}\n\u{2014} {} {}\n", self.name, STANDARD.encode(signature))
    }

    /// A signature over the first line of an exported bundle.
    pub(crate) fn sign_manifest(&self, manifest: &str) -> String {
        let signed = format!("{BUNDLE_DOMAIN}{manifest}");
        STANDARD.encode(self.key.sign(signed.as_bytes()).to_bytes())
    }
}

impl VerifierKey {
    /// Four bytes that tell keys of one name apart.
    fn id(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// Whether `note` is this key's checkpoint of exactly this tree.
    pub(crate) fn vouches(&self, note: &str, origin: &str, size: u64, root: &Hash) -> bool {
        let body = body(origin, size, root);
        let Some(signed) = note.strip_prefix(&format!("{body}\n\u{2014} {} ", self.name)) else {
            return false;
        };
        let Some(Ok(bytes)) = signed.strip_suffix('\n').map(|text| STANDARD.decode(text)) else {
            return false;
        };
        let Some(signature) = bytes.strip_prefix(&self.id()) else { return false };
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(body.as_bytes(), &signature).is_ok())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        let mut key = vec![ED25519];
        key.extend(self.key.as_bytes());
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

/// The key itself stays out of logs.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier())
    }
}

fn body(origin: &str, size: u64, root: &Hash) -> String {
    format!("{origin}\n{size}\n{}\n", STANDARD.encode(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer::new(DeploymentId::from_uuid(uuid::Uuid::nil()), [7; 32])
    }

    #[test]
    fn a_note_vouches_for_one_tree_of_one_organisation_only() {
        let (signer, org) = (signer(), OrgId::generate());
        let (origin, root) = (signer.origin(org), [9; 32]);
        let note = signer.note(org, 5, &root);
        let key = signer.verifier();
        assert!(key.vouches(&note, &origin, 5, &root));
        assert!(!key.vouches(&note, &origin, 6, &root));
        assert!(!key.vouches(&note, &origin, 5, &[8; 32]));
        assert!(!key.vouches(&note, &signer.origin(OrgId::generate()), 5, &root));
        let other = Signer::new(DeploymentId::from_uuid(uuid::Uuid::nil()), [8; 32]);
        assert!(!other.verifier().vouches(&note, &origin, 5, &root));
    }

    #[test]
    fn a_note_has_the_form_of_the_specification() {
        let note = signer().note(OrgId::from_uuid(uuid::Uuid::nil()), 0, &[0; 32]);
        let lines: Vec<_> = note.split('\n').collect();
        assert_eq!(lines.len(), 6);
        assert!(lines[0].ends_with("/audit/00000000-0000-0000-0000-000000000000"));
        assert_eq!((lines[1], lines[3], lines[5]), ("0", "", ""));
        assert!(lines[4].starts_with("\u{2014} ralex-00000000-0000-0000-0000-000000000000 "));
    }

    #[test]
    fn the_key_is_not_printed() {
        assert!(!format!("{:?}", signer()).contains("BwcHBw"));
    }
}
