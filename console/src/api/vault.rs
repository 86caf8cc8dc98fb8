//! Provider keys: in, never out.

use ralex_api::Page;
use ralex_api::vault::{SecretInfo, UpdateSecret};
use ralex_kernel::{Name, SecretId};
use serde_json::json;

use super::client::{self, Reply};
use super::{ALL, page, path};
use crate::text::query::Query;

pub fn secrets(org: &str) -> Reply<Page<SecretInfo>> {
    client::list(&page(&path(org, &["secrets"]), None, ALL, Query::default()))
}

pub fn create(
    org: &str,
    name: &Name,
    provider: &str,
    value: &str,
    limits: &UpdateSecret,
) -> Reply<SecretInfo> {
    let new = json!({
        "name": name, "provider": provider, "value": value, "weight": limits.weight,
        "requests_per_minute": limits.requests_per_minute.flatten(),
        "tokens_per_minute": limits.tokens_per_minute.flatten(),
    });
    client::create(&path(org, &["secrets"]), &new)
}

/// Changes how a key is used beside the provider's others.
pub fn limit(org: &str, id: SecretId, change: UpdateSecret) -> Reply<SecretInfo> {
    client::update(&path(org, &["secrets", &id.to_string()]), &change)
}

pub fn rotate(org: &str, id: SecretId, value: &str) -> Reply<SecretInfo> {
    let path = path(org, &["secrets", &id.to_string(), "versions"]);
    client::create(&path, &json!({ "value": value }))
}

pub fn delete(org: &str, id: SecretId) -> Reply<()> {
    client::delete(&path(org, &["secrets", &id.to_string()]))
}
