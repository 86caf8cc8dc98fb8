//! Approvals: what waits for a person, the decisions, and how they work.

use ralex_api::Page;
use ralex_api::approvals::{
    Approval, ApprovalSettings, ApprovalsWaiting, Decide, SetApprovalSettings,
};

use super::client::{self, Answer};
use super::{PAGE, page, path};
use crate::text::query::Query;

pub async fn list(org: &str, filters: Query, cursor: Option<String>) -> Answer<Page<Approval>> {
    let path = path(org, &["approvals"]);
    client::find(&page(&path, cursor.as_deref(), PAGE, filters)).await
}

pub async fn find(org: &str, id: &str) -> Answer<Approval> {
    client::find(&path(org, &["approvals", id])).await
}

/// How many wait for whoever asks to decide.
pub async fn waiting(org: &str) -> Answer<u64> {
    let answer: ApprovalsWaiting = client::find(&path(org, &["approvals", "waiting"])).await?;
    Ok(answer.waiting)
}

/// `verdict` is `approve` or `deny`.
pub async fn decide(org: &str, id: &str, verdict: &str, reason: String) -> Answer<Approval> {
    client::create(&path(org, &["approvals", id, verdict]), &Decide { reason }).await
}

pub async fn settings(org: &str) -> Answer<ApprovalSettings> {
    client::find(&path(org, &["approvals", "settings"])).await
}

pub async fn set_settings(org: &str, set: SetApprovalSettings) -> Answer<ApprovalSettings> {
    client::replace(&path(org, &["approvals", "settings"]), &set).await
}
