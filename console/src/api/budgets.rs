//! Budgets.

use ralex_api::Page;
use ralex_api::adjustments::{Adjustment, Reconcile, Reconciliation, ReverseAdjustment};
use ralex_api::budgets::{Budget, BudgetRun, NewBudget, NewIncrease, UpdateBudget};
use ralex_kernel::{AdjustmentId, BudgetId};

use super::client::{self, Reply};
use super::{ALL, PAGE, page, path};
use crate::text::query::Query;

pub fn list(org: &str) -> Reply<Page<Budget>> {
    client::list(&page(&path(org, &["budgets"]), None, ALL, Query::default()))
}

pub fn create(org: &str, new: NewBudget) -> Reply<Budget> {
    client::create(&path(org, &["budgets"]), &new)
}

pub fn update(org: &str, id: BudgetId, change: UpdateBudget) -> Reply<Budget> {
    client::update(&path(org, &["budgets", &id.to_string()]), &change)
}

pub fn increase(org: &str, id: BudgetId, new: NewIncrease) -> Reply<Budget> {
    client::create(&path(org, &["budgets", &id.to_string(), "increase"]), &new)
}

pub fn end_increase(org: &str, id: BudgetId) -> Reply<()> {
    client::delete(&path(org, &["budgets", &id.to_string(), "increase"]))
}

pub fn delete(org: &str, id: BudgetId) -> Reply<()> {
    client::delete(&path(org, &["budgets", &id.to_string()]))
}

/// What counts on a budget beside its calls.
pub fn adjustments(org: &str, id: BudgetId, cursor: Option<String>) -> Reply<Page<Adjustment>> {
    let path = path(org, &["budgets", &id.to_string(), "adjustments"]);
    client::list(&page(&path, cursor.as_deref(), PAGE, Query::default()))
}

/// The runs that a budget per run has counted.
pub fn runs(org: &str, id: BudgetId, cursor: Option<String>) -> Reply<Page<BudgetRun>> {
    let path = path(org, &["budgets", &id.to_string(), "runs"]);
    client::list(&page(&path, cursor.as_deref(), PAGE, Query::default()))
}

pub fn reverse(org: &str, budget: BudgetId, id: AdjustmentId, note: String) -> Reply<Adjustment> {
    let (budget, id) = (budget.to_string(), id.to_string());
    let path = path(org, &["budgets", &budget, "adjustments", &id, "reverse"]);
    client::create(&path, &ReverseAdjustment { note })
}

/// Compares a provider's export with the calls, and adjusts budgets where it is asked for.
pub fn reconcile(org: &str, export: &Reconcile) -> Reply<Reconciliation> {
    client::create(&path(org, &["reconciliations"]), export)
}
