//! One rule, ready to search: what triggers it, what matches, and what a match must pass.
//!
//! What always holds: whether a place in a text matches depends on that place alone, on at most
//! [`LOOK_BACK`] bytes before it and on the bytes up to the rule's longest match and one character
//! behind it. So a text that comes in pieces can be judged exactly as the whole one.

use std::sync::Arc;

use ralex_api::guardrails::{Action, Direction, Severity};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, Span};
use regex_syntax::hir::Hir;

use crate::check::Checksum;
use crate::entropy;

/// How far before a match a word of its context may stand.
pub(crate) const CONTEXT: usize = 96;
/// How much of the text before a place a rule may look at.
pub(crate) const LOOK_BACK: usize = 160;
/// The longest match of a rule that sets no bound itself.
const LONGEST: usize = 1024;
/// The longest match that any rule may have, and so the most that a stream is held back.
pub const LONGEST_OF_ALL: usize = 16 * 1024;
/// What one compiled pattern may take.
const SIZE: usize = 4 << 20;
/// The same for a pattern of a customer's own.
const OWN_SIZE: usize = 256 << 10;
/// What one pattern's states may take while it searches.
const CACHE: usize = 512 << 10;

/// What makes it worth looking for a rule at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    Always,
    /// A match without one of these, in lower case, in it does not count.
    Keywords(Vec<String>),
    /// One of these, in lower case, stands within [`CONTEXT`] bytes before a match.
    Context(Vec<String>),
    /// A match begins with digits, at least so many with nothing but the separators of numbers
    /// between them, behind at most so many bytes of something else.
    Digits {
        least: usize,
        before: usize,
    },
}

/// A rule of a pack or of a customer.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub id: Arc<str>,
    pub name: String,
    pub severity: Severity,
    pub action: Action,
    pub direction: Direction,
    pub label: String,
    pub weight: Option<u32>,
    pub on_by_default: bool,
    pub trigger: Trigger,
    pub checksum: Option<Checksum>,
    pub entropy: Option<f32>,
    /// What matches one of these is nothing.
    pub allow: Vec<Regex>,
    pub matcher: Matcher,
}

/// A compiled pattern and the bounds of its matches.
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    regex: Regex,
    /// What it means, for those who must know what could still become a match.
    pub hir: Hir,
    pub longest: usize,
    grouped: bool,
}

/// A match that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    /// All that matched.
    pub whole: Span,
    /// The part that is meant: the group, or all.
    pub meant: Span,
}

impl Rule {
    pub fn allowing(mut self, patterns: &[String]) -> Result<Self, String> {
        for pattern in patterns {
            self.allow.push(regex(pattern, true, SIZE)?.0);
        }
        Ok(self)
    }

    /// Finds the first match that counts and starts within `starts`. `words` is where the rule's
    /// keywords or context stand, by their ends.
    pub fn find(&self, text: &str, starts: Span, words: &[Span]) -> Option<Match> {
        let mut from = starts.start;
        while from < starts.end {
            let found = self.matcher.find(text, Span { start: from, end: starts.end })?;
            if self.called(found.whole, words)
                && let Some(found) = self.counting(text, found)
            {
                return Some(found);
            }
            from = text.ceil_char_boundary(found.whole.start + 1);
        }
        None
    }

    /// True when the word that the rule wants is where it must be.
    fn called(&self, whole: Span, words: &[Span]) -> bool {
        match &self.trigger {
            Trigger::Always | Trigger::Digits { .. } => true,
            Trigger::Keywords(_) => {
                let first = words.partition_point(|word| word.end <= whole.start);
                let inside = words[first..].iter().take_while(|word| word.end <= whole.end);
                inside.into_iter().any(|word| word.start >= whole.start)
            }
            Trigger::Context(_) => {
                let after = words.partition_point(|word| word.end <= whole.start);
                words[..after].last().is_some_and(|word| word.end + CONTEXT >= whole.start)
            }
        }
    }

    /// The match as far as it counts; none where it does not.
    fn counting(&self, text: &str, found: Match) -> Option<Match> {
        let meant = &text[found.meant.start..found.meant.end];
        let length = match self.checksum {
            Some(checksum) => checksum.length(meant)?,
            None => meant.len(),
        };
        let random = || self.entropy.is_none_or(|least| entropy::bits_per_byte(meant) >= least);
        let allowed = || self.allow.iter().any(|allow| allow.is_match(meant));
        (length > 0 && random() && !allowed()).then(|| found.cut(length))
    }
}

