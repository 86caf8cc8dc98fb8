//! Rules about calls, what holds without one, and the dry run.

use ralex_api::Page;
use ralex_api::call_rules::{
    CallEffect, CallRule, CallRuleSettings, NewCallRule, SetCallRuleSettings, SimulateCallRules,
    SimulatedCallRules, TestCallRules, TestedCall, UpdateCallRule,
};
use ralex_kernel::CallRuleId;

use super::client::{self, Answer, Reply};
use super::{ALL, page, path};
use crate::text::query::Query;

/// All of them: an organisation has no more than a few pages.
pub async fn all(org: &str) -> Answer<Vec<CallRule>> {
    let (mut rules, mut cursor) = (Vec::new(), None);
    loop {
        let path = page(&path(org, &["call-rules"]), cursor.as_deref(), ALL, Query::default());
        let next: Page<CallRule> = client::list(&path).await?;
        rules.extend(next.items);
        cursor = next.next_cursor;
        if cursor.is_none() {
            return Ok(rules);
        }
    }
}

pub fn create(org: &str, new: &NewCallRule) -> Reply<CallRule> {
    client::create(&path(org, &["call-rules"]), new)
}

/// Changes the version that was read.
pub fn update(org: &str, rule: &CallRule, change: &UpdateCallRule) -> Reply<CallRule> {
    let path = path(org, &["call-rules", &rule.id.to_string()]);
    client::update_if(&path, change, client::of_version(rule.version))
}

pub fn delete(org: &str, id: CallRuleId) -> Reply<()> {
    client::delete(&path(org, &["call-rules", &id.to_string()]))
}

pub fn settings(org: &str) -> Reply<CallRuleSettings> {
    client::find(&path(org, &["call-rules", "settings"]))
}

pub fn set_default(org: &str, default_effect: CallEffect) -> Reply<CallRuleSettings> {
    let set = SetCallRuleSettings { default_effect };
    client::replace(&path(org, &["call-rules", "settings"]), &set)
}

/// What a change would have done to the calls that were made.
pub fn simulate(org: &str, change: &SimulateCallRules) -> Reply<SimulatedCallRules> {
    client::create(&path(org, &["call-rules", "simulate"]), change)
}

/// What would become of a call.
pub fn test(org: &str, test: &TestCallRules) -> Reply<TestedCall> {
    client::create(&path(org, &["call-rules", "test"]), test)
}
