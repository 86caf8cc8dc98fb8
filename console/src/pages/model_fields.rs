//! The fields of a model's form: from a model or what is known of one, to a request.

use std::str::FromStr;

use ralex_api::catalog::{
    CatalogModel, Modality, Model, ModelCapability, ModelOperation, ModelTraits, NewModel,
    PriceTier, PriceUnit, Prices, UpdateModel,
};
use ralex_kernel::Price;
use yew::prelude::*;

use crate::hooks::input::{Input, anything, count, needed, parses_if_filled, price};
use crate::hooks::use_input;
use crate::text::borrowed::lower;

/// What stands in the form, in its order.
#[derive(Clone, PartialEq)]
pub struct Fields {
    pub name: Input,
    pub upstream: Input,
    pub input_price: Input,
    pub output_price: Input,
    pub cache_read: Input,
    pub cache_write: Input,
    pub cache_write_1h: Input,
    pub audio_input: Input,
    pub audio_output: Input,
    pub unit_price: Input,
    pub batch: Input,
    pub tiers: Input,
    pub context: Input,
    pub output: Input,
    pub quality: Input,
    pub speed: Input,
    pub specialities: Input,
    pub residency: Input,
    pub labels: Input,
    pub unit: UseStateHandle<PriceUnit>,
    pub words: UseStateHandle<Words>,
}

/// Words that are chosen from closed lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    pub operations: Vec<ModelOperation>,
    pub input: Vec<Modality>,
    pub output: Vec<Modality>,
    pub supports: Vec<ModelCapability>,
}

impl Words {
    fn of(traits: &ModelTraits) -> Self {
        Self {
            operations: traits.operations.clone(),
            input: traits.input_modalities.clone(),
            output: traits.output_modalities.clone(),
            supports: traits.supports.clone(),
        }
    }
}

/// The fields of a form that changes `old`, or begins a model where there is none.
#[hook]
pub fn use_fields(old: Option<&Model>) -> Fields {
    let text = |read: fn(&Model) -> String| old.map(read).unwrap_or_default();
    let amount = |read: fn(&Prices) -> Price| {
        old.map(|model| read(&model.prices).to_string()).unwrap_or_default()
    };
    let traits = old.map(|model| model.traits.clone()).unwrap_or_default();
    let level = |level: Option<u8>| level.map(|level| level.to_string()).unwrap_or_default();
    Fields {
        name: use_input(&text(|model| model.name.clone()), needed),
        upstream: use_input(&text(|model| model.upstream_model.clone()), needed),
        input_price: use_input(&amount(|prices| prices.input_price), price),
        output_price: use_input(&amount(|prices| prices.output_price), price),
        cache_read: use_input(&amount(|prices| prices.cache_read_price), price_if_filled),
        cache_write: use_input(&amount(|prices| prices.cache_write_price), price_if_filled),
        cache_write_1h: use_input(&amount(|prices| prices.cache_write_1h_price), price_if_filled),
        audio_input: use_input(&amount(|prices| prices.audio_input_price), price_if_filled),
        audio_output: use_input(&amount(|prices| prices.audio_output_price), price_if_filled),
        unit_price: use_input(
            &text(|model| model.prices.unit_price.to_string()),
            parses_if_filled::<ralex_kernel::Money>,
        ),
        batch: use_input(&text(|model| model.prices.batch_percent.to_string()), percent),
        tiers: use_input(&text(|model| write_tiers(&model.prices.price_tiers)), tiers_told),
        context: use_input(&text(|model| model.context_window.to_string()), count),
        output: use_input(&text(|model| model.max_output.to_string()), whole),
        quality: use_input(&level(traits.quality), percent),
        speed: use_input(&level(traits.speed), speed),
        specialities: use_input(&traits.specialities.join(", "), anything),
        residency: use_input(&traits.residency.join(", "), anything),
        labels: use_input(&text(|model| model.labels.join(", ")), anything),
        unit: use_state(|| old.map(|model| model.prices.unit).unwrap_or_default()),
        words: use_state(|| Words::of(&traits)),
    }
}

