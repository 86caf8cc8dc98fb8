//! Compliance reports, what asks for them again and again, and the controls that they are for.

use ralex_api::Page;
use ralex_api::reports::{
    Frameworks, NewReport, Report, ReportSchedule, ReportSchedules, UpdateReportSchedule,
};
use serde_json::Value;

use super::client::{self, BASE, Reply};
use super::{PAGE, page, path};
use crate::text::query::Query;

pub fn list(org: &str, cursor: Option<String>) -> Reply<Page<Report>> {
    client::list(&page(&path(org, &["reports"]), cursor.as_deref(), PAGE, Query::default()))
}

pub fn create(org: &str, new: &NewReport) -> Reply<Report> {
    client::create(&path(org, &["reports"]), new)
}

pub fn delete(org: &str, id: &str) -> Reply<()> {
    client::delete(&path(org, &["reports", id]))
}

/// Where the browser downloads a file.
pub fn download_url(org: &str, id: &str, format: &str) -> String {
    let query = Query::default().with("format", format);
    format!("{BASE}{}{query}", path(org, &["reports", id, "download"]))
}

pub fn schedules(org: &str) -> Reply<ReportSchedules> {
    client::find(&path(org, &["report-schedules"]))
}

pub fn add_schedule(org: &str, new: &Value) -> Reply<()> {
    client::tell(&path(org, &["report-schedules"]), Some(new))
}

pub fn update_schedule(
    org: &str,
    id: &str,
    change: &UpdateReportSchedule,
) -> Reply<ReportSchedule> {
    client::update(&path(org, &["report-schedules", id]), change)
}

pub fn delete_schedule(org: &str, id: &str) -> Reply<()> {
    client::delete(&path(org, &["report-schedules", id]))
}

pub fn frameworks(org: &str) -> Reply<Frameworks> {
    client::find(&path(org, &["compliance", "frameworks"]))
}
