//! Models: what each can do, how well, and what it costs.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use ralex_kernel::{ModelId, Money, Price, ProviderId, Slug};
use serde::{Deserialize, Serialize};

use super::{PriceTier, PriceUnit, Prices, ProviderKind};
use crate::given;
use crate::page::PageQuery;

crate::words! {
    /// What a model is called for.
    pub enum ModelOperation {
        /// Answers a conversation.
        Generate = "generate",
        Embeddings = "embeddings",
        Moderations = "moderations",
        Images = "images",
        /// Text to audio.
        Speech = "speech",
        /// Audio to text.
        Transcriptions = "transcriptions",
        /// Audio to English text.
        Translations = "translations",
        Rerank = "rerank",
    }

    /// A form in which a model takes or gives something.
    pub enum Modality {
        Text = "text",
        Image = "image",
        Audio = "audio",
        Video = "video",
        Pdf = "pdf",
    }

    /// Something that not every model can do.
    pub enum ModelCapability {
        Tools = "tools",
        ParallelTools = "parallel_tools",
        /// Takes images. As of `pdf`, `audio` and `video`: always so where the modality stands in
        /// `input_modalities`.
        Vision = "vision",
        Pdf = "pdf",
        Audio = "audio",
        Video = "video",
        /// Keeps to a JSON schema that the caller gives.
        JsonSchema = "json_schema",
        Reasoning = "reasoning",
        /// Reads the beginning of a prompt from a cache, at a price of its own.
        PromptCaching = "prompt_caching",
        /// Searches the web by itself.
        WebSearch = "web_search",
        ComputerUse = "computer_use",
        /// Goes on from the beginning of an answer that the caller gives.
        Prefill = "prefill",
    }
}

/// What a model can do, how well and where: what a route chooses by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ModelTraits {
    pub operations: Vec<ModelOperation>,
    pub input_modalities: Vec<Modality>,
    pub output_modalities: Vec<Modality>,
    pub supports: Vec<ModelCapability>,
    /// How fast it answers, 1 (slowest) to 5; absent while nobody has judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<u8>,
    /// How well it answers overall, 0 to 100; absent while nobody has judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// How well it does one family of tasks (`code`, `reasoning`, …), 0 to 100, where that differs.
    pub qualities: BTreeMap<String, u8>,
    /// What it is made for, in a word each.
    pub specialities: Vec<String>,
    /// Regions that it answers in (`eu`, `us`); empty: not known.
    pub residency: Vec<String>,
}

impl Default for ModelTraits {
    /// A model that answers text with text, of which nothing else is known.
    fn default() -> Self {
        Self {
            operations: vec![ModelOperation::Generate],
            input_modalities: vec![Modality::Text],
            output_modalities: vec![Modality::Text],
            supports: Vec::new(),
            speed: None,
            quality: None,
            qualities: BTreeMap::new(),
            specialities: Vec::new(),
            residency: Vec::new(),
        }
    }
}

/// Which known models; absent parts leave all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct CatalogQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many items, 1 to 500; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only those of this kind of provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(value_type = Option<String>))]
    pub kind: Option<ProviderKind>,
    /// Only those with this in their name, their kind or their specialities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only those that answer this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(inline))]
    pub operation: Option<ModelOperation>,
    /// Only those that can do this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(inline))]
    pub supports: Option<ModelCapability>,
}

/// Which models, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct ModelQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many items, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only those with this in their name or their provider's name of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only those of this provider, by id or slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Only those that answer this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(inline))]
    pub operation: Option<ModelOperation>,
    /// Only those that can do this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(inline))]
    pub supports: Option<ModelCapability>,
    /// Only those that are switched on, or off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

impl ModelQuery {
    pub fn page(&self) -> PageQuery {
        PageQuery { cursor: self.cursor.clone(), limit: self.limit }
    }
}

crate::answer! {
    pub struct Model {
        pub id: ModelId,
        /// What callers write as `model`.
        pub name: String,
        pub provider: ProviderId,
        pub provider_slug: Slug,
        /// What the provider calls it.
        pub upstream_model: String,
        #[cfg_attr(feature = "console", serde(rename = "*prices"))]
        #[cfg_attr(not(feature = "console"), serde(flatten))]
        pub prices: Prices,
        /// Counts the changes of its price, from 1.
        pub price_version: u32,
        /// Tokens of input and output together.
        pub context_window: u32,
        /// Tokens of output.
        pub max_output: u32,
        #[cfg_attr(feature = "console", serde(rename = "*traits"))]
        #[cfg_attr(not(feature = "console"), serde(flatten))]
        pub traits: ModelTraits,
        /// Labels of data that it may see (`internal`, `pii`), `*` for all. A call whose data has a
        /// label goes only to models that have it too.
        pub labels: Vec<String>,
        pub enabled: bool,
        /// The day on which its vendor stops answering for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub retires_on: Option<NaiveDate>,
        pub created_at: DateTime<Utc>,
    }

    /// A model that Ralex knows the price of, to be added with one click.
    pub struct CatalogModel {
        pub kind: ProviderKind,
        pub name: String,
        #[cfg_attr(feature = "console", serde(rename = "*prices"))]
        #[cfg_attr(not(feature = "console"), serde(flatten))]
        pub prices: Prices,
        pub context_window: u32,
        pub max_output: u32,
        #[cfg_attr(feature = "console", serde(rename = "*traits"))]
        #[cfg_attr(not(feature = "console"), serde(flatten))]
        pub traits: ModelTraits,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub retires_on: Option<NaiveDate>,
    }
}