impl Fields {
    pub fn all(&self) -> Vec<Input> {
        let this = self.clone();
        vec![
            this.name,
            this.upstream,
            this.input_price,
            this.output_price,
            this.cache_read,
            this.cache_write,
            this.cache_write_1h,
            this.audio_input,
            this.audio_output,
            this.unit_price,
            this.batch,
            this.tiers,
            this.context,
            this.output,
            this.quality,
            this.speed,
            this.specialities,
            this.residency,
            this.labels,
        ]
    }

    /// Takes over what is known of a model.
    pub fn fill(&self, known: &CatalogModel) {
        let (prices, traits) = (&known.prices, &known.traits);
        self.name.set(known.name.clone());
        self.upstream.set(known.name.clone());
        for (field, price) in [
            (&self.input_price, prices.input_price),
            (&self.output_price, prices.output_price),
            (&self.cache_read, prices.cache_read_price),
            (&self.cache_write, prices.cache_write_price),
            (&self.cache_write_1h, prices.cache_write_1h_price),
            (&self.audio_input, prices.audio_input_price),
            (&self.audio_output, prices.audio_output_price),
        ] {
            field.set(price.to_string());
        }
        self.unit.set(prices.unit);
        self.unit_price.set(prices.unit_price.to_string());
        self.batch.set(prices.batch_percent.to_string());
        self.tiers.set(write_tiers(&prices.price_tiers));
        self.context.set(known.context_window.to_string());
        self.output.set(known.max_output.to_string());
        let level = |level: Option<u8>| level.map(|level| level.to_string()).unwrap_or_default();
        self.quality.set(level(traits.quality));
        self.speed.set(level(traits.speed));
        self.specialities.set(traits.specialities.join(", "));
        self.residency.set(traits.residency.join(", "));
        self.words.set(Words::of(traits));
    }

    /// What the form says; empty prices stay as they are, or follow the plain ones.
    pub fn change(&self) -> UpdateModel {
        let unit_price = match *self.unit {
            PriceUnit::None => Some(ralex_kernel::Money::ZERO),
            _ => self.unit_price.parsed(),
        };
        UpdateModel {
            upstream_model: self.upstream.filled(),
            input_price: self.input_price.parsed(),
            output_price: self.output_price.parsed(),
            cache_read_price: self.cache_read.parsed(),
            cache_write_price: self.cache_write.parsed(),
            cache_write_1h_price: self.cache_write_1h.parsed(),
            audio_input_price: self.audio_input.parsed(),
            audio_output_price: self.audio_output.parsed(),
            unit: Some(*self.unit),
            unit_price,
            batch_percent: self.batch.parsed(),
            price_tiers: read_tiers(&self.tiers.text()).ok(),
            context_window: self.context.parsed(),
            max_output: self.output.parsed(),
            operations: Some(self.words.operations.clone()),
            input_modalities: Some(self.words.input.clone()),
            output_modalities: Some(self.words.output.clone()),
            supports: Some(self.words.supports.clone()),
            speed: Some(self.speed.parsed()),
            quality: Some(self.quality.parsed()),
            qualities: None,
            specialities: Some(list(&self.specialities.text())),
            residency: Some(list(&self.residency.text())),
            labels: Some(list(&self.labels.text())),
            enabled: None,
            retires_on: None,
        }
    }

    /// The same as a new model of a provider; `known` adds what the form does not ask for.
    pub fn new_model(&self, provider: &str, known: Option<&CatalogModel>) -> Option<NewModel> {
        let known = known.filter(|known| known.name == self.upstream.text());
        let change = self.change();
        Some(NewModel {
            name: self.name.filled()?,
            provider: provider.to_owned(),
            upstream_model: change.upstream_model?,
            input_price: change.input_price?,
            output_price: change.output_price?,
            cache_read_price: change.cache_read_price,
            cache_write_price: change.cache_write_price,
            cache_write_1h_price: change.cache_write_1h_price,
            audio_input_price: change.audio_input_price,
            audio_output_price: change.audio_output_price,
            unit: change.unit,
            unit_price: change.unit_price,
            batch_percent: change.batch_percent,
            price_tiers: change.price_tiers,
            context_window: change.context_window?,
            max_output: change.max_output?,
            operations: change.operations,
            input_modalities: change.input_modalities,
            output_modalities: change.output_modalities,
            supports: change.supports,
            speed: change.speed.flatten(),
            quality: change.quality.flatten(),
            qualities: known.map(|known| known.traits.qualities.clone()),
            specialities: change.specialities,
            residency: change.residency,
            labels: change.labels,
            enabled: None,
            retires_on: known.and_then(|known| known.retires_on),
        })
    }
}

