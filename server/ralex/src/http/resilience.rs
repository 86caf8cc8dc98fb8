//! How providers do, and answers that are kept.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, put};
use ralex_access::Permission;
use ralex_api::resilience::{Cache, HealthReport, SetCache};
use ralex_broker::Broker;

use super::extract::{Body, OrgCaller};
use super::problem::Result;

/// Show how providers, models and keys do.
#[utoipa::path(tag = "providers", params(("org" = String, Path)), responses((status = 200, body = HealthReport)))]
#[get("/health")]
pub async fn provider_health(who: OrgCaller, broker: Data<Broker>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ProviderRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(broker.health(&scope).await?))
}

/// Show whether answers are kept, and what that saved.
#[utoipa::path(tag = "cache", params(("org" = String, Path)), responses((status = 200, body = Cache)))]
#[get("/cache")]
pub async fn find_cache(who: OrgCaller, broker: Data<Broker>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::UsageRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(broker.cache(&scope).await?))
}

/// Keep answers to give them again, or keep none.
#[utoipa::path(tag = "cache", params(("org" = String, Path)), request_body = SetCache, responses((status = 200, body = Cache)))]
#[put("/cache")]
pub async fn set_cache(
    who: OrgCaller,
    broker: Data<Broker>,
    set: Body<SetCache>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::OrgUpdate).await?;
    Ok(HttpResponse::Ok().json(broker.set_cache(&scope, set.0).await?))
}

/// Forget every answer that is kept.
#[utoipa::path(tag = "cache", params(("org" = String, Path)), responses((status = 204)))]
#[delete("/cache")]
pub async fn clear_cache(who: OrgCaller, broker: Data<Broker>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::OrgUpdate).await?;
    broker.clear_cache(&scope).await?;
    Ok(HttpResponse::NoContent().finish())
}
