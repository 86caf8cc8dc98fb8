//! Escalation: whether an answer that is not good enough is thrown away for a better model's.
//!
//! Pure: the broker judges answers and says what it saw, this says whether trying on pays.

#![expect(clippy::cast_precision_loss, reason = "estimates need no more than a few digits")]

use ralex_api::routing::{Escalation, Signal};
use ralex_kernel::Money;

use crate::choose::{Candidate, Choice};
use crate::ranking::Ranking;

/// What became of the attempts so far.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    /// Which candidate answered, by its place in the choice.
    pub at: usize,
    /// How often this call has escalated already.
    pub escalations: u32,
    pub signal: Signal,
}

/// Another candidate, and the sentence that the call's record keeps.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub at: usize,
    pub candidate: &'a Candidate,
    pub why: String,
}

/// The candidate that the call goes on to, where that pays.
pub fn escalate(choice: &Choice, tried: Tried) -> Option<Step<'_>> {
    let rules = choice.escalation.as_ref()?;
    if !rules.on.contains(&tried.signal) || tried.escalations >= rules.most {
        return None;
    }
    let ranking = Ranking::built_in();
    let failed = choice.candidates.get(tried.at)?;
    let after = ranking.escalation.after.get(&tried.signal).copied().unwrap_or(0.3);
    // What the same model would be expected to achieve now that it failed once.
    let before = failed.success * after;
    let worth = worth(rules, choice);
    let others = choice.candidates.iter().enumerate().filter(|(at, _)| *at != tried.at);
    let better = others.filter(|(_, candidate)| {
        candidate.success >= failed.success + least_gain(tried.signal, ranking)
    });
    let gain = |candidate: &Candidate| {
        (candidate.success - before) * worth - dollars(candidate.expected_cost)
    };
    let (at, candidate) =
        better.max_by(|(_, one), (_, other)| gain(one).total_cmp(&gain(other)))?;
    if tried.signal != Signal::Caller && gain(candidate) <= 0.0 {
        return None;
    }
    let why = format!(
        "{} after {}: expected success {:.0} % for ${} more",
        candidate.plan.name,
        tried.signal,
        candidate.success * 100.0,
        candidate.expected_cost
    );
    Some(Step { at, candidate, why })
}

/// A caller who is not content may go on to a model that is only a little better.
fn least_gain(signal: Signal, ranking: &Ranking) -> f64 {
    if signal == Signal::Caller { f64::EPSILON } else { ranking.escalation.least_gain }
}

fn worth(rules: &Escalation, choice: &Choice) -> f64 {
    let task = &choice.task;
    let general = || Ranking::built_in().worth(task.difficulty, task.input_tokens);
    rules.worth.map_or_else(general, dollars)
}

fn dollars(money: Money) -> f64 {
    money.as_nanos() as f64 / 1e9
}

/// What the organisation gets where it says nothing else and asks for escalation.
pub fn default_rules() -> Escalation {
    let rules = &Ranking::built_in().escalation;
    Escalation { on: rules.on.clone(), most: rules.most, worth: None }
}
