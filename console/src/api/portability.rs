//! Exports of an organisation, and to whom operators may carry them.

use ralex_api::portability::{ExportRecipients, NewOrgExport, SetExportRecipients};
use serde_json::json;

use super::client::{self, Answer, Reply};
use super::path;
use crate::text::query::encode;

pub fn recipients(org: &str) -> Reply<ExportRecipients> {
    client::find(&path(org, &["export", "recipients"]))
}

pub fn set_recipients(org: &str, recipients: Vec<String>) -> Reply<ExportRecipients> {
    client::replace(&path(org, &["export", "recipients"]), &SetExportRecipients { recipients })
}

pub fn download(org: &str, recipients: Vec<String>) -> impl Future<Output = Answer<()>> + use<> {
    let body = client::write(&NewOrgExport { recipients });
    client::download(path(org, &["export"]), body)
}

/// What an operator carries away and cannot read.
pub fn carry(org: &str) -> impl Future<Output = Answer<()>> + use<> {
    let path = format!("/operator/orgs/{}/export", encode(org));
    client::download(path, client::write(&json!({})))
}
