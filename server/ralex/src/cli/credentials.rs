//! What `ralex login` keeps: a token for each server, in a file that only its owner reads.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Environment;

/// Read and written by their owner, and by nobody else.
const MODE: u32 = 0o600;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The server that was logged in at last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<String>,
    #[serde(default)]
    tokens: BTreeMap<String, String>,
}

/// The tokens of servers, as they stand in the file.
pub struct Credentials {
    path: Option<PathBuf>,
    file: File,
}

impl Credentials {
    /// # Errors
    /// For a file that is no such one, or that others may read.
    pub fn read(environment: &Environment) -> anyhow::Result<Self> {
        let path = place(environment);
        let file = match &path {
            Some(path) => read(path).with_context(|| path.display().to_string())?,
            None => File::default(),
        };
        Ok(Self { path, file })
    }

    pub fn newest(&self) -> Option<&str> {
        self.file.newest.as_deref()
    }

    pub fn token(&self, server: &Url) -> Option<String> {
        self.file.tokens.get(&key(server)).cloned()
    }

    /// Keeps a token, or forgets the one that there is.
    pub fn set(&mut self, server: &Url, token: Option<String>) -> anyhow::Result<()> {
        let key = key(server);
        if let Some(token) = token {
            self.file.tokens.insert(key.clone(), token);
            self.file.newest = Some(key);
        } else {
            self.file.tokens.remove(&key);
            self.file.newest = self.file.newest.take().filter(|newest| *newest != key);
        }
        let Some(path) = &self.path else {
            bail!("There is no place to keep a token: neither XDG_CONFIG_HOME nor HOME is set.")
        };
        write(path, &self.file).with_context(|| path.display().to_string())
    }
}

fn place(environment: &Environment) -> Option<PathBuf> {
    let folder = |name: &str| environment.get(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(config.join("ralex").join("credentials.toml"))
}

fn key(server: &Url) -> String {
    let path = server.path().trim_end_matches('/');
    format!("{}{path}", server.origin().ascii_serialization())
}

fn read(path: &Path) -> anyhow::Result<File> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => return Err(error.into()),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        bail!("others may read it; `chmod 600` it, or remove it and log in again");
    }
    let text = fs::read_to_string(path)?;
    toml::from_str(&text).context("is not what `ralex login` writes; remove it and log in again")
}

/// In the place of the old file at once, so that nobody reads a half of it.
fn write(path: &Path, file: &File) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let mut out = fs::OpenOptions::new();
    let mut out = out.write(true).create(true).truncate(true).mode(MODE).open(&fresh)?;
    out.write_all(toml::to_string(file)?.as_bytes())?;
    out.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok(())
}
