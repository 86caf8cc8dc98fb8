//! The numbers of the ranking, from `policies/routing/ranking.toml`.

#![expect(clippy::cast_precision_loss, reason = "estimates need no more than a few digits")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ralex_api::routing::{Pick, Signal, TaskKind};
use ralex_kernel::Money;
use serde::Deserialize;
use tracing::error;

const BUILT_IN: &str = include_str!("../../../policies/routing/ranking.toml");

/// How models are ranked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ranking {
    pub weights: BTreeMap<String, Parts>,
    pub need: Need,
    pub worth: Worth,
    pub speed: Speed,
    pub bonus: Bonus,
    pub learning: Learning,
    pub output: BTreeMap<TaskKind, u32>,
    pub escalation: Rules,
    pub thrift: Thrift,
}

/// A weight for each part of the score.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parts {
    pub success: f64,
    #[serde(default)]
    pub quality: f64,
    pub cost: f64,
    pub speed: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Need {
    pub quality: [f64; 10],
    pub spread: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Worth {
    pub dollars: [f64; 10],
    pub per_input_tokens: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Speed {
    pub patience_seconds: f64,
    pub tokens_per_second: [f64; 5],
    pub first_token_seconds: [f64; 5],
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bonus {
    pub preferred: f64,
    pub speciality: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Learning {
    pub prior_calls: f64,
    pub half_life_days: f64,
    pub window_days: u32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    pub on: Vec<Signal>,
    pub most: u32,
    pub least_gain: f64,
    pub after: BTreeMap<Signal, f64>,
}

/// What is dear, where a budget asks for cheaper models.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thrift {
    pub times_cheapest: i64,
    /// What is expected to cost no more than this is never dear.
    pub always: Money,
}

static RANKING: LazyLock<Ranking> = LazyLock::new(|| {
    toml::from_str(BUILT_IN).unwrap_or_else(|problem| {
        error!("the built-in ranking cannot be read: {problem}");
        Ranking::default()
    })
});

impl Ranking {
    pub fn built_in() -> &'static Self {
        &RANKING
    }

    /// The weights of a way to rank.
    pub fn parts(&self, pick: Pick) -> Parts {
        self.weights.get(pick.as_str()).copied().unwrap_or_default()
    }

    /// What a good answer is worth, in dollars.
    pub fn worth(&self, difficulty: u8, input_tokens: u64) -> f64 {
        let longer = 1.0 + input_tokens as f64 / self.worth.per_input_tokens.max(1.0);
        level(&self.worth.dollars, difficulty) * longer
    }

    /// How likely a model of this quality answers well enough.
    pub fn success(&self, quality: f64, difficulty: u8) -> f64 {
        let above = quality - level(&self.need.quality, difficulty);
        1.0 / (1.0 + (-above / self.need.spread.max(0.1)).exp())
    }
}

fn level(steps: &[f64; 10], difficulty: u8) -> f64 {
    steps[usize::from(difficulty.clamp(1, 10)) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_ranking_is_valid_and_whole() {
        let ranking: Ranking = toml::from_str(BUILT_IN).unwrap();
        for pick in [Pick::Auto, Pick::Fast, Pick::Balanced, Pick::Best] {
            let parts = ranking.parts(pick);
            let sum = parts.success + parts.quality + parts.cost + parts.speed;
            assert!((sum - 1.0).abs() < 1e-9, "{pick}: {sum}");
        }
        for kind in TaskKind::ALL {
            assert!(ranking.output.contains_key(kind), "{kind}");
        }
        assert!(ranking.thrift.times_cheapest >= 1);
        assert!(ranking.need.quality.is_sorted() && ranking.worth.dollars.is_sorted());
    }
}
