//! A plan: who answers a call, and what it can cost.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use ralex_api::catalog::{ModelCapability, ModelOperation, ModelTraits, Prices, ProviderKind};
use ralex_kernel::{Code, ModelId, Money, Price, Problem, ProviderId, Slug};
use ralex_providers::{Target, Usage};

use crate::fees::Fees;
use crate::price::{self, Bound, Counts};

/// Everything that a call to one model needs; it stays as it is for the whole call.
#[derive(Clone, Debug)]
pub struct Plan {
    pub model: ModelId,
    /// What callers write as `model`.
    pub name: String,
    pub provider: ProviderId,
    pub provider_slug: Slug,
    pub provider_kind: ProviderKind,
    /// Where to send it: kind, address and the upstream's own name of the model.
    pub target: Target,
    /// The origin that keys are bound to; a simulated provider has none.
    pub origin: Option<String>,
    /// True where a call cannot be made without a key.
    pub needs_key: bool,
    /// The plain prices, as a call's record copies them; `prices` has every part.
    pub input_price: Price,
    pub output_price: Price,
    pub cache_read_price: Price,
    pub cache_write_price: Price,
    pub prices: Arc<Prices>,
    /// What its vendor takes for tools that it runs.
    pub fees: Fees,
    /// Which version of the model's price this is.
    pub price_version: u32,
    /// Tokens of input and output together.
    pub context_window: u32,
    /// Tokens of output.
    pub max_output: u32,
    /// What the model can do, how well and where.
    pub traits: Arc<ModelTraits>,
    /// Labels of data that it may see.
    pub labels: Arc<[String]>,
    /// The day on which its vendor stops answering for it.
    pub retires_on: Option<NaiveDate>,
    pub created_at: DateTime<Utc>,
}

impl Plan {
    /// The most that a call with so many tokens can cost, however its input is cached and whatever
    /// it holds: never less than [`Plan::cost`] of a usage within these counts.
    pub fn worst_case(&self, input_tokens: u64, output_tokens: u64) -> Money {
        self.worst_case_within(&Bound::tokens(input_tokens, output_tokens))
    }

    /// The same, where more is known of the call.
    pub fn worst_case_within(&self, bound: &Bound) -> Money {
        price::worst_case(&self.prices, bound)
    }

    /// What a call has cost, to the nano-dollar: every part at its price, each rounded up to the
    /// next nano-dollar, then summed.
    pub fn cost(&self, usage: &Usage) -> Money {
        price::cost(&self.prices, &Counts::from(usage)) + self.fees.of(&usage.tools)
    }

    pub fn supports(&self, capability: ModelCapability) -> bool {
        self.traits.supports.contains(&capability)
    }

    pub fn answers(&self, operation: ModelOperation) -> bool {
        self.traits.operations.contains(&operation)
    }

    /// The problem of a call to a provider that needs a key and has none.
    pub fn key_missing(&self) -> Problem {
        Problem::new(
            Code::ProviderNotReady,
            format!(
                "The provider {} of the model {} has no key yet; someone who may manage provider \
                 keys must enter one.",
                self.provider_slug, self.name
            ),
        )
    }
}

impl From<&Usage> for Counts {
    fn from(usage: &Usage) -> Self {
        Self {
            input: usage.input_tokens,
            cache_read: usage.cache_read_tokens,
            cache_write: usage.cache_write_tokens,
            cache_write_1h: usage.cache_write_1h_tokens,
            audio_input: usage.audio_input_tokens,
            output: usage.output_tokens,
            audio_output: usage.audio_output_tokens,
            units: usage.units,
        }
    }
}
