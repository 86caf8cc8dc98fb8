//! Rate limits.

use ralex_api::Page;
use ralex_api::rate_limits::{NewRateLimit, RateLimit, UpdateRateLimit};
use ralex_kernel::RateLimitId;

use super::client::{self, Reply};
use super::{ALL, page, path};
use crate::text::query::Query;

pub fn list(org: &str) -> Reply<Page<RateLimit>> {
    client::list(&page(&path(org, &["rate-limits"]), None, ALL, Query::default()))
}

pub fn create(org: &str, new: NewRateLimit) -> Reply<RateLimit> {
    client::create(&path(org, &["rate-limits"]), &new)
}

pub fn update(org: &str, id: RateLimitId, amount: u64) -> Reply<RateLimit> {
    client::update(&path(org, &["rate-limits", &id.to_string()]), &UpdateRateLimit { amount })
}

pub fn delete(org: &str, id: RateLimitId) -> Reply<()> {
    client::delete(&path(org, &["rate-limits", &id.to_string()]))
}
