//! How providers do, and answers that are kept.

use ralex_api::resilience::{Cache, HealthReport, SetCache};

use super::client::{self, Answer};
use super::path;

pub async fn health(org: &str) -> Answer<HealthReport> {
    client::find(&path(org, &["health"])).await
}

pub async fn cache(org: &str) -> Answer<Cache> {
    client::find(&path(org, &["cache"])).await
}

pub async fn set_cache(org: &str, set: SetCache) -> Answer<Cache> {
    client::replace(&path(org, &["cache"]), &set).await
}

pub async fn clear_cache(org: &str) -> Answer<()> {
    client::delete(&path(org, &["cache"])).await
}