impl Match {
    /// The same, when what is meant has only so many bytes.
    fn cut(mut self, length: usize) -> Self {
        let less = self.meant.end - self.meant.start - length;
        self.meant.end -= less;
        if less > 0 {
            self.whole.end = self.meant.end;
        }
        self
    }
}

impl Matcher {
    /// A pattern of a pack. Without `unicode` it knows only ASCII letters, which is quicker.
    pub fn pack(pattern: &str, unicode: bool, longest: Option<usize>) -> Result<Self, String> {
        Self::new(pattern, unicode, SIZE, longest)
    }

    /// A pattern that a customer wrote.
    pub fn own(pattern: &str) -> Result<Self, String> {
        Self::new(pattern, true, OWN_SIZE, None)
    }

    fn new(
        pattern: &str,
        unicode: bool,
        size: usize,
        bound: Option<usize>,
    ) -> Result<Self, String> {
        let (regex, hir) = regex(pattern, unicode, size)?;
        if hir.properties().minimum_len().is_none_or(|least| least == 0) {
            return Err("matches the empty text".to_owned());
        }
        let longest = bound.or(hir.properties().maximum_len()).unwrap_or(LONGEST);
        let longest = longest.min(LONGEST_OF_ALL);
        let grouped = regex.captures_len() > 1;
        Ok(Self { regex, hir, longest, grouped })
    }

    /// The first match that starts within `starts`.
    fn find(&self, text: &str, starts: Span) -> Option<Match> {
        let mut from = starts.start;
        while from < starts.end {
            let end = text.len().min(starts.end.saturating_add(self.longest));
            let found = self.regex.search(&Input::new(text).range(from..end))?;
            if found.start() >= starts.end {
                return None;
            }
            // A longer one is cut to the bound, as it would be where the text ends there.
            let end = text.len().min(found.start() + self.longest);
            let input = Input::new(text).range(found.start()..end).anchored(Anchored::Yes);
            let within = if found.end() <= end {
                Some(found.span())
            } else {
                self.regex.search(&input).map(|found| found.span())
            };
            if let Some(whole) = within {
                return Some(self.meant(text, whole, input));
            }
            from = text.ceil_char_boundary(found.start() + 1);
        }
        None
    }

    fn meant(&self, text: &str, whole: Span, input: Input<'_>) -> Match {
        let meant = if self.grouped { self.group(&input).unwrap_or(whole) } else { whole };
        Match { whole: rounded(text, whole), meant: rounded(text, meant) }
    }

    /// The first group that took part.
    fn group(&self, input: &Input<'_>) -> Option<Span> {
        let mut captures = self.regex.create_captures();
        self.regex.search_captures(input, &mut captures);
        (1..captures.group_len()).find_map(|group| captures.get_group(group))
    }
}

/// Patterns without Unicode may match part of a character.
fn rounded(text: &str, span: Span) -> Span {
    Span { start: text.floor_char_boundary(span.start), end: text.ceil_char_boundary(span.end) }
}

fn regex(pattern: &str, unicode: bool, size: usize) -> Result<(Regex, Hir), String> {
    let syntax = syntax::Config::new().unicode(unicode).utf8(unicode).nest_limit(50);
    let hir = syntax::parse_with(pattern, &syntax).map_err(|error| plain(&error.to_string()))?;
    let config = Regex::config()
        .utf8_empty(unicode)
        .nfa_size_limit(Some(size))
        .hybrid_cache_capacity(CACHE)
        .onepass_size_limit(Some(64 << 10))
        // A dense automaton of each of some two hundred patterns would be much memory for little.
        .dfa(false);
    let regex =
        Regex::builder().configure(config).build_from_hir(&hir).map_err(|error| {
            match error.size_limit() {
                Some(_) => "is too large: use fewer or smaller repeats".to_owned(),
                None => plain(&error.to_string()),
            }
        })?;
    Ok((regex, hir))
}

/// The last line of the parser's drawing says what is wrong.
fn plain(error: &str) -> String {
    let last = error.lines().last().unwrap_or(error);
    last.trim_start_matches("error: ").to_owned()
}
