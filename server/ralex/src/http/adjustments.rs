//! What counts on budgets beside their calls.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::adjustments::{Adjustment, Reconcile, Reconciliation, ReverseAdjustment};
use ralex_api::page::PageQuery;
use ralex_broker::Broker;
use ralex_budgets::Budgets;
use ralex_kernel::{AdjustmentId, BudgetId};

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List what counts on a budget beside its calls, newest first.
#[utoipa::path(tag = "budgets", params(("org" = String, Path), ("budget" = BudgetId, Path), PageQuery), responses((status = 200, body = Page<Adjustment>)))]
#[get("/budgets/{budget}/adjustments")]
pub async fn list_adjustments(
    who: OrgCaller,
    budgets: Data<Budgets>,
    path: Path<(String, BudgetId)>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::BudgetRead).await?;
    Ok(HttpResponse::Ok().json(budgets.adjustments(&reach, path.1, &page.0).await?))
}

/// Take an adjustment back, by an entry that opposes it.
///
/// Once: an entry that was taken back stays so, and one that takes back stays as well.
#[utoipa::path(tag = "budgets", params(("org" = String, Path), ("budget" = BudgetId, Path), ("adjustment" = AdjustmentId, Path)), request_body = ReverseAdjustment, responses((status = 201, body = Adjustment)))]
#[post("/budgets/{budget}/adjustments/{adjustment}/reverse")]
pub async fn reverse_adjustment(
    who: OrgCaller,
    budgets: Data<Budgets>,
    path: Path<(String, BudgetId, AdjustmentId)>,
    why: Body<ReverseAdjustment>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BudgetSet).await?;
    Ok(HttpResponse::Created().json(budgets.reverse(&scope, path.1, path.2, why.0).await?))
}

/// Compare a provider's export with the calls of its days, and adjust budgets by the difference.
///
/// Without `apply` nothing is changed: the answer says what would be. The difference of a day that
/// is over belongs to the budgets of the organisation as a whole.
#[utoipa::path(tag = "budgets", params(("org" = String, Path)), request_body = Reconcile, responses((status = 200, body = Reconciliation)))]
#[post("/reconciliations")]
pub async fn reconcile(
    who: OrgCaller,
    budgets: Data<Budgets>,
    broker: Data<Broker>,
    asked: Body<Reconcile>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BudgetSet).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(budgets.reconcile(&scope, &asked.0).await?))
}
