//! Training: from `policies/routing/labelled.jsonl` to `policies/routing/weights.tsv`.
//!
//! The accuracy is tested three times: of weights learned from 70 % of the labelled prompts on the
//! other 30 %, and of those that are shipped, learned from all, on `held_out.jsonl` and on
//! `held_out_second.jsonl`, which was written later. Prompts that are held out are never learned
//! and never looked at to change anything. After a change of the labelled set or the lexicon:
//! `cargo nextest run -p ralex-routing retrain --run-ignored only`

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "estimates need no more than a few digits"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ralex_api::routing::TaskKind;
use serde::Deserialize;

use super::features::{self, Shape, hash};
use super::text::Parts;
use super::weights::{KINDS, TRAITS, Weights};
use super::{Sample, classify, classify_with, difficulty};

const LEXICON: &str = include_str!("../../../../policies/routing/lexicon.toml");
const SHIPPED: &str = include_str!("../../../../policies/routing/weights.tsv");

const EPOCHS: usize = 40;
const RATE: f32 = 0.15;
/// Words that stand in few prompts are held smaller than concepts, which many share.
const DECAY: f32 = 0.0002;
/// Of a hundred features of words, so many are left out at each step.
const DROPPED: u64 = 50;
/// Of a hundred labelled prompts, so many are kept apart to measure.
const APART: u64 = 30;

/// What a concept says by itself, which training starts from and is drawn back to: where few
/// prompts have it, this is what is known.
const MEANT: [(&str, TaskKind); 27] = [
    ("summarise", TaskKind::Summarisation),
    ("translate", TaskKind::Translation),
    ("extract", TaskKind::Extraction),
    ("classify", TaskKind::Classification),
    ("rewrite", TaskKind::Rewriting),
    ("draft", TaskKind::Drafting),
    ("creative", TaskKind::CreativeWriting),
    ("brainstorm", TaskKind::Brainstorming),
    ("math", TaskKind::Math),
    ("logic", TaskKind::Reasoning),
    ("plan", TaskKind::Planning),
    ("analyse", TaskKind::Analysis),
    ("explain_code", TaskKind::CodeExplanation),
    ("fact", TaskKind::QuestionAnswering),
    ("explain", TaskKind::QuestionAnswering),
    ("debug", TaskKind::Debugging),
    ("refactor", TaskKind::CodeEditing),
    ("generate_code", TaskKind::CodeGeneration),
    ("review", TaskKind::CodeReview),
    ("test", TaskKind::TestWriting),
    ("sql", TaskKind::DataQuery),
    ("devops", TaskKind::Devops),
    ("security", TaskKind::SecurityReview),
    ("docs", TaskKind::Documentation),
    ("greeting", TaskKind::Conversation),
    ("ack", TaskKind::Conversation),
    ("feeling", TaskKind::Conversation),
];
const MEANS: f32 = 1.2;

/// The weights of a feature before anything is learned.
fn prior(name: &str) -> [f32; KINDS] {
    let mut row = [0.0; KINDS];
    let share = match name.split_once(':') {
        Some(("k" | "ks" | "k1", _)) => MEANS,
        Some(_) | None => 0.0,
    };
    let concept = name.split_once(':').map_or("", |(_, concept)| concept);
    for (_, kind) in MEANT.iter().filter(|(known, _)| *known == concept) {
        row[*kind as usize] = share;
    }
    match name {
        "s:images" => row[TaskKind::ImageUnderstanding as usize] = 4.0,
        "s:tools" => row[TaskKind::Agentic as usize] = 2.0,
        "s:tool-results" => row[TaskKind::Agentic as usize] = 3.0,
        "s:trace" => row[TaskKind::Debugging as usize] = 2.0,
        "s:diff" => row[TaskKind::CodeReview as usize] = 1.0,
        _ => {}
    }
    row
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: TaskKind,
    difficulty: u8,
    text: String,
    #[serde(default)]
    system: String,
    #[serde(default)]
    tools: usize,
    #[serde(default)]
    tool_results: usize,
    #[serde(default)]
    turns: usize,
    #[serde(default)]
    images: usize,
}

