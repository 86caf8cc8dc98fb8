//! Partial matches: from where on a text that goes on could still become a match.
//!
//! The patterns of all rules are turned into one that matches whatever a match of theirs may begin
//! with, and that one is run backwards from the end of the text. It stops at the first byte that no
//! beginning could have there, so ordinary prose costs a few bytes' walk. Conditions on what stands
//! around a match are left out, and large repeats are taken without their bound: then more is held
//! back than must be, never less.

use std::fmt;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{Compiler, Config as NfaConfig, WhichCaptures};
use regex_automata::util::pool::Pool;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Capture, Hir, HirKind, Repetition};

use crate::rule::Rule;

/// Repeats beyond this are taken as endless.
const COUNTED: u32 = 64;
/// Rules that share one automaton. The states of two together are many more than those of each.
const TOGETHER: usize = 12;
/// What one automaton may take while it is built, and what each thread that runs it may take.
const SIZE: usize = 32 << 20;
const CACHE: usize = 4 << 20;

type Caches = Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync>>;

/// Tells where the first unfinished match begins.
#[derive(Debug)]
pub(crate) struct Partial(Vec<Part>);

/// The same for some of the rules.
struct Part {
    backwards: DFA,
    caches: Caches,
    longest: usize,
}

impl Partial {
    pub fn new<'a>(rules: impl Iterator<Item = &'a Rule>) -> Result<Self, String> {
        let mut rules: Vec<&Rule> = rules.collect();
        // A long match is a rare one, and must not make the others wait for as long.
        rules.sort_by_key(|rule| rule.matcher.longest);
        rules.chunks(TOGETHER).map(Part::new).collect::<Result<_, _>>().map(Self)
    }

    /// The first place at or after `from` where a match may have begun that the text does not
    /// finish; the text's end where there is none.
    pub fn first(&self, text: &str, from: usize) -> usize {
        self.0.iter().map(|part| part.first(text, from)).min().unwrap_or(text.len())
    }
}

impl Part {
    fn new(rules: &[&Rule]) -> Result<Self, String> {
        let longest = rules.iter().map(|rule| rule.matcher.longest).max().unwrap_or(0);
        let beginnings = rules.iter().map(|rule| beginning(&rule.matcher.hir)).collect();
        let config = NfaConfig::new()
            .reverse(true)
            .utf8(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(SIZE));
        let nfa = Compiler::new()
            .configure(config)
            .build_from_hir(&Hir::alternation(beginnings))
            .map_err(|error| error.to_string())?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(CACHE)
            .skip_cache_capacity_check(true);
        let backwards = DFA::builder()
            .configure(config)
            .build_from_nfa(nfa)
            .map_err(|error| error.to_string())?;
        let dfa = backwards.clone();
        let caches: Caches = Pool::new(Box::new(move || dfa.create_cache()));
        Ok(Self { backwards, caches, longest })
    }

    fn first(&self, text: &str, from: usize) -> usize {
        // One character behind a match may still decide about it.
        let from = from.max(text.len().saturating_sub(self.longest + 4));
        let input = Input::new(text).range(from..).anchored(Anchored::Yes);
        let mut cache = self.caches.get();
        let found = self.backwards.try_search_rev(&mut cache, &input);
        let first = match found {
            Ok(found) => found.map_or(text.len(), |half| half.offset()),
            // An automaton that gave up knows nothing, so everything may be a beginning.
            Err(_) => from,
        };
        text.floor_char_boundary(first)
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("longest", &self.longest).finish_non_exhaustive()
    }
}

/// What matches every beginning of what `hir` matches, the empty one and the whole included.
fn beginning(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(literal) => {
            optional_chain(literal.0.iter().map(|byte| Hir::literal([*byte])))
        }
        HirKind::Class(_) => optional(hir.clone()),
        HirKind::Capture(Capture { sub, .. }) => beginning(sub),
        HirKind::Alternation(branches) => {
            Hir::alternation(branches.iter().map(beginning).collect())
        }
        HirKind::Concat(parts) => {
            // A beginning of the last part, after all parts before it; or of an earlier one.
            let mut after = Hir::empty();
            for part in parts.iter().rev() {
                let on = Hir::concat(vec![bare(part), after]);
                after = Hir::alternation(vec![beginning(part), on]);
            }
            after
        }
        HirKind::Repetition(repetition) => {
            let before = Hir::repetition(Repetition {
                min: 0,
                max: repetition.max.filter(|max| *max <= COUNTED).map(|max| max.saturating_sub(1)),
                greedy: true,
                sub: Box::new(bare(&repetition.sub)),
            });
            Hir::concat(vec![before, beginning(&repetition.sub)])
        }
    }
}

/// The same without conditions and groups, and with large repeats endless.
fn bare(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Look(_) | HirKind::Empty => Hir::empty(),
        HirKind::Literal(_) | HirKind::Class(_) => hir.clone(),
        HirKind::Capture(Capture { sub, .. }) => bare(sub),
        HirKind::Alternation(branches) => Hir::alternation(branches.iter().map(bare).collect()),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(bare).collect()),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            min: if repetition.min > COUNTED { 1 } else { repetition.min },
            max: repetition.max.filter(|max| *max <= COUNTED),
            greedy: repetition.greedy,
            sub: Box::new(bare(&repetition.sub)),
        }),
    }
}

fn optional(hir: Hir) -> Hir {
    Hir::repetition(Repetition { min: 0, max: Some(1), greedy: true, sub: Box::new(hir) })
}

/// `(a(b(c)?)?)?`
fn optional_chain(parts: impl DoubleEndedIterator<Item = Hir>) -> Hir {
    parts.rev().fold(Hir::empty(), |after, part| optional(Hir::concat(vec![part, after])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rule;

    fn first(patterns: &[&str], text: &str) -> usize {
        let rules: Vec<Rule> = patterns.iter().map(|pattern| rule(pattern)).collect();
        Partial::new(rules.iter()).unwrap().first(text, 0)
    }

    #[test]
    fn only_what_may_still_become_a_match_is_held() {
        assert_eq!(first(&["sk-[a-z]{4,8}"], "the key is sk-ab"), 11);
        assert_eq!(first(&["sk-[a-z]{4,8}"], "the key is sk-ab."), 17);
        assert_eq!(first(&["sk-[a-z]{4,8}"], "the tasks"), 8, "s may begin one");
        assert_eq!(first(&["foo bar", "bar foo"], "so foo b"), 3);
        assert_eq!(first(&["(?:ab|cd){2}x"], "zzabc"), 2);
        assert_eq!(first(&[r"\bkey\b"], "a key"), 2, "the next character decides");
        assert_eq!(first(&["x{3,500}y"], &"x".repeat(90)), 0, "large repeats are endless");
        assert_eq!(first(&["é+!"], "caféé"), 3);
    }

    #[test]
    fn nothing_is_held_longer_than_the_longest_match() {
        assert_eq!(first(&["a[a-z]{1,20}!"], &"a".repeat(100)), 100 - 21, "counted");
        assert_eq!(first(&["a[a-z]{1,200}!"], &"a".repeat(999)), 999 - 202 - 4, "endless");
    }
}
