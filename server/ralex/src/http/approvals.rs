//! Approvals: what waits for a person, and the decisions about it.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post, put};
use ralex_access::{Access, Permission};
use ralex_api::Page;
use ralex_api::approvals::{
    Approval, ApprovalQuery, ApprovalSettings, ApprovalsQuery, ApprovalsWaiting, Decide,
    SetApprovalSettings,
};
use ralex_approvals::{Approvals, Verdict};
use ralex_kernel::ApprovalId;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List what waits for a person and what was decided, newest first.
///
/// Shows what is asked for where the caller may see it. Excerpts are for those who may decide.
#[utoipa::path(tag = "approvals", params(("org" = String, Path), ApprovalsQuery), responses((status = 200, body = Page<Approval>)))]
#[get("/approvals")]
pub async fn list_approvals(
    who: OrgCaller,
    access: Data<Access>,
    approvals: Data<Approvals>,
    query: Query<ApprovalsQuery>,
) -> Result<HttpResponse> {
    let reach = access.reach(who.caller(), who.org, Permission::ApprovalRead).await?;
    Ok(HttpResponse::Ok().json(approvals.list(who.caller(), &reach, &query.0).await?))
}

/// Show how approvals work here.
#[utoipa::path(tag = "approvals", params(("org" = String, Path)), responses((status = 200, body = ApprovalSettings)))]
#[get("/approvals/settings")]
pub async fn find_approval_settings(
    who: OrgCaller,
    approvals: Data<Approvals>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::GuardrailRead).await?;
    Ok(HttpResponse::Ok().json(approvals.settings(&scope).await?))
}

/// Say how long approvals wait and hold, and what is kept meanwhile.
#[utoipa::path(tag = "approvals", params(("org" = String, Path)), request_body = SetApprovalSettings, responses((status = 200, body = ApprovalSettings)))]
#[put("/approvals/settings")]
pub async fn set_approval_settings(
    who: OrgCaller,
    approvals: Data<Approvals>,
    set: Body<SetApprovalSettings>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::GuardrailSet).await?;
    Ok(HttpResponse::Ok().json(approvals.set_settings(&scope, set.0).await?))
}

/// Count what waits that the caller may decide about.
#[utoipa::path(tag = "approvals", params(("org" = String, Path)), responses((status = 200, body = ApprovalsWaiting)))]
#[get("/approvals/waiting")]
pub async fn count_waiting_approvals(
    who: OrgCaller,
    access: Data<Access>,
    approvals: Data<Approvals>,
) -> Result<HttpResponse> {
    let reach = access.reach(who.caller(), who.org, Permission::ApprovalDecide).await?;
    let waiting = approvals.waiting(who.caller(), &reach).await?;
    Ok(HttpResponse::Ok().json(ApprovalsWaiting { waiting }))
}

/// Show one approval, at once or when a person has decided.
///
/// Whoever asked may see it, and whoever may see what waits there.
#[utoipa::path(tag = "approvals", params(("org" = String, Path), ("approval" = ApprovalId, Path), ApprovalQuery), responses((status = 200, body = Approval)))]
#[get("/approvals/{approval}")]
pub async fn find_approval(
    who: OrgCaller,
    approvals: Data<Approvals>,
    path: Path<(String, ApprovalId)>,
    query: Query<ApprovalQuery>,
) -> Result<HttpResponse> {
    let patience = Duration::from_secs(query.0.wait_seconds.unwrap_or(0).into());
    let approval = approvals.wait(who.caller(), who.org, path.1, patience).await?;
    Ok(HttpResponse::Ok().json(approval))
}

/// Approve what somebody else asks for.
///
/// The same call by the same caller then passes, once or for a while, as the organisation's settings say.
#[utoipa::path(tag = "approvals", params(("org" = String, Path), ("approval" = ApprovalId, Path)), request_body = Decide, responses((status = 200, body = Approval)))]
#[post("/approvals/{approval}/approve")]
pub async fn approve(
    who: OrgCaller,
    approvals: Data<Approvals>,
    path: Path<(String, ApprovalId)>,
    decide: Body<Decide>,
) -> Result<HttpResponse> {
    let at = approvals.place(who.caller(), who.org, path.1).await?;
    let scope = who.allow_at(Permission::ApprovalDecide, at).await?;
    let decided = approvals.decide(&scope, path.1, Verdict::Approve, &decide.0.reason).await?;
    Ok(HttpResponse::Ok().json(decided))
}

/// Deny what somebody else asks for; they are told the reason.
#[utoipa::path(tag = "approvals", params(("org" = String, Path), ("approval" = ApprovalId, Path)), request_body = Decide, responses((status = 200, body = Approval)))]
#[post("/approvals/{approval}/deny")]
pub async fn deny(
    who: OrgCaller,
    approvals: Data<Approvals>,
    path: Path<(String, ApprovalId)>,
    decide: Body<Decide>,
) -> Result<HttpResponse> {
    let at = approvals.place(who.caller(), who.org, path.1).await?;
    let scope = who.allow_at(Permission::ApprovalDecide, at).await?;
    let decided = approvals.decide(&scope, path.1, Verdict::Deny, &decide.0.reason).await?;
    Ok(HttpResponse::Ok().json(decided))
}
