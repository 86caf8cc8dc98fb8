//! Providers, their models and prices, and what the catalogue knows.

use ralex_api::Page;
use ralex_api::catalog::{
    CatalogModel, Model, ModelPrice, NewModel, NewProvider, Provider, ProviderKind,
    ProviderKindInfo, UpdateModel, UpdateProvider,
};
use ralex_kernel::ModelId;

use super::client::{self, Reply};
use super::{ALL, PAGE, page, path};
use crate::text::query::Query;

/// The kinds of providers that can be added.
pub fn kinds(org: &str) -> Reply<Page<ProviderKindInfo>> {
    client::list(&path(org, &["catalog", "providers"]))
}

pub fn providers(org: &str) -> Reply<Page<Provider>> {
    client::list(&page(&path(org, &["providers"]), None, ALL, Query::default()))
}

pub fn create_provider(org: &str, new: NewProvider) -> Reply<Provider> {
    client::create(&path(org, &["providers"]), &new)
}

pub fn update_provider(org: &str, slug: &str, change: UpdateProvider) -> Reply<Provider> {
    client::update(&path(org, &["providers", slug]), &change)
}

pub fn delete_provider(org: &str, slug: &str) -> Reply<()> {
    client::delete(&path(org, &["providers", slug]))
}

/// All models, for a picker.
pub fn models(org: &str) -> Reply<Page<Model>> {
    list_models(org, Query::default(), None)
}

/// The models that are looked for.
pub fn list_models(org: &str, filters: Query, cursor: Option<String>) -> Reply<Page<Model>> {
    client::list(&page(&path(org, &["models"]), cursor.as_deref(), ALL, filters))
}

pub fn create_model(org: &str, new: NewModel) -> Reply<Model> {
    client::create(&path(org, &["models"]), &new)
}

pub fn update_model(org: &str, id: ModelId, change: UpdateModel) -> Reply<Model> {
    client::update(&path(org, &["models", &id.to_string()]), &change)
}

pub fn delete_model(org: &str, id: ModelId) -> Reply<()> {
    client::delete(&path(org, &["models", &id.to_string()]))
}

/// The prices that a model has and had, the newest first.
pub fn prices(org: &str, id: ModelId, cursor: Option<String>) -> Reply<Page<ModelPrice>> {
    let path = path(org, &["models", &id.to_string(), "prices"]);
    client::list(&page(&path, cursor.as_deref(), PAGE, Query::default()))
}

/// What is known of the models of a kind of provider.
pub fn catalog(org: &str, kind: &ProviderKind) -> Reply<Page<CatalogModel>> {
    let filters = Query::default().with("kind", kind.as_str());
    client::list(&format!("{}{filters}", path(org, &["catalog"])))
}
