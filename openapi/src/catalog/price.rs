//! Prices: every part of what a model costs.

use chrono::{DateTime, Utc};
use ralex_kernel::{Money, Price};
use serde::{Deserialize, Serialize};

/// What is paid for besides tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum PriceUnit {
    #[default]
    None,
    /// Every call, whatever is in it.
    Request,
    /// Every search, of the web or of documents.
    Search,
    Image,
    /// A second of audio, heard or spoken.
    Second,
    /// A million characters of text.
    MillionCharacters,
}

impl PriceUnit {
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Request,
        Self::Search,
        Self::Image,
        Self::Second,
        Self::MillionCharacters,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Request => "request",
            Self::Search => "search",
            Self::Image => "image",
            Self::Second => "second",
            Self::MillionCharacters => "million_characters",
        }
    }
}

/// Prices of a call whose input is longer than `above` tokens; they hold for all of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PriceTier {
    /// Tokens of input, cached or not.
    pub above: u32,
    pub input_price: Price,
    pub output_price: Price,
    pub cache_read_price: Price,
    pub cache_write_price: Price,
    pub cache_write_1h_price: Price,
}

/// Every part of what a model costs; token prices are US dollars per million.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Prices {
    pub input_price: Price,
    /// Price of output tokens, reasoning included.
    pub output_price: Price,
    /// Price of input tokens that the provider's cache answered.
    pub cache_read_price: Price,
    /// Price of input tokens that are written to the provider's cache.
    pub cache_write_price: Price,
    /// The same, for a cache that is kept for an hour.
    pub cache_write_1h_price: Price,
    /// Price of input tokens that stand for audio.
    pub audio_input_price: Price,
    /// Price of output tokens that stand for audio.
    pub audio_output_price: Price,
    /// What is paid for besides tokens.
    pub unit: PriceUnit,
    /// US dollars for one `unit`.
    pub unit_price: Money,
    /// What a call in a batch costs, of a hundred.
    pub batch_percent: u8,
    /// Prices of calls with long input, the shortest first.
    pub price_tiers: Vec<PriceTier>,
}

impl Prices {
    /// Prices of input and output alone; whatever else there is, costs the same as these.
    pub const fn plain(input_price: Price, output_price: Price) -> Self {
        Self {
            input_price,
            output_price,
            cache_read_price: input_price,
            cache_write_price: input_price,
            cache_write_1h_price: input_price,
            audio_input_price: input_price,
            audio_output_price: output_price,
            unit: PriceUnit::None,
            unit_price: Money::ZERO,
            batch_percent: 100,
            price_tiers: Vec::new(),
        }
    }
}

crate::answer! {
    /// A price that a model has or had.
    pub struct ModelPrice {
        /// Counts from 1. Calls were made at it from `valid_from` until the next version.
        pub version: u32,
        #[cfg_attr(feature = "console", serde(rename = "*prices"))]
        #[cfg_attr(not(feature = "console"), serde(flatten))]
        pub prices: Prices,
        pub valid_from: DateTime<Utc>,
        /// Who set it, in words: an e-mail address or a token's name.
        pub set_by: String,
        /// True for the price of calls from now on.
        pub current: bool,
    }
}
