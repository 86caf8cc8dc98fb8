//! The rules as lines, out and in; as they were; and what a change of them would do.

use chrono::{DateTime, SecondsFormat, Utc};
use ralex_api::access::{AccessHistory, Binding};
use ralex_api::policies::{PolicyImport, PolicyImported};
use ralex_api::simulate::{Proposal, Simulated};
use ralex_api::{Code, Page, Problem};

use super::client::{self, Answer, BASE, Reply};
use super::{ALL, page, path, read};
use crate::text::json;
use crate::text::query::Query;

/// Where the browser downloads the lines.
pub fn export_url(org: &str) -> String {
    format!("{BASE}{}", path(org, &["policies", "export"]))
}

/// The lines to read and change.
pub async fn export(org: &str) -> Answer<String> {
    let response = client::fetch("GET", &export_url(org), None, &[], None).await?;
    let (status, text) = (response.status(), client::text_of(&response).await?);
    if (200..300).contains(&status) { Ok(text) } else { Err(client::problem_of(status, &text)) }
}

/// Does what the lines say, or tells what that would do; only over the version that was read.
pub fn import(org: &str, lines: &PolicyImport, version: Option<i64>) -> Reply<PolicyImported> {
    let header = version.map(|version| ("If-Policy-Version", version.to_string()));
    client::create_if(&path(org, &["policies", "import"]), lines, header)
}

pub fn simulate(org: &str, proposal: &Proposal) -> Reply<Simulated> {
    client::create(&path(org, &["access", "simulate"]), proposal)
}

/// A change as it stands in a file.
pub fn proposal(text: &str) -> Answer<Proposal> {
    let wrong = |why: String| Problem::new(Code::InvalidRequest, why);
    let value = json::read(text).map_err(|why| wrong(format!("That is no JSON: {why}.")))?;
    read::from_value(&value).map_err(|why| wrong(format!("That is no change of roles: {why}.")))
}

/// How far back it is known who could do what.
pub fn history(org: &str) -> Reply<AccessHistory> {
    client::find(&path(org, &["access", "history"]))
}

/// All that is given and denied, as far as one answer holds it; of one holder, at one moment.
pub fn bindings(
    org: &str,
    subject: Option<&str>,
    at: Option<DateTime<Utc>>,
    cursor: Option<String>,
) -> Reply<Page<Binding>> {
    let at = at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
    let filters = Query::default().with_some("subject", subject).with_some("at", at);
    client::list(&page(&path(org, &["bindings"]), cursor.as_deref(), ALL, filters))
}
