//! Checkpoints: the signed head of a tree, as C2SP writes it down (signed note, Ed25519).
//!
//! One key at a time signs for all organisations of a deployment; the first line of each note
//! names the one log that it is about. Earlier keys stay for what they signed, and sign once more
//! beside their successor: so whoever trusts the earlier one is led to the later.

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

/// The deployment's signing keys. The newest signs.
pub struct Signer {
    name: String,
    /// Oldest first; the version of a key is its place, from 1.
    earlier: Vec<SigningKey>,
    newest: SigningKey,
}

/// The public half, in the text form that verifiers are given (`name+id+key`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl Signer {
    /// With its first key.
    pub fn new(deployment: DeploymentId, seed: [u8; 32]) -> Self {
        let newest = SigningKey::from_bytes(&seed);
        Self { name: format!("ralex-{deployment}"), earlier: Vec::new(), newest }
    }

    /// The same with one more key, which is the newest from now on.
    pub(crate) fn followed_by(mut self, seed: &[u8; 32]) -> Self {
        let before = std::mem::replace(&mut self.newest, SigningKey::from_bytes(seed));
        self.earlier.push(before);
        self
    }

    /// The version of the newest key.
    pub fn version(&self) -> u32 {
        u32::try_from(self.earlier.len() + 1).unwrap_or(u32::MAX)
    }

    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.newest.verifying_key() }
    }

    /// The public halves from that version to another, oldest first.
    pub(crate) fn verifiers(&self, since: u32, until: u32) -> Vec<VerifierKey> {
        let named =
            |key: &SigningKey| VerifierKey { name: self.name.clone(), key: key.verifying_key() };
        self.keys(since, until).map(named).collect()
    }

    fn keys(&self, since: u32, until: u32) -> impl Iterator<Item = &SigningKey> {
        let all = self.earlier.iter().chain([&self.newest]);
        (1..=until).zip(all).filter(move |(version, _)| *version >= since).map(|(_, key)| key)
    }

    /// The first line of an organisation's checkpoints.
    pub fn origin(&self, org: OrgId) -> String {
        format!("{}/audit/{org}", self.name)
    }

    /// The first line of the checkpoints of the deployment's own log.
    pub fn super_origin(&self) -> String {
        format!("{}/audit", self.name)
    }

    /// The signed note for a tree of this size and root. The newest key signs; those from `since`
    /// on sign too, where it is the first one after them.
    pub(crate) fn note(&self, origin: &str, since: u32, size: u64, root: &Hash) -> String {
        use std::fmt::Write as _;
        let mut note = format!("{}\n", body(origin, size, root));
        let mut keys: Vec<_> = self.keys(since.min(self.version()), self.version()).collect();
        keys.reverse();
        for key in keys {
            let mut signature = id(&self.name, &key.verifying_key()).to_vec();
            signature.extend(key.sign(note_body(&note).as_bytes()).to_bytes());
            writeln!(note, "\u{2014} {} {}", self.name, STANDARD.encode(signature)).ok();
        }
        note
    }

    /// Whether `note` is the checkpoint of exactly this tree, signed by the key of that version
    /// and by nobody who is not one of ours.
    pub(crate) fn vouches(
        &self,
        version: u32,
        note: &str,
        origin: &str,
        size: u64,
        root: &Hash,
    ) -> bool {
        let body = body(origin, size, root);
        let Some(lines) = note.strip_prefix(&format!("{body}\n")) else { return false };
        let Some(wanted) = self.verifiers(version, version).pop() else { return false };
        let known = self.verifiers(1, self.version());
        let mut lines = lines.split_inclusive('\n').peekable();
        let mut found = lines.peek().is_some();
        let mut by_wanted = false;
        for line in lines {
            found &= known.iter().any(|key| key.signed(&body, line));
            by_wanted |= wanted.signed(&body, line);
        }
        found && by_wanted
    }

    /// The note with only those of its signatures that keys from `since` on made.
    pub(crate) fn only_since(&self, since: u32, note: &str) -> String {
        let body = note_body(note);
        let known = self.verifiers(since, self.version());
        let lines = note.get(body.len() + 1..).unwrap_or_default().split_inclusive('\n');
        let kept = lines.filter(|line| known.iter().any(|key| key.signed(body, line)));
        format!("{body}\n{}", kept.collect::<String>())
    }

    /// A signature over the first line of an exported bundle.
    pub(crate) fn sign_manifest(&self, version: u32, manifest: &str) -> String {
        let signed = format!("{BUNDLE_DOMAIN}{manifest}");
        let key = self.keys(version, version).next().unwrap_or(&self.newest);
        STANDARD.encode(key.sign(signed.as_bytes()).to_bytes())
    }
}