impl Row {
    fn sample<'a>(&'a self, tools: &'a [String]) -> Sample<'a> {
        Sample {
            system: &self.system,
            last_user: &self.text,
            tools: &tools[..self.tools],
            tool_results: self.tool_results,
            turns: self.turns.max(1),
            images: self.images,
            ..Sample::default()
        }
    }

    fn apart(&self) -> bool {
        hash(&[&self.text]) % 100 < APART
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/routing").join(name)
}

fn labelled() -> String {
    std::fs::read_to_string(file("labelled.jsonl")).unwrap()
}

fn rows() -> Vec<Row> {
    read(&labelled())
}

const HELD_OUT: [&str; 2] = ["held_out.jsonl", "held_out_second.jsonl"];

fn held_out(name: &str) -> Vec<Row> {
    read(&std::fs::read_to_string(file(name)).unwrap())
}

fn read(lines: &str) -> Vec<Row> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn tools() -> Vec<String> {
    (0..20).map(|at| format!("tool_{at}")).collect()
}

/// A prompt as the model sees it: the features' numbers with their values.
struct Seen {
    kind: usize,
    features: Vec<(usize, f32)>,
}

impl Seen {
    /// The features without a share of those of words, another one each time, so that no single
    /// word is relied on.
    fn without_some(&self, names: &Names, epoch: usize, at: usize) -> Vec<(usize, f32)> {
        let stays = |feature: usize| {
            let form = names.all[feature].starts_with("s:") || names.all[feature].starts_with("t:");
            let chance =
                hash(&[&epoch.to_string(), " ", &at.to_string(), " ", &feature.to_string()]);
            form || (chance >> 20) % 100 >= DROPPED
        };
        self.features.iter().filter(|(feature, _)| stays(*feature)).copied().collect()
    }
}

/// Names of features, numbered in the order in which they were met.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, usize>,
    all: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &[&str]) -> usize {
        let name = name.concat();
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        self.all.push(name.clone());
        self.numbers.insert(name, self.all.len() - 1);
        self.all.len() - 1
    }
}

fn seen(row: &Row, tools: &[String], names: &mut Names) -> Seen {
    let (sample, parts) = (row.sample(tools), Parts::of(&row.text));
    let shape = Shape::of(&parts, &sample);
    let mut values: BTreeMap<usize, f32> = BTreeMap::new();
    features::user(&parts, &shape, &mut |name, value| {
        *values.entry(names.number(name)).or_default() += value;
    });
    if super::tells(&row.system) {
        let system = Parts::of(&row.system);
        features::words(&system, &mut |name, value| {
            *values.entry(names.number(name)).or_default() += super::SYSTEM_SHARE * value;
        });
    }
    Seen { kind: row.kind as usize, features: values.into_iter().collect() }
}

