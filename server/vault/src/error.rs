//! Why the vault does not open, and what a caller is told when a stored key does not.

use std::io;
use std::path::PathBuf;

use ralex_kernel::{Code, Problem, SecretId};
use tracing::error;

use crate::cipher::Integrity;

/// Why the vault stays closed. The server does not start, and nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the database holds keys that were sealed with {place}, and that is missing; put it back \
         from your backup, or start with another database (without it nobody can read them)"
    )]
    SealMissing { place: String },
    #[error(
        "{place} is not the seal of this database: it does not open the root key; put back the one \
         that belongs to it, or name the right database"
    )]
    SealWrong { place: String },
    #[error(
        "the seal {} has {found} bytes instead of 32; put it back from your backup, or delete it \
         if this installation was never used", path.display()
    )]
    SealMalformed { path: PathBuf, found: usize },
    #[error("the seal {} cannot be read or written: {source}", path.display())]
    SealFile { path: PathBuf, source: io::Error },
    #[error(
        "the seal key of the settings must be 32 bytes in base64, as `openssl rand -base64 32` prints"
    )]
    SealSetting,
    #[error("the vault's own keys cannot be read: {0}")]
    Keys(String),
    #[error(transparent)]
    Store(#[from] ralex_store::Error),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A stored key that is not what was stored: it is not used, and someone should look.
pub(crate) fn broken_secret(secret: SecretId, _: Integrity) -> Problem {
    error!(secret.id = %secret, "secret {secret} failed its integrity check and was not used");
    Problem::new(
        Code::ProviderNotReady,
        "The stored key of this provider failed its integrity check and was not used. Enter the \
         key again, and find out who changed the database.",
    )
}

/// A key of ours that does not open although the root key did.
pub(crate) fn broken_key(what: &str, _: Integrity) -> Problem {
    error!("{what} failed its integrity check: the database was changed or badly restored");
    Problem::new(
        Code::Internal,
        "A key of the vault failed its integrity check; the database was changed or badly \
         restored. The log says which.",
    )
}
