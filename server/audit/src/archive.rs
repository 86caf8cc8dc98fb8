//! Archives: bundles of the log on disk, written and verified before anything of it is pruned.
//!
//! A bundle is one that exports give, and each goes on where the one before ended. It is read back
//! from the disk by the offline verifier, under this log's own keys, before it gets its name; one that
//! does not come out good keeps everything that was to be pruned where it is. Which files there are
//! the log itself says (`audit.archived`).

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use ralex_api::audit::ExportQuery;
use ralex_kernel::{Code, OrgId, Problem};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use tokio::io::AsyncWriteExt;

use crate::Author;
use crate::offline::{Key, Trust, Verdict, verify_bundle_for};
use crate::service::Audit;

/// A bundle that was written and came out good.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Archived {
    /// Its file within the folder: the organisation, the first leaf, and the size and moment of the tree.
    pub name: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    pub bytes: u64,
    /// Where it begins; the first archives always did with the log.
    #[serde(default)]
    pub first_index: u64,
    /// Where it ends.
    pub tree_size: u64,
}

impl Archived {
    /// Whether it holds one of these places, first and last of each range.
    pub(crate) fn holds_some(&self, ranges: &[(u64, u64)]) -> bool {
        ranges.iter().any(|(first, last)| *first < self.tree_size && *last >= self.first_index)
    }

    /// Whether the file is in the folder as it was written.
    ///
    /// # Errors
    /// Where it is not, or cannot be read.
    pub async fn must_be_in(&self, folder: &Path) -> Result<(), Problem> {
        let path = folder.join(&self.name);
        let sha256 = tokio::task::spawn_blocking(move || sha256_of(&path)).await;
        match sha256 {
            Ok(Ok(sha256)) if sha256 == self.sha256 => Ok(()),
            Ok(Ok(_)) => Err(self.lost("is not what was written")),
            Ok(Err(error)) => Err(self.lost(&format!("cannot be read ({error})"))),
            Err(error) => Err(failed(&error.to_string())),
        }
    }

    /// The same by its length only, which is quick.
    ///
    /// # Errors
    /// Where it is not there, or has another length.
    pub async fn must_seem_in(&self, folder: &Path) -> Result<(), Problem> {
        match tokio::fs::metadata(folder.join(&self.name)).await {
            Ok(file) if file.len() == self.bytes => Ok(()),
            Ok(_) => Err(self.lost("has not the length that was written")),
            Err(error) => Err(self.lost(&format!("is not there any more ({error})"))),
        }
    }

    fn lost(&self, how: &str) -> Problem {
        let detail = format!(
            "The archive {} {how}, so nothing is pruned. Put it back where it was. If it is lost for good, `ralex audit retention prune --archive-anew` begins another archive with all that the log still says.",
            self.name
        );
        Problem::new(Code::Unavailable, detail)
    }
}

/// The files that hold the log from its beginning on, each going on where the one before ended.
pub async fn archived(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Archived>, sqlx::Error> {
    let details = sqlx::query_scalar!(
        r#"select convert_from(leaf, 'UTF8')::jsonb -> 'detail' as "detail!" from audit_event
           where org_id = $1 and action = 'audit.archived' order by id"#,
        org as _
    )
    .fetch_all(conn)
    .await?;
    let read = details.into_iter().filter_map(|it| serde_json::from_value(it).ok());
    Ok(read.fold(Vec::new(), going_on))
}

/// One that begins with the log begins the archive anew.
fn going_on(mut files: Vec<Archived>, next: Archived) -> Vec<Archived> {
    if next.first_index == 0 {
        files.clear();
    }
    if files.last().map_or(0, |last| last.tree_size) == next.first_index {
        files.push(next);
    }
    files
}

impl Audit {
    /// Writes the log of an organisation from a leaf on into the folder, and verifies what stands
    /// there. Where an earlier file ends, the next one begins.
    ///
    /// # Errors
    /// Where it cannot be written, read back, or is not good; nothing is left under its name then.
    pub async fn archive(
        &self,
        org: OrgId,
        folder: &Path,
        first_index: u64,
    ) -> Result<Archived, Problem> {
        let author = Author::system(org);
        let query = ExportQuery { after: first_index.checked_sub(1), ..ExportQuery::default() };
        let export = self.export(&author, &query).await?;
        let stamp = self.now().format("%Y%m%dT%H%M%SZ");
        let name = format!("{org}/audit-{first_index:012}-{:012}-{stamp}.jsonl", export.tree_size);
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
        let Verdict { first_index, tree_size, .. } = verdict;
        Ok(Archived { name, sha256, bytes, first_index, tree_size })
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
        if sha256_of(&part)? != sha256 {
            return Err(io::Error::other("it is not what was written"));
        }
        verify_bundle_for(BufReader::with_capacity(1 << 20, File::open(&part)?), &trust)
    });
    let read = read.await.map_err(|error| failed(&error.to_string()))?;
    read.map_err(|error| failed(&error.to_string()))
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&chunk[..read]);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_on_from_each_other_and_one_from_the_beginning_starts_anew() {
        let file = |first_index, tree_size| Archived {
            name: String::new(),
            sha256: String::new(),
            bytes: 0,
            first_index,
            tree_size,
        };
        let of = |spans: &[(u64, u64)]| -> Vec<(u64, u64)> {
            let files = spans.iter().map(|(first, size)| file(*first, *size));
            let files = files.fold(Vec::new(), going_on);
            files.iter().map(|it| (it.first_index, it.tree_size)).collect()
        };
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[(0, 9), (9, 20), (20, 21)]), [(0, 9), (9, 20), (20, 21)]);
        assert_eq!(of(&[(0, 9), (9, 20), (9, 22), (30, 40)]), [(0, 9), (9, 20)]);
        assert_eq!(of(&[(0, 9), (9, 20), (0, 30), (30, 31)]), [(0, 30), (30, 31)]);
        let it = file(9, 20);
        let held =
            [(0, 8), (0, 9), (12, 14), (19, 40), (20, 40)].map(|it_at| it.holds_some(&[it_at]));
        assert_eq!(held, [false, true, true, true, false]);
    }
}
