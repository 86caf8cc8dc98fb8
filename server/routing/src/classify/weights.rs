//! The linear model's weights, as data: `policies/routing/weights.tsv`, which the test
//! `training::retrain` writes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use ralex_api::routing::TaskKind;
use tracing::error;

use super::features::hash;

pub(crate) const KINDS: usize = TaskKind::ALL.len();
/// Features of the difficulty's regression, beside one for each kind.
pub(crate) const TRAITS: usize = 12;

const BUILT_IN: &str = include_str!("../../../../policies/routing/weights.tsv");

/// What was learned.
pub(crate) struct Weights {
    /// How much one step of the whole numbers below is.
    step: f32,
    bias: [f32; KINDS],
    rows: HashMap<u64, [i8; KINDS], BuildHasherDefault<Hashed>>,
    /// Of the difficulty: a start for each kind, and a factor for each trait.
    pub difficulty_of_kind: [f32; KINDS],
    pub difficulty_of_trait: [f32; TRAITS],
}

/// The names are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

static WEIGHTS: LazyLock<Weights> = LazyLock::new(|| {
    Weights::parse(BUILT_IN).unwrap_or_else(|problem| {
        error!("the built-in weights of the classifier cannot be read: {problem}");
        Weights::empty()
    })
});

impl Weights {
    pub fn built_in() -> &'static Self {
        &WEIGHTS
    }

    fn empty() -> Self {
        Self {
            step: 1.0,
            bias: [0.0; KINDS],
            rows: HashMap::default(),
            difficulty_of_kind: [4.0; KINDS],
            difficulty_of_trait: [0.0; TRAITS],
        }
    }

    /// Lines of `what<TAB>values`; see `training::write`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut weights = Self::empty();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, values)) = line.split_once('\t') else { continue };
            let bad = || format!("the line of `{name}`");
            match name {
                "@step" => weights.step = values.parse().map_err(|_| bad())?,
                "@bias" => weights.bias = numbers(values).ok_or_else(bad)?,
                "@kinds" => weights.difficulty_of_kind = numbers(values).ok_or_else(bad)?,
                "@traits" => weights.difficulty_of_trait = numbers(values).ok_or_else(bad)?,
                feature => {
                    weights.rows.insert(hash(&[feature]), row(values).ok_or_else(bad)?);
                }
            }
        }
        Ok(weights)
    }

    /// The score of each kind, of the features that `collect` hands in.
    pub fn score(&self, collect: impl FnOnce(&mut dyn FnMut(&[&str], f32))) -> [f32; KINDS] {
        let mut scores = self.bias;
        collect(&mut |name, value| {
            if let Some(row) = self.rows.get(&hash(name)) {
                let value = value * self.step;
                for (score, weight) in scores.iter_mut().zip(row) {
                    *score += value * f32::from(*weight);
                }
            }
        });
        scores
    }
}

fn numbers<const N: usize>(text: &str) -> Option<[f32; N]> {
    let numbers: Option<Vec<f32>> = text.split(' ').map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}

/// `kind:weight` for the kinds that are not zero, kinds by their place in the list.
fn row(text: &str) -> Option<[i8; KINDS]> {
    let mut row = [0; KINDS];
    for pair in text.split(' ') {
        let (kind, weight) = pair.split_once(':')?;
        *row.get_mut(kind.parse::<usize>().ok()?)? = weight.parse().ok()?;
    }
    Some(row)
}
