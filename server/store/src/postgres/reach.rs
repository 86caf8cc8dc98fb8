//! How PostgreSQL's account sees its folder, also where it may not walk there.
//!
//! Root's home is closed to other accounts, and a data folder in it would be too. But a descriptor
//! of the folder that root has opened and a child inherits leads there past the closed parents, as
//! `/proc/self/fd/N` on Linux. It opens nothing else to the account.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{Mode, OFlags};
use tokio::process::Command;

use super::account::{Account, run_as};
use super::error::StartError;
use super::find::Binaries;

/// PostgreSQL's folder, and whether its account can walk there.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    home: PathBuf,
    by_descriptor: bool,
}

/// The path for one child process. The descriptor must live until the child is started.
#[derive(Debug)]
pub(crate) struct Entry {
    pub path: PathBuf,
    _descriptor: Option<OwnedFd>,
}

impl Reach {
    pub(crate) async fn find(
        home: PathBuf,
        binaries: &Binaries,
        account: Option<&Account>,
    ) -> Result<Self, StartError> {
        let direct = Self { home, by_descriptor: false };
        let Some(account) = account else { return Ok(direct) };
        if direct.works(binaries, account).await {
            return Ok(direct);
        }
        let by_descriptor = Self { by_descriptor: true, ..direct };
        if by_descriptor.works(binaries, account).await {
            return Ok(by_descriptor);
        }
        Err(StartError::Unreachable { folder: by_descriptor.home, account: account.name.clone() })
    }

    /// The folder as a child sees it that is started while the entry lives.
    pub(crate) fn enter(&self) -> Result<Entry, StartError> {
        if !self.by_descriptor {
            return Ok(Entry { path: self.home.clone(), _descriptor: None });
        }
        // Without CLOEXEC, since the child is to inherit it.
        let descriptor =
            rustix::fs::open(&self.home, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
                .map_err(|error| StartError::io("opening a folder", &self.home, error.into()))?;
        let path = Path::new("/proc/self/fd").join(descriptor.as_raw_fd().to_string());
        Ok(Entry { path, _descriptor: Some(descriptor) })
    }

    /// Asks the account itself, which also honours access lists and mount options.
    async fn works(&self, binaries: &Binaries, account: &Account) -> bool {
        let Ok(entry) = self.enter() else { return false };
        let mut command = Command::new(binaries.dir.join("postgres"));
        // The working directory is changed after the account, so a closed way fails here.
        command.arg("--version").current_dir(&entry.path).stdout(Stdio::null());
        run_as(&mut command, Some(account)).status().await.is_ok_and(|status| status.success())
    }
}
