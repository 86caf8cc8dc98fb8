//! Watches the budgets while calls go on and servers die.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ralex_api::budgets::Budget;
use ralex_api::page::Page;

use crate::rig::Api;

/// What was seen of all budgets so far.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    pub observations: u64,
    /// Budgets above their limits.
    pub overspent: Vec<String>,
}

/// Looks at every budget until told to stop.
pub async fn run(api: Api, stop: Arc<AtomicBool>, observed: Arc<Mutex<Observed>>) {
    while !stop.load(Ordering::Relaxed) {
        // A server that is just being killed has no answer.
        if let Ok(page) = api.find::<Page<Budget>>("budgets?limit=500").await {
            let mut observed = observed.lock();
            for budget in page.items {
                observed.observations += 1;
                if budget.spent + budget.held > budget.limit {
                    observed.overspent.push(format!("{budget:?}"));
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}
