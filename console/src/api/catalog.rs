//! Providers, their models and prices, and what the catalogue knows.

use ralex_api::Page;
use ralex_api::catalog::{
    CatalogModel, Model, ModelPrice, NewModel, NewProvider, Provider, ProviderKind,
    ProviderKindInfo, UpdateModel, UpdateProvider,
};
use ralex_kernel::ModelId;

use super::client::{self, Answer};
use super::{ALL, PAGE, page, path};
use crate::text::query::Query;

/// The kinds of providers that can be added.
pub async fn kinds(org: &str) -> Answer<Page<ProviderKindInfo>> {
    client::find(&path(org, &["catalog", "providers"])).await
}

pub async fn providers(org: &str) -> Answer<Page<Provider>> {
    client::find(&page(&path(org, &["providers"]), None, ALL, Query::default())).await
}

pub async fn create_provider(org: &str, new: NewProvider) -> Answer<Provider> {
    client::create(&path(org, &["providers"]), &new).await
}

pub async fn update_provider(org: &str, slug: &str, change: UpdateProvider) -> Answer<Provider> {
    client::update(&path(org, &["providers", slug]), &change).await
}

pub async fn delete_provider(org: &str, slug: &str) -> Answer<()> {
    client::delete(&path(org, &["providers", slug])).await
}

/// All models, for a picker.
pub async fn models(org: &str) -> Answer<Page<Model>> {
    list_models(org, Query::default(), None).await
}

/// The models that are looked for.
pub async fn list_models(org: &str, filters: Query, cursor: Option<String>) -> Answer<Page<Model>> {
    client::find(&page(&path(org, &["models"]), cursor.as_deref(), ALL, filters)).await
}

pub async fn create_model(org: &str, new: NewModel) -> Answer<Model> {
    client::create(&path(org, &["models"]), &new).await
}

pub async fn update_model(org: &str, id: ModelId, change: UpdateModel) -> Answer<Model> {
    client::update(&path(org, &["models", &id.to_string()]), &change).await
}

pub async fn delete_model(org: &str, id: ModelId) -> Answer<()> {
    client::delete(&path(org, &["models", &id.to_string()])).await
}

/// The prices that a model has and had, the newest first.
pub async fn prices(org: &str, id: ModelId, cursor: Option<String>) -> Answer<Page<ModelPrice>> {
    let path = path(org, &["models", &id.to_string(), "prices"]);
    client::find(&page(&path, cursor.as_deref(), PAGE, Query::default())).await
}

/// What is known of the models of a kind of provider.
pub async fn catalog(org: &str, kind: &ProviderKind) -> Answer<Page<CatalogModel>> {
    let filters = Query::default().with("kind", kind.as_str());
    client::find(&format!("{}{filters}", path(org, &["catalog"]))).await
}