impl VerifierKey {
    /// Whether this line is this key's signature of that text.
    fn signed(&self, text: &str, line: &str) -> bool {
        let start = format!("\u{2014} {} ", self.name);
        let Some(Ok(bytes)) = line
            .strip_prefix(&start)
            .and_then(|rest| rest.strip_suffix('\n'))
            .map(|text| STANDARD.decode(text))
        else {
            return false;
        };
        let Some(signature) = bytes.strip_prefix(&id(&self.name, &self.key)) else { return false };
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

/// Four bytes that tell keys of one name apart.
fn id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let digest = Sha256::new()
        .chain_update(name.as_bytes())
        .chain_update([b'\n', ED25519])
        .chain_update(key.as_bytes())
        .finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(id(&self.name, &self.key));
        let mut key = vec![ED25519];
        key.extend(self.key.as_bytes());
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

/// The keys themselves stay out of logs.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, version {})", self.verifier(), self.version())
    }
}

/// The text that a checkpoint's signatures are about.
pub(crate) fn body(origin: &str, size: u64, root: &Hash) -> String {
    format!("{origin}\n{size}\n{}\n", STANDARD.encode(root))
}

/// That text, of a note as it stands.
pub(crate) fn note_body(note: &str) -> &str {
    note.find("\n\n").map_or(note, |end| &note[..=end])
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
        let note = signer.note(&origin, 1, 5, &root);
        assert!(signer.vouches(1, &note, &origin, 5, &root));
        assert!(!signer.vouches(1, &note, &origin, 6, &root));
        assert!(!signer.vouches(1, &note, &origin, 5, &[8; 32]));
        assert!(!signer.vouches(1, &note, &signer.origin(OrgId::generate()), 5, &root));
        assert!(!signer.vouches(2, &note, &origin, 5, &root));
        let other = Signer::new(DeploymentId::from_uuid(uuid::Uuid::nil()), [8; 32]);
        assert!(!other.vouches(1, &note, &origin, 5, &root));
        let more = format!("{note}\u{2014} somebody AAAA\n");
        assert!(!signer.vouches(1, &more, &origin, 5, &root));
    }

    #[test]
    fn the_first_note_of_a_new_key_is_signed_by_the_earlier_one_too() {
        let signer = signer().followed_by(&[8; 32]);
        let origin = signer.origin(OrgId::generate());
        let both = signer.note(&origin, 1, 5, &[9; 32]);
        assert!(signer.vouches(1, &both, &origin, 5, &[9; 32]));
        assert!(signer.vouches(2, &both, &origin, 5, &[9; 32]));
        let newest = signer.note(&origin, 2, 5, &[9; 32]);
        assert!(!signer.vouches(1, &newest, &origin, 5, &[9; 32]));
        assert!(signer.vouches(2, &newest, &origin, 5, &[9; 32]));
        assert_eq!(signer.only_since(2, &both), newest);
    }

    #[test]
    fn a_note_has_the_form_of_the_specification() {
        let signer = signer();
        let origin = signer.origin(OrgId::from_uuid(uuid::Uuid::nil()));
        let note = signer.note(&origin, 1, 0, &[0; 32]);
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
