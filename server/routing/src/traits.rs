//! What the ranking reads of a model: how good, how fast, what it can do, where it runs.

#![expect(clippy::cast_precision_loss, reason = "estimates need no more than a few digits")]

use ralex_api::catalog::{Modality, ModelCapability, ModelOperation};
use ralex_api::routing::{Family, TaskKind};

use crate::plan::Plan;

/// A model's traits, read where a choice needs them. What nobody has entered is guessed from the
/// price; capabilities of such a model are believed, since a provider refuses what it cannot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits<'a>(pub &'a Plan);

/// Tokens of output that cost more dollars a million than these are slower, one tier each.
const SLOWER: [f64; 2] = [1.0, 12.0];

impl Traits<'_> {
    /// From 0 to 100, for one family of tasks.
    pub fn quality(self, family: Family) -> f64 {
        let traits = &self.0.traits;
        let known = traits.qualities.get(family.as_str()).copied().or(traits.quality);
        known.map_or_else(|| self.guessed_quality(), f64::from)
    }

    /// A tenth of a dollar per million tokens: 34; one: 52; ten: 70; fifty: 83.
    fn guessed_quality(self) -> f64 {
        18.0f64.mul_add(self.dollars().max(0.02).log10(), 52.0).clamp(20.0, 90.0)
    }

    /// From 1 (slow) to 5 (fast).
    pub fn speed(self) -> usize {
        let guess = || 4 - SLOWER.iter().filter(|limit| self.dollars() > **limit).count();
        self.0.traits.speed.map_or_else(guess, usize::from).clamp(1, 5)
    }

    fn dollars(self) -> f64 {
        self.0.output_price.as_nanos_per_million() as f64 / 1e9
    }

    /// True where it is known to be good at this.
    pub fn special_at(self, kind: TaskKind) -> bool {
        let words = [kind.as_str(), kind.family().as_str()];
        self.0.traits.specialities.iter().any(|one| words.contains(&one.as_str()))
    }

    pub fn can(self, capability: ModelCapability) -> bool {
        let traits = &self.0.traits;
        let unknown = traits.supports.is_empty() && traits.quality.is_none();
        unknown || traits.supports.contains(&capability)
    }

    pub fn sees(self) -> bool {
        self.can(ModelCapability::Vision) || self.takes(Modality::Image)
    }

    pub fn hears(self) -> bool {
        self.takes(Modality::Audio)
    }

    fn takes(self, modality: Modality) -> bool {
        self.0.traits.input_modalities.contains(&modality)
    }

    pub fn answers(self, operation: ModelOperation) -> bool {
        self.0.traits.operations.contains(&operation)
    }

    /// True where data that must stay in one of `places` may be sent to it. Where it runs is not
    /// guessed: a model without a known place gets no such data.
    pub fn resides_in(self, places: &[String]) -> bool {
        let within = |place: &String| places.iter().any(|one| one.eq_ignore_ascii_case(place));
        places.is_empty() || self.0.traits.residency.iter().any(within)
    }

    /// The first label that it may not see.
    pub fn refuses(self, labels: &[String]) -> Option<&str> {
        let sees = |label: &str| self.0.labels.iter().any(|own| own == "*" || own == label);
        labels.iter().map(String::as_str).find(|label| !sees(label))
    }
}
