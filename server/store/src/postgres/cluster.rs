//! A new cluster, whole or not at all: made aside and moved into place.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;

use rand::RngExt as _;
use tokio::process::Command;

use super::account::{Account, give, run_as};
use super::error::StartError;
use super::find::Binaries;
use super::folder::{Folder, write_private};
use super::reach::Reach;

/// The login that owns the cluster.
pub(crate) const LOGIN: &str = "ralex";

/// Makes the cluster with a password that only this data folder knows.
pub(crate) async fn create(
    folder: &Folder,
    binaries: &Binaries,
    reach: &Reach,
    account: Option<&Account>,
) -> Result<(), StartError> {
    let new = folder.home().join("new");
    let failed = |source| StartError::io("preparing the new database", &new, source);
    let password = new_password();
    DirBuilder::new().mode(0o700).create(&new).map_err(failed)?;
    give(&new, account).map_err(failed)?;
    let file = new.join("password");
    write_private(&file, &password).map_err(failed)?;
    give(&file, account).map_err(failed)?;
    if let Err(error) = initdb(folder, binaries, reach, account).await {
        fs::remove_dir_all(&new).ok();
        return Err(error);
    }
    // First the password, then the cluster: one without the other would be locked for ever.
    folder.keep_password(&password)?;
    fs::rename(new.join("data"), folder.data()).map_err(failed)?;
    fs::remove_dir_all(&new).map_err(failed)
}

async fn initdb(
    folder: &Folder,
    binaries: &Binaries,
    reach: &Reach,
    account: Option<&Account>,
) -> Result<(), StartError> {
    let entry = reach.enter()?;
    let new = entry.path.join("new");
    let mut command = Command::new(binaries.dir.join("initdb"));
    command
        .arg("-D")
        .arg(new.join("data"))
        .arg(format!("--pwfile={}", new.join("password").display()))
        .args(["-U", LOGIN, "--auth=scram-sha-256", "--data-checksums"])
        .args(["--encoding=UTF8", "--locale=C", "--no-instructions"])
        .env("LC_ALL", "C")
        .env_remove("PGDATA")
        .current_dir(&entry.path);
    let output = run_as(&mut command, account)
        .output()
        .await
        .map_err(|source| StartError::Io { what: "running initdb", source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if StartError::is_full_disk(&said) {
        return Err(StartError::DiskFull(folder.root().to_owned()));
    }
    let last = said.lines().rev().find(|line| line.contains("error") || line.contains("FATAL"));
    Err(StartError::Initdb(last.unwrap_or(said.trim()).to_owned()))
}

fn new_password() -> String {
    let bytes: [u8; 24] = rand::rng().random();
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes)
}
