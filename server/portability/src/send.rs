//! How an export is sent: page by page, as fast as it is read, in a task that knows how it ended.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use ralex_audit::Author;
use ralex_kernel::{Code, OrgId, Problem};
use ralex_store::{System, problem};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, timeout};

use crate::archive::Archive;
use crate::manifest::{DISCLOSURES, LOG, Manifest, README, TABLES};
use crate::{Parts, Portability, sql};

/// So many parts wait for a reader at most.
pub(crate) const QUEUE: usize = 2;
/// What a page holds at most, in rows and in characters; one row may be longer.
const PAGE: (i32, i64) = (2_000, 1 << 20);
/// Parts are sent when they have come to this.
const PART: usize = 64 << 10;
/// A reader that takes nothing for so long has gone.
const PAUSE: Duration = Duration::from_mins(5);
/// A snapshot keeps the database from tidying up, so none lasts for longer.
const LONGEST: Duration = Duration::from_hours(6);

const ABOUT: &str = include_str!("readme.txt");

/// An export that may be sent.
pub(crate) struct Sending {
    pub org: OrgId,
    pub snapshot: System,
    pub manifest: Manifest,
    pub archive: Archive,
    pub log: Parts,
    pub disclosures: Parts,
}

/// How far it came.
#[derive(Default)]
pub(crate) struct Came {
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
    pub digest: Sha256,
    /// SHA-256 of the manifest, where it came so far.
    pub manifest: Option<String>,
}

/// Where parts go, and until when.
struct Reader {
    to: Sender<Result<Vec<u8>, Problem>>,
    came: Came,
    until: Instant,
}

impl Reader {
    async fn give(&mut self, part: Vec<u8>) -> Result<(), Problem> {
        if part.is_empty() {
            return Ok(());
        }
        let size = part.len() as u64;
        let mut digest = self.came.digest.clone();
        digest.update(&part);
        if Instant::now() >= self.until {
            return Err(broken("it takes longer than six hours"));
        }
        match timeout(PAUSE, self.to.send(Ok(part))).await {
            Ok(Ok(())) => {
                self.came.bytes += size;
                self.came.digest = digest;
                Ok(())
            }
            Ok(Err(_)) => Err(broken("its reader has gone")),
            Err(_) => Err(broken("its reader takes too long")),
        }
    }
}

impl Sending {
    /// Sends all of it, and records how that ended.
    pub(crate) async fn run(
        self,
        portability: &Portability,
        author: &Author,
        to: Sender<Result<Vec<u8>, Problem>>,
    ) {
        let org = self.org;
        let until = Instant::now() + LONGEST;
        let mut reader = Reader { to, came: Came::default(), until };
        let sent = Box::pin(self.send(&mut reader)).await;
        if let Err(why) = &sent {
            tracing::warn!(org.id = %org, "the export of organisation {org} broke off: {}", why.detail);
        }
        portability.record_ended(author, &reader.came).await;
        if let Err(why) = sent {
            // The transfer ends without its last part.
            let _gone = timeout(PAUSE, reader.to.send(Err(why))).await;
        }
    }

    async fn send(mut self, reader: &mut Reader) -> Result<(), Problem> {
        let about = ABOUT.replace("{org}", &self.manifest.org.name);
        let mut archive = self.archive;
        archive = write(archive, Some(README), about.into_bytes()).await?;
        for (path, parts) in [(LOG, &mut self.log), (DISCLOSURES, &mut self.disclosures)] {
            archive = write(archive, Some(path), Vec::new()).await?;
            while let Some(part) = parts.next().await {
                archive = write(archive, None, part?).await?;
                reader.take(&mut archive, PART).await?;
            }
        }
        for table in sql::tables(&mut self.snapshot).await.map_err(problem)? {
            archive = write(archive, Some(&format!("{TABLES}{table}.jsonl")), Vec::new()).await?;
            let mut after: Option<Vec<String>> = None;
            loop {
                let place = (table.as_str(), self.org);
                let page = sql::page(&mut self.snapshot, place, after.as_deref(), PAGE).await;
                let page = page.map_err(problem)?;
                let Some(last) = page.last() else { break };
                after = Some(last.key.clone());
                let mut text = String::with_capacity(page.iter().map(|it| it.line.len() + 1).sum());
                for row in &page {
                    text.push_str(&row.line);
                    text.push('\n');
                }
                drop(page);
                archive = write(archive, None, text.into_bytes()).await?;
                reader.take(&mut archive, PART).await?;
            }
        }
        self.snapshot.rollback().await.map_err(problem)?;
        let manifest = self.manifest;
        reader.take(&mut archive, 0).await?;
        let files = archive.files().len() as u64 + 1;
        let rows = archive.rows();
        let (rest, digest) = apart(move || archive.finish(manifest)).await?;
        reader.give(rest).await?;
        reader.came =
            Came { files, rows, manifest: Some(digest), ..std::mem::take(&mut reader.came) };
        Ok(())
    }
}

impl Reader {
    /// Sends what an archive has come to, where it is worth it.
    async fn take(&mut self, archive: &mut Archive, least: usize) -> Result<(), Problem> {
        (self.came.files, self.came.rows) = (archive.files().len() as u64, archive.rows());
        if archive.waiting() < least {
            // Whoever has gone is noticed where nothing is sent as well.
            return if self.to.is_closed() { Err(broken("its reader has gone")) } else { Ok(()) };
        }
        self.give(archive.take()).await
    }
}

/// Packs where it holds up nobody else.
async fn write(
    mut archive: Archive,
    begin: Option<&str>,
    bytes: Vec<u8>,
) -> Result<Archive, Problem> {
    let begin = begin.map(str::to_owned);
    apart(move || {
        if let Some(path) = begin {
            archive.begin(&path)?;
        }
        archive.write(&bytes)?;
        Ok(archive)
    })
    .await
}

async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

pub(crate) fn failed(error: &dyn std::error::Error) -> Problem {
    tracing::error!(error = %error, "an export cannot be written: {error}");
    Problem::new(Code::Internal, "The export could not be written; the log says more.")
}

fn broken(why: &str) -> Problem {
    Problem::new(Code::Unavailable, format!("The export broke off: {why}."))
}
