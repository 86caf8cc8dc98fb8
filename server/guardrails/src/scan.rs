//! Scanning: all matches of many rules in one text, in time that grows with its length alone.
//!
//! One automaton finds the words of all rules in one pass, and one pass finds the runs of digits.
//! A rule's own pattern is then tried only around those places.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use regex_automata::Span;

use crate::rule::{CONTEXT, Match, Rule, Trigger};

/// Rules that are looked for together.
#[derive(Debug)]
pub(crate) struct Scanner {
    pub rules: Vec<Arc<Rule>>,
    words: Option<AhoCorasick>,
    /// For each word the rules that want it.
    wanted: Vec<Vec<usize>>,
    /// The fewest digits that any rule asks for.
    digits: Option<usize>,
}

/// A match and the place of its rule in the scanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub rule: usize,
    pub found: Match,
}

/// Digits with the separators of numbers between them.
struct Run {
    span: Span,
    digits: usize,
}

impl Scanner {
    pub fn new(rules: Vec<Arc<Rule>>) -> Result<Self, String> {
        let (mut words, mut wanted): (Vec<&str>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
        for (at, rule) in rules.iter().enumerate() {
            let (Trigger::Keywords(own) | Trigger::Context(own)) = &rule.trigger else { continue };
            for word in own {
                if let Some(known) = words.iter().position(|known| known == word) {
                    wanted[known].push(at);
                } else {
                    words.push(word);
                    wanted.push(vec![at]);
                }
            }
        }
        let automaton = (!words.is_empty()).then(|| {
            AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::Standard)
                .build(&words)
        });
        let words = automaton.transpose().map_err(|error| error.to_string())?;
        let digits = rules.iter().filter_map(|rule| match rule.trigger {
            Trigger::Digits { least, .. } => Some(least),
            Trigger::Always | Trigger::Keywords(_) | Trigger::Context(_) => None,
        });
        let digits = digits.min();
        Ok(Self { rules, words, wanted, digits })
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Every match that starts at `from` or later, by its start. What stands before `from` is only
    /// looked at.
    pub fn scan(&self, text: &str, from: usize) -> Vec<Hit> {
        let text = &*softened(text);
        let words = self.words(text);
        let runs = self.runs(text, from);
        let mut hits = Vec::new();
        for (at, rule) in self.rules.iter().enumerate() {
            let words = words.get(at).map_or(&[][..], Vec::as_slice);
            let mut next = from;
            each_start(rule, text, words, &runs, |starts| {
                let mut starts = Span { start: starts.start.max(next), end: starts.end };
                while let Some(found) = rule.find(text, starts, words) {
                    hits.push(Hit { rule: at, found });
                    starts.start = found.whole.end;
                    next = found.whole.end;
                }
            });
        }
        hits.sort_by_key(|hit| (hit.found.whole.start, hit.found.whole.end, hit.rule));
        hits
    }

    /// For each rule where its words stand, by their ends.
    fn words(&self, text: &str) -> Vec<Vec<Span>> {
        let Some(automaton) = &self.words else { return Vec::new() };
        let mut found = vec![Vec::new(); self.rules.len()];
        for word in automaton.find_overlapping_iter(text) {
            for rule in &self.wanted[word.pattern().as_usize()] {
                found[*rule].push(Span { start: word.start(), end: word.end() });
            }
        }
        found
    }

    fn runs(&self, text: &str, from: usize) -> Vec<Run> {
        let Some(least) = self.digits else { return Vec::new() };
        let bytes = text.as_bytes();
        let mut runs = Vec::new();
        let mut at = from;
        while at < bytes.len() {
            // Most of most texts has no digits: those bytes cost one comparison each.
            if !bytes[at].is_ascii_digit() {
                at += 1;
                continue;
            }
            let start = at;
            let mut digits = 0;
            while at < bytes.len() && in_number(bytes[at]) {
                digits += usize::from(bytes[at].is_ascii_digit());
                at += 1;
            }
            if digits >= least {
                runs.push(Run { span: Span { start, end: at }, digits });
            }
        }
        runs
    }
}

const fn in_number(byte: u8) -> bool {
    // 0xa0 and 0xc2 are the two bytes of a space that does not break.
    matches!(
        byte,
        b'0'..=b'9' | b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'+' | b':' | 0xa0 | 0xc2
    )
}

/// The text with spaces for the escapes of white space in JSON and source code, so that a word
/// behind one begins there. Every place stays where it is.
pub(crate) fn softened(text: &str) -> Cow<'_, str> {
    let escapes = ["\\n", "\\r", "\\t"];
    if !escapes.iter().any(|escape| text.contains(escape)) {
        return Cow::Borrowed(text);
    }
    let softer = escapes.iter().fold(text.to_owned(), |text, escape| text.replace(escape, "  "));
    Cow::Owned(softer)
}

/// Calls `search` with each stretch in which a match of the rule may start, in order and apart.
fn each_start(
    rule: &Rule,
    text: &str,
    words: &[Span],
    runs: &[Run],
    mut search: impl FnMut(Range<usize>),
) {
    let mut open: Option<Range<usize>> = None;
    let mut add = |stretch: Range<usize>| match &mut open {
        Some(before) if stretch.start <= before.end => before.end = before.end.max(stretch.end),
        _ => {
            if let Some(before) = open.replace(stretch) {
                search(before);
            }
        }
    };
    match &rule.trigger {
        Trigger::Always => add(0..text.len()),
        Trigger::Keywords(_) => {
            for word in words {
                let start = text.floor_char_boundary(word.end.saturating_sub(rule.matcher.longest));
                add(start..word.start + 1);
            }
        }
        Trigger::Context(_) => {
            for word in words {
                add(word.end..text.len().min(word.end + CONTEXT + 1));
            }
        }
        Trigger::Digits { least, before } => {
            for run in runs.iter().filter(|run| run.digits >= *least) {
                add(text.floor_char_boundary(run.span.start.saturating_sub(*before))..run.span.end);
            }
        }
    }
    if let Some(last) = open {
        search(last);
    }
}
