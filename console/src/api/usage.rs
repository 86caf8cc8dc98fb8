//! The overview, usage sums and single calls.

use chrono::{DateTime, SecondsFormat, Utc};
use ralex_api::Page;
use ralex_api::overview::Overview;
use ralex_api::usage::{Call, CallDetail, Usage};

use super::client::{self, Reply};
use super::{PAGE, page, path};
use crate::text::query::Query;

pub fn overview(org: &str) -> Reply<Overview> {
    client::find(&path(org, &["overview"]))
}

pub fn usage(
    org: &str,
    group_by: &str,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
) -> Reply<Usage> {
    let written = |instant: DateTime<Utc>| instant.to_rfc3339_opts(SecondsFormat::Secs, true);
    let query = Query::default()
        .with("group_by", group_by)
        .with_some("from", from.map(written))
        .with_some("to", to.map(written));
    client::find(&format!("{}{query}", path(org, &["usage"])))
}

pub fn calls(org: &str, filters: Query, cursor: Option<String>) -> Reply<Page<Call>> {
    client::find(&page(&path(org, &["calls"]), cursor.as_deref(), PAGE, filters))
}

pub fn call(org: &str, id: &str) -> Reply<CallDetail> {
    client::find(&path(org, &["calls", id]))
}
