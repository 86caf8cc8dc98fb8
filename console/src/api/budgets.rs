//! Budgets.

use ralex_api::Page;
use ralex_api::adjustments::{Adjustment, ReverseAdjustment};
use ralex_api::budgets::{Budget, NewBudget, NewIncrease, UpdateBudget};
use ralex_kernel::{AdjustmentId, BudgetId};

use super::client::{self, Answer};
use super::{ALL, PAGE, page, path};
use crate::text::query::Query;

pub async fn list(org: &str) -> Answer<Page<Budget>> {
    client::find(&page(&path(org, &["budgets"]), None, ALL, Query::default())).await
}

pub async fn create(org: &str, new: NewBudget) -> Answer<Budget> {
    client::create(&path(org, &["budgets"]), &new).await
}

pub async fn update(org: &str, id: BudgetId, change: UpdateBudget) -> Answer<Budget> {
    client::update(&path(org, &["budgets", &id.to_string()]), &change).await
}

pub async fn increase(org: &str, id: BudgetId, new: NewIncrease) -> Answer<Budget> {
    client::create(&path(org, &["budgets", &id.to_string(), "increase"]), &new).await
}

pub async fn end_increase(org: &str, id: BudgetId) -> Answer<()> {
    client::delete(&path(org, &["budgets", &id.to_string(), "increase"])).await
}

pub async fn delete(org: &str, id: BudgetId) -> Answer<()> {
    client::delete(&path(org, &["budgets", &id.to_string()])).await
}

/// What counts on a budget beside its calls.
pub async fn adjustments(
    org: &str,
    id: BudgetId,
    cursor: Option<String>,
) -> Answer<Page<Adjustment>> {
    let path = path(org, &["budgets", &id.to_string(), "adjustments"]);
    client::find(&page(&path, cursor.as_deref(), PAGE, Query::default())).await
}

pub async fn reverse(
    org: &str,
    budget: BudgetId,
    id: AdjustmentId,
    note: String,
) -> Answer<Adjustment> {
    let (budget, id) = (budget.to_string(), id.to_string());
    let path = path(org, &["budgets", &budget, "adjustments", &id, "reverse"]);
    client::create(&path, &ReverseAdjustment { note }).await
}
