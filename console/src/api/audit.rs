//! The audit log.

use ralex_api::Page;
use ralex_api::audit::{AuditEntry, AuditKeys, Checkpoint, InclusionProof, Verification};
use ralex_api::sinks::{AuditSink, AuditSinks, NewAuditSink, SinkTested};

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

/// That the event is in the signed log.
pub async fn proof(org: &str, event: &str) -> Answer<InclusionProof> {
    client::find(&path(org, &["audit", "events", event, "proof"])).await
}

pub async fn keys(org: &str) -> Answer<AuditKeys> {
    client::find(&path(org, &["audit", "keys"])).await
}

/// Where the browser downloads that proof with the event in it.
pub fn receipt_url(org: &str, event: &str) -> String {
    format!("{BASE}{}", path(org, &["audit", "events", event, "receipt"]))
}

/// Where the browser downloads an export; `filters` are those of the page.
pub fn export_url(org: &str, format: &str, filters: &Query) -> String {
    format!("{BASE}{}{}", path(org, &["audit", "export"]), filters.with("format", format))
}

pub async fn sinks(org: &str) -> Answer<AuditSinks> {
    client::find(&path(org, &["audit", "sinks"])).await
}

pub async fn add_sink(org: &str, new: NewAuditSink) -> Answer<AuditSink> {
    client::create(&path(org, &["audit", "sinks"]), &new).await
}

pub async fn test_sink(org: &str, id: &str) -> Answer<SinkTested> {
    client::create(&path(org, &["audit", "sinks", id, "test"]), &serde_json::json!({})).await
}

/// Goes on; without that record, if it is named.
pub async fn resume_sink(org: &str, id: &str, skip: Option<u64>, reason: String) -> Answer<()> {
    let body = serde_json::json!({ "skip": skip, "reason": reason });
    client::tell(&path(org, &["audit", "sinks", id, "resume"]), Some(&body)).await
}

pub async fn remove_sink(org: &str, id: &str) -> Answer<()> {
    client::delete(&path(org, &["audit", "sinks", id])).await
}
