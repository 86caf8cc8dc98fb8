//! Terms: everything of a model that its owner may change, checked as a whole.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use ralex_api::catalog::{
    CatalogModel, Modality, Model, ModelCapability, ModelOperation, ModelTraits, PriceTier,
    PriceUnit, Prices, UpdateModel,
};
use ralex_kernel::{Money, Price, Problem};

const UPSTREAM_MAX: usize = 256;
/// What the schema's integers hold.
const TOKENS_MAX: u32 = i32::MAX.unsigned_abs();
const TIERS_MAX: usize = 8;
const WORDS_MAX: usize = 32;
const WORD_MAX: usize = 63;

/// What a model is, costs and takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub upstream_model: String,
    pub prices: Prices,
    pub context_window: u32,
    pub max_output: u32,
    pub traits: ModelTraits,
    pub labels: Vec<String>,
    pub enabled: bool,
    pub retires_on: Option<NaiveDate>,
}

impl Terms {
    pub fn of(model: &Model) -> Self {
        Self {
            upstream_model: model.upstream_model.clone(),
            prices: model.prices.clone(),
            context_window: model.context_window,
            max_output: model.max_output,
            traits: model.traits.clone(),
            labels: model.labels.clone(),
            enabled: model.enabled,
            retires_on: model.retires_on,
        }
    }

    pub fn known(model: &CatalogModel) -> Self {
        Self {
            upstream_model: model.name.clone(),
            prices: model.prices.clone(),
            context_window: model.context_window,
            max_output: model.max_output,
            traits: model.traits.clone(),
            labels: Vec::new(),
            enabled: true,
            retires_on: model.retires_on,
        }
    }

    /// Terms of a new model: its prices are the plain ones where nothing else is said, its traits
    /// what the catalogue knows.
    pub fn new(plain: Prices, known: Option<&CatalogModel>) -> Self {
        Self {
            upstream_model: String::new(),
            prices: plain,
            context_window: 0,
            max_output: 0,
            traits: known.map(|known| known.traits.clone()).unwrap_or_default(),
            labels: Vec::new(),
            enabled: true,
            retires_on: known.and_then(|known| known.retires_on),
        }
    }

    /// These terms with a change; what is absent of it stays.
    pub fn changed(mut self, change: UpdateModel) -> Self {
        let prices = &mut self.prices;
        set(&mut prices.input_price, change.input_price);
        set(&mut prices.output_price, change.output_price);
        set(&mut prices.cache_read_price, change.cache_read_price);
        set(&mut prices.cache_write_price, change.cache_write_price);
        set(&mut prices.cache_write_1h_price, change.cache_write_1h_price);
        set(&mut prices.audio_input_price, change.audio_input_price);
        set(&mut prices.audio_output_price, change.audio_output_price);
        set(&mut prices.unit, change.unit);
        set(&mut prices.unit_price, change.unit_price);
        set(&mut prices.batch_percent, change.batch_percent);
        set(&mut prices.price_tiers, change.price_tiers);
        set(&mut self.upstream_model, change.upstream_model);
        set(&mut self.context_window, change.context_window);
        set(&mut self.max_output, change.max_output);
        let traits = &mut self.traits;
        set(&mut traits.operations, change.operations);
        set(&mut traits.input_modalities, change.input_modalities);
        set(&mut traits.output_modalities, change.output_modalities);
        set(&mut traits.supports, change.supports);
        set(&mut traits.speed, change.speed);
        set(&mut traits.quality, change.quality);
        set(&mut traits.qualities, change.qualities);
        set(&mut traits.specialities, change.specialities);
        set(&mut traits.residency, change.residency);
        set(&mut self.labels, change.labels);
        set(&mut self.enabled, change.enabled);
        set(&mut self.retires_on, change.retires_on);
        tidy(&mut self.traits, &mut self.labels);
        self.prices.price_tiers.sort_by_key(|tier| tier.above);
        self
    }

    pub fn check(&self) -> Result<(), Problem> {
        check_upstream(&self.upstream_model)?;
        check_prices(&self.prices)?;
        self.check_sizes()?;
        check_traits(&self.traits)?;
        // A star stands for every label.
        let labels: Vec<String> =
            self.labels.iter().filter(|label| *label != "*").cloned().collect();
        words("labels", &labels)
    }

