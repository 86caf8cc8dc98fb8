//! Compliance reports, their schedules, and the controls that they are evidence for.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch, post};
use futures_util::StreamExt as _;
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::reports::{
    DownloadQuery, Frameworks, NewReport, NewReportSchedule, Report, ReportFormat, ReportQuery,
    ReportSchedule, ReportSchedules, UpdateReportSchedule,
};
use ralex_broker::Broker;
use ralex_kernel::{ReportId, ReportScheduleId};
use ralex_reports::Reports;

use super::extract::{Body, OrgCaller, Query};
use super::problem::{Failed, Result};

/// List the controls of compliance frameworks, what evidence there is for each, and what the system
/// itself can tell at this moment. It is evidence and no verdict.
#[utoipa::path(tag = "reports", params(("org" = String, Path)), responses((status = 200, body = Frameworks)))]
#[get("/compliance/frameworks")]
pub async fn list_frameworks(who: OrgCaller, reports: Data<Reports>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ReportRead).await?;
    Ok(HttpResponse::Ok().json(reports.frameworks(&scope).await?))
}

/// List reports, the newest first, of the kinds whose contents the caller may read.
#[utoipa::path(tag = "reports", params(("org" = String, Path), ReportQuery), responses((status = 200, body = Page<Report>)))]
#[get("/reports")]
pub async fn list_reports(
    who: OrgCaller,
    reports: Data<Reports>,
    query: Query<ReportQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ReportRead).await?;
    Ok(HttpResponse::Ok().json(reports.list(&scope, &query.0).await?))
}

/// Ask for a report, which is made in the background; its state tells how far it is.
#[utoipa::path(tag = "reports", params(("org" = String, Path)), request_body = NewReport, responses((status = 202, body = Report)))]
#[post("/reports")]
pub async fn create_report(
    who: OrgCaller,
    reports: Data<Reports>,
    broker: Data<Broker>,
    new: Body<NewReport>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ReportCreate).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Accepted().json(reports.create(&scope, new.0).await?))
}

/// Show a report: how far it is, its files and their hashes.
#[utoipa::path(tag = "reports", params(("org" = String, Path), ("report" = ReportId, Path)), responses((status = 200, body = Report)))]
#[get("/reports/{report}")]
pub async fn find_report(
    who: OrgCaller,
    reports: Data<Reports>,
    path: Path<(String, ReportId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ReportRead).await?;
    Ok(HttpResponse::Ok().json(reports.find(&scope, path.into_inner().1).await?))
}

/// Delete a report and its files. That it was made, and its hashes, stay in the audit log.
#[utoipa::path(tag = "reports", params(("org" = String, Path), ("report" = ReportId, Path)), responses((status = 204)))]
#[delete("/reports/{report}")]
pub async fn delete_report(
    who: OrgCaller,
    reports: Data<Reports>,
    path: Path<(String, ReportId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ReportCreate).await?;
    reports.delete(&scope, path.into_inner().1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Download a file of a report. The header `x-ralex-sha256` says what its hash must be.
#[utoipa::path(tag = "reports", params(("org" = String, Path), ("report" = ReportId, Path), DownloadQuery), responses((status = 200, body = String, content_type = "application/octet-stream")))]
#[get("/reports/{report}/download")]
pub async fn download_report(
    who: OrgCaller,
    reports: Data<Reports>,
    path: Path<(String, ReportId)>,
    query: Query<DownloadQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ReportRead).await?;
    let format = query.0.format.unwrap_or(ReportFormat::Pdf);
    let file = reports.download(&scope, path.into_inner().1, format).await?;
    let parts = file.parts.map(|part| part.map_err(|why| actix_web::Error::from(Failed(why))));
    Ok(HttpResponse::Ok()
        .content_type(file.content_type)
        .insert_header(("Content-Disposition", format!("attachment; filename=\"{}\"", file.name)))
        .insert_header(("X-Ralex-Sha256", file.sha256))
        .no_chunking(file.bytes)
        .streaming(parts))
}

/// List what asks for reports again and again.
#[utoipa::path(tag = "reports", params(("org" = String, Path)), responses((status = 200, body = ReportSchedules)))]
#[get("/report-schedules")]
pub async fn list_report_schedules(who: OrgCaller, reports: Data<Reports>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ReportRead).await?;
    Ok(HttpResponse::Ok().json(reports.schedules(&scope).await?))
}

/// Have a report made of each week, month or quarter when it has ended.
#[utoipa::path(tag = "reports", params(("org" = String, Path)), request_body = NewReportSchedule, responses((status = 201, body = ReportSchedule)))]
#[post("/report-schedules")]
pub async fn create_report_schedule(
    who: OrgCaller,
    reports: Data<Reports>,
    new: Body<NewReportSchedule>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ReportCreate).await?;
    Ok(HttpResponse::Created().json(reports.create_schedule(&scope, new.0).await?))
}

/// Change when a schedule asks and who gets its reports, or switch it off.
#[utoipa::path(tag = "reports", params(("org" = String, Path), ("schedule" = ReportScheduleId, Path)), request_body = UpdateReportSchedule, responses((status = 200, body = ReportSchedule)))]
#[patch("/report-schedules/{schedule}")]
pub async fn update_report_schedule(
    who: OrgCaller,
    reports: Data<Reports>,
    path: Path<(String, ReportScheduleId)>,
    change: Body<UpdateReportSchedule>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ReportCreate).await?;
    let changed = reports.update_schedule(&scope, path.into_inner().1, change.0).await?;
    Ok(HttpResponse::Ok().json(changed))
}

/// Delete a schedule; reports that it made stay.
#[utoipa::path(tag = "reports", params(("org" = String, Path), ("schedule" = ReportScheduleId, Path)), responses((status = 204)))]
#[delete("/report-schedules/{schedule}")]
pub async fn delete_report_schedule(
    who: OrgCaller,
    reports: Data<Reports>,
    path: Path<(String, ReportScheduleId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ReportCreate).await?;
    reports.delete_schedule(&scope, path.into_inner().1).await?;
    Ok(HttpResponse::NoContent().finish())
}