fn price_if_filled(text: &str) -> Option<String> {
    if text.trim().is_empty() { None } else { price(text) }
}

fn percent(text: &str) -> Option<String> {
    at_most(text, 0, 100)
}

fn speed(text: &str) -> Option<String> {
    at_most(text, 1, 5)
}

fn whole(text: &str) -> Option<String> {
    let good = text.trim().parse::<u32>().is_ok();
    (!good).then(|| "Enter a whole number.".to_owned())
}

/// A whole number within bounds, or nothing.
fn at_most(text: &str, least: u8, most: u8) -> Option<String> {
    let good = text.trim().is_empty()
        || text.trim().parse::<u8>().is_ok_and(|number| (least..=most).contains(&number));
    (!good).then(|| format!("Enter a whole number from {least} to {most}, or nothing."))
}

/// `code, agents` as words.
fn list(text: &str) -> Vec<String> {
    let words = text.split(',').map(|word| lower(word.trim()));
    words.filter(|word| !word.is_empty()).collect()
}

/// One tier a line: above, input, output, and then cache reads, writes and writes for an hour.
pub fn write_tiers(tiers: &[PriceTier]) -> String {
    let line = |tier: &PriceTier| {
        format!(
            "{} {} {} {} {} {}",
            tier.above,
            tier.input_price,
            tier.output_price,
            tier.cache_read_price,
            tier.cache_write_price,
            tier.cache_write_1h_price
        )
    };
    tiers.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What follows the plain prices of a tier may be left out.
fn read_tiers(text: &str) -> Result<Vec<PriceTier>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| read_tier(line).ok_or_else(|| format!("Cannot be read: {line}"))).collect()
}

fn read_tier(line: &str) -> Option<PriceTier> {
    let mut words = line.split_whitespace();
    let above = words.next()?.parse().ok()?;
    let (input_price, output_price) = (next(&mut words)??, next(&mut words)??);
    let cache_read_price = next(&mut words)?.unwrap_or(input_price);
    let cache_write_price = next(&mut words)?.unwrap_or(input_price);
    let cache_write_1h_price = next(&mut words)?.unwrap_or(cache_write_price);
    let whole = words.next().is_none();
    whole.then_some(PriceTier {
        above,
        input_price,
        output_price,
        cache_read_price,
        cache_write_price,
        cache_write_1h_price,
    })
}

/// The next word as a value; `None` where it is not one, `Some(None)` where the line has ended.
#[expect(clippy::option_option, reason = "a mistake, the end of the line and a value")]
fn next<'a, T: FromStr>(words: &mut impl Iterator<Item = &'a str>) -> Option<Option<T>> {
    match words.next() {
        None => Some(None),
        Some(word) => word.parse().ok().map(Some),
    }
}

fn tiers_told(text: &str) -> Option<String> {
    read_tiers(text).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_read_as_they_are_written() {
        let text = "200000 4 18 0.4 5 8";
        let tiers = read_tiers(text).unwrap();
        assert_eq!(write_tiers(&tiers), text);
        let short = read_tiers("\n 200000 4 18 \n").unwrap();
        assert_eq!(write_tiers(&short), "200000 4 18 4 4 4", "the rest follows the input");
        for wrong in ["200000", "200000 4", "x 4 18", "1 2 3 4 5 6 7", "1 2 y"] {
            assert!(read_tiers(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_is_words_between_commas() {
        assert_eq!(list(" Code, agents,, "), ["code", "agents"]);
        assert!(list("").is_empty());
    }

    #[test]
    fn a_level_may_be_left_out() {
        assert_eq!((speed(""), speed("5")), (None, None));
        assert!(speed("6").is_some() && speed("0").is_some() && percent("101").is_some());
    }
}
