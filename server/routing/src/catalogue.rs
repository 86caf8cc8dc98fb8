//! The catalogue of known models, from the files of `policies/models`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use ralex_api::catalog::{
    CatalogModel, CatalogQuery, Modality, ModelCapability, ModelOperation, ModelTraits, PriceTier,
    PriceUnit, Prices, ProviderKind, UpdateModel,
};
use ralex_kernel::{Money, Price};
use ralex_providers::{BrokenSpec, Specs};
use rust_embed::RustEmbed;
use serde::Deserialize;

use crate::Routing;
use crate::fees::Fees;
use crate::terms::Terms;

#[derive(RustEmbed)]
#[folder = "../../policies/models"]
#[include = "*.toml"]
struct Files;

/// Models whose prices Ralex knows.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    models: Vec<CatalogModel>,
    /// Of all models of a kind, and of single ones.
    fees: HashMap<(String, Option<String>), Fees>,
}

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BrokenCatalogue {
    #[error("{0}")]
    Providers(&'static BrokenSpec),
    #[error("policies/models/{0}.toml is not valid: {1}")]
    Toml(String, toml::de::Error),
    #[error("policies/models/{0}.toml is not valid: there is no kind of provider of that name")]
    Kind(String),
    #[error("policies/models/{0}.toml is not valid: `{1}` stands in it twice")]
    Twice(String, String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    fees: Fees,
    model: Vec<Entry>,
}

/// A model as a file has it: what is absent is the plain price, or what most models do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    input_price: Price,
    output_price: Price,
    cache_read_price: Option<Price>,
    cache_write_price: Option<Price>,
    cache_write_1h_price: Option<Price>,
    audio_input_price: Option<Price>,
    audio_output_price: Option<Price>,
    unit: Option<PriceUnit>,
    unit_price: Option<Money>,
    /// In the place of the file's.
    fees: Option<Fees>,
    batch_percent: Option<u8>,
    #[serde(default)]
    price_tiers: Vec<Tier>,
    context_window: u32,
    max_output: u32,
    operations: Option<Vec<ModelOperation>>,
    input_modalities: Option<Vec<Modality>>,
    output_modalities: Option<Vec<Modality>>,
    #[serde(default)]
    supports: Vec<ModelCapability>,
    speed: Option<u8>,
    quality: Option<u8>,
    #[serde(default)]
    qualities: BTreeMap<String, u8>,
    #[serde(default)]
    specialities: Vec<String>,
    #[serde(default)]
    residency: Vec<String>,
    retires_on: Option<NaiveDate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tier {
    above: u32,
    input_price: Price,
    output_price: Price,
    cache_read_price: Option<Price>,
    cache_write_price: Option<Price>,
    cache_write_1h_price: Option<Price>,
}

impl Catalogue {
    /// The one that is built in.
    pub fn built_in() -> Result<Self, BrokenCatalogue> {
        // A kind that cannot be read would only be missing here, and nobody would know why.
        Specs::built_in().map_err(BrokenCatalogue::Providers)?;
        let mut catalogue = Self::default();
        for path in Files::iter() {
            let Some(content) = Files::get(&path) else { continue };
            let kind = path.trim_end_matches(".toml");
            catalogue.add(kind, &String::from_utf8_lossy(&content.data))?;
        }
        Ok(catalogue)
    }

    /// Adds the models of a kind of provider, in the form of the files of `policies/models`.
    pub fn add(&mut self, kind: &str, text: &str) -> Result<(), BrokenCatalogue> {
        let unknown = || BrokenCatalogue::Kind(kind.to_owned());
        let of: ProviderKind = kind.parse().map_err(|_| unknown())?;
        crate::kinds::find(kind).ok_or_else(unknown)?;
        let document: Document =
            toml::from_str(text).map_err(|error| BrokenCatalogue::Toml(kind.to_owned(), error))?;
        self.fees.insert((kind.to_owned(), None), document.fees);
        let mut names = BTreeSet::new();
        for entry in document.model {
            if !names.insert(entry.name.clone()) {
                return Err(BrokenCatalogue::Twice(kind.to_owned(), entry.name));
            }
            if let Some(fees) = entry.fees {
                self.fees.insert((kind.to_owned(), Some(entry.name.clone())), fees);
            }
            self.models.push(entry.model(of.clone()));
        }
        Ok(())
    }

    /// The models that providers of a kind are known to have, in the catalogue's order.
    pub fn of(&self, kind: &ProviderKind) -> impl Iterator<Item = &CatalogModel> {
        self.models.iter().filter(move |model| model.kind == *kind)
    }

    /// What is known of a provider's model.
    pub fn find(&self, kind: &ProviderKind, name: &str) -> Option<&CatalogModel> {
        self.of(kind).find(|model| model.name == name)
    }

    /// What a kind of provider takes for the tools that it runs for this model of theirs.
    pub fn fees(&self, kind: &ProviderKind, name: &str) -> Fees {
        let of = |name: Option<&str>| {
            self.fees.get(&(kind.as_str().to_owned(), name.map(str::to_owned))).copied()
        };
        of(Some(name)).or_else(|| of(None)).unwrap_or_default()
    }

    pub fn all(&self) -> &[CatalogModel] {
        &self.models
    }
}

impl Routing {
    /// The known models that are looked for.
    pub fn catalog(&self, wanted: &CatalogQuery) -> Vec<CatalogModel> {
        let fits = |model: &&CatalogModel| {
            wanted.kind.as_ref().is_none_or(|kind| *kind == model.kind)
                && wanted.operation.is_none_or(|one| model.traits.operations.contains(&one))
                && wanted.supports.is_none_or(|one| model.traits.supports.contains(&one))
                && wanted.q.as_deref().is_none_or(|text| mentions(model, text))
        };
        self.0.catalogue.all().iter().filter(fits).cloned().collect()
    }
}

fn mentions(model: &CatalogModel, text: &str) -> bool {
    let text = text.trim().to_lowercase();
    model.name.to_lowercase().contains(&text)
        || model.kind.as_str().contains(&text)
        || model.traits.specialities.iter().any(|word| word.contains(&text))
}

impl Entry {
    fn model(self, kind: ProviderKind) -> CatalogModel {
        let plain = Prices::plain(self.input_price, self.output_price);
        let cache_write_price = self.cache_write_price.unwrap_or(plain.cache_write_price);
        let prices = Prices {
            cache_read_price: self.cache_read_price.unwrap_or(plain.cache_read_price),
            cache_write_price,
            cache_write_1h_price: self.cache_write_1h_price.unwrap_or(cache_write_price),
            audio_input_price: self.audio_input_price.unwrap_or(plain.audio_input_price),
            audio_output_price: self.audio_output_price.unwrap_or(plain.audio_output_price),
            unit: self.unit.unwrap_or_default(),
            unit_price: self.unit_price.unwrap_or_default(),
            batch_percent: self.batch_percent.unwrap_or(plain.batch_percent),
            price_tiers: self.price_tiers.into_iter().map(Tier::prices).collect(),
            ..plain
        };
        let usual = ModelTraits::default();
        let traits = ModelTraits {
            operations: self.operations.unwrap_or(usual.operations),
            input_modalities: self.input_modalities.unwrap_or(usual.input_modalities),
            output_modalities: self.output_modalities.unwrap_or(usual.output_modalities),
            supports: self.supports,
            speed: self.speed,
            quality: self.quality,
            qualities: self.qualities,
            specialities: self.specialities,
            residency: self.residency,
        };
        let model = CatalogModel {
            kind,
            name: self.name,
            prices,
            context_window: self.context_window,
            max_output: self.max_output,
            traits,
            retires_on: self.retires_on,
        };
        // The same order of lists as an added model has.
        let terms = Terms::known(&model).changed(UpdateModel::default());
        CatalogModel { prices: terms.prices, traits: terms.traits, ..model }
    }
}

impl Tier {
    fn prices(self) -> PriceTier {
        let cache_write_price = self.cache_write_price.unwrap_or(self.input_price);
        PriceTier {
            above: self.above,
            input_price: self.input_price,
            output_price: self.output_price,
            cache_read_price: self.cache_read_price.unwrap_or(self.input_price),
            cache_write_price,
            cache_write_1h_price: self.cache_write_1h_price.unwrap_or(cache_write_price),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;

    #[test]
    fn every_known_model_could_be_added_as_it_stands() {
        let catalogue = Catalogue::built_in().unwrap();
        for known in catalogue.all() {
            let name = format!("{}/{}", known.kind, known.name);
            assert!(model::check_name(&known.name).is_ok(), "{name}");
            let checked = Terms::known(known).check();
            assert!(checked.is_ok(), "{name}: {checked:?}");
        }
    }

    #[test]
    fn prices_are_sane() {
        for known in Catalogue::built_in().unwrap().all() {
            let (name, prices) = (format!("{}/{}", known.kind, known.name), &known.prices);
            let local = crate::kinds::find(known.kind.as_str()).unwrap().local;
            let tokens = prices.input_price > Price::ZERO;
            let units = prices.unit != PriceUnit::None && prices.unit_price > Money::ZERO;
            let moderates = known.traits.operations == [ModelOperation::Moderations];
            assert!(tokens || units || local || moderates, "{name} is free");
            assert!(prices.cache_read_price <= prices.input_price, "{name}");
            assert!(prices.cache_write_1h_price >= prices.cache_write_price, "{name}");
            let most: Price = "200".parse().unwrap();
            assert!(prices.input_price <= most && prices.output_price <= most, "{name}");
            for tier in &prices.price_tiers {
                assert!(tier.input_price >= prices.input_price, "{name}");
                assert!(tier.above < known.context_window, "{name}");
            }
        }
    }

    #[test]
    fn what_can_be_chosen_by_quality_is_judged() {
        for known in Catalogue::built_in().unwrap().all() {
            if known.traits.operations.contains(&ModelOperation::Generate) {
                let name = format!("{}/{}", known.kind, known.name);
                assert!(known.traits.quality.is_some() && known.traits.speed.is_some(), "{name}");
            }
        }
    }

    #[test]
    fn the_catalogue_is_wide() {
        let catalogue = Catalogue::built_in().unwrap();
        assert!(catalogue.all().len() >= 100, "{}", catalogue.all().len());
        let of = |kind: &str| catalogue.of(&kind.parse().unwrap()).count();
        for (kind, least) in
            [("openai", 20), ("anthropic", 10), ("gemini", 8), ("mistral", 5), ("bedrock", 5)]
        {
            assert!(of(kind) >= least, "{kind}: {}", of(kind));
        }
        assert_eq!(of("simulated"), 1);
        assert_eq!(of("openai_compatible"), 0, "what it has, its owner knows");
        for operation in ModelOperation::ALL {
            let any = catalogue.all().iter().any(|m| m.traits.operations.contains(operation));
            assert!(any, "{operation:?}");
        }
    }

    #[test]
    fn a_catalogue_with_a_mistake_is_refused_whole() {
        let entry = "[[model]]\nname = \"m\"\ninput_price = \"1\"\n\
                     output_price = \"1\"\ncontext_window = 1\nmax_output = 1\n";
        let add = |kind: &str, text: &str| Catalogue::default().add(kind, text);
        assert!(add("openai", entry).is_ok());
        assert!(matches!(add("opemai", entry), Err(BrokenCatalogue::Kind(_))));
        assert!(matches!(
            add("openai", &entry.repeat(2)),
            Err(BrokenCatalogue::Twice(_, name)) if name == "m"
        ));
        for wrong in ["\"1\"", "1.5", "\"1e3\"", "\"-\""] {
            let text = entry.replace("input_price = \"1\"", &format!("input_prize = {wrong}"));
            assert!(add("openai", &text).is_err(), "{text}");
        }
    }
}
