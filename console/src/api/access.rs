//! Roles that people ask to hold for a while, and the decisions about them.

use ralex_api::Page;
use ralex_api::access_requests::{
    AccessRequest, AccessRequestSettings, DecideAccess, NewAccessRequest, SetAccessRequestSettings,
};
use serde_json::json;

use super::client::{self, Reply};
use super::{PAGE, page, path};
use crate::text::query::Query;

/// `only` is `mine`, `to_decide` or nothing, which is all.
pub fn list(org: &str, only: Option<&str>, cursor: Option<String>) -> Reply<Page<AccessRequest>> {
    let filters = Query::default().with_some("only", only);
    client::list(&page(&path(org, &["access-requests"]), cursor.as_deref(), PAGE, filters))
}

pub fn find(org: &str, id: &str) -> Reply<AccessRequest> {
    client::find(&path(org, &["access-requests", id]))
}

pub fn ask(org: &str, new: &NewAccessRequest) -> Reply<AccessRequest> {
    client::create(&path(org, &["access-requests"]), new)
}

/// `verb` is `approve`, `deny`, `withdraw` or `end`; the latter two need no reason.
pub fn act(org: &str, id: &str, verb: &str, reason: Option<String>) -> Reply<AccessRequest> {
    let path = path(org, &["access-requests", id, verb]);
    match reason {
        Some(reason) => client::create(&path, &DecideAccess { reason }),
        None => client::create(&path, &json!({})),
    }
}

pub fn settings(org: &str) -> Reply<AccessRequestSettings> {
    client::find(&path(org, &["access-requests", "settings"]))
}

pub fn set_settings(org: &str, set: &SetAccessRequestSettings) -> Reply<AccessRequestSettings> {
    client::replace(&path(org, &["access-requests", "settings"]), set)
}
