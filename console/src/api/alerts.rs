//! Alerts: the inbox, and the rules that say who is told.

use ralex_api::Page;
use ralex_api::alerts::{Alert, AlertKinds, AlertRule, AlertRuleTested, AlertRules, AlertsUnread};
use serde_json::{Value, json};

use super::client::{self, Reply};
use super::{PAGE, page, path};
use crate::text::query::Query;

pub fn list(org: &str, filters: Query, cursor: Option<String>) -> Reply<Page<Alert>> {
    client::list(&page(&path(org, &["alerts"]), cursor.as_deref(), PAGE, filters))
}

pub fn find(org: &str, id: &str) -> Reply<Alert> {
    client::find(&path(org, &["alerts", id]))
}

/// What whoever asks has not read.
pub fn unread(org: &str) -> Reply<AlertsUnread> {
    client::find(&path(org, &["alerts", "unread-count"]))
}

/// Marks one as read, or all.
pub fn read(org: &str, id: Option<&str>) -> Reply<AlertsUnread> {
    let body = id.map_or_else(|| json!({}), |id| json!({ "alerts": [id] }));
    client::create(&path(org, &["alerts", "read"]), &body)
}

/// `verb` is `acknowledge` or `resolve`.
pub fn change(org: &str, id: &str, verb: &str) -> Reply<Alert> {
    client::create(&path(org, &["alerts", id, verb]), &json!({}))
}

pub fn kinds(org: &str) -> Reply<AlertKinds> {
    client::find(&path(org, &["alerts", "kinds"]))
}

pub fn rules(org: &str) -> Reply<AlertRules> {
    client::find(&path(org, &["alert-rules"]))
}

pub fn create_rule(org: &str, new: &Value) -> Reply<AlertRule> {
    client::create(&path(org, &["alert-rules"]), new)
}

pub fn update_rule(org: &str, id: &str, change: &Value) -> Reply<AlertRule> {
    client::update(&path(org, &["alert-rules", id]), change)
}

pub fn test_rule(org: &str, id: &str) -> Reply<AlertRuleTested> {
    client::create(&path(org, &["alert-rules", id, "test"]), &json!({}))
}

pub fn remove_rule(org: &str, id: &str) -> Reply<()> {
    client::delete(&path(org, &["alert-rules", id]))
}
