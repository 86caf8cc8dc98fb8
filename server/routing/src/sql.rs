//! The queries of providers and models.

pub(crate) mod learn;
pub(crate) mod model;
pub(crate) mod price;
pub(crate) mod provider;
pub(crate) mod rules;

type Result<T> = std::result::Result<T, sqlx::Error>;

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

/// Words as the schema keeps them.
fn texts<T: Copy>(words: &[T], text: impl Fn(T) -> &'static str) -> Vec<String> {
    words.iter().map(|word| text(*word).to_owned()).collect()
}
