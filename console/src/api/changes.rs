//! Changes that take two people, and which they are.

use ralex_api::Page;
use ralex_api::changes::{ChangeRequest, FourEyes, RefuseChange, SetFourEyes};
use serde_json::json;

use super::client::{self, Reply};
use super::{PAGE, page, path};
use crate::text::query::Query;

/// `only` is `mine`, `to_decide` or nothing, which is all.
pub fn list(org: &str, only: Option<&str>, cursor: Option<String>) -> Reply<Page<ChangeRequest>> {
    let filters = Query::default().with_some("only", only);
    client::list(&page(&path(org, &["change-requests"]), cursor.as_deref(), PAGE, filters))
}

pub fn find(org: &str, id: &str) -> Reply<ChangeRequest> {
    client::find(&path(org, &["change-requests", id]))
}

/// `verb` is `confirm`, `refuse` or `withdraw`; the last one needs no reason.
pub fn act(org: &str, id: &str, verb: &str, reason: Option<String>) -> Reply<ChangeRequest> {
    let path = path(org, &["change-requests", id, verb]);
    match reason {
        Some(reason) => client::create(&path, &RefuseChange { reason }),
        None => client::create(&path, &json!({})),
    }
}

pub fn settings(org: &str) -> Reply<FourEyes> {
    client::find(&path(org, &["change-requests", "settings"]))
}

pub fn set_settings(org: &str, set: &SetFourEyes) -> Reply<FourEyes> {
    client::replace(&path(org, &["change-requests", "settings"]), set)
}
