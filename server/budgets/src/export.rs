//! What a provider says it billed, read from one of its exports.
//!
//! A file that is not understood to its last field is refused with its line: a row that is silently
//! skipped would be money that nobody sees.

mod anthropic;
mod decimal;
mod openai;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, Utc};
use ralex_api::adjustments::ExportFormat;
use ralex_kernel::{Code, Money, Problem};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

const MOST_BYTES: usize = 8 << 20;
const MOST_ROWS: usize = 20_000;
const MOST_DAYS: usize = 400;
const MOST_NAME: usize = 200;

/// A day of UTC and a model as the provider names it, where the export tells.
pub(crate) type RowKey = (NaiveDate, Option<String>);

/// What an export tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Export {
    pub rows: BTreeMap<RowKey, Told>,
    /// Days that it tells of, also those on which nothing was billed.
    pub days: BTreeSet<NaiveDate>,
    /// Whether it tells of money; of tokens only where it does not.
    pub billed: bool,
}

/// What it tells of one day and model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub cost: Money,
    pub input_tokens: u64,
    pub output_tokens: u64,
}

impl Export {
    pub fn read(format: ExportFormat, text: &str) -> Result<Self, Problem> {
        if text.len() > MOST_BYTES {
            let detail = "The export is larger than 8 MiB. Send fewer days at once.";
            return Err(Problem::new(Code::TooLarge, detail));
        }
        let mut export = Self::default();
        let text = text.trim_start_matches('\u{feff}');
        let read = match format {
            ExportFormat::Openai => openai::read(text, &mut export),
            ExportFormat::Anthropic => anthropic::read(text, &mut export),
            ExportFormat::Csv => table::read(text, &mut export),
        };
        read.map_err(|message| Problem::field("export", message))?;
        if export.days.is_empty() {
            return Err(Problem::field("export", "tells of no day"));
        }
        Ok(export)
    }

    fn add(&mut self, day: NaiveDate, model: Option<&str>, told: Told) -> Result<(), String> {
        self.day(day)?;
        let model = model.map(str::trim).filter(|model| !model.is_empty());
        if model.is_some_and(|model| model.chars().count() > MOST_NAME) {
            return Err(format!("has a model's name of more than {MOST_NAME} characters"));
        }
        let row = self.rows.entry((day, model.map(str::to_owned))).or_default();
        row.cost = row.cost.checked_add(told.cost).ok_or("comes to more than can be counted")?;
        row.input_tokens = row.input_tokens.saturating_add(told.input_tokens);
        row.output_tokens = row.output_tokens.saturating_add(told.output_tokens);
        if self.rows.len() > MOST_ROWS {
            return Err(format!("has more than {MOST_ROWS} days and models; send fewer days"));
        }
        Ok(())
    }

    fn day(&mut self, day: NaiveDate) -> Result<(), String> {
        self.days.insert(day);
        let most = self.days.first().and_then(|first| {
            first.checked_add_days(Days::new(u64::try_from(MOST_DAYS).unwrap_or(u64::MAX)))
        });
        if most.is_none_or(|most| day >= most || self.days.last() >= Some(&most)) {
            return Err(format!("spans more than {MOST_DAYS} days; send fewer"));
        }
        Ok(())
    }
}

/// Pages one after the other, as they come when an export is fetched page by page.
fn pages<B: DeserializeOwned>(
    text: &str,
    mut bucket: impl FnMut(B) -> Result<(), String>,
) -> Result<(), String> {
    let mut more = false;
    for (number, page) in
        serde_json::Deserializer::from_str(text).into_iter::<Page<B>>().enumerate()
    {
        let page = page.map_err(|error| format!("cannot be read: {error}"))?;
        more = page.has_more;
        for one in page.data {
            bucket(one).map_err(|message| format!("{message} (page {})", number + 1))?;
        }
    }
    if more {
        return Err("is not whole: its last page says that there are more. Add them".to_owned());
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(bound = "B: DeserializeOwned")]
struct Page<B> {
    data: Vec<B>,
    #[serde(default)]
    has_more: bool,
}

/// The day of a span of time that is no longer than one.
fn day_of(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<NaiveDate, String> {
    let day = from.date_naive();
    let next = day.checked_add_days(Days::new(1));
    let midnight = next.map(|next| next.and_time(chrono::NaiveTime::MIN).and_utc());
    if to <= from || midnight.is_none_or(|midnight| to > midnight) {
        return Err(format!(
            "has a span from {from} to {to}, which is not within one day of UTC; ask for \
             bucket_width=1d"
        ));
    }
    Ok(day)
}

/// The only currency that budgets are in.
struct Usd;

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.eq_ignore_ascii_case("usd") {
            return Ok(Self);
        }
        Err(D::Error::custom(format!("the currency is {text:?}, and budgets are in US dollars")))
    }
}

#[cfg(test)]
mod tests;
