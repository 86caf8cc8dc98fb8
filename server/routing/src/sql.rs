//! The queries of providers and models.

use ralex_api::catalog::ProviderKind;

pub(crate) mod model;
pub(crate) mod provider;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// The kind that a stored name means.
pub(crate) fn kind(name: &str) -> Option<ProviderKind> {
    [
        ProviderKind::Openai,
        ProviderKind::Anthropic,
        ProviderKind::OpenaiCompatible,
        ProviderKind::Simulated,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == name)
}

/// The schema keeps token counts positive.
pub(crate) const fn count(stored: i32) -> u32 {
    stored.unsigned_abs()
}

pub(crate) fn amount(rows: i64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

/// `Terms::check` keeps counts within the schema's integers.
fn stored(count: u32) -> Result<i32> {
    i32::try_from(count).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}
