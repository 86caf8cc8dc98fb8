//! The ranking: what each model is expected to achieve and to cost on a call, and its score.
//!
//! Pure and deterministic: equal scores go by cost and then by name.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "estimates need no more than a few digits"
)]

use std::cmp::Ordering;
use std::sync::Arc;

use ralex_api::routing::{Pick, ScoreParts, Task, Weights};
use ralex_kernel::Money;

use crate::learned::Learned;
use crate::plan::Plan;
use crate::ranking::{Parts, Ranking};
use crate::traits::Traits;

/// What a ranking looks at beside the models.
pub(crate) struct View<'a> {
    pub ranking: &'a Ranking,
    pub task: &'a Task,
    pub learned: &'a Learned,
    pub preferred: &'a [String],
    /// The most output that the caller wants.
    pub max_output: Option<u64>,
    /// The organisation's own weights of `auto`.
    pub weights: Option<&'a Weights>,
}

/// A model with what is expected of it.
#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    pub plan: Arc<Plan>,
    pub score: f64,
    pub parts: ScoreParts,
    pub expected: Money,
    pub worst: Money,
    pub samples: u64,
}

/// All models, the best first.
pub(crate) fn rank(view: &View<'_>, pick: Pick, plans: Vec<Arc<Plan>>) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = plans.into_iter().map(|plan| view.judge(pick, plan)).collect();
    ranked.sort_by(|one, other| {
        let by_score = other.score.partial_cmp(&one.score).unwrap_or(Ordering::Equal);
        by_score.then(one.expected.cmp(&other.expected)).then(one.plan.name.cmp(&other.plan.name))
    });
    ranked
}

impl View<'_> {
    /// One model's score.
    pub fn judge(&self, pick: Pick, plan: Arc<Plan>) -> Ranked {
        let (task, ranking, traits) = (self.task, self.ranking, Traits(&plan));
        let record = self.learned.of(task.kind, &plan.name);
        let prior_calls = ranking.learning.prior_calls;
        let quality = traits.quality(task.family);
        let special = traits.special_at(task.kind);
        // A specialist is taken for better at what it is made for, and no better elsewhere.
        let lift = if special { 100.0 * ranking.bonus.speciality } else { 0.0 };
        let prior = ranking.success((quality + lift).min(100.0), task.difficulty);
        let success = record.success(prior, prior_calls);
        let output = self.output(&plan, &record);
        let expected = plan.worst_case(task.input_tokens, output);
        let seconds = self.seconds(traits, output, &record);
        let preferred = self.preferred.iter().any(|name| *name == plan.name);
        let parts = ScoreParts {
            success,
            quality: quality / 100.0,
            cost: (-dollars(expected) / ranking.worth(task.difficulty, task.input_tokens)).exp(),
            speed: (-seconds / ranking.speed.patience_seconds.max(0.1)).exp(),
            bonus: if preferred { ranking.bonus.preferred } else { 0.0 },
        };
        let most = self.max_output.unwrap_or(u64::from(plan.max_output));
        let worst = plan.worst_case(task.input_tokens, most.min(u64::from(plan.max_output)));
        let score = rounded(self.score(pick, &parts));
        let parts = ScoreParts {
            success: rounded(parts.success),
            quality: rounded(parts.quality),
            cost: rounded(parts.cost),
            speed: rounded(parts.speed),
            bonus: rounded(parts.bonus),
        };
        Ranked { score, parts, expected: expected.min(worst), worst, samples: record.samples, plan }
    }

    fn score(&self, pick: Pick, parts: &ScoreParts) -> f64 {
        let weights = match (pick, self.weights) {
            (Pick::Auto, Some(own)) => {
                let sum = (own.success + own.cost + own.speed).max(1e-9);
                let (success, cost, speed) = (own.success / sum, own.cost / sum, own.speed / sum);
                Parts { success, quality: 0.0, cost, speed }
            }
            _ => self.ranking.parts(pick),
        };
        weights.success * parts.success
            + weights.quality * parts.quality
            + weights.cost * parts.cost
            + weights.speed * parts.speed
            + parts.bonus
    }

    /// Output tokens to expect: of the kind of task, corrected by what was recorded.
    fn output(&self, plan: &Plan, record: &crate::learned::Record) -> u64 {
        let usual = self.ranking.output.get(&self.task.kind).copied().unwrap_or(400);
        let prior_calls = self.ranking.learning.prior_calls;
        let mean = record.mean(record.output_tokens, f64::from(usual), prior_calls);
        let most = self.max_output.unwrap_or(u64::MAX).min(u64::from(plan.max_output));
        (mean.max(1.0) as u64).min(most)
    }

    fn seconds(&self, traits: Traits<'_>, output: u64, record: &crate::learned::Record) -> f64 {
        let speed = &self.ranking.speed;
        let tier = traits.speed() - 1;
        let prior = speed.first_token_seconds[tier]
            + output as f64 / speed.tokens_per_second[tier].max(1.0);
        record.mean(record.duration_ms / 1e3, prior, self.ranking.learning.prior_calls)
    }
}

fn dollars(money: Money) -> f64 {
    money.as_nanos() as f64 / 1e9
}

/// Four digits, so that an explanation can be read and the same everywhere.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
