//! The audit log: reading, proving, exporting.

use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, get, post};
use futures_util::StreamExt;
use ralex_access::{Permission, Scope};
use ralex_api::Page;
use ralex_api::audit::{
    AuditEntry, AuditQuery, Checkpoint, ExportFormat, ExportQuery, Verification,
};
use ralex_audit::Audit;
use ralex_broker::Broker;
use ralex_kernel::Problem;
use ralex_store::Db;

use super::extract::{OrgCaller, Query};
use super::problem::{Failed, Result};

/// List what was done, newest first.
#[utoipa::path(tag = "audit", params(("org" = String, Path), AuditQuery), responses((status = 200, body = Page<AuditEntry>)))]
#[get("/audit")]
pub async fn list_audit(
    who: OrgCaller,
    db: Data<Db>,
    audit: Data<Audit>,
    broker: Data<Broker>,
    query: Query<AuditQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(list(&db, &audit, &scope, &query.0).await?))
}

/// Show the newest signed head of the log's tree.
#[utoipa::path(tag = "audit", params(("org" = String, Path)), responses((status = 200, body = Checkpoint)))]
#[get("/audit/checkpoint")]
pub async fn checkpoint(who: OrgCaller, db: Data<Db>, audit: Data<Audit>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    let mut tenant = db.tenant(scope.org()).await?;
    Ok(HttpResponse::Ok().json(audit.newest_checkpoint(&mut tenant).await?))
}

/// Check every record against the signed head.
#[utoipa::path(tag = "audit", params(("org" = String, Path)), responses((status = 200, body = Verification)))]
#[post("/audit/verify")]
pub async fn verify(who: OrgCaller, db: Data<Db>, audit: Data<Audit>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    let mut tenant = db.tenant(scope.org()).await?;
    Ok(HttpResponse::Ok().json(audit.verify(&mut tenant).await?))
}

/// Export the log: a bundle that verifies offline, a table, or lines for other programs. The header
/// `x-ralex-events` says how many records come; `after`, how to go on after a part of them.
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
        ExportFormat::Ocsf => ("application/jsonl", "ocsf.jsonl"),
        ExportFormat::Cef => ("text/plain; charset=utf-8", "cef"),
        ExportFormat::Syslog => ("text/plain; charset=utf-8", "syslog"),
        ExportFormat::CloudEvents => ("application/jsonl", "cloudevents.jsonl"),
        ExportFormat::Disclosures => ("application/jsonl", "disclosures.jsonl"),
    };
    let export = audit.export(scope.author(), &query.0).await?;
    let name = format!("attachment; filename=\"ralex-audit-{}.{ending}\"", scope.org());
    // An error in the middle ends the transfer without its last chunk, so no reader takes a part
    // for the whole; the bundle's missing end tells it as well.
    let parts = export.parts.map(|part| {
        part.map(Bytes::from).map_err(|problem| actix_web::Error::from(Failed(problem)))
    });
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .insert_header(("Content-Disposition", name))
        .insert_header(("X-Ralex-Tree-Size", export.tree_size.to_string()))
        .insert_header(("X-Ralex-Events", export.count.to_string()))
        .streaming(parts))
}

async fn list(
    db: &Db,
    audit: &Audit,
    scope: &Scope,
    query: &AuditQuery,
) -> std::result::Result<Page<AuditEntry>, Problem> {
    let mut tenant = db.tenant(scope.org()).await?;
    audit.list(&mut tenant, query).await
}