/// Learns the kinds by stochastic gradient descent (`AdaGrad`), in an order that is always the same.
fn learn(rows: &[&Row]) -> String {
    let (tools, mut names) = (tools(), Names::default());
    let seen: Vec<Seen> = rows.iter().map(|row| seen(row, &tools, &mut names)).collect();
    let mut counts = vec![0; names.all.len()];
    seen.iter().flat_map(|one| &one.features).for_each(|(at, _)| counts[*at] += 1);
    let mut priors: Vec<[f32; KINDS]> = names.all.iter().map(|name| prior(name)).collect();
    priors.push([0.0; KINDS]);
    let mut weights = priors.clone();
    let mut squares = vec![[1e-3f32; KINDS]; names.all.len() + 1];
    let bias = names.all.len();
    for epoch in 0..EPOCHS {
        let mut order: Vec<usize> = (0..seen.len()).collect();
        order.sort_by_key(|at| hash(&[&epoch.to_string(), " ", &at.to_string()]));
        for at in order {
            let one = &seen[at];
            let mut scores = weights[bias];
            let kept = one.without_some(&names, epoch, at);
            for (feature, value) in &kept {
                for (score, weight) in scores.iter_mut().zip(&weights[*feature]) {
                    *score += value * weight;
                }
            }
            let errors = errors(&scores, one.kind);
            let ones = [(bias, 1.0)];
            for (feature, value) in kept.iter().chain(&ones) {
                for kind in 0..KINDS {
                    let weight = &mut weights[*feature][kind];
                    let away = *weight - priors[*feature][kind];
                    let gradient = errors[kind] * value + DECAY * away;
                    squares[*feature][kind] += gradient * gradient;
                    *weight -= RATE * gradient / squares[*feature][kind].sqrt();
                }
            }
        }
    }
    let (kinds, traits) = learn_difficulty(rows, &tools);
    let rows = names.all.iter().zip(&weights).zip(&counts);
    // What only one prompt has is learned by heart and not understood, and so are pairs of words
    // that two have.
    let least = |name: &str| if name.starts_with("b:") { 3 } else { 2 };
    let rows = rows
        .filter(|((name, _), count)| **count >= least(name) || name.starts_with("k:"))
        .map(|((name, row), _)| (name.as_str(), row));
    write(&weights[bias], &rows.collect(), &kinds, &traits)
}

fn errors(scores: &[f32; KINDS], kind: usize) -> [f32; KINDS] {
    let top = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut errors = scores.map(|score| (score - top).exp());
    let sum: f32 = errors.iter().sum();
    for error in &mut errors {
        *error /= sum;
    }
    errors[kind] -= 1.0;
    errors
}

/// Ridge regression by coordinate descent: a start for each kind and a factor for each trait.
fn learn_difficulty(rows: &[&Row], tools: &[String]) -> ([f32; KINDS], [f32; TRAITS]) {
    let data: Vec<(usize, [f32; TRAITS], f32)> = rows
        .iter()
        .map(|row| {
            let parts = Parts::of(&row.text);
            let shape = Shape::of(&parts, &row.sample(tools));
            (row.kind as usize, difficulty::traits(&parts, &shape), f32::from(row.difficulty))
        })
        .collect();
    let (mut kinds, mut traits) = ([4.0f32; KINDS], [0.0f32; TRAITS]);
    for _ in 0..200 {
        for (kind, start) in kinds.iter_mut().enumerate() {
            let of = data.iter().filter(|row| row.0 == kind);
            let (sum, count) = of.fold((0.0, 0.0f32), |(sum, count), row| {
                (sum + row.2 - dot(&row.1, &traits), count + 1.0)
            });
            *start = (sum + 4.0) / (count + 1.0);
        }
        for at in 0..TRAITS {
            let (mut up, mut down) = (0.0, 5.0);
            for (kind, values, level) in &data {
                let rest = level - kinds[*kind] - dot(values, &traits) + values[at] * traits[at];
                up += values[at] * rest;
                down += values[at] * values[at];
            }
            traits[at] = up / down;
        }
    }
    (kinds, traits)
}

