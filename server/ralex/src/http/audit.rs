//! The audit log: reading, proving, exporting.

use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::audit::{
    AuditEntry, AuditQuery, Checkpoint, ExportFormat, ExportQuery, Verification,
};
use ralex_audit::Audit;
use ralex_broker::Broker;

use super::extract::{OrgCaller, Query};
use super::problem::Result;

/// List what was done, newest first.
#[utoipa::path(tag = "audit", params(("org" = String, Path), AuditQuery), responses((status = 200, body = Page<AuditEntry>)))]
#[get("/audit")]
pub async fn list_audit(
    who: OrgCaller,
    audit: Data<Audit>,
    broker: Data<Broker>,
    query: Query<AuditQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(audit.list(scope.org(), &query.0).await?))
}

/// Show the newest signed head of the log's tree.
#[utoipa::path(tag = "audit", params(("org" = String, Path)), responses((status = 200, body = Checkpoint)))]
#[get("/audit/checkpoint")]
pub async fn checkpoint(who: OrgCaller, audit: Data<Audit>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    Ok(HttpResponse::Ok().json(audit.checkpoint(scope.org()).await?))
}

/// Check every record against the signed head.
#[utoipa::path(tag = "audit", params(("org" = String, Path)), responses((status = 200, body = Verification)))]
#[post("/audit/verify")]
pub async fn verify(who: OrgCaller, audit: Data<Audit>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    Ok(HttpResponse::Ok().json(audit.verify(scope.org()).await?))
}

/// Export the log: a bundle that verifies offline, or a table.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ExportQuery), responses((status = 200, body = String, content_type = "application/jsonl")))]
#[get("/audit/export")]
pub async fn export(
    who: OrgCaller,
    audit: Data<Audit>,
    broker: Data<Broker>,
    query: Query<ExportQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditExport).await?;
    broker.settle_before_reading().await;
    let (content_type, ending) = match query.0.format {
        ExportFormat::Jsonl => ("application/jsonl", "jsonl"),
        ExportFormat::Csv => ("text/csv; charset=utf-8", "csv"),
    };
    let stream = audit.export(scope.author(), query.0).await?;
    let name = format!("attachment; filename=\"ralex-audit-{}.{ending}\"", scope.org());
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .insert_header(("Content-Disposition", name))
        .streaming(stream))
}
