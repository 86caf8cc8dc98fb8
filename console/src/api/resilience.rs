//! How providers do, and answers that are kept.

use ralex_api::resilience::{Cache, HealthReport, SetCache};

use super::client::{self, Reply};
use super::path;

pub fn health(org: &str) -> Reply<HealthReport> {
    client::find(&path(org, &["health"]))
}

pub fn cache(org: &str) -> Reply<Cache> {
    client::find(&path(org, &["cache"]))
}

pub fn set_cache(org: &str, set: SetCache) -> Reply<Cache> {
    client::replace(&path(org, &["cache"]), &set)
}

pub fn clear_cache(org: &str) -> Reply<()> {
    client::delete(&path(org, &["cache"]))
}
