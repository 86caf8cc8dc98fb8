//! Reviews of who holds what.

use ralex_api::Page;
use ralex_api::access_reviews::{
    AccessReview, AccessReviewItem, DecideReview, NewAccessReview, SignReview,
};
use serde_json::json;

use super::client::{self, BASE, Reply};
use super::{PAGE, page, path};
use crate::text::query::Query;

pub fn list(org: &str, cursor: Option<String>) -> Reply<Page<AccessReview>> {
    client::list(&page(&path(org, &["access-reviews"]), cursor.as_deref(), PAGE, Query::default()))
}

pub fn create(org: &str, new: &NewAccessReview) -> Reply<AccessReview> {
    client::create(&path(org, &["access-reviews"]), new)
}

pub fn find(org: &str, id: &str) -> Reply<AccessReview> {
    client::find(&path(org, &["access-reviews", id]))
}

/// `only` is a word of the contract, or nothing, which is all.
pub fn items(
    org: &str,
    id: &str,
    only: Option<&str>,
    cursor: Option<String>,
) -> Reply<Page<AccessReviewItem>> {
    let filters = Query::default().with_some("only", only);
    let path = path(org, &["access-reviews", id, "items"]);
    client::list(&page(&path, cursor.as_deref(), PAGE, filters))
}

pub fn decide(org: &str, id: &str, decide: &DecideReview) -> Reply<AccessReview> {
    client::create(&path(org, &["access-reviews", id, "decisions"]), decide)
}

/// `verb` is `close` or `cancel`.
pub fn act(org: &str, id: &str, verb: &str) -> Reply<AccessReview> {
    client::create(&path(org, &["access-reviews", id, verb]), &json!({}))
}

pub fn sign(org: &str, id: &str, note: String) -> Reply<AccessReview> {
    client::create(&path(org, &["access-reviews", id, "sign"]), &SignReview { note })
}

/// Where the browser downloads all of it as a table.
pub fn evidence_url(org: &str, id: &str) -> String {
    format!("{BASE}{}", path(org, &["access-reviews", id, "evidence"]))
}
