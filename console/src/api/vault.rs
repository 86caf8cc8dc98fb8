//! Provider keys: in, never out.

use ralex_api::Page;
use ralex_api::vault::{SecretInfo, UpdateSecret};
use ralex_kernel::{Name, SecretId};
use serde_json::json;

use super::client::{self, Answer};
use super::{ALL, page, path};
use crate::text::query::Query;

pub async fn secrets(org: &str) -> Answer<Page<SecretInfo>> {
    client::find(&page(&path(org, &["secrets"]), None, ALL, Query::default())).await
}

pub async fn create(
    org: &str,
    name: &Name,
    provider: &str,
    value: &str,
    limits: &UpdateSecret,
) -> Answer<SecretInfo> {
    let new = json!({
        "name": name, "provider": provider, "value": value, "weight": limits.weight,
        "requests_per_minute": limits.requests_per_minute.flatten(),
        "tokens_per_minute": limits.tokens_per_minute.flatten(),
    });
    client::create(&path(org, &["secrets"]), &new).await
}

/// Changes how a key is used beside the provider's others.
pub async fn limit(org: &str, id: SecretId, change: UpdateSecret) -> Answer<SecretInfo> {
    client::update(&path(org, &["secrets", &id.to_string()]), &change).await
}

pub async fn rotate(org: &str, id: SecretId, value: &str) -> Answer<SecretInfo> {
    let path = path(org, &["secrets", &id.to_string(), "versions"]);
    client::create(&path, &json!({ "value": value })).await
}

pub async fn delete(org: &str, id: SecretId) -> Answer<()> {
    client::delete(&path(org, &["secrets", &id.to_string()])).await
}
