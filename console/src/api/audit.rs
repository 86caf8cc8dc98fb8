//! The audit log.

use ralex_api::Page;
use ralex_api::audit::{AuditEntry, Checkpoint, Verification};

use super::client::{self, Answer, BASE};
use super::{PAGE, page, path};
use crate::text::query::Query;

pub async fn entries(
    org: &str,
    filters: Query,
    cursor: Option<String>,
) -> Answer<Page<AuditEntry>> {
    client::find(&page(&path(org, &["audit"]), cursor.as_deref(), PAGE, filters)).await
}

pub async fn checkpoint(org: &str) -> Answer<Checkpoint> {
    client::find(&path(org, &["audit", "checkpoint"])).await
}

pub async fn verify(org: &str) -> Answer<Verification> {
    client::create(&path(org, &["audit", "verify"]), &serde_json::json!({})).await
}

/// Where the browser downloads an export; `filters` are those of the page.
pub fn export_url(org: &str, format: &str, filters: &Query) -> String {
    format!("{BASE}{}{}", path(org, &["audit", "export"]), filters.with("format", format))
}
