//! Why the built-in PostgreSQL did not start, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::migrate::OLDEST_POSTGRES;

/// Why the built-in PostgreSQL did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "No PostgreSQL was found (looked in: {}). Install PostgreSQL {OLDEST_POSTGRES} or later, for example with `apt install postgresql`, name the folder of its programs in RALEX_POSTGRES_BIN, or give a database in RALEX_DATABASE_URL.", list(.looked))]
    NoBinaries { looked: Vec<PathBuf> },
    #[error("There is no PostgreSQL in {}: it needs the programs `postgres` and `initdb`. Correct RALEX_POSTGRES_BIN.", .0.display())]
    NotThere(PathBuf),
    #[error(
        "The account \"{account}\" that runs PostgreSQL for root cannot reach its programs in {}. Put them where every account may read them, or start Ralex as another user.", .bin.display())]
    BinariesUnreachable { bin: PathBuf, account: String },
    #[error(
        "PostgreSQL {found} in {} is too old: Ralex needs {OLDEST_POSTGRES} or later. Install a later one, or give a database in RALEX_DATABASE_URL.", .bin.display())]
    TooOld { found: u32, bin: PathBuf },
    #[error(
        "The data in {} was made by PostgreSQL {cluster}, but only {} was found. Install PostgreSQL {cluster}, or name the folder of its programs in RALEX_POSTGRES_BIN.", .folder.display(), majors(.found))]
    OtherMajor { folder: PathBuf, cluster: u32, found: Vec<u32> },
    #[error("The data folder {} cannot be written: {source}. Give Ralex the right to it, or choose another in RALEX_DATA_DIR.", .folder.display())]
    NotWritable { folder: PathBuf, source: io::Error },
    #[error(
        "{} belongs to another user (number {owner}). Start Ralex as that user, or choose another folder in RALEX_DATA_DIR.", .folder.display())]
    WrongOwner { folder: PathBuf, owner: u32 },
    #[error(
        "{} holds data that Ralex did not make, so it is left alone. Choose another folder in RALEX_DATA_DIR.", .0.display())]
    Foreign(PathBuf),
    #[error(
        "The account \"{account}\" that runs PostgreSQL for root cannot reach {}. Choose a folder that every account can reach in RALEX_DATA_DIR, such as /var/lib/ralex.", .folder.display())]
    Unreachable { folder: PathBuf, account: String },
    #[error("Another Ralex (process {holder}) uses the data folder {}. Stop it first, or choose another folder in RALEX_DATA_DIR.", .folder.display())]
    InUse { folder: PathBuf, holder: String },
    #[error("The disk is full: PostgreSQL cannot write to {}. Free some space and start again.", .0.display())]
    DiskFull(PathBuf),
    #[error(
        "Root must not run PostgreSQL, and there is no account \"postgres\" or \"nobody\" to run it. Start Ralex as another user."
    )]
    NoAccount,
    #[error("The folder {} lacks the password of its database. Restore the file from a backup, or choose another folder in RALEX_DATA_DIR.", .0.display())]
    NoPassword(PathBuf),
    #[error(
        "An earlier PostgreSQL (process {0}) still runs on this folder and does not end. End it and start again."
    )]
    OrphanStays(i32),
    #[error("PostgreSQL could not make its data folder: {0}")]
    Initdb(String),
    #[error("PostgreSQL did not start: {said} (see {})", .log.display())]
    Exited { said: String, log: PathBuf },
    #[error("PostgreSQL does not answer: {0}")]
    Connect(#[source] sqlx::Error),
    #[error("{what} failed: {source}")]
    Io { what: &'static str, source: io::Error },
}

impl StartError {
    /// What an error of the file system on a folder of ours means.
    pub(crate) fn io(what: &'static str, folder: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull(folder.to_owned())
            }
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::AlreadyExists => {
                Self::NotWritable { folder: folder.to_owned(), source }
            }
            _ => Self::Io { what, source },
        }
    }

    /// Whether PostgreSQL's own words mean a full disk.
    pub(crate) fn is_full_disk(said: &str) -> bool {
        said.contains("No space left on device") || said.contains("Disk quota exceeded")
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn majors(found: &[u32]) -> String {
    let found = found.iter().map(|major| format!("PostgreSQL {major}")).collect::<Vec<_>>();
    if found.is_empty() { "none".to_owned() } else { found.join(" and ") }
}
