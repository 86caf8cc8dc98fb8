//! Usage, calls and the overview.

use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::SecondsFormat;
use futures_util::StreamExt;
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::forecast::{Anomalies, AnomalyQuery, BudgetForecastQuery, Forecast, ForecastQuery};
use ralex_api::overview::Overview;
use ralex_api::replay::{NewReplay, Replay};
use ralex_api::usage::{
    Call, CallDetail, CallExportQuery, CallsQuery, ExportedCall, Usage as Report, UsageFormat,
    UsageQuery,
};
use ralex_broker::Broker;
use ralex_budgets::Budgets;
use ralex_kernel::{BudgetId, CallId};
use ralex_usage::Usage;

use super::extract::{Body, OrgCaller, Query};
use super::problem::{Failed, Result};
use crate::overview::Health;

/// In an export of calls of which some were pruned: all that began from then on are in it.
const RECORDS_FROM: &str = "X-Ralex-Records-From";

/// Sum up what was called and what it cost.
#[utoipa::path(operation_id = "usage", tag = "usage", params(("org" = String, Path), UsageQuery), responses((status = 200, body = Report)))]
#[get("/usage")]
pub async fn report(
    who: OrgCaller,
    reports: Data<Usage>,
    broker: Data<Broker>,
    query: Query<UsageQuery>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::UsageRead).await?;
    broker.settle_before_reading().await;
    match query.0.format {
        UsageFormat::Json => Ok(HttpResponse::Ok().json(reports.report(&reach, &query.0).await?)),
        UsageFormat::Csv => {
            let table = reports.table(&reach, &query.0).await?;
            let name = format!("attachment; filename=\"ralex-usage-{}.csv\"", reach.org());
            let csv = "text/csv; charset=utf-8";
            Ok(HttpResponse::Ok()
                .content_type(csv)
                .insert_header(("Content-Disposition", name))
                .body(table))
        }
    }
}

/// Foretell what calls will have cost by a moment.
#[utoipa::path(tag = "usage", params(("org" = String, Path), ForecastQuery), responses((status = 200, body = Forecast)))]
#[get("/usage/forecast")]
pub async fn forecast(
    who: OrgCaller,
    reports: Data<Usage>,
    broker: Data<Broker>,
    query: Query<ForecastQuery>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::UsageRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(reports.forecast(&reach, &query.0).await?))
}

/// Find hours that cost far more than their likes.
#[utoipa::path(tag = "usage", params(("org" = String, Path), AnomalyQuery), responses((status = 200, body = Anomalies)))]
#[get("/usage/anomalies")]
pub async fn anomalies(
    who: OrgCaller,
    reports: Data<Usage>,
    query: Query<AnomalyQuery>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::UsageRead).await?;
    Ok(HttpResponse::Ok().json(reports.anomalies(&reach, &query.0).await?))
}

/// Try a budget, a rate limit or other prices on calls that were made.
///
/// Nothing is changed by it. The calls are taken in the order in which they began; one that would have
/// been refused holds and costs nothing.
#[utoipa::path(tag = "usage", params(("org" = String, Path)), request_body = NewReplay, responses((status = 200, body = Replay)))]
#[post("/usage/replay")]
pub async fn replay(
    who: OrgCaller,
    reports: Data<Usage>,
    broker: Data<Broker>,
    asked: Body<NewReplay>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::UsageRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(reports.replay(&reach, asked.0).await?))
}

/// Foretell how the current period of a budget ends, or would with another limit.
#[utoipa::path(tag = "budgets", params(("org" = String, Path), ("budget" = BudgetId, Path), BudgetForecastQuery), responses((status = 200, body = Forecast)))]
#[get("/budgets/{budget}/forecast")]
pub async fn forecast_budget(
    who: OrgCaller,
    budgets: Data<Budgets>,
    reports: Data<Usage>,
    broker: Data<Broker>,
    path: Path<(String, BudgetId)>,
    query: Query<BudgetForecastQuery>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::BudgetRead).await?;
    broker.settle_before_reading().await;
    let budget = budgets.find(&reach, path.1).await?;
    Ok(HttpResponse::Ok().json(reports.budget_forecast(&reach, &budget, query.0.limit).await?))
}

/// Export calls that ended, one a line, oldest first, however many there are.
#[utoipa::path(tag = "usage", params(("org" = String, Path), CallExportQuery), responses((status = 200, body = ExportedCall, content_type = "application/jsonl")))]
#[get("/calls/export")]
pub async fn export_calls(
    who: OrgCaller,
    reports: Data<Usage>,
    broker: Data<Broker>,
    query: Query<CallExportQuery>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::CallRead).await?;
    broker.settle_before_reading().await;
    let (content_type, ending) = match query.0.format {
        UsageFormat::Json => ("application/jsonl", "jsonl"),
        UsageFormat::Csv => ("text/csv; charset=utf-8", "csv"),
    };
    let export = reports.export_calls(&reach, &query.0).await?;
    let name = format!("attachment; filename=\"ralex-calls-{}.{ending}\"", reach.org());
    // An error in the middle ends the transfer without its last chunk, so no reader takes a part
    // for the whole.
    let parts = export.parts.map(|part| {
        part.map(Bytes::from).map_err(|problem| actix_web::Error::from(Failed(problem)))
    });
    let mut answer = HttpResponse::Ok();
    answer
        .content_type(content_type)
        .insert_header(("Content-Disposition", name))
        .insert_header(("X-Ralex-Calls", export.count.to_string()));
    if let Some(all_from) = export.all_from {
        answer.insert_header((RECORDS_FROM, all_from.to_rfc3339_opts(SecondsFormat::AutoSi, true)));
    }
    Ok(answer.streaming(parts))
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
    let reach = who.reach(Permission::CallRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(budgets.calls(&reach, &query.0).await?))
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
    let reach = who.reach(Permission::CallRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(budgets.call(&reach, path.1).await?))
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
