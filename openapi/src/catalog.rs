//! Providers and models: what can be called, where, and at which price.

use chrono::{DateTime, Utc};
use ralex_kernel::{ModelId, Price, ProviderId, Slug};
use serde::{Deserialize, Serialize};

/// Which wire format a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ProviderKind {
    Openai,
    Anthropic,
    /// Any server that speaks OpenAI's chat completions (vLLM, llama.cpp, Ollama, …).
    OpenaiCompatible,
    /// Answers without a key or a network, for the first call and for tests.
    Simulated,
}

impl ProviderKind {
    pub const ALL: [Self; 4] =
        [Self::Openai, Self::Anthropic, Self::OpenaiCompatible, Self::Simulated];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::OpenaiCompatible => "openai_compatible",
            Self::Simulated => "simulated",
        }
    }

    /// The address that the vendor publishes, where there is one.
    pub const fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com"),
            Self::OpenaiCompatible | Self::Simulated => None,
        }
    }

    /// True where a call needs a key from the vault.
    pub const fn needs_key(self) -> bool {
        matches!(self, Self::Openai | Self::Anthropic)
    }
}

crate::answer! {
    pub struct Provider {
        pub id: ProviderId,
        pub slug: Slug,
        pub kind: ProviderKind,
        /// Absent on a simulated provider.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub base_url: Option<String>,
        pub models: u32,
        pub keys: u32,
        /// False while it is switched off, or lacks the key that it needs.
        pub ready: bool,
        pub enabled: bool,
        pub created_at: DateTime<Utc>,
    }

    pub struct Model {
        pub id: ModelId,
        /// What callers write as `model`.
        pub name: String,
        pub provider: ProviderId,
        pub provider_slug: Slug,
        /// What the provider calls it.
        pub upstream_model: String,
        /// US dollars per million tokens.
        pub input_price: Price,
        pub output_price: Price,
        /// Price of input tokens that the provider's cache answered.
        pub cache_read_price: Price,
        /// Price of input tokens that are written to the provider's cache.
        pub cache_write_price: Price,
        /// Tokens of input and output together.
        pub context_window: u32,
        /// Tokens of output.
        pub max_output: u32,
        pub created_at: DateTime<Utc>,
    }

    /// A model that Ralex knows the price of, to be added with one click.
    pub struct CatalogModel {
        pub kind: ProviderKind,
        pub name: String,
        pub input_price: Price,
        pub output_price: Price,
        pub cache_read_price: Price,
        pub cache_write_price: Price,
        pub context_window: u32,
        pub max_output: u32,
    }
}

crate::request! {
    pub struct NewProvider {
        pub slug: Slug,
        pub kind: ProviderKind,
        /// The vendor's own address when absent; needed for `openai_compatible`.
        #[serde(default)]
        pub base_url: Option<String>,
    }

    /// A change; absent fields stay. A new origin detaches the provider's keys.
    pub struct UpdateProvider {
        #[serde(default)]
        pub base_url: Option<String>,
        #[serde(default)]
        pub enabled: Option<bool>,
    }

    pub struct NewModel {
        pub name: String,
        /// Id or slug of the provider.
        pub provider: String,
        pub upstream_model: String,
        pub input_price: Price,
        pub output_price: Price,
        /// `input_price` when absent.
        #[serde(default)]
        pub cache_read_price: Option<Price>,
        /// `input_price` when absent.
        #[serde(default)]
        pub cache_write_price: Option<Price>,
        pub context_window: u32,
        pub max_output: u32,
    }

    /// New prices and limits; calls from now on use them, recorded ones keep theirs.
    pub struct UpdateModel {
        #[serde(default)]
        pub input_price: Option<Price>,
        #[serde(default)]
        pub output_price: Option<Price>,
        #[serde(default)]
        pub cache_read_price: Option<Price>,
        #[serde(default)]
        pub cache_write_price: Option<Price>,
        #[serde(default)]
        pub context_window: Option<u32>,
        #[serde(default)]
        pub max_output: Option<u32>,
    }
}
