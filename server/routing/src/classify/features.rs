//! Features: what the linear model sees of a prompt, as hashes of names with a value each.

#![expect(clippy::cast_precision_loss, reason = "estimates need no more than a few digits")]

use std::collections::BTreeSet;

use super::Sample;
use super::lexicon::{Found, Lexicon, spaceless};
use super::signs::Signs;
use super::text::Parts;

/// Words of the start and the end of a request, which say what is wanted.
const EDGE_WORDS: usize = 14;
/// A word is known by so many letters too, so that its forms and some typing errors meet.
const STEM: usize = 5;
/// How much the words of the matter count beside those that ask.
const MATTER_SHARE: f32 = 0.5;
/// A longer request greets without being about that.
const GREETED: usize = 12;

/// The form of a prompt, apart from its words.
#[expect(clippy::struct_excessive_bools, reason = "one for each sign, and all are independent")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub code: bool,
    pub code_lines: usize,
    pub trace: bool,
    pub diff: bool,
    /// Answers to choose from, each with its letter.
    pub choices: bool,
    pub question: bool,
    /// Some words in quotes: something is to be done to them.
    pub quoted: bool,
    /// It speaks of functions, files and the like.
    pub code_words: bool,
    pub command: bool,
    pub images: bool,
    pub documents: bool,
    pub structured: bool,
    pub tools: usize,
    pub tool_results: usize,
    pub turns: usize,
    /// Things asked for, one after the other.
    pub steps: usize,
    /// Conditions that the answer must keep.
    pub demands: usize,
    pub numbers: usize,
    pub words: usize,
    /// Words that ask, without the matter.
    pub asked: usize,
    pub chars: usize,
    pub hard: usize,
    pub easy: usize,
    pub concepts: usize,
}

impl Shape {
    pub fn of(parts: &Parts<'_>, sample: &Sample<'_>) -> Self {
        let (asking, signs) = (parts.lower.as_str(), Signs::of(&parts.prose));
        let lines = || asking.lines().map(str::trim_start);
        let listed = lines().filter(|line| is_listed(line)).count();
        let found = Lexicon::built_in().find(asking);
        let count = |name: &str| found.iter().filter(|found| found.concept == name).count();
        let concepts: BTreeSet<&str> = found.iter().map(|found| found.concept).collect();
        Self {
            code: parts.code_lines > 0 || signs.code,
            code_lines: parts.code_lines,
            trace: signs.trace || Signs::of(&parts.code).trace,
            choices: signs.choices,
            diff: parts.code.contains("\n@@ ")
                || parts.prose.contains("\n@@ ")
                || parts.prose.contains("diff --git")
                || parts.code.contains("diff --git"),
            question: asks(&parts.asking),
            quoted: is_quoted(asking),
            code_words: concepts.contains("code_thing"),
            command: asking.starts_with("$ ") || asking.contains("\n$ "),
            images: sample.images > 0,
            documents: sample.documents > 0,
            structured: sample.structured,
            tools: sample.tools.len(),
            tool_results: sample.tool_results,
            turns: sample.turns,
            steps: 1 + count("then").max(listed.saturating_sub(1)),
            demands: count("demand") + listed,
            numbers: asking.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty()).count(),
            words: asking.split_whitespace().count(),
            asked: parts.asking.split_whitespace().count(),
            chars: parts.chars,
            hard: count("hard"),
            easy: count("easy"),
            concepts: concepts.len(),
        }
    }
}

fn asks(asking: &str) -> bool {
    asking.trim_end().ends_with('?') || asking.contains('？') || asking.contains("?\n")
}

fn is_quoted(asking: &str) -> bool {
    const OPEN: [char; 4] = ['"', '\u{201c}', '\u{201e}', '\u{300c}'];
    asking.find(OPEN).is_some_and(|at| {
        let rest = asking[at..].chars().skip(1).collect::<String>();
        rest.find(['"', '\u{201d}', '\u{201c}', '\u{300d}']).is_some_and(|length| length > 8)
    })
}

/// `- x`, `* x`, `1. x`, `2) x`.
fn is_listed(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = rest.len() < line.len() && (rest.starts_with(". ") || rest.starts_with(") "));
    numbered || line.starts_with("- ") || line.starts_with("* ") || line.starts_with("• ")
}

fn is_sql(code: &str) -> bool {
    let start = code[..code.floor_char_boundary(2_000.min(code.len()))].to_ascii_lowercase();
    start.contains("select ") && start.contains(" from ")
}

