//! What a call is about: its kind, how hard it is, how large, in which languages.
//!
//! A pure function over text, without a network, a clock or chance: the same call is always read
//! the same way. Kinds come from a linear model over words and concepts, which was trained on
//! `policies/routing/labelled.jsonl`; concepts are word lists in `policies/routing/lexicon.toml`,
//! so an operator's words can be added without training. Nothing of the text leaves but counts
//! and names of languages.

mod difficulty;
mod features;
mod language;
mod lexicon;
mod matter;
mod signs;
mod text;
#[cfg(test)]
mod training;
mod weights;

use ralex_api::routing::{SizeClass, Task, TaskKind};

use features::Shape;
pub(crate) use features::hash;
use text::Parts;
use weights::{KINDS, Weights};

/// What the classifier reads of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample<'a> {
    pub system: &'a str,
    pub last_user: &'a str,
    pub conversation_chars: usize,
    pub turns: usize,
    /// Names of the tools that the model may call.
    pub tools: &'a [String],
    pub tool_results: usize,
    pub images: usize,
    pub documents: usize,
    pub audio: usize,
    /// A schema or JSON is asked for.
    pub structured: bool,
    pub reasoning: bool,
    pub streamed: bool,
    pub max_output: Option<u64>,
    /// Counted tokens of the whole input; 0: estimated from the characters.
    pub input_tokens: u64,
}

impl<'a> Sample<'a> {
    /// A prompt and nothing else.
    pub fn of(prompt: &'a str) -> Self {
        Self { last_user: prompt, turns: 1, ..Self::default() }
    }
}

/// A system prompt longer than this describes a product and not the task.
const TELLING_SYSTEM: usize = 2_000;
/// How much the system prompt's words count beside the user's.
const SYSTEM_SHARE: f32 = 0.8;

/// Loads what reading takes, some 20 ms, before the first call would wait for it.
pub fn warm_up() {
    classify(&Sample::of("What did the committee decide, and what does `x = f(y)` do?"));
}

/// Reads a call.
pub fn classify(sample: &Sample<'_>) -> Task {
    classify_with(Weights::built_in(), sample)
}

fn classify_with(weights: &Weights, sample: &Sample<'_>) -> Task {
    let parts = Parts::of(sample.last_user);
    let shape = Shape::of(&parts, sample);
    let scores = scores(weights, sample, &parts, &shape);
    let (kind, confidence) = best(&scores);
    let (language, programming) = language::of(&parts);
    let input_tokens = tokens(sample);
    Task {
        kind,
        family: kind.family(),
        difficulty: difficulty::of(weights, kind, &parts, &shape),
        confidence: f64::from((confidence * 1000.0).round()) / 1000.0,
        size: size(input_tokens),
        input_tokens,
        language: language.map(str::to_owned),
        programming,
        file_types: language::file_types(&parts),
        tools: u32::try_from(sample.tools.len()).unwrap_or(u32::MAX),
        multi_step: shape.steps > 1 || sample.tool_results > 0,
    }
}

fn scores(
    weights: &Weights,
    sample: &Sample<'_>,
    parts: &Parts<'_>,
    shape: &Shape,
) -> [f32; KINDS] {
    let mut scores = weights.score(|sink| features::user(parts, shape, sink));
    if tells(sample.system) {
        let system = Parts::of(sample.system);
        let told = weights.score(|sink| features::words(&system, sink));
        for (score, told) in scores.iter_mut().zip(told) {
            *score += SYSTEM_SHARE * told;
        }
    }
    scores
}

/// True where a system prompt says what is to be done.
fn tells(system: &str) -> bool {
    !system.trim().is_empty() && system.len() <= TELLING_SYSTEM
}

/// The kind with the highest score, and its share of all.
fn best(scores: &[f32; KINDS]) -> (TaskKind, f32) {
    let top = scores.iter().copied().fold(f32::MIN, f32::max);
    let sum: f32 = scores.iter().map(|score| (score - top).exp()).sum();
    let at = scores.iter().position(|score| *score >= top).unwrap_or(0);
    let kind = TaskKind::ALL.get(at).copied().unwrap_or(TaskKind::QuestionAnswering);
    (kind, 1.0 / sum.max(1.0))
}

/// Four characters a token, where nobody counted.
fn tokens(sample: &Sample<'_>) -> u64 {
    if sample.input_tokens > 0 {
        return sample.input_tokens;
    }
    let chars = sample.conversation_chars.max(sample.last_user.len() + sample.system.len());
    (chars as u64).div_ceil(4)
}

const fn size(tokens: u64) -> SizeClass {
    match tokens {
        0..=500 => SizeClass::Small,
        501..=4_000 => SizeClass::Medium,
        4_001..=32_000 => SizeClass::Large,
        _ => SizeClass::Huge,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use ralex_api::routing::Family;

    use super::*;

    #[test]
    fn a_task_tells_its_size_languages_files_and_steps() {
        let prompt = "Port src/main.py to Rust, then write tests and finally update README.md:\n\
                      1. keep the CLI\n2. no new dependencies\n3. same output";
        let task = classify(&Sample::of(prompt));
        assert_eq!((task.family, task.size), (Family::Code, SizeClass::Small));
        assert_eq!(task.programming, ["rust"]);
        assert_eq!(task.file_types, ["md", "py"]);
        assert!(task.multi_step && task.language.as_deref() == Some("eng"), "{task:?}");
        assert!((0.0..=1.0).contains(&task.confidence));
    }

    #[test]
    fn the_system_prompt_tells_what_to_do_with_plain_text() {
        let system = "You are a translator. Translate everything into German.";
        let sample = Sample { system, ..Sample::of("The weather is lovely today, is it not?") };
        assert_eq!(classify(&sample).kind, TaskKind::Translation);
    }

    #[test]
    fn harder_words_make_a_harder_task() {
        let of = |prompt: &str| classify(&Sample::of(prompt)).difficulty;
        let easy = of("Write a simple function that adds two numbers.");
        let hard = of("Implement a distributed lock-free, fault-tolerant consensus protocol with \
                       linearizable reads; it must survive partitions, and prove its safety.");
        assert!(easy <= 4 && hard >= 7, "{easy} {hard}");
    }

    #[test]
    #[ignore = "a measurement, for an optimised build on a machine that does nothing else"]
    fn fifty_kilobytes_are_read_in_two_milliseconds() {
        let prompt = format!(
            "Summarise this:\n{}\n```python\n{}```\nThanks!",
            "The committee met and talked about the new bridge. ".repeat(600),
            "def f(x):\n    return x + 1\n".repeat(900)
        );
        assert!(prompt.len() > 50_000);
        classify(&Sample::of(&prompt));
        let times = (0..20).map(|_| {
            let start = Instant::now();
            classify(&Sample::of(&prompt));
            start.elapsed()
        });
        let best = times.min().unwrap();
        // Without optimisation it takes about ten times as long.
        let most = if cfg!(debug_assertions) { 20_000 } else { 2_000 };
        assert!(best.as_micros() < most, "{best:?}");
        if std::env::var_os("RALEX_TELL").is_some() {
            let path = std::env::temp_dir().join("ralex-classifier-time.txt");
            std::fs::write(path, format!("{best:?}")).unwrap();
        }
    }
}
