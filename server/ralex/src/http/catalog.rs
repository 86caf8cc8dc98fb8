//! Providers and models.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch, post};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::catalog::{
    CatalogModel, CatalogQuery, Model, ModelPrice, ModelQuery, NewModel, NewProvider, Provider,
    ProviderKindInfo, UpdateModel, UpdateProvider,
};
use ralex_api::page::PageQuery;
use ralex_routing::Routing;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List providers.
#[utoipa::path(tag = "providers", params(("org" = String, Path), PageQuery), responses((status = 200, body = Page<Provider>)))]
#[get("/providers")]
pub async fn list_providers(
    who: OrgCaller,
    routing: Data<Routing>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ProviderRead).await?;
    Ok(HttpResponse::Ok().json(routing.list_providers(&scope, &page.0).await?))
}

/// Add a provider.
#[utoipa::path(tag = "providers", params(("org" = String, Path)), request_body = NewProvider, responses((status = 201, body = Provider)))]
#[post("/providers")]
pub async fn create_provider(
    who: OrgCaller,
    routing: Data<Routing>,
    new: Body<NewProvider>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ProviderConfigure).await?;
    Ok(HttpResponse::Created().json(routing.create_provider(&scope, new.0).await?))
}

/// Show one provider.
#[utoipa::path(tag = "providers", params(("org" = String, Path), ("provider" = String, Path)), responses((status = 200, body = Provider)))]
#[get("/providers/{provider}")]
pub async fn find_provider(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ProviderRead).await?;
    Ok(HttpResponse::Ok().json(routing.find_provider(&scope, &path.1).await?))
}

/// Change a provider; a new origin detaches its keys.
#[utoipa::path(tag = "providers", params(("org" = String, Path), ("provider" = String, Path)), request_body = UpdateProvider, responses((status = 200, body = Provider)))]
#[patch("/providers/{provider}")]
pub async fn update_provider(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
    change: Body<UpdateProvider>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ProviderConfigure).await?;
    Ok(HttpResponse::Ok().json(routing.update_provider(&scope, &path.1, change.0).await?))
}

/// Delete a provider that has no models or keys.
#[utoipa::path(tag = "providers", params(("org" = String, Path), ("provider" = String, Path)), responses((status = 204)))]
#[delete("/providers/{provider}")]
pub async fn delete_provider(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ProviderConfigure).await?;
    routing.delete_provider(&scope, &path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List models, those that are looked for.
#[utoipa::path(tag = "models", params(("org" = String, Path), ModelQuery), responses((status = 200, body = Page<Model>)))]
#[get("/models")]
pub async fn list_models(
    who: OrgCaller,
    routing: Data<Routing>,
    query: Query<ModelQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow_somewhere(Permission::ModelRead).await?;
    Ok(HttpResponse::Ok().json(routing.list_models(&scope, &query.0).await?))
}

/// Show one model.
#[utoipa::path(tag = "models", params(("org" = String, Path), ("model" = String, Path)), responses((status = 200, body = Model)))]
#[get("/models/{model}")]
pub async fn find_model(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow_somewhere(Permission::ModelRead).await?;
    Ok(HttpResponse::Ok().json(routing.find_model(&scope, &path.1).await?))
}

/// List the prices that a model has and had, the newest first.
#[utoipa::path(tag = "models", params(("org" = String, Path), ("model" = String, Path), PageQuery), responses((status = 200, body = Page<ModelPrice>)))]
#[get("/models/{model}/prices")]
pub async fn list_model_prices(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow_somewhere(Permission::ModelRead).await?;
    Ok(HttpResponse::Ok().json(routing.list_prices(&scope, &path.1, &page.0).await?))
}

/// Add a model with its prices.
#[utoipa::path(tag = "models", params(("org" = String, Path)), request_body = NewModel, responses((status = 201, body = Model)))]
#[post("/models")]
pub async fn create_model(
    who: OrgCaller,
    routing: Data<Routing>,
    new: Body<NewModel>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelConfigure).await?;
    Ok(HttpResponse::Created().json(routing.create_model(&scope, new.0).await?))
}

/// Change what a model is and costs, for calls from now on.
#[utoipa::path(tag = "models", params(("org" = String, Path), ("model" = String, Path)), request_body = UpdateModel, responses((status = 200, body = Model)))]
#[patch("/models/{model}")]
pub async fn update_model(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
    change: Body<UpdateModel>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelConfigure).await?;
    Ok(HttpResponse::Ok().json(routing.update_model(&scope, &path.1, change.0).await?))
}

/// Delete a model; recorded calls keep its name and prices.
#[utoipa::path(tag = "models", params(("org" = String, Path), ("model" = String, Path)), responses((status = 204)))]
#[delete("/models/{model}")]
pub async fn delete_model(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelConfigure).await?;
    routing.delete_model(&scope, &path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List models that Ralex knows the prices of, those that are looked for.
#[utoipa::path(tag = "models", params(("org" = String, Path), CatalogQuery), responses((status = 200, body = Page<CatalogModel>)))]
#[get("/catalog")]
pub async fn list_catalog(
    who: OrgCaller,
    routing: Data<Routing>,
    query: Query<CatalogQuery>,
) -> Result<HttpResponse> {
    who.allow_somewhere(Permission::ModelRead).await?;
    let (found, query) = (routing.catalog(&query.0), &query.0);
    Ok(HttpResponse::Ok().json(Page::within(found, query.cursor.as_deref(), query.limit)?))
}

/// List the kinds of providers that can be added.
#[utoipa::path(tag = "providers", params(("org" = String, Path), PageQuery), responses((status = 200, body = Page<ProviderKindInfo>)))]
#[get("/catalog/providers")]
pub async fn list_provider_kinds(
    who: OrgCaller,
    routing: Data<Routing>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    who.allow(Permission::ProviderRead).await?;
    let (kinds, page) = (routing.kinds(), &page.0);
    Ok(HttpResponse::Ok().json(Page::within(kinds, page.cursor.as_deref(), page.limit)?))
}
