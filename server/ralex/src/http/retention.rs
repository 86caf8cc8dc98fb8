//! How long the audit log is kept, and what two people agree about that.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use ralex_access::Permission;
use ralex_api::approvals::Decide;
use ralex_api::erasure::ErasureCertificate;
use ralex_api::retention::{
    AuditPruned, AuditRequest, AuditRetention, NewAuditRequest, PruneQuery,
};
use ralex_kernel::AuditRequestId;
use ralex_retention::{Retention, Verdict};

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// Show how long the audit log is kept, what holds it, and what waits for a second person.
#[utoipa::path(tag = "audit", params(("org" = String, Path)), responses((status = 200, body = AuditRetention)))]
#[get("/audit/retention")]
pub async fn audit_retention(who: OrgCaller, retention: Data<Retention>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    Ok(HttpResponse::Ok().json(retention.show(scope.caller(), scope.org()).await?))
}

/// Ask for another retention, for a hold, that one ends, or that somebody is erased. Nothing changes
/// until another person approves.
#[utoipa::path(tag = "audit", params(("org" = String, Path)), request_body = NewAuditRequest, responses((status = 201, body = AuditRequest)))]
#[post("/audit/retention/requests")]
pub async fn ask_audit_retention(
    who: OrgCaller,
    retention: Data<Retention>,
    new: Body<NewAuditRequest>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRetain).await?;
    Ok(HttpResponse::Created().json(retention.ask(&scope, new.0).await?))
}

/// Approve what somebody else asked for; it holds from then on.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("request" = AuditRequestId, Path)), request_body = Decide, responses((status = 200, body = AuditRequest)))]
#[post("/audit/retention/requests/{request}/approve")]
pub async fn approve_audit_retention(
    who: OrgCaller,
    retention: Data<Retention>,
    path: Path<(String, AuditRequestId)>,
    decision: Body<Decide>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRetain).await?;
    let decided = retention.decide(&scope, path.1, Verdict::Approve, &decision.0.reason).await?;
    Ok(HttpResponse::Ok().json(decided))
}

/// Deny what somebody asked for, or take back what oneself did.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("request" = AuditRequestId, Path)), request_body = Decide, responses((status = 200, body = AuditRequest)))]
#[post("/audit/retention/requests/{request}/deny")]
pub async fn deny_audit_retention(
    who: OrgCaller,
    retention: Data<Retention>,
    path: Path<(String, AuditRequestId)>,
    decision: Body<Decide>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRetain).await?;
    let decided = retention.decide(&scope, path.1, Verdict::Deny, &decision.0.reason).await?;
    Ok(HttpResponse::Ok().json(decided))
}

/// Show what was destroyed of a person, what is kept and why, and what proves it.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("request" = AuditRequestId, Path)), responses((status = 200, body = ErasureCertificate)))]
#[get("/audit/erasures/{request}")]
pub async fn audit_erasure(
    who: OrgCaller,
    retention: Data<Retention>,
    path: Path<(String, AuditRequestId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    Ok(HttpResponse::Ok().json(retention.certificate(scope.org(), path.1).await?))
}

/// Prune now what retention lets go, which happens by itself once an hour.
#[utoipa::path(tag = "audit", params(("org" = String, Path), PruneQuery), responses((status = 200, body = AuditPruned)))]
#[post("/audit/retention/prune")]
pub async fn prune_audit(
    who: OrgCaller,
    retention: Data<Retention>,
    query: Query<PruneQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRetain).await?;
    Ok(HttpResponse::Ok().json(retention.prune(scope.org(), query.0).await?))
}