crate::request! {
    /// Traits that are absent are the catalogue's, where it knows the upstream's model.
    #[derive(Default)]
    pub struct NewModel {
        pub name: String,
        /// Id or slug of the provider.
        pub provider: String,
        pub upstream_model: String,
        pub input_price: Price,
        pub output_price: Price,
        /// `input_price` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cache_read_price: Option<Price>,
        /// `input_price` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cache_write_price: Option<Price>,
        /// `cache_write_price` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cache_write_1h_price: Option<Price>,
        /// `input_price` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub audio_input_price: Option<Price>,
        /// `output_price` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub audio_output_price: Option<Price>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub unit: Option<PriceUnit>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub unit_price: Option<Money>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub batch_percent: Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub price_tiers: Option<Vec<PriceTier>>,
        pub context_window: u32,
        pub max_output: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operations: Option<Vec<ModelOperation>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub input_modalities: Option<Vec<Modality>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub output_modalities: Option<Vec<Modality>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub supports: Option<Vec<ModelCapability>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub speed: Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub quality: Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub qualities: Option<BTreeMap<String, u8>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub specialities: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub residency: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub labels: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub enabled: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub retires_on: Option<NaiveDate>,
    }

    /// A change; absent fields stay. New prices hold for calls from now on and make a new version;
    /// recorded calls keep theirs.
    #[derive(Default)]
    pub struct UpdateModel {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub upstream_model: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub input_price: Option<Price>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub output_price: Option<Price>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cache_read_price: Option<Price>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cache_write_price: Option<Price>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cache_write_1h_price: Option<Price>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub audio_input_price: Option<Price>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub audio_output_price: Option<Price>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub unit: Option<PriceUnit>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub unit_price: Option<Money>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub batch_percent: Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub price_tiers: Option<Vec<PriceTier>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub context_window: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub max_output: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operations: Option<Vec<ModelOperation>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub input_modalities: Option<Vec<Modality>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub output_modalities: Option<Vec<Modality>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub supports: Option<Vec<ModelCapability>>,
        /// Null takes the judgement back.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
        #[cfg_attr(feature = "schema", schema(value_type = Option<u8>))]
        pub speed: Option<Option<u8>>,
        /// Null takes the judgement back.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
        #[cfg_attr(feature = "schema", schema(value_type = Option<u8>))]
        pub quality: Option<Option<u8>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub qualities: Option<BTreeMap<String, u8>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub specialities: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub residency: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub labels: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub enabled: Option<bool>,
        /// Null for a model without an end.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
        #[cfg_attr(feature = "schema", schema(value_type = Option<NaiveDate>))]
        pub retires_on: Option<Option<NaiveDate>>,
    }
}

impl NewModel {
    /// All of it that could be changed later.
    pub fn terms(self) -> UpdateModel {
        UpdateModel {
            upstream_model: Some(self.upstream_model),
            input_price: Some(self.input_price),
            output_price: Some(self.output_price),
            cache_read_price: self.cache_read_price,
            cache_write_price: self.cache_write_price,
            cache_write_1h_price: self.cache_write_1h_price,
            audio_input_price: self.audio_input_price,
            audio_output_price: self.audio_output_price,
            unit: self.unit,
            unit_price: self.unit_price,
            batch_percent: self.batch_percent,
            price_tiers: self.price_tiers,
            context_window: Some(self.context_window),
            max_output: Some(self.max_output),
            operations: self.operations,
            input_modalities: self.input_modalities,
            output_modalities: self.output_modalities,
            supports: self.supports,
            speed: self.speed.map(Some),
            quality: self.quality.map(Some),
            qualities: self.qualities,
            specialities: self.specialities,
            residency: self.residency,
            labels: self.labels,
            enabled: self.enabled,
            retires_on: self.retires_on.map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_written_as_it_is_named() {
        for word in ModelOperation::ALL {
            assert_eq!(serde_json::to_value(word).unwrap(), word.as_str());
        }
        for word in ModelCapability::ALL {
            assert_eq!(serde_json::to_value(word).unwrap(), word.as_str());
        }
        for word in Modality::ALL {
            assert_eq!(serde_json::to_value(word).unwrap(), word.as_str());
        }
        assert_eq!(ModelCapability::named("json_schema"), Some(ModelCapability::JsonSchema));
    }

    #[test]
    fn a_change_tells_absent_from_null() {
        let absent: UpdateModel = serde_json::from_str("{}").unwrap();
        assert_eq!(absent.quality, None);
        let null: UpdateModel = serde_json::from_str(r#"{"quality":null}"#).unwrap();
        assert_eq!(null.quality, Some(None));
        assert_eq!(serde_json::to_string(&null).unwrap(), r#"{"quality":null}"#);
        let set: UpdateModel = serde_json::from_str(r#"{"quality":7}"#).unwrap();
        assert_eq!(set.quality, Some(Some(7)));
        assert!(serde_json::from_str::<UpdateModel>(r#"{"qualify":7}"#).is_err());
    }
}
