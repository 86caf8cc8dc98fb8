//! The seal: the one key that is not in the database. Whoever has it and the database has all.
//!
//! It is a file in the data folder, or a setting. The file is made once, on the very first start;
//! a database that already holds a root key never gets a new seal, since everything below the old
//! one would be lost without anyone noticing.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ralex_kernel::Secret;
use tracing::warn;
use zeroize::Zeroizing;

use crate::cipher::{self, KEY, KeyBytes};
use crate::error::OpenError;

const FILE: &str = "seal.key";

/// Where the seal is.
pub struct Seal(Source);

enum Source {
    File(PathBuf),
    Given(KeyBytes),
}

impl Seal {
    /// The file `seal.key` in the data folder.
    pub fn in_folder(data_dir: &Path) -> Self {
        Self(Source::File(data_dir.join(FILE)))
    }

    /// A key from the settings: 32 bytes in base64.
    pub fn from_base64(text: &Secret) -> Result<Self, OpenError> {
        // The decoder's error tells a byte of the key, so it is not passed on.
        let decoded = STANDARD.decode(text.expose().trim()).map_err(|_| OpenError::SealSetting)?;
        let decoded = Zeroizing::new(decoded);
        let key: &[u8; KEY] = decoded.as_slice().try_into().map_err(|_| OpenError::SealSetting)?;
        let key = Zeroizing::new(*key);
        Ok(Self(Source::Given(key)))
    }

    /// How a person would find it.
    pub(crate) fn place(&self) -> String {
        match &self.0 {
            Source::File(path) => path.display().to_string(),
            Source::Given(_) => "the seal key of the settings".to_owned(),
        }
    }

    /// The key, if it is there.
    pub(crate) fn read(&self) -> Result<Option<KeyBytes>, OpenError> {
        match &self.0 {
            Source::Given(key) => Ok(Some(key.clone())),
            Source::File(path) => read_file(path),
        }
    }

    /// The key, made if it is not there: only for a database without a root key.
    pub(crate) fn read_or_create(&self) -> Result<KeyBytes, OpenError> {
        if let Some(key) = self.read()? {
            return Ok(key);
        }
        let Source::File(path) = &self.0 else { return Err(OpenError::SealSetting) };
        let key = cipher::random::<KEY>();
        write_file(path, &key)
            .map_err(|source| OpenError::SealFile { path: path.clone(), source })?;
        Ok(key)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({})", self.place())
    }
}

fn read_file(path: &Path) -> Result<Option<KeyBytes>, OpenError> {
    let failed = |source| OpenError::SealFile { path: path.to_owned(), source };
    let bytes = match fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let key: &[u8; KEY] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| OpenError::SealMalformed { path: path.to_owned(), found: bytes.len() })?;
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        warn!("other accounts of this machine can read {}; run: chmod 600 it", path.display());
    }
    Ok(Some(Zeroizing::new(*key)))
}

/// Writes beside, syncs, renames and syncs the folder: after a crash the file is whole or absent.
fn write_file(path: &Path, key: &KeyBytes) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(&**key).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What failed is told; a part of a key that was never used is only litter.
        let _ = fs::remove_file(&beside);
    }
    written.and_then(|()| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_seal_is_readable_by_its_owner_alone_and_stays_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let seal = Seal::in_folder(folder.path());
        assert!(seal.read().unwrap().is_none());
        let key = seal.read_or_create().unwrap();
        assert_eq!(seal.read_or_create().unwrap(), key);
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_seal_of_the_wrong_size_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), b"short").unwrap();
        let seal = Seal::in_folder(folder.path());
        assert!(matches!(seal.read_or_create(), Err(OpenError::SealMalformed { found: 5, .. })));
        assert_eq!(fs::read(folder.path().join(FILE)).unwrap(), b"short");
    }

    #[test]
    fn a_seal_from_the_settings_must_be_32_bytes_and_is_never_printed() {
        let text = STANDARD.encode([7; KEY]);
        let seal = Seal::from_base64(&Secret::new(format!(" {text}\n"))).unwrap();
        assert_eq!(*seal.read().unwrap().unwrap(), [7; KEY]);
        assert!(!format!("{seal:?}").contains(&text));
        for wrong in ["", "short", "####", &STANDARD.encode([7; 31])] {
            let refused = Seal::from_base64(&Secret::new(wrong.to_owned()));
            assert!(matches!(refused, Err(OpenError::SealSetting)), "{wrong}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let seal = Seal::in_folder(Path::new("/proc/nowhere"));
        let error = seal.read_or_create().unwrap_err().to_string();
        assert!(error.contains("/proc/nowhere/seal.key"), "{error}");
    }
}
