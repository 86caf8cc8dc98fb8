//! A folder for one run, on the disk that is measured: what lives in memory would sync for free.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Removed when it is dropped, unless it is to be kept.
pub struct Folder {
    path: PathBuf,
    pub keep: bool,
}

impl Folder {
    /// A new folder below `target/`, beside the program's own.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn create(name: &str) -> anyhow::Result<Self> {
        let path = target()?.join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("{} is not made", path.display()))?;
        Ok(Self { path, keep: false })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            std::fs::remove_dir_all(&self.path).ok();
        }
    }
}

/// A file in the build's folder.
pub fn in_target(name: &str) -> anyhow::Result<PathBuf> {
    Ok(target()?.join(name))
}

/// The build's folder: programs lie in `target/<profile>/`.
fn target() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.parent().and_then(Path::parent);
    Ok(target.context("the program lies in no folder")?.to_owned())
}
