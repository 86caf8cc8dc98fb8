//! Where PostgreSQL's programs are, and which of several to take.

use std::io;
use std::path::{Path, PathBuf};
use std::{env, fs};

use tokio::process::Command;

use super::account::{Account, run_as};
use super::error::StartError;
use crate::migrate::OLDEST_POSTGRES;

/// A folder with `postgres` and `initdb` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binaries {
    pub dir: PathBuf,
    pub major: u32,
}

/// The programs to use: the configured ones, then those in `PATH`, of the distribution, and
/// beside our own binary. A cluster that exists decides the major version.
pub(crate) async fn find(
    configured: Option<&Path>,
    cluster: Option<(&Path, u32)>,
    account: Option<&Account>,
) -> Result<Binaries, StartError> {
    let mut looked: Vec<PathBuf> = configured.map(Path::to_owned).into_iter().collect();
    for dir in usual_places() {
        if !looked.contains(&dir) {
            looked.push(dir);
        }
    }
    let (mut found, mut unreachable) = (Vec::new(), None);
    for dir in &looked {
        match probe(dir, account).await {
            Ok(Some(binaries)) => found.push(binaries),
            Ok(None) if Some(dir.as_path()) == configured => {
                return Err(StartError::NotThere(dir.clone()));
            }
            Ok(None) => {}
            Err(_) => unreachable = unreachable.or(Some(dir)),
        }
    }
    if found.is_empty()
        && let (Some(bin), Some(account)) = (unreachable, account)
    {
        return Err(StartError::BinariesUnreachable {
            bin: bin.clone(),
            account: account.name.clone(),
        });
    }
    choose(found, looked, configured, cluster)
}

fn choose(
    found: Vec<Binaries>,
    looked: Vec<PathBuf>,
    configured: Option<&Path>,
    cluster: Option<(&Path, u32)>,
) -> Result<Binaries, StartError> {
    if found.is_empty() {
        return Err(StartError::NoBinaries { looked });
    }
    if let Some((folder, major)) = cluster {
        if let Some(binaries) = found.iter().find(|binaries| binaries.major == major) {
            return Ok(binaries.clone());
        }
        let mut majors: Vec<u32> = found.iter().map(|binaries| binaries.major).collect();
        majors.sort_unstable();
        majors.dedup();
        let folder = folder.to_owned();
        return Err(StartError::OtherMajor { folder, cluster: major, found: majors });
    }
    // A folder that was named is used or refused, never passed over in silence.
    let named = found.iter().find(|binaries| Some(binaries.dir.as_path()) == configured);
    let fit = match named {
        Some(named) => Some(named).filter(|named| named.major >= OLDEST_POSTGRES),
        None => found.iter().find(|binaries| binaries.major >= OLDEST_POSTGRES),
    };
    match (fit, named.or(found.first())) {
        (Some(fit), _) => Ok(fit.clone()),
        (None, Some(old)) => Err(StartError::TooOld { found: old.major, bin: old.dir.clone() }),
        (None, None) => Err(StartError::NoBinaries { looked }),
    }
}

fn usual_places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    places.retain(|dir| dir.join("postgres").exists());
    // Debian, Red Hat, Homebrew; the newest first.
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ] {
        places.extend(versioned(Path::new(parent), prefix));
    }
    if let Some(beside) = env::current_exe().ok().as_deref().and_then(Path::parent) {
        places.push(beside.join("postgres/bin"));
        places.push(beside.join("../lib/ralex/postgres/bin"));
    }
    places
}

fn versioned(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let major = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    versions.into_iter().map(|(_, dir)| dir).collect()
}

/// What is in a folder; an error only where the account may not run what is there.
async fn probe(dir: &Path, account: Option<&Account>) -> io::Result<Option<Binaries>> {
    let program = dir.join("postgres");
    if !program.exists() || !dir.join("initdb").exists() {
        return Ok(None);
    }
    let mut command = Command::new(program);
    match run_as(command.arg("--version"), account).output().await {
        Ok(output) => {
            let major = major(&String::from_utf8_lossy(&output.stdout));
            Ok(major.map(|major| Binaries { dir: dir.to_owned(), major }))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        Err(_) => Ok(None),
    }
}

/// From `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major(version: &str) -> Option<u32> {
    let number = version.split(") ").nth(1)?;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(dir: &str, major: u32) -> Binaries {
        Binaries { dir: dir.into(), major }
    }

    #[test]
    fn the_major_version_is_read_also_from_a_beta() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major("something else"), None);
    }

    #[test]
    fn an_existing_cluster_gets_the_binaries_of_its_own_version() {
        let found = vec![binaries("/new", 18), binaries("/old", 15)];
        let cluster = Some((Path::new("/data"), 15));
        assert_eq!(choose(found, vec![], None, cluster).unwrap().major, 15);
    }

    #[test]
    fn a_cluster_without_binaries_of_its_version_names_both() {
        let found = vec![binaries("/new", 18)];
        let error = choose(found, vec![], None, Some((Path::new("/data"), 15))).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("made by PostgreSQL 15") && text.contains("PostgreSQL 18"), "{text}");
    }

    #[test]
    fn a_configured_folder_that_is_too_old_is_refused_and_not_passed_over() {
        let found = vec![binaries("/old", 14), binaries("/new", 18)];
        let result = choose(found, vec![], Some(Path::new("/old")), None);
        assert!(matches!(result, Err(StartError::TooOld { found: 14, .. })), "{result:?}");
    }
}