    fn check_sizes(&self) -> Result<(), Problem> {
        if !(1..=TOKENS_MAX).contains(&self.context_window) {
            let message = format!("must be 1 to {TOKENS_MAX} tokens");
            return Err(Problem::field("context_window", message));
        }
        // What only embeds, ranks or listens has no output of tokens.
        let least = u32::from(self.traits.operations.contains(&ModelOperation::Generate));
        if !(least..=TOKENS_MAX).contains(&self.max_output) {
            let message = format!("must be {least} to {TOKENS_MAX} tokens");
            return Err(Problem::field("max_output", message));
        }
        if self.max_output > self.context_window {
            let message =
                "must not be above context_window, which counts input and output together";
            return Err(Problem::field("max_output", message));
        }
        Ok(())
    }
}

fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *field = given;
    }
}

/// Lists without order are kept in one order and without repeats, and what a modality says stands
/// among the capabilities too, so that everyone asks one list.
fn tidy(traits: &mut ModelTraits, labels: &mut Vec<String>) {
    for (modality, capability) in [
        (Modality::Image, ModelCapability::Vision),
        (Modality::Pdf, ModelCapability::Pdf),
        (Modality::Audio, ModelCapability::Audio),
        (Modality::Video, ModelCapability::Video),
    ] {
        traits.supports.retain(|other| *other != capability);
        if traits.input_modalities.contains(&modality) {
            traits.supports.push(capability);
        }
    }
    sorted(&mut traits.operations);
    sorted(&mut traits.input_modalities);
    sorted(&mut traits.output_modalities);
    sorted(&mut traits.supports);
    for words in [&mut traits.specialities, &mut traits.residency, labels] {
        sorted(words);
    }
}

fn sorted<T: Ord>(list: &mut Vec<T>) {
    list.sort();
    list.dedup();
}

fn check_prices(prices: &Prices) -> Result<(), Problem> {
    for (path, price) in [
        ("input_price", prices.input_price),
        ("output_price", prices.output_price),
        ("cache_read_price", prices.cache_read_price),
        ("cache_write_price", prices.cache_write_price),
        ("cache_write_1h_price", prices.cache_write_1h_price),
        ("audio_input_price", prices.audio_input_price),
        ("audio_output_price", prices.audio_output_price),
    ] {
        not_negative(path, price)?;
    }
    if prices.unit_price < Money::ZERO {
        return Err(Problem::field("unit_price", "must not be negative"));
    }
    if prices.unit == PriceUnit::None && prices.unit_price != Money::ZERO {
        let message = "needs a unit: request, search, image, second or million_characters";
        return Err(Problem::field("unit_price", message));
    }
    if prices.batch_percent > 100 {
        return Err(Problem::field("batch_percent", "must be 0 to 100"));
    }
    check_tiers(&prices.price_tiers)
}

fn check_tiers(tiers: &[PriceTier]) -> Result<(), Problem> {
    let wrong = |message: &str| Err(Problem::field("price_tiers", message.to_owned()));
    if tiers.len() > TIERS_MAX {
        return wrong("must be 8 tiers at most");
    }
    let mut before = 0;
    for tier in tiers {
        if !(1..=TOKENS_MAX).contains(&tier.above) || tier.above == before {
            return wrong("must each be above another number of tokens, from 1");
        }
        before = tier.above;
        for price in [
            tier.input_price,
            tier.output_price,
            tier.cache_read_price,
            tier.cache_write_price,
            tier.cache_write_1h_price,
        ] {
            not_negative("price_tiers", price)?;
        }
    }
    Ok(())
}

fn not_negative(path: &'static str, price: Price) -> Result<(), Problem> {
    if price < Price::ZERO { Err(Problem::field(path, "must not be negative")) } else { Ok(()) }
}

fn check_traits(traits: &ModelTraits) -> Result<(), Problem> {
    if traits.operations.is_empty() {
        return Err(Problem::field("operations", "must name at least one operation"));
    }
    if traits.speed.is_some_and(|speed| !(1..=5).contains(&speed)) {
        return Err(Problem::field("speed", "must be 1 (slowest) to 5"));
    }
    if traits.quality.is_some_and(|quality| quality > 100) {
        return Err(Problem::field("quality", "must be 0 to 100"));
    }
    check_qualities(&traits.qualities)?;
    words("specialities", &traits.specialities)?;
    words("residency", &traits.residency)
}

fn check_qualities(qualities: &BTreeMap<String, u8>) -> Result<(), Problem> {
    let families: Vec<String> = qualities.keys().cloned().collect();
    words("qualities", &families)?;
    if qualities.values().any(|quality| *quality > 100) {
        return Err(Problem::field("qualities", "must each be 0 to 100"));
    }
    Ok(())
}

