//! The bundle: an export that can be verified far from here, by a reader that trusts only a key.
//!
//! A file of lines. First the manifest and its signature, then one line a leaf (its index, its
//! hash, a link of a chain over all lines so far, and the event itself unless a filter left it
//! out), and after some leaves the checkpoint that was signed at that size, the newest at the end.
//! A last line may prove that newest checkpoint in the deployment's log. The chain adds no trust: it makes the first bad line findable, where the
//! root alone could only tell that there is one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::tree::Hash;

/// What a link of the chain is about, as its first byte.
const LEAF_WITH_EVENT: u8 = 2;
const LEAF_WITHOUT_EVENT: u8 = 3;
const CHECKPOINT: u8 = 4;

/// As many bytes of a link stand in a line.
const LINK: usize = 12;

/// The first line. Its order of fields is part of the format.
#[derive(Serialize)]
pub(crate) struct Manifest<'a> {
    pub ralex_audit_bundle: u32,
    pub origin: &'a str,
    pub org: &'a str,
    pub tree_size: u64,
    pub first_index: u64,
    /// What the leaves before come to: the roots of their complete subtrees, the largest first.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub peaks: Vec<String>,
    /// How many leaves come with their event.
    pub count: u64,
    pub filtered: bool,
    /// How many leaves have lost their event to retention, as events of this log say.
    #[serde(skip_serializing_if = "is_zero")]
    pub pruned: u64,
    /// Those that signed heads of this tree, oldest first.
    pub keys: Vec<String>,
    pub exported_at: String,
    /// Whether a last line proves the newest head in the log of logs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub anchored: bool,
    /// Whose signatures may stand in that line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Writes lines and keeps the chain.
pub(crate) struct Lines {
    chain: Hash,
    pub text: Vec<u8>,
}

impl Lines {
    /// Begins with the manifest, which `sign` signs.
    pub fn begin(
        manifest: &Manifest<'_>,
        sign: impl FnOnce(&str) -> String,
    ) -> Result<Self, serde_json::Error> {
        let manifest = serde_json::to_string(manifest)?;
        let signature = sign(&manifest);
        let head = format!("{manifest}\n{{\"signature\":\"{signature}\"}}\n");
        Ok(Self { chain: Sha256::digest(&head).into(), text: head.into_bytes() })
    }

    pub fn leaf(&mut self, index: i64, hash: &[u8], event: Option<&[u8]>) {
        let kind = if event.is_some() { LEAF_WITH_EVENT } else { LEAF_WITHOUT_EVENT };
        self.extend_chain(kind, hash);
        let link = STANDARD.encode(&self.chain[..LINK]);
        let hash = STANDARD.encode(hash);
        let start = format!("{{\"index\":{index},\"hash\":\"{hash}\",\"chain\":\"{link}\"");
        self.text.extend(start.into_bytes());
        if let Some(event) = event {
            self.text.extend(b",\"event\":");
            self.text.extend(event);
        }
        self.text.extend(b"}\n");
    }

    pub fn checkpoint(&mut self, note: &str) {
        let note = serde_json::Value::from(note);
        let line = format!("{{\"checkpoint\":{note}}}");
        self.extend_chain(CHECKPOINT, line.as_bytes());
        self.text.extend(line.into_bytes());
        self.text.push(b'\n');
    }

    /// The last line, if the manifest announces it.
    pub fn anchor(&mut self, proof: &str) {
        let proof = serde_json::Value::from(proof);
        self.text.extend(format!("{{\"anchor\":{proof}}}\n").into_bytes());
    }

    fn extend_chain(&mut self, kind: u8, what: &[u8]) {
        let digest = Sha256::new().chain_update([kind]).chain_update(self.chain).chain_update(what);
        self.chain = digest.finalize().into();
    }
}
