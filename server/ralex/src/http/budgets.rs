//! Budgets.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch, post};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::budgets::{Budget, BudgetRun, NewBudget, NewIncrease, UpdateBudget};
use ralex_api::changes::ChangeRequest;
use ralex_api::page::PageQuery;
use ralex_broker::Broker;
use ralex_budgets::Budgets;
use ralex_kernel::BudgetId;

use super::changes::done;
use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List budgets with what is spent and held in their current periods.
#[utoipa::path(tag = "budgets", params(("org" = String, Path), PageQuery), responses((status = 200, body = Page<Budget>)))]
#[get("/budgets")]
pub async fn list_budgets(
    who: OrgCaller,
    budgets: Data<Budgets>,
    broker: Data<Broker>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::BudgetRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(budgets.list(&reach, &page.0).await?))
}

/// Set what a scope may spend per period.
#[utoipa::path(tag = "budgets", params(("org" = String, Path)), request_body = NewBudget, responses((status = 201, body = Budget)))]
#[post("/budgets")]
pub async fn create_budget(
    who: OrgCaller,
    budgets: Data<Budgets>,
    broker: Data<Broker>,
    new: Body<NewBudget>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BudgetSet).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Created().json(budgets.create(&scope, new.0).await?))
}

/// Show one budget.
#[utoipa::path(tag = "budgets", params(("org" = String, Path), ("budget" = BudgetId, Path)), responses((status = 200, body = Budget)))]
#[get("/budgets/{budget}")]
pub async fn find_budget(
    who: OrgCaller,
    budgets: Data<Budgets>,
    broker: Data<Broker>,
    path: Path<(String, BudgetId)>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::BudgetRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(budgets.find(&reach, path.1).await?))
}

/// Change a budget's limit, its hardness, or when it asks for cheaper models.
#[utoipa::path(tag = "budgets", params(("org" = String, Path), ("budget" = BudgetId, Path)), request_body = UpdateBudget, responses((status = 200, body = Budget), (status = 202, body = ChangeRequest)))]
#[patch("/budgets/{budget}")]
pub async fn update_budget(
    who: OrgCaller,
    budgets: Data<Budgets>,
    broker: Data<Broker>,
    path: Path<(String, BudgetId)>,
    change: Body<UpdateBudget>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BudgetSet).await?;
    broker.settle_before_reading().await;
    let updated = budgets.update(&scope, path.1, change.0).await?;
    Ok(done(updated, |budget| HttpResponse::Ok().json(budget)))
}

/// List the runs that a budget per run has counted, the newest first.
#[utoipa::path(tag = "budgets", params(("org" = String, Path), ("budget" = BudgetId, Path), PageQuery), responses((status = 200, body = Page<BudgetRun>)))]
#[get("/budgets/{budget}/runs")]
pub async fn list_budget_runs(
    who: OrgCaller,
    budgets: Data<Budgets>,
    broker: Data<Broker>,
    path: Path<(String, BudgetId)>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::BudgetRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(budgets.runs(&reach, path.1, &page.0).await?))
}

/// Give the current period of a budget more, for a while.
#[utoipa::path(tag = "budgets", params(("org" = String, Path), ("budget" = BudgetId, Path)), request_body = NewIncrease, responses((status = 200, body = Budget), (status = 202, body = ChangeRequest)))]
#[post("/budgets/{budget}/increase")]
pub async fn increase_budget(
    who: OrgCaller,
    budgets: Data<Budgets>,
    broker: Data<Broker>,
    path: Path<(String, BudgetId)>,
    new: Body<NewIncrease>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BudgetSet).await?;
    broker.settle_before_reading().await;
    let increased = budgets.increase(&scope, path.1, new.0).await?;
    Ok(done(increased, |budget| HttpResponse::Ok().json(budget)))
}

/// End at once what a budget was given for a while.
#[utoipa::path(tag = "budgets", params(("org" = String, Path), ("budget" = BudgetId, Path)), responses((status = 200, body = Budget)))]
#[delete("/budgets/{budget}/increase")]
pub async fn end_budget_increase(
    who: OrgCaller,
    budgets: Data<Budgets>,
    broker: Data<Broker>,
    path: Path<(String, BudgetId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BudgetSet).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(budgets.end_increase(&scope, path.1).await?))
}

/// Delete a budget; calls under way settle without it.
#[utoipa::path(tag = "budgets", params(("org" = String, Path), ("budget" = BudgetId, Path)), responses((status = 204), (status = 202, body = ChangeRequest)))]
#[delete("/budgets/{budget}")]
pub async fn delete_budget(
    who: OrgCaller,
    budgets: Data<Budgets>,
    path: Path<(String, BudgetId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BudgetSet).await?;
    let deleted = budgets.delete(&scope, path.1).await?;
    Ok(done(deleted, |()| HttpResponse::NoContent().finish()))
}
