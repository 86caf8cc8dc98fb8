//! Usage, calls and the overview.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::overview::Overview;
use ralex_api::usage::{Call, CallDetail, CallsQuery, Usage as Report, UsageQuery};
use ralex_broker::Broker;
use ralex_budgets::Budgets;
use ralex_kernel::CallId;
use ralex_usage::Usage;

use super::extract::{OrgCaller, Query};
use super::problem::Result;
use crate::overview::Health;

/// Sum up what was called and what it cost.
#[utoipa::path(tag = "usage", params(("org" = String, Path), UsageQuery), responses((status = 200, body = Report)))]
#[get("/usage")]
pub async fn usage(
    who: OrgCaller,
    usage: Data<Usage>,
    broker: Data<Broker>,
    query: Query<UsageQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::UsageRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(usage.report(&scope, &query.0).await?))
}

/// List calls, newest first.
#[utoipa::path(tag = "usage", params(("org" = String, Path), CallsQuery), responses((status = 200, body = Page<Call>)))]
#[get("/calls")]
pub async fn list_calls(
    who: OrgCaller,
    budgets: Data<Budgets>,
    broker: Data<Broker>,
    query: Query<CallsQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::CallRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(budgets.calls(&scope, &query.0).await?))
}

/// Show one call.
#[utoipa::path(tag = "usage", params(("org" = String, Path), ("call" = CallId, Path)), responses((status = 200, body = CallDetail)))]
#[get("/calls/{call}")]
pub async fn find_call(
    who: OrgCaller,
    budgets: Data<Budgets>,
    broker: Data<Broker>,
    path: Path<(String, CallId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::CallRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(budgets.call(&scope, path.1).await?))
}

/// Show how things stand: calls, spend and health.
#[utoipa::path(tag = "usage", params(("org" = String, Path)), responses((status = 200, body = Overview)))]
#[get("/overview")]
pub async fn overview(
    who: OrgCaller,
    broker: Data<Broker>,
    health: Data<Health>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::UsageRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(health.overview(&scope).await?))
}
