//! Approvals: what waits for a person, the decisions, and how they work.

use ralex_api::Page;
use ralex_api::approvals::{
    Approval, ApprovalSettings, ApprovalsWaiting, Decide, SetApprovalSettings,
};

use super::client::{self, Reply};
use super::{PAGE, page, path};
use crate::text::query::Query;

pub fn list(org: &str, filters: Query, cursor: Option<String>) -> Reply<Page<Approval>> {
    let path = path(org, &["approvals"]);
    client::list(&page(&path, cursor.as_deref(), PAGE, filters))
}

pub fn find(org: &str, id: &str) -> Reply<Approval> {
    client::find(&path(org, &["approvals", id]))
}

/// How many wait for whoever asks to decide.
pub fn waiting(org: &str) -> Reply<ApprovalsWaiting> {
    client::find(&path(org, &["approvals", "waiting"]))
}

/// `verdict` is `approve` or `deny`.
pub fn decide(org: &str, id: &str, verdict: &str, reason: String) -> Reply<Approval> {
    client::create(&path(org, &["approvals", id, verdict]), &Decide { reason })
}

pub fn settings(org: &str) -> Reply<ApprovalSettings> {
    client::find(&path(org, &["approvals", "settings"]))
}

pub fn set_settings(org: &str, set: SetApprovalSettings) -> Reply<ApprovalSettings> {
    client::replace(&path(org, &["approvals", "settings"]), &set)
}
