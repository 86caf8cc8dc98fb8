//! What is kept of the tries of a call, and of candidates that were not asked because a budget has not
//! enough left for them, or a rate limit no room.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ralex_budgets::{Charge, Shortage};
use ralex_kernel::{BudgetId, Code, Money, Problem};
use ralex_routing::Plan;

use crate::course::Cause;
use crate::in_flight::{Attempt, InFlight};
use crate::ready::Ready;

type Row = ralex_budgets::Attempt;

/// A candidate that was not asked.
pub(crate) struct PassedOver {
    pub ready: Arc<Ready>,
    pub cause: Cause,
    pub why: Why,
    pub at: DateTime<Utc>,
    /// How many tries there were before.
    pub after: usize,
}

/// What a candidate was not asked for.
pub(crate) struct Why {
    code: Code,
    words: String,
}

impl Why {
    /// For want of money. `short`: the budget that has not enough left.
    pub fn budget(charges: &[Charge], short: Option<BudgetId>) -> Self {
        let short = charges.iter().find(|charge| Some(charge.budget) == short);
        let unknown = || "nothing could be held for it".to_owned();
        Self { code: Code::BudgetExhausted, words: short.map_or_else(unknown, Charge::is_short) }
    }

    /// For want of room in a rate limit.
    pub fn limit(shortage: &Shortage) -> Self {
        Self { code: Code::RateLimited, words: shortage.why() }
    }
}

impl InFlight {
    /// Remembers one that is not asked.
    pub fn pass_over(&mut self, ready: &Arc<Ready>, cause: Cause, why: Why, at: DateTime<Utc>) {
        let (ready, after) = (Arc::clone(ready), self.attempts.len());
        self.passed_over.push(PassedOver { ready, cause, why, at, after });
    }

    /// A problem, with who might have answered and was not asked.
    pub fn with_passed_over(&self, problem: Problem) -> Problem {
        with(problem, &self.passed_over)
    }

    /// The tries, and between them those who were not asked.
    pub fn rows(&self) -> Vec<Row> {
        let passed_over = |at: usize| {
            let here = self.passed_over.iter().filter(move |one| one.after == at);
            here.map(PassedOver::row)
        };
        let mut rows = Vec::new();
        for (at, attempt) in self.attempts.iter().enumerate() {
            rows.extend(passed_over(at));
            rows.extend(attempt.row());
        }
        rows.extend(passed_over(self.attempts.len()));
        rows.into_iter().zip(1..).map(|(row, n)| Row { n, ..row }).collect()
    }
}

impl Attempt {
    /// Nothing while it runs.
    fn row(&self) -> Option<Row> {
        let ended = self.ended?;
        Some(Row {
            secret: self.place.key,
            status: ended.status,
            input_tokens: ended.usage.total_input(),
            output_tokens: ended.usage.total_output(),
            cost: ended.cost,
            duration_ms: ended.millis,
            ..row(&self.ready.plan, self.cause, ended.outcome, self.started_at)
        })
    }
}

impl PassedOver {
    fn row(&self) -> Row {
        let outcome = self.why.code.as_str();
        let row = row(&self.ready.plan, self.cause, outcome, self.at);
        Row { note: Some(self.why.words.clone()), ..row }
    }
}

/// A problem, with who might have answered and was not asked.
pub(crate) fn with(mut problem: Problem, passed_over: &[PassedOver]) -> Problem {
    for PassedOver { ready, why, .. } in passed_over {
        // Writing to a String cannot fail.
        write!(problem.detail, " {} was not asked: {}.", ready.plan.name, why.words).ok();
    }
    problem
}

/// A try that nothing is known of but whom it was to go to.
fn row(plan: &Plan, cause: Cause, outcome: &'static str, started_at: DateTime<Utc>) -> Row {
    Row {
        n: 1,
        model: plan.name.clone(),
        provider: plan.provider_slug.to_string(),
        upstream_model: plan.target.upstream_model.clone(),
        secret: None,
        cause: cause.as_str(),
        outcome,
        status: None,
        input_tokens: 0,
        output_tokens: 0,
        cost: Money::ZERO,
        started_at,
        duration_ms: 0,
        note: None,
    }
}
