//! Guardrails, their packs, and the tester.

use ralex_api::Page;
use ralex_api::guardrails::{
    Guardrail, NewGuardrail, Pack, TestGuardrails, Tested, UpdateGuardrail,
};
use ralex_kernel::GuardrailId;

use super::client::{self, Reply};
use super::{ALL, page, path};
use crate::text::query::Query;

pub fn list(org: &str, cursor: Option<String>) -> Reply<Page<Guardrail>> {
    let path = path(org, &["guardrails"]);
    client::list(&page(&path, cursor.as_deref(), ALL, Query::default()))
}

pub fn packs(org: &str) -> Reply<Page<Pack>> {
    client::list(&path(org, &["guardrails", "packs"]))
}

pub fn create(org: &str, new: NewGuardrail) -> Reply<Guardrail> {
    client::create(&path(org, &["guardrails"]), &new)
}

pub fn update(org: &str, id: GuardrailId, change: UpdateGuardrail) -> Reply<Guardrail> {
    client::update(&path(org, &["guardrails", &id.to_string()]), &change)
}

pub fn delete(org: &str, id: GuardrailId) -> Reply<()> {
    client::delete(&path(org, &["guardrails", &id.to_string()]))
}

/// What would become of a text.
pub fn test(org: &str, test: TestGuardrails) -> Reply<Tested> {
    client::create(&path(org, &["guardrails", "test"]), &test)
}