/// A name's hash (FNV-1a), the same on every machine.
pub(crate) fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// All features of what a person wrote.
pub(crate) fn user(parts: &Parts<'_>, shape: &Shape, sink: &mut dyn FnMut(&[&str], f32)) {
    words(parts, sink);
    let mut flag = |name: &str, on: bool| {
        if on {
            sink(&["s:", name], 1.0);
        }
    };
    flag("code", shape.code);
    flag("long-code", shape.code_lines > 15);
    flag("trace", shape.trace);
    flag("diff", shape.diff);
    flag("question", shape.question);
    flag("command", shape.command);
    flag("images", shape.images);
    flag("documents", shape.documents);
    flag("structured", shape.structured);
    flag("tools", shape.tools > 0);
    flag("many-tools", shape.tools > 4);
    flag("tool-results", shape.tool_results > 0);
    flag("turns", shape.turns > 2);
    flag("quoted", shape.quoted);
    flag("counted-question", shape.question && shape.numbers >= 2 && !shape.code);
    flag("code-question", shape.question && shape.code);
    flag("code-or-thing", shape.code || shape.code_words);
    flag("choices", shape.choices);
    flag("wordless", shape.asked <= 2 && shape.code);
    flag("matter", !parts.matter.is_empty());
    flag("brief", shape.asked <= 12 && shape.code);
    flag("stub", parts.code.contains("\"\"\"") || parts.code.contains(">>> "));
    flag("sql", is_sql(&parts.code));
    flag("markup", parts.code.contains("</"));
    flag("json", parts.code.contains("{\"") || parts.prose.contains("{\""));
    flag("short", shape.words <= 4);
    flag("long", shape.words > 120);
    flag("numbers", shape.numbers >= 2);
    flag("many-numbers", shape.numbers >= 8);
    flag("steps", shape.steps > 2);
    flag("demands", shape.demands > 2);
    for tag in &parts.tags {
        sink(&["t:", &tag.to_lowercase()], 1.0);
    }
}

/// The features of the words alone.
pub(crate) fn words(parts: &Parts<'_>, sink: &mut dyn FnMut(&[&str], f32)) {
    let asking = parts.asking.as_str();
    let short = asking.split_whitespace().count() <= GREETED;
    let mut found = Lexicon::built_in().find(asking);
    found.retain(|found| short || !matches!(found.concept, "greeting" | "ack"));
    concepts(&found, sink);
    pairs(asking, sink);
    let all = split(asking);
    // So that a long prompt does not shout: what counts is what share a word has.
    let share = 1.0 / (all.len() as f32).sqrt().max(2.0);
    let mut before = "^";
    for (at, word) in all.iter().enumerate() {
        let edge = at < EDGE_WORDS || at + EDGE_WORDS >= all.len();
        let value = if edge { 2.0 * share } else { share };
        sink(&["w:", word], value);
        sink(&["p:", prefix(word)], value);
        if edge {
            sink(&["b:", before, " ", word], value);
        }
        if at < 3 {
            sink(&["f:", prefix(word)], 0.5);
        }
        before = word;
    }
    matter(&parts.matter, sink);
}

fn split(text: &str) -> Vec<&str> {
    let letters = |c: char| !c.is_alphanumeric() && c != '\'' && c != '#' && c != '+';
    text.split(letters).filter(|word| !word.is_empty()).collect()
}

/// What the matter is about says a little of what is wanted.
fn matter(text: &str, sink: &mut dyn FnMut(&[&str], f32)) {
    let all = split(text);
    let share = MATTER_SHARE / (all.len() as f32).sqrt().max(2.0);
    for word in all {
        sink(&["m:", prefix(word)], share);
    }
}

/// Concepts count once, and once more where they stand first.
fn concepts(found: &[Found<'static>], sink: &mut dyn FnMut(&[&str], f32)) {
    let mut seen: Vec<&str> = Vec::new();
    for found in found {
        if seen.contains(&found.concept) {
            continue;
        }
        if seen.is_empty() {
            sink(&["k1:", found.concept], 1.0);
        }
        if found.at < 60 {
            sink(&["ks:", found.concept], 1.0);
        }
        sink(&["k:", found.concept], 1.0);
        seen.push(found.concept);
    }
    // Two concepts together often say what neither does: a verb and what it is done to.
    for (at, one) in seen.iter().enumerate().take(6) {
        for other in seen.iter().skip(at + 1).take(6) {
            let (low, high) = if one < other { (one, other) } else { (other, one) };
            sink(&["kk:", low, " ", high], 0.5);
        }
    }
}

/// Pairs of signs, in scripts without spaces between words.
fn pairs(asking: &str, sink: &mut dyn FnMut(&[&str], f32)) {
    let signs: Vec<(usize, char)> =
        asking.char_indices().filter(|(_, c)| spaceless(*c)).take(200).collect();
    let share = 1.0 / (signs.len() as f32).sqrt().max(2.0);
    for pair in signs.windows(2) {
        let (start, end) = (pair[0].0, pair[1].0 + pair[1].1.len_utf8());
        if end - start == pair[0].1.len_utf8() + pair[1].1.len_utf8() {
            sink(&["c:", &asking[start..end]], share);
        }
    }
}

fn prefix(word: &str) -> &str {
    word.char_indices().nth(STEM).map_or(word, |(end, _)| &word[..end])
}
