//! The data folder: who may use it, what of it is PostgreSQL's, and that it is ours.
//!
//! ```text
//! lock               held by the one Ralex that uses the folder; ends with the process
//! postgres.password  the password of the database's login, for Ralex's own account only
//! postgres.log       what PostgreSQL says
//! postgres/          belongs to the account that PostgreSQL runs as
//!   made-by-ralex    without it the folder is somebody else's
//!   data/            the cluster; appears whole or not at all
//!   new/             a cluster in the making
//!   run/             the socket
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::account::{Account, give};
use super::error::StartError;
use super::socket::NOTE;

/// Above this the log of earlier runs is put aside.
const LOG_LIMIT: u64 = 16 << 20;

const PASSWORD: &str = "postgres.password";

/// A data folder that nobody else uses while this value lives.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, and locks it.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, StartError> {
        let failed = |source| StartError::io("making the data folder", data_dir, source);
        // Others may pass through to what they own, which is only PostgreSQL's part.
        DirBuilder::new().recursive(true).mode(0o711).create(data_dir).map_err(failed)?;
        let root = data_dir.canonicalize().map_err(failed)?;
        // Before the lock's file is made: nothing is left in a folder that is not ours.
        refuse_foreign(&root)?;
        let lock = lock(&root)?;
        Ok(Self { root, _lock: lock })
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("postgres")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.home().join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The major version of the cluster, where there is one.
    pub(crate) fn cluster(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// Makes PostgreSQL's part of the folder and gives it to the account.
    pub(crate) fn prepare(&self, account: Option<&Account>) -> Result<(), StartError> {
        let (home, run) = (self.home(), self.home().join("run"));
        let done = || -> io::Result<()> {
            for dir in [&home, &run] {
                DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
                give(dir, account)?;
            }
            File::create(home.join("made-by-ralex"))?;
            match fs::remove_dir_all(home.join("new")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        };
        done().map_err(|source| StartError::io("making the database's folder", &home, source))
    }

    /// The end of the log, opened for PostgreSQL to write on.
    pub(crate) fn open_log(&self) -> Result<File, StartError> {
        let path = self.log();
        let failed = |source| StartError::io("opening PostgreSQL's log", &path, source);
        if fs::metadata(&path).is_ok_and(|log| log.len() > LOG_LIMIT) {
            fs::rename(&path, path.with_extension("log.1")).map_err(failed)?;
        }
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed)
    }

    /// The password of the database's login.
    pub(crate) fn password(&self) -> Result<String, StartError> {
        fs::read_to_string(self.password_file())
            .map_err(|_| StartError::NoPassword(self.root.clone()))
    }

    pub(crate) fn keep_password(&self, password: &str) -> Result<(), StartError> {
        let path = self.password_file();
        write_private(&path, password)
            .map_err(|source| StartError::io("keeping the database's password", &path, source))
    }

    fn password_file(&self) -> PathBuf {
        self.root.join(PASSWORD)
    }
}

fn refuse_foreign(root: &Path) -> Result<(), StartError> {
    if root.join("PG_VERSION").exists() {
        return Err(StartError::Foreign(root.to_owned()));
    }
    let home = root.join("postgres");
    let is_empty = fs::read_dir(&home).map_or(true, |mut entries| entries.next().is_none());
    if is_empty || home.join("made-by-ralex").exists() {
        return Ok(());
    }
    Err(StartError::Foreign(home))
}

/// The password and the socket's folder of a data folder, read without its lock.
pub(crate) fn has_cluster(data_dir: &Path) -> bool {
    data_dir.join("postgres").join("data").is_dir()
}

pub(crate) fn running(data_dir: &Path) -> Option<(String, PathBuf)> {
    let root = data_dir.canonicalize().ok()?;
    let password = fs::read_to_string(root.join(PASSWORD)).ok()?;
    let outside = fs::read_to_string(root.join(NOTE)).ok().map(PathBuf::from);
    Some((password, outside.unwrap_or_else(|| root.join("postgres/run"))))
}

/// A file that only its owner reads, on the disk when this returns.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The kernel lets go of this lock when the process ends in whatever way, so it is never stale.
fn lock(root: &Path) -> Result<File, StartError> {
    let path = root.join("lock");
    let failed = |source| StartError::io("locking the data folder", root, source);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).ok();
            let holder = holder.trim().to_owned();
            return Err(StartError::InUse { folder: root.to_owned(), holder });
        }
        Err(error) => return Err(failed(error.into())),
    }
    file.set_len(0).map_err(failed)?;
    file.rewind().map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}
