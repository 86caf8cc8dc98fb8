//! Guardrails, their packs, and the tester.

use ralex_api::Page;
use ralex_api::guardrails::{
    Guardrail, NewGuardrail, Pack, TestGuardrails, Tested, UpdateGuardrail,
};
use ralex_kernel::GuardrailId;

use super::client::{self, Answer};
use super::{ALL, page, path};
use crate::text::query::Query;

pub async fn list(org: &str, cursor: Option<String>) -> Answer<Page<Guardrail>> {
    let path = path(org, &["guardrails"]);
    client::find(&page(&path, cursor.as_deref(), ALL, Query::default())).await
}

pub async fn packs(org: &str) -> Answer<Page<Pack>> {
    client::find(&path(org, &["guardrails", "packs"])).await
}

pub async fn create(org: &str, new: NewGuardrail) -> Answer<Guardrail> {
    client::create(&path(org, &["guardrails"]), &new).await
}

pub async fn update(org: &str, id: GuardrailId, change: UpdateGuardrail) -> Answer<Guardrail> {
    client::update(&path(org, &["guardrails", &id.to_string()]), &change).await
}

pub async fn delete(org: &str, id: GuardrailId) -> Answer<()> {
    client::delete(&path(org, &["guardrails", &id.to_string()])).await
}

/// What would become of a text.
pub async fn test(org: &str, test: TestGuardrails) -> Answer<Tested> {
    client::create(&path(org, &["guardrails", "test"]), &test).await
}
