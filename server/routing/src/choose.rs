//! The choice: which models may answer a call, in which order, and why.
//!
//! A name is a model, an alias, a route of the organisation, or one of the built-in routes. What
//! always holds: a model that the caller may not use, that is banned, or that may not see the
//! call's data is never in a choice, however it was named; a choice is never empty; nothing in it
//! is left to chance unless the organisation allows that.

mod filter;
mod name;
mod pick;
#[cfg(test)]
mod tests;
mod thrift;

pub(crate) use name::DEEPEST;
pub(crate) use pick::{Picked, Placed, Sight};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use ralex_api::catalog::ModelOperation;
use ralex_api::routing::{Escalation, Explanation, Task};
use ralex_kernel::{Money, OrgId, Problem, ScopePath};

use crate::Routing;
use crate::classify::{Sample, classify};
use crate::explain;
use crate::plan::Plan;
use crate::ranking::Ranking;
use crate::sticky;

/// A call, as far as a choice depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What the caller wrote as `model`.
    pub model: &'a str,
    pub at: ScopePath,
    /// `x-ralex-model`.
    pub force_model: Option<&'a str>,
    /// `x-ralex-route`.
    pub route: Option<&'a str>,
    /// Data labels, of `x-ralex-labels`.
    pub labels: &'a [String],
    /// Where data must stay, of `x-ralex-residency`.
    pub residency: Option<&'a str>,
    /// The names that the caller's token may use.
    pub allowed: Option<&'a [String]>,
    pub sample: Sample<'a>,
    /// An upper bound of the input's tokens.
    pub input_tokens: u64,
    /// Calls with the same key stay together where a route is sticky.
    pub session: Option<&'a str>,
    pub operation: ModelOperation,
    pub dialect: &'a str,
    /// Headers that conditions can read; never credentials.
    pub headers: &'a BTreeMap<String, String>,
    /// What the tightest budget has left; a model whose worst case is more is left out.
    pub budget_left: Option<Money>,
    /// The same in percent of its limit; 100 without a budget.
    pub budget_left_percent: f64,
    /// Why dear models are to be left out, where they are.
    pub degraded: Option<&'a str>,
    /// Decides between weights where there is no session; drawn when absent.
    pub draw: Option<u64>,
    /// True where nothing is called: nothing is remembered of it either.
    pub dry: bool,
    pub now: DateTime<Utc>,
}

impl<'a> Question<'a> {
    /// A call of text to `model`, with nothing special about it.
    pub fn new(model: &'a str, at: ScopePath, sample: Sample<'a>) -> Self {
        static NO_HEADERS: BTreeMap<String, String> = BTreeMap::new();
        Self {
            model,
            at,
            force_model: None,
            route: None,
            labels: &[],
            residency: None,
            allowed: None,
            input_tokens: sample.input_tokens,
            sample,
            session: None,
            operation: ModelOperation::Generate,
            dialect: "openai_chat",
            headers: &NO_HEADERS,
            budget_left: None,
            budget_left_percent: 100.0,
            degraded: None,
            draw: None,
            dry: false,
            now: Utc::now(),
        }
    }
}

/// One model that may answer.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub plan: Arc<Plan>,
    /// Why it stands where it does.
    pub reason: String,
    /// How likely its answer is good enough, from 0 to 1.
    pub success: f64,
    pub expected_cost: Money,
}

/// Who answers a call.
#[derive(Clone, Debug)]
pub struct Choice {
    /// In the order in which they are tried; never empty.
    pub candidates: Vec<Candidate>,
    pub route: Option<String>,
    pub task: Task,
    pub explanation: Explanation,
    /// Gets a copy of the call, whose answer is recorded and not sent.
    pub shadow: Option<Arc<Plan>>,
    /// When an answer is thrown away for a better model's; nothing: never.
    pub escalation: Option<Escalation>,
}

impl Choice {
    /// The model that is tried first.
    pub fn first(&self) -> Option<&Candidate> {
        self.candidates.first()
    }

    /// What the header `x-ralex-routing` of an answer says.
    pub fn header(&self) -> String {
        explain::header(&self.explanation)
    }
}

impl Routing {
    /// Whether what is left of a budget can change who answers: not where a caller names a model
    /// that nothing stands in for.
    pub async fn asks_budget(&self, org: OrgId, question: &Question<'_>) -> Result<bool, Problem> {
        let (book, rules) = (self.0.book(org).await?, self.0.rules(org).await?);
        let asked = question.force_model.or(question.route).unwrap_or(question.model);
        let stands_in = || rules.settings.fallbacks.iter().any(|one| one.model == asked);
        // A model's own name always means the model.
        Ok(book.find(asked).is_none() || stands_in())
    }

    /// Who answers a call, in which order, and why.
    pub async fn choose(&self, org: OrgId, question: &Question<'_>) -> Result<Choice, Problem> {
        let (book, rules) = (self.0.book(org).await?, self.0.rules(org).await?);
        let learned = self.learned(org);
        let started = Instant::now();
        let mut task = classify(&question.sample);
        metrics::histogram!("ralex_classify_seconds").record(started.elapsed());
        task.input_tokens = question.input_tokens.max(task.input_tokens);
        let sight = Sight {
            org,
            question,
            task: &task,
            book: &book,
            rules: &rules,
            wishes: rules.wishes(question.at),
            learned: &learned,
            ranking: Ranking::built_in(),
            breakers: &self.0.breakers,
            sticky: &self.0.sticky,
            draw: question.draw.unwrap_or_else(|| draw(question)),
        };
        let picked = sight.choose()?;
        let (via, family) = (picked.via.as_str(), task.family.as_str());
        metrics::counter!("ralex_choices_total", "via" => via, "family" => family).increment(1);
        Ok(explain::choice(&sight, picked, task.clone()))
    }
}

/// The same for all calls of a session, else chance.
fn draw(question: &Question<'_>) -> u64 {
    match question.session {
        Some(session) => sticky::spread(session, ""),
        None => rand::random(),
    }
}
