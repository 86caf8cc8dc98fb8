//! Where a call may go, in order, and why: what the broker knows of routing.

use std::sync::Arc;

use ralex_budgets::Why;
use ralex_routing::Plan;

/// The models that may answer a call, the preferred one first; never empty.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub candidates: Vec<Candidate>,
    /// What the call's record says about it.
    pub why: Why,
}

/// One of them, and why it stands where it stands.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub plan: Arc<Plan>,
    pub reason: String,
}

impl Chosen {
    /// The one model that a caller named.
    pub fn only(plan: Arc<Plan>) -> Self {
        let candidate = Candidate { plan, reason: "named by the caller".to_owned() };
        Self { candidates: vec![candidate], why: Why::default() }
    }
}
