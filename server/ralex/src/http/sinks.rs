//! Sinks: where the audit log is sent as it grows.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch, post};
use ralex_access::Permission;
use ralex_api::sinks::{
    AuditSink, AuditSinks, NewAuditSink, ResumeAuditSink, SinkCredential, SinkTested,
    UpdateAuditSink,
};
use ralex_kernel::SinkId;
use ralex_sinks::Sinks;

use super::extract::{Body, OrgCaller};
use super::problem::Result;

/// List where the audit log is sent, and how each receiver fares.
#[utoipa::path(tag = "audit", params(("org" = String, Path)), responses((status = 200, body = AuditSinks)))]
#[get("/audit/sinks")]
pub async fn list_audit_sinks(who: OrgCaller, sinks: Data<Sinks>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    let items = sinks.list(scope.org()).await?;
    Ok(HttpResponse::Ok().json(AuditSinks { items }))
}

/// Send the audit log somewhere; the answer has the secret that signs a webhook's deliveries, once.
#[utoipa::path(tag = "audit", params(("org" = String, Path)), request_body = NewAuditSink, responses((status = 201, body = AuditSink)))]
#[post("/audit/sinks")]
pub async fn create_audit_sink(
    who: OrgCaller,
    sinks: Data<Sinks>,
    new: Body<NewAuditSink>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditForward).await?;
    Ok(HttpResponse::Created().json(sinks.create(&scope, new.0).await?))
}

/// Show one receiver of the audit log.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("sink" = SinkId, Path)), responses((status = 200, body = AuditSink)))]
#[get("/audit/sinks/{sink}")]
pub async fn find_audit_sink(
    who: OrgCaller,
    sinks: Data<Sinks>,
    path: Path<(String, SinkId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    Ok(HttpResponse::Ok().json(sinks.find(scope.org(), path.1).await?))
}

/// Change where or how it is sent, or pause it. Its cursor and its secret stay.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("sink" = SinkId, Path)), request_body = UpdateAuditSink, responses((status = 200, body = AuditSink)))]
#[patch("/audit/sinks/{sink}")]
pub async fn update_audit_sink(
    who: OrgCaller,
    sinks: Data<Sinks>,
    path: Path<(String, SinkId)>,
    change: Body<UpdateAuditSink>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditForward).await?;
    Ok(HttpResponse::Ok().json(sinks.update(&scope, path.1, change.0).await?))
}

/// Give a receiver another secret, at the same place of the log. A webhook's is made here and told
/// once; the one before signs beside it for a day.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("sink" = SinkId, Path)), request_body = SinkCredential, responses((status = 200, body = AuditSink)))]
#[post("/audit/sinks/{sink}/secret")]
pub async fn change_audit_sink_secret(
    who: OrgCaller,
    sinks: Data<Sinks>,
    path: Path<(String, SinkId)>,
    credential: Body<SinkCredential>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditForward).await?;
    Ok(HttpResponse::Ok().json(sinks.change_secret(&scope, path.1, &credential.0).await?))
}

/// Send the audit log there no more.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("sink" = SinkId, Path)), responses((status = 204)))]
#[delete("/audit/sinks/{sink}")]
pub async fn delete_audit_sink(
    who: OrgCaller,
    sinks: Data<Sinks>,
    path: Path<(String, SinkId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditForward).await?;
    sinks.delete(&scope, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Send something that is no record, and tell what the receiver says.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("sink" = SinkId, Path)), responses((status = 200, body = SinkTested)))]
#[post("/audit/sinks/{sink}/test")]
pub async fn test_audit_sink(
    who: OrgCaller,
    sinks: Data<Sinks>,
    path: Path<(String, SinkId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditForward).await?;
    Ok(HttpResponse::Ok().json(sinks.test(&scope, path.1).await?))
}

/// Go on with a receiver at once, and leave out the record that it refuses if so is said.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("sink" = SinkId, Path)), request_body = ResumeAuditSink, responses((status = 200, body = AuditSink)))]
#[post("/audit/sinks/{sink}/resume")]
pub async fn resume_audit_sink(
    who: OrgCaller,
    sinks: Data<Sinks>,
    path: Path<(String, SinkId)>,
    resume: Body<ResumeAuditSink>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditForward).await?;
    Ok(HttpResponse::Ok().json(sinks.resume(&scope, path.1, resume.0).await?))
}