/// A list of words that stand in filters and conditions without quoting.
fn words(path: &'static str, words: &[String]) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    let word = |word: &String| (1..=WORD_MAX).contains(&word.len()) && word.chars().all(allowed);
    if words.len() > WORDS_MAX || !words.iter().all(word) {
        let message =
            "must be 32 words at most, each of lower-case letters, digits or any of _ - .";
        return Err(Problem::field(path, message));
    }
    Ok(())
}

/// Whatever a provider may call its models, in one line.
fn check_upstream(name: &str) -> Result<(), Problem> {
    let hidden = |c: char| c.is_control() || c.is_whitespace();
    if !(1..=UPSTREAM_MAX).contains(&name.len()) || name.contains(hidden) {
        let message = "must be 1 to 256 bytes without spaces: the provider's name of the model";
        return Err(Problem::field("upstream_model", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Terms {
        let new = UpdateModel {
            upstream_model: Some("m".to_owned()),
            context_window: Some(100),
            max_output: Some(100),
            ..UpdateModel::default()
        };
        Terms::new(Prices::plain(Price::ZERO, Price::ZERO), None).changed(new)
    }

    fn field(change: UpdateModel) -> Result<(), String> {
        good().changed(change).check().map_err(|problem| problem.errors[0].path.clone())
    }

    #[test]
    fn terms_that_make_no_sense_are_refused_by_field() {
        assert_eq!(field(UpdateModel::default()), Ok(()));
        let negative = Some(Price::nanos_per_million(-1));
        let none = UpdateModel::default;
        let dear = PriceTier {
            above: 0,
            input_price: Price::ZERO,
            output_price: Price::ZERO,
            cache_read_price: Price::ZERO,
            cache_write_price: Price::ZERO,
            cache_write_1h_price: Price::ZERO,
        };
        let twice = vec![PriceTier { above: 5, ..dear }, PriceTier { above: 5, ..dear }];
        let family = BTreeMap::from([("code".to_owned(), 101)]);
        for (change, path) in [
            (UpdateModel { input_price: negative, ..none() }, "input_price"),
            (UpdateModel { cache_write_1h_price: negative, ..none() }, "cache_write_1h_price"),
            (UpdateModel { audio_output_price: negative, ..none() }, "audio_output_price"),
            (UpdateModel { unit_price: Some(Money::nanos(1)), ..none() }, "unit_price"),
            (UpdateModel { batch_percent: Some(101), ..none() }, "batch_percent"),
            (UpdateModel { price_tiers: Some(vec![dear]), ..none() }, "price_tiers"),
            (UpdateModel { price_tiers: Some(twice), ..none() }, "price_tiers"),
            (UpdateModel { context_window: Some(0), ..none() }, "context_window"),
            (UpdateModel { context_window: Some(u32::MAX), ..none() }, "context_window"),
            (UpdateModel { max_output: Some(0), ..none() }, "max_output"),
            (UpdateModel { max_output: Some(101), ..none() }, "max_output"),
            (UpdateModel { operations: Some(Vec::new()), ..none() }, "operations"),
            (UpdateModel { speed: Some(Some(6)), ..none() }, "speed"),
            (UpdateModel { quality: Some(Some(101)), ..none() }, "quality"),
            (UpdateModel { qualities: Some(family), ..none() }, "qualities"),
            (UpdateModel { labels: Some(vec!["A b".to_owned()]), ..none() }, "labels"),
            (UpdateModel { upstream_model: Some("a b".to_owned()), ..none() }, "upstream_model"),
        ] {
            assert_eq!(field(change), Err(path.to_owned()));
        }
    }

    #[test]
    fn a_star_is_every_label() {
        let labels = Some(vec!["*".to_owned(), "pii".to_owned()]);
        assert_eq!(field(UpdateModel { labels, ..UpdateModel::default() }), Ok(()));
    }

    #[test]
    fn a_model_that_only_embeds_needs_no_output() {
        let operations = Some(vec![ModelOperation::Embeddings]);
        let change = UpdateModel { operations, max_output: Some(0), ..UpdateModel::default() };
        assert_eq!(field(change), Ok(()));
    }

    #[test]
    fn what_a_modality_says_stands_among_the_capabilities() {
        let with = |input: Vec<Modality>, supports: Vec<ModelCapability>| {
            let change = UpdateModel {
                input_modalities: Some(input),
                supports: Some(supports),
                ..UpdateModel::default()
            };
            good().changed(change).traits.supports
        };
        let (image, text) = (Modality::Image, Modality::Text);
        let tools = ModelCapability::Tools;
        assert_eq!(with(vec![image, text], vec![tools]), [tools, ModelCapability::Vision]);
        assert_eq!(with(vec![text], vec![ModelCapability::Vision, tools, tools]), [tools]);
    }
}