fn dot(one: &[f32; TRAITS], other: &[f32; TRAITS]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn write(
    bias: &[f32; KINDS],
    rows: &BTreeMap<&str, &[f32; KINDS]>,
    kinds: &[f32; KINDS],
    traits: &[f32; TRAITS],
) -> String {
    let largest = rows.values().flat_map(|row| row.iter()).fold(0.0f32, |max, w| max.max(w.abs()));
    let step = largest / 127.0;
    let list = |values: &[f32]| {
        values.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(" ")
    };
    let mut text = format!(
        "# Written by `training::retrain` of ralex-routing. Of {}\n@step\t{step:.6}\n@bias\t{}\n\
         @kinds\t{}\n@traits\t{}\n",
        fingerprint(),
        list(bias),
        list(kinds),
        list(traits)
    );
    for (name, row) in rows {
        let weights = row.iter().map(|weight| (weight / step).round() as i32).enumerate();
        let weights: Vec<String> = weights
            .filter(|(_, weight)| weight.abs() > 3)
            .map(|(kind, weight)| format!("{kind}:{weight}"))
            .collect();
        if !weights.is_empty() && !name.contains(['\t', '\n']) {
            writeln!(text, "{name}\t{}", weights.join(" ")).unwrap();
        }
    }
    text
}

fn fingerprint() -> String {
    format!("{:016x}", hash(&[&labelled(), LEXICON]))
}

/// Which of `rows` are read right, by fine kind and by family, and how far off difficulties are.
#[derive(Default)]
struct Measured {
    fine: f64,
    coarse: f64,
    mean_error: f64,
    within_one: f64,
    wrong: Vec<String>,
}

fn measure(weights: &Weights, rows: &[&Row]) -> Measured {
    let (tools, mut measured) = (tools(), Measured::default());
    let share = 1.0 / rows.len() as f64;
    for row in rows {
        let task = classify_with(weights, &row.sample(&tools));
        if task.kind == row.kind {
            measured.fine += share;
        } else {
            let text: String = row.text.chars().take(70).collect();
            measured.wrong.push(format!("{} as {}: {text:?}", row.kind, task.kind));
        }
        if task.family == row.kind.family() {
            measured.coarse += share;
        }
        let off = f64::from(task.difficulty.abs_diff(row.difficulty));
        measured.mean_error += off * share;
        measured.within_one += if off <= 1.0 { share } else { 0.0 };
    }
    measured
}

impl Measured {
    fn told(&self, what: &str) -> String {
        format!(
            "{what}: kind {:.3}, family {:.3}, difficulty off by {:.2}, within one {:.3}\n{}\n",
            self.fine,
            self.coarse,
            self.mean_error,
            self.within_one,
            self.wrong.join("\n")
        )
    }
}

#[test]
fn of_prompts_it_never_saw_at_least_85_of_100_are_read_right() {
    let rows = rows();
    let (apart, known): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.apart());
    let weights = Weights::parse(&learn(&known)).unwrap();
    let found = measure(&weights, &apart);
    let mut told = found.told(&format!("{} apart, {} learned", apart.len(), known.len()));
    let mut all = vec![found];
    for name in HELD_OUT {
        let held_out = held_out(name);
        let new = measure(Weights::built_in(), &held_out.iter().collect::<Vec<_>>());
        told.push_str(&new.told(&format!("{} of {name}", held_out.len())));
        all.push(new);
    }
    if std::env::var_os("RALEX_TELL").is_some() {
        std::fs::write(std::env::temp_dir().join("ralex-classifier.txt"), &told).unwrap();
    }
    assert!(rows.len() >= 3_000 && apart.len() * 4 > rows.len(), "{told}");
    for measured in &all {
        assert!(measured.fine >= 0.85 && measured.coarse >= 0.88, "{told}");
        assert!(measured.mean_error <= 1.0 && measured.within_one >= 0.85, "{told}");
    }
}

#[test]
fn no_prompt_that_is_held_out_is_learned() {
    // Nor one that differs in signs and capitals only.
    let letters = |row: &Row| {
        row.text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
    };
    let known: BTreeSet<String> = rows().iter().map(letters).collect();
    for row in HELD_OUT.into_iter().flat_map(held_out) {
        assert!(!known.contains(&letters(&row)), "{}", row.text);
    }
}

#[test]
fn the_shipped_weights_are_those_of_the_labelled_set() {
    let told = "train again: cargo nextest run -p ralex-routing retrain --run-ignored only";
    assert!(SHIPPED.lines().next().unwrap_or_default().ends_with(&fingerprint()), "{told}");
    let (rows, tools) = (rows(), tools());
    let right = rows.iter().filter(|row| classify(&row.sample(&tools)).kind == row.kind).count();
    assert!(right * 100 >= rows.len() * 97, "{right} of {}", rows.len());
}

#[test]
#[ignore = "writes policies/routing/weights.tsv"]
fn retrain() {
    let rows = rows();
    let all: Vec<&Row> = rows.iter().collect();
    std::fs::write(file("weights.tsv"), learn(&all)).unwrap();
}
