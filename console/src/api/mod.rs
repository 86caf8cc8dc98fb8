//! The public API as functions: a file for each resource, URLs here and nowhere else.
//!
//! The session is a cookie that no script can read. Every answer that is not a success becomes a
//! [`Problem`], so a page has one kind of failure to show.

pub mod access;
pub mod access_reviews;
pub mod alerts;
pub mod approvals;
pub mod audit;
pub mod batches;
pub mod break_glass;
pub mod budgets;
pub mod call_rules;
pub mod catalog;
pub mod changes;
pub mod chat;
pub mod client;
mod file;
pub mod guardrails;
pub mod identity;
pub mod links;
pub mod oauth;
pub mod operators;
pub mod passkey;
pub mod policies;
pub mod portability;
pub mod rate_limits;
mod read;
pub mod reports;
pub mod resilience;
pub mod routing;
pub mod scim;
pub mod sso;
pub mod usage;
pub mod vault;

use crate::text::query::{Query, encode};

/// How many rows a page of a table asks for.
const PAGE: u32 = 50;
/// For lists that fill a picker.
const ALL: u32 = ralex_api::page::PAGE_MAX;

/// An address below an organisation: `path("acme", &["teams", slug])`.
fn path(org: &str, parts: &[&str]) -> String {
    let mut path = format!("/orgs/{}", encode(org));
    for part in parts {
        path.push('/');
        path.push_str(&encode(part));
    }
    path
}

/// The same for one page of a list.
fn page(path: &str, cursor: Option<&str>, limit: u32, filters: Query) -> String {
    format!("{path}{}", filters.with("limit", &limit.to_string()).with_some("cursor", cursor))
}
