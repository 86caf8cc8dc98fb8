//! The audit log.

use ralex_api::Page;
use ralex_api::audit::{AuditEntry, AuditKeys, Checkpoint, InclusionProof, Verification};
use ralex_api::retention::{AuditPruned, AuditRequest, AuditRetention, NewAuditRequest};
use ralex_api::sinks::{AuditSink, AuditSinks, SinkTested};
use serde_json::Value;

use super::client::{self, BASE, Reply};
use super::{PAGE, page, path};
use crate::text::query::Query;

pub fn entries(org: &str, filters: Query, cursor: Option<String>) -> Reply<Page<AuditEntry>> {
    client::list(&page(&path(org, &["audit"]), cursor.as_deref(), PAGE, filters))
}

pub fn checkpoint(org: &str) -> Reply<Checkpoint> {
    client::find(&path(org, &["audit", "checkpoint"]))
}

pub fn verify(org: &str) -> Reply<Verification> {
    client::create(&path(org, &["audit", "verify"]), &serde_json::json!({}))
}

/// That the event is in the signed log.
pub fn proof(org: &str, event: &str) -> Reply<InclusionProof> {
    client::find(&path(org, &["audit", "events", event, "proof"]))
}

pub fn keys(org: &str) -> Reply<AuditKeys> {
    client::find(&path(org, &["audit", "keys"]))
}

/// Where the browser downloads that proof with the event in it.
pub fn receipt_url(org: &str, event: &str) -> String {
    format!("{BASE}{}", path(org, &["audit", "events", event, "receipt"]))
}

/// Where the browser downloads an export; `filters` are those of the page.
pub fn export_url(org: &str, format: &str, filters: &Query) -> String {
    format!("{BASE}{}{}", path(org, &["audit", "export"]), filters.with("format", format))
}

pub fn sinks(org: &str) -> Reply<AuditSinks> {
    client::find(&path(org, &["audit", "sinks"]))
}

pub fn change_sink_secret(org: &str, id: &str, credential: Value) -> Reply<AuditSink> {
    client::create(&path(org, &["audit", "sinks", id, "secret"]), &credential)
}

pub fn add_sink(org: &str, new: Value) -> Reply<AuditSink> {
    client::create(&path(org, &["audit", "sinks"]), &new)
}

pub fn test_sink(org: &str, id: &str) -> Reply<SinkTested> {
    client::create(&path(org, &["audit", "sinks", id, "test"]), &serde_json::json!({}))
}

/// Goes on; without that record, if it is named.
pub fn resume_sink(org: &str, id: &str, skip: Option<u64>, reason: String) -> Reply<()> {
    let body = serde_json::json!({ "skip": skip, "reason": reason });
    client::tell(&path(org, &["audit", "sinks", id, "resume"]), Some(&body))
}

pub fn remove_sink(org: &str, id: &str) -> Reply<()> {
    client::delete(&path(org, &["audit", "sinks", id]))
}

/// How long the log is kept, and what waits for a second person.
pub fn retention(org: &str) -> Reply<AuditRetention> {
    client::find(&path(org, &["audit", "retention"]))
}

pub fn ask_retention(org: &str, new: NewAuditRequest) -> Reply<AuditRequest> {
    client::create(&path(org, &["audit", "retention", "requests"]), &new)
}

/// `verb` is `approve` or `deny`.
pub fn decide_retention(org: &str, id: &str, verb: &str, reason: String) -> Reply<AuditRequest> {
    let path = path(org, &["audit", "retention", "requests", id, verb]);
    client::create(&path, &serde_json::json!({ "reason": reason }))
}

pub fn prune(org: &str) -> Reply<AuditPruned> {
    client::create(&path(org, &["audit", "retention", "prune"]), &serde_json::json!({}))
}
