//! The vault's queries. What they read and write of secrets is ciphertext.

pub(crate) mod answers;
pub(crate) mod keys;
pub(crate) mod secret;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Versions grow by one from one, so the schema's signed integers never go below.
fn version(stored: i32) -> u32 {
    stored.unsigned_abs()
}

fn stored(version: u32) -> Result<i32> {
    i32::try_from(version).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}
