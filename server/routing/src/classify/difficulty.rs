//! How hard a call is, from 1 to 10: a linear regression on what its text shows.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "estimates need no more than a few digits"
)]

use ralex_api::routing::TaskKind;

use super::features::Shape;
use super::text::Parts;
use super::weights::{TRAITS, Weights};

/// The difficulty of a call of this kind.
pub(crate) fn of(weights: &Weights, kind: TaskKind, parts: &Parts<'_>, shape: &Shape) -> u8 {
    let start = weights.difficulty_of_kind.get(kind as usize).copied().unwrap_or(4.0);
    let traits = traits(parts, shape);
    let sum: f32 =
        traits.iter().zip(weights.difficulty_of_trait).map(|(value, factor)| value * factor).sum();
    let level = (start + sum).round().clamp(1.0, 10.0);
    (1_u8..=10).min_by_key(|step| ((f32::from(*step) - level).abs() * 10.0) as u32).unwrap_or(5)
}

/// What shows how hard it is; large counts are damped, so that a long paste does not decide alone.
pub(crate) fn traits(parts: &Parts<'_>, shape: &Shape) -> [f32; TRAITS] {
    let log = |count: usize| (count as f32 + 1.0).ln();
    [
        log(shape.words),
        log(shape.chars) - 5.0,
        log(shape.code_lines),
        log(shape.demands),
        log(shape.steps - 1),
        log(shape.hard),
        log(shape.easy),
        log(shape.tools),
        log(shape.concepts),
        if shape.question { 1.0 } else { 0.0 },
        if shape.trace { 1.0 } else { 0.0 },
        if parts.prose_chars < 40 { 1.0 } else { 0.0 },
    ]
}
