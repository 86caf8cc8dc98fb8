//! The catalogue of known models, from `policies/models.toml`.

use ralex_api::catalog::{CatalogModel, ProviderKind};
use ralex_kernel::Price;
use serde::Deserialize;

const BUILT_IN: &str = include_str!("../../../policies/models.toml");

/// Models whose prices Ralex knows.
#[derive(Clone, Debug)]
pub struct Catalogue(Vec<CatalogModel>);

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BrokenCatalogue {
    #[error("the model catalogue is not valid: {0}")]
    Toml(#[from] toml::de::Error),
    #[error("the model catalogue is not valid: `{0}` stands in it twice for one provider")]
    Twice(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    model: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: ProviderKind,
    name: String,
    input_price: Price,
    output_price: Price,
    cache_read_price: Option<Price>,
    cache_write_price: Option<Price>,
    context_window: u32,
    max_output: u32,
}

impl Catalogue {
    /// The one that is built in.
    pub fn built_in() -> Result<Self, BrokenCatalogue> {
        Self::parse(BUILT_IN)
    }

    /// Reads a catalogue in the form of `policies/models.toml`.
    pub fn parse(text: &str) -> Result<Self, BrokenCatalogue> {
        let document: Document = toml::from_str(text)?;
        let models: Vec<CatalogModel> = document.model.into_iter().map(Entry::model).collect();
        for (at, model) in models.iter().enumerate() {
            let same = |other: &CatalogModel| other.kind == model.kind && other.name == model.name;
            if models[..at].iter().any(same) {
                return Err(BrokenCatalogue::Twice(model.name.clone()));
            }
        }
        Ok(Self(models))
    }

    /// The models that providers of a kind are known to have, in the catalogue's order.
    ///
    /// What an OpenAI-compatible server has, nobody knows but its owner.
    pub fn of(&self, kind: ProviderKind) -> Vec<CatalogModel> {
        self.0.iter().filter(|model| model.kind == kind).cloned().collect()
    }

    pub fn all(&self) -> &[CatalogModel] {
        &self.0
    }
}

impl Entry {
    fn model(self) -> CatalogModel {
        CatalogModel {
            kind: self.kind,
            name: self.name,
            input_price: self.input_price,
            output_price: self.output_price,
            cache_read_price: self.cache_read_price.unwrap_or(self.input_price),
            cache_write_price: self.cache_write_price.unwrap_or(self.input_price),
            context_window: self.context_window,
            max_output: self.max_output,
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
            assert!(model::check_name(&known.name).is_ok(), "{}", known.name);
            assert!(known.input_price > Price::ZERO && known.output_price > Price::ZERO);
            assert!(known.cache_read_price <= known.input_price, "{}", known.name);
            assert!(known.cache_write_price >= known.input_price, "{}", known.name);
            assert!(known.max_output <= known.context_window, "{}", known.name);
        }
    }

    #[test]
    fn each_vendor_and_the_simulated_provider_have_known_models() {
        let catalogue = Catalogue::built_in().unwrap();
        assert!(catalogue.of(ProviderKind::Openai).len() > 10);
        assert!(catalogue.of(ProviderKind::Anthropic).len() > 10);
        assert_eq!(catalogue.of(ProviderKind::Simulated)[0].name, "simulated");
        assert!(catalogue.of(ProviderKind::OpenaiCompatible).is_empty());
    }

    #[test]
    fn a_catalogue_with_a_mistake_is_refused_whole() {
        let entry = "[[model]]\nkind = \"openai\"\nname = \"m\"\ninput_price = \"1\"\n\
                     output_price = \"1\"\ncontext_window = 1\nmax_output = 1\n";
        assert!(Catalogue::parse(entry).is_ok());
        assert!(matches!(
            Catalogue::parse(&entry.repeat(2)),
            Err(BrokenCatalogue::Twice(name)) if name == "m"
        ));
        for wrong in ["\"1\"", "1.5", "\"1e3\"", "\"-\""] {
            let text = entry.replace("input_price = \"1\"", &format!("input_prize = {wrong}"));
            assert!(Catalogue::parse(&text).is_err(), "{text}");
        }
    }
}
