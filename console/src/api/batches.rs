//! Batches: many calls that a provider answers later.

use ralex_api::Page;
use ralex_api::batches::Batch;

use super::client::{self, Reply};
use super::{PAGE, page, path};
use crate::text::query::Query;

pub fn list(org: &str, cursor: Option<String>) -> Reply<Page<Batch>> {
    client::list(&page(&path(org, &["batches"]), cursor.as_deref(), PAGE, Query::default()))
}
