//! Anthropic's pages: costs in cents by description, or usage of messages by model.

use chrono::{DateTime, Utc};
use ralex_kernel::Money;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::decimal::money;
use super::{Export, Told, Usd, day_of, pages};

const CENTS: i32 = -2;

#[derive(Deserialize)]
struct Bucket {
    starting_at: DateTime<Utc>,
    ending_at: DateTime<Utc>,
    results: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    amount: Option<Cents>,
    #[expect(dead_code, reason = "read so that another currency is refused")]
    currency: Option<Usd>,
    model: Option<String>,
    description: Option<String>,
    #[serde(default)]
    uncached_input_tokens: u64,
    #[serde(default)]
    cache_read_input_tokens: u64,
    cache_creation: Option<Written>,
    #[serde(default)]
    output_tokens: u64,
}

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    ephemeral_5m_input_tokens: u64,
    #[serde(default)]
    ephemeral_1h_input_tokens: u64,
}

/// A text of a decimal number of cents.
struct Cents(Money);

impl<'de> Deserialize<'de> for Cents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let amount = money(&text, CENTS);
        amount.map(Self).ok_or_else(|| D::Error::custom(format!("{text:?} is no amount of cents")))
    }
}

pub(super) fn read(text: &str, export: &mut Export) -> Result<(), String> {
    pages(text, |bucket: Bucket| {
        let day = day_of(bucket.starting_at, bucket.ending_at)?;
        export.day(day)?;
        for entry in bucket.results {
            export.billed |= entry.amount.is_some();
            let written = entry.cache_creation.map_or(0, |it| {
                it.ephemeral_5m_input_tokens.saturating_add(it.ephemeral_1h_input_tokens)
            });
            let told = Told {
                cost: entry.amount.map_or(Money::ZERO, |amount| amount.0),
                input_tokens: entry
                    .uncached_input_tokens
                    .saturating_add(entry.cache_read_input_tokens)
                    .saturating_add(written),
                output_tokens: entry.output_tokens,
            };
            // What is no tokens, such as searches, has no model and says what it is.
            let name = entry.model.as_deref().or(entry.description.as_deref());
            export.add(day, name, told)?;
        }
        Ok(())
    })
}
