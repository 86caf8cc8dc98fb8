//! The folder of the socket: in the data folder, or a private one where that path is too long.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::account::{Account, give};
use super::error::StartError;
use super::folder::{Folder, write_private};

/// The longest path of a socket, on every system that has them (`sun_path` less the final zero;
/// Linux has 107).
const LONGEST: usize = 103;

/// The name that PostgreSQL gives to the socket of its default port.
pub(crate) const SOCKET: &str = ".s.PGSQL.5432";
/// Where a socket outside of the data folder is noted.
pub(crate) const NOTE: &str = "postgres.socket";

/// Where the socket is: as clients see it, and whether that is inside PostgreSQL's own folder.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    pub dir: PathBuf,
    pub is_inside: bool,
}

impl Socket {
    pub(crate) fn place(folder: &Folder, account: Option<&Account>) -> Result<Self, StartError> {
        remove_earlier(folder);
        let dir = folder.home().join("run");
        if dir.join(SOCKET).as_os_str().as_bytes().len() <= LONGEST {
            forget_lock(&dir);
            return Ok(Self { dir, is_inside: true });
        }
        let dir = env::temp_dir().join(format!("ralex-{}", Uuid::now_v7().simple()));
        let failed = |source| StartError::io("making a folder for the socket", &dir, source);
        // Fails where the name exists, so that nobody can have prepared it.
        DirBuilder::new().mode(0o700).create(&dir).map_err(failed)?;
        give(&dir, account).map_err(failed)?;
        write_private(&note(folder), &dir.to_string_lossy()).map_err(failed)?;
        Ok(Self { dir, is_inside: false })
    }

    /// The folder as the server is told of it.
    pub(crate) fn for_server(&self, home: &Path) -> PathBuf {
        if self.is_inside { home.join("run") } else { self.dir.clone() }
    }

    pub(crate) fn remove(&self) {
        if !self.is_inside {
            fs::remove_dir_all(&self.dir).ok();
        }
    }
}

/// A killed server leaves a lock that names its process. Where that number belongs to another by
/// now, as after a container's restart, or where the dead one is not buried yet, PostgreSQL takes
/// it for alive and does not start. No server runs here: who ends orphans has looked.
fn forget_lock(dir: &Path) {
    fs::remove_file(dir.join(format!("{SOCKET}.lock"))).ok();
}

/// The folder that a killed Ralex left behind.
fn remove_earlier(folder: &Folder) {
    let note = note(folder);
    if let Ok(dir) = fs::read_to_string(&note) {
        fs::remove_dir_all(dir).ok();
        fs::remove_file(note).ok();
    }
}

fn note(folder: &Folder) -> PathBuf {
    folder.root().join(NOTE)
}
