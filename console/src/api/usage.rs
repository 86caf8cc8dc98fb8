//! The overview, usage sums, forecasts and single calls.

use chrono::{DateTime, SecondsFormat, Utc};
use ralex_api::Page;
use ralex_api::forecast::{Anomalies, Forecast};
use ralex_api::overview::Overview;
use ralex_api::replay::{NewReplay, Replay};
use ralex_api::usage::{Call, CallDetail, Usage};
use ralex_kernel::{BudgetId, Money};

use super::client::{self, BASE, Reply};
use super::{PAGE, page, path};
use crate::text::query::Query;

pub fn overview(org: &str) -> Reply<Overview> {
    client::find(&path(org, &["overview"]))
}

/// `filters` with the range and with what is told apart, days by the clocks of `zone`.
pub fn asked(
    filters: &Query,
    (group_by, zone): (&str, &str),
    (from, to): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
) -> Query {
    let written = |instant: DateTime<Utc>| instant.to_rfc3339_opts(SecondsFormat::Secs, true);
    filters
        .with("group_by", group_by)
        .with("time_zone", zone)
        .with_some("from", from.map(written))
        .with_some("to", to.map(written))
}

pub fn usage(org: &str, query: &Query) -> Reply<Usage> {
    client::find(&format!("{}{query}", path(org, &["usage"])))
}

/// Where the browser downloads the same as a table.
pub fn table_url(org: &str, query: &Query) -> String {
    format!("{BASE}{}{}", path(org, &["usage"]), query.with("format", "csv"))
}

/// Where the browser downloads the single calls.
pub fn calls_url(org: &str, query: &Query) -> String {
    let query = query.with("group_by", "").with("time_zone", "").with("format", "csv");
    format!("{BASE}{}{query}", path(org, &["calls", "export"]))
}

pub fn replay(org: &str, new: &NewReplay) -> Reply<Replay> {
    client::create(&path(org, &["usage", "replay"]), new)
}

pub fn forecast(org: &str, filters: &Query) -> Reply<Forecast> {
    client::find(&format!("{}{filters}", path(org, &["usage", "forecast"])))
}

pub fn anomalies(org: &str) -> Reply<Anomalies> {
    let query = Query::default().with("group_by", "team");
    client::find(&format!("{}{query}", path(org, &["usage", "anomalies"])))
}

pub fn budget_forecast(org: &str, id: BudgetId, limit: Option<Money>) -> Reply<Forecast> {
    let query = Query::default().with_some("limit", limit);
    client::find(&format!("{}{query}", path(org, &["budgets", &id.to_string(), "forecast"])))
}

pub fn calls(org: &str, filters: Query, cursor: Option<String>) -> Reply<Page<Call>> {
    client::list(&page(&path(org, &["calls"]), cursor.as_deref(), PAGE, filters))
}

pub fn call(org: &str, id: &str) -> Reply<CallDetail> {
    client::find(&path(org, &["calls", id]))
}
