//! Archives: a bundle of the log on disk, written and verified before anything of it is pruned.
//!
//! The bundle is the one that exports give. It is read back from the disk by the offline verifier,
//! under this log's own keys, before it gets its name; one that does not come out good keeps
//! everything that was to be pruned where it is.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use ralex_api::audit::ExportQuery;
use ralex_kernel::{Code, OrgId, Problem};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::Author;
use crate::offline::{Key, Trust, Verdict, verify_bundle_for};
use crate::service::Audit;

/// A bundle that was written and came out good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// Its file within the folder: the organisation, and the size and moment of the tree.
    pub name: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    pub bytes: u64,
    pub tree_size: u64,
}

impl Audit {
    /// Writes the whole log of an organisation into the folder, and verifies what stands there.
    ///
    /// # Errors
    /// Where it cannot be written, read back, or is not good; nothing is left under its name then.
    pub async fn archive(&self, org: OrgId, folder: &Path) -> Result<Archived, Problem> {
        let author = Author::system(org);
        let export = self.export(&author, &ExportQuery::default()).await?;
        let stamp = self.now().format("%Y%m%dT%H%M%SZ");
        let name = format!("{org}/audit-{:012}-{stamp}.jsonl", export.tree_size);
        let path = folder.join(&name);
        let part = path.with_extension("part");
        let written = write(export.parts, &path, &part).await;
        let done = match written {
            Ok((sha256, bytes)) => {
                let verifiers = self.signer().verifiers(1, self.signer().version());
                let keys = verifiers.iter().map(|key| key.to_string().parse::<Key>());
                let keys = keys.filter_map(Result::ok).collect();
                let checked =
                    check(part.clone(), Trust { keys, ..Trust::default() }, sha256.clone());
                checked.await.map(|verdict| (verdict, sha256, bytes))
            }
            Err(problem) => Err(problem),
        };
        let (verdict, sha256, bytes) = match done {
            Ok(done) if done.0.good() => done,
            Ok((verdict, ..)) => {
                tokio::fs::remove_file(&part).await.ok();
                return Err(failed(&format!(
                    "it is not good as it was read back: {}",
                    verdict.reason
                )));
            }
            Err(problem) => {
                tokio::fs::remove_file(&part).await.ok();
                return Err(problem);
            }
        };
        keep(&part, &path).await.map_err(|error| failed(&error.to_string()))?;
        Ok(Archived { name, sha256, bytes, tree_size: verdict.tree_size })
    }
}

/// Durable when it returns.
async fn write(
    mut parts: crate::Parts,
    path: &Path,
    part: &Path,
) -> Result<(String, u64), Problem> {
    let cannot = |error: io::Error| failed(&error.to_string());
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(cannot)?;
    }
    let mut file = tokio::fs::File::create(part).await.map_err(cannot)?;
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    while let Some(text) = parts.next().await {
        let text = text?;
        hasher.update(&text);
        bytes += text.len() as u64;
        file.write_all(&text).await.map_err(cannot)?;
    }
    file.flush().await.map_err(cannot)?;
    file.sync_all().await.map_err(cannot)?;
    let digest = hasher.finalize();
    Ok((hex(&digest), bytes))
}

/// What stands on the disk, as the verifier reads it, and whether it is what was written.
async fn check(part: PathBuf, trust: Trust, sha256: String) -> Result<Verdict, Problem> {
    let read = tokio::task::spawn_blocking(move || {
        let mut file = File::open(&part)?;
        let mut hasher = Sha256::new();
        let mut chunk = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            hasher.update(&chunk[..read]);
        }
        if hex(&hasher.finalize()) != sha256 {
            return Err(io::Error::other("it is not what was written"));
        }
        verify_bundle_for(BufReader::with_capacity(1 << 20, File::open(&part)?), &trust)
    });
    let read = read.await.map_err(|error| failed(&error.to_string()))?;
    read.map_err(|error| failed(&error.to_string()))
}

/// Gives the file its name, durably.
async fn keep(part: &Path, path: &Path) -> io::Result<()> {
    tokio::fs::rename(part, path).await?;
    match path.parent() {
        Some(folder) => tokio::fs::File::open(folder).await?.sync_all().await,
        None => Ok(()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn failed(why: &str) -> Problem {
    let detail = format!("The archive could not be written, so nothing is pruned: {why}");
    Problem::new(Code::Unavailable, detail)
}
