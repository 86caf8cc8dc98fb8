//! Providers, their models, and the models whose price is known.

use ralex_api::Page;
use ralex_api::catalog::{
    CatalogModel, Model, NewModel, NewProvider, Provider, ProviderKind, UpdateModel, UpdateProvider,
};
use ralex_kernel::ModelId;

use super::client::{self, Answer};
use super::{ALL, page, path};
use crate::text::query::Query;

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

pub async fn models(org: &str) -> Answer<Page<Model>> {
    client::find(&page(&path(org, &["models"]), None, ALL, Query::default())).await
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

pub async fn catalog(org: &str, kind: ProviderKind) -> Answer<Page<CatalogModel>> {
    let filters = Query::default().with("kind", kind.as_str());
    client::find(&format!("{}{filters}", path(org, &["catalog"]))).await
}
