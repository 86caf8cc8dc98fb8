//! OpenAI's pages: costs by line item, or usage by model.

use chrono::DateTime;
use ralex_kernel::Money;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::decimal::money;
use super::{Export, Told, Usd, day_of, pages};

#[derive(Deserialize)]
struct Bucket {
    start_time: i64,
    end_time: i64,
    #[serde(alias = "result")]
    results: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    amount: Option<Amount>,
    line_item: Option<String>,
    model: Option<String>,
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
}

#[derive(Deserialize)]
struct Amount {
    value: Dollars,
    #[expect(dead_code, reason = "read so that another currency is refused")]
    currency: Usd,
}

/// A number or a text of one.
struct Dollars(Money);

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        money(inner.unwrap_or(text), 0)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("{text} is no amount of dollars")))
    }
}

pub(super) fn read(text: &str, export: &mut Export) -> Result<(), String> {
    pages(text, |bucket: Bucket| {
        let time = |seconds| {
            DateTime::from_timestamp(seconds, 0).ok_or_else(|| format!("has no time {seconds}"))
        };
        let day = day_of(time(bucket.start_time)?, time(bucket.end_time)?)?;
        export.day(day)?;
        for entry in bucket.results {
            export.billed |= entry.amount.is_some();
            let told = Told {
                cost: entry.amount.map_or(Money::ZERO, |amount| amount.value.0),
                input_tokens: entry.input_tokens,
                output_tokens: entry.output_tokens,
            };
            let model = entry.model.as_deref().or_else(|| entry.line_item.as_deref().map(model_of));
            export.add(day, model, told)?;
        }
        Ok(())
    })
}

/// A line item reads `gpt-4o-2024-08-06, cached input`.
fn model_of(line_item: &str) -> &str {
    line_item.rsplit_once(", ").map_or(line_item, |(model, _)| model)
}
