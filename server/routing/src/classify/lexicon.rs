//! Concepts: lists of words that say what somebody wants, in several languages.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use serde::Deserialize;
use tracing::error;

const BUILT_IN: &str = include_str!("../../../../policies/routing/lexicon.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    concept: BTreeMap<String, Vec<String>>,
}

/// All concepts, found in one pass over a text.
#[derive(Default)]
pub(crate) struct Lexicon {
    names: Vec<String>,
    words: Vec<Word>,
    machine: Option<AhoCorasick>,
}

/// One word of a concept.
struct Word {
    concept: usize,
    /// The word may go on, as in `summar*`.
    open: bool,
    /// It may stand inside of other letters: Chinese and Japanese have no spaces.
    anywhere: bool,
}

/// Where a concept was found.
pub(crate) struct Found<'a> {
    pub concept: &'a str,
    pub at: usize,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    Lexicon::parse(BUILT_IN).unwrap_or_else(|problem| {
        error!("the built-in lexicon cannot be read: {problem}");
        Lexicon::default()
    })
});

impl Lexicon {
    pub fn built_in() -> &'static Self {
        &LEXICON
    }

    fn parse(text: &str) -> Result<Self, String> {
        let document: Document = toml::from_str(text).map_err(|error| error.to_string())?;
        let (mut names, mut words, mut patterns) = (Vec::new(), Vec::new(), Vec::new());
        for (concept, (name, list)) in document.concept.into_iter().enumerate() {
            names.push(name);
            for word in list {
                let open = word.ends_with('*');
                let pattern = word.trim_end_matches('*').to_lowercase();
                let anywhere = pattern.chars().any(spaceless);
                words.push(Word { concept, open, anywhere });
                patterns.push(pattern);
            }
        }
        let machine = AhoCorasick::new(&patterns).map_err(|error| error.to_string())?;
        Ok(Self { names, words, machine: Some(machine) })
    }

    /// The concepts in a text that is in lower case, in its order. A word within a longer one that
    /// was found counts only where both are of one concept: "rewrite this function" is no rewrite.
    pub fn find<'a>(&'a self, text: &str) -> Vec<Found<'a>> {
        let mut spans: Vec<(usize, usize, usize)> = Vec::new();
        for found in self.machine.iter().flat_map(|machine| machine.find_overlapping_iter(text)) {
            let word = &self.words[found.pattern().as_usize()];
            if word.stands(text, found.start(), found.end()) {
                spans.push((found.start(), found.end(), word.concept));
            }
        }
        spans.sort_by_key(|(start, end, concept)| (*start, usize::MAX - end, *concept));
        let mut end_of_last = (0, 0);
        spans.retain(|(start, end, _)| {
            let inside = *end <= end_of_last.1 && (*start, *end) != end_of_last;
            if !inside {
                end_of_last = (*start, *end);
            }
            !inside
        });
        let name = |concept: usize| self.names[concept].as_str();
        spans.into_iter().map(|(at, _, concept)| Found { concept: name(concept), at }).collect()
    }
}

impl Word {
    /// True where no letters of another word surround it.
    fn stands(&self, text: &str, start: usize, end: usize) -> bool {
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        let before = || text[..start].chars().next_back().is_some_and(letter);
        let after = || text[end..].chars().next().is_some_and(letter);
        self.anywhere || (!before() && (self.open || !after()))
    }
}

/// Scripts that are written without spaces, or whose words change at their end.
pub(super) fn spaceless(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{ac00}'..='\u{d7a3}' | '\u{3400}'..='\u{9fff}' | '\u{0e00}'..='\u{0e7f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_lexicon_is_valid() {
        assert!(Lexicon::parse(BUILT_IN).unwrap().names.len() > 30);
    }

    #[test]
    fn words_are_whole_unless_they_may_go_on() {
        let lexicon = Lexicon::parse("[concept]\na = ['sum*', 'fix']\nb = ['要約']").unwrap();
        let of = |text| lexicon.find(text).iter().map(|found| found.concept).collect::<String>();
        assert_eq!(of("summarise it, fix it"), "aa");
        assert_eq!(of("prefix fixed resum"), "");
        assert_eq!(of("この文章を要約して"), "b");
        let lexicon = "[concept]\na = ['fix', 'it']\nb = ['fix it now', 'it']";
        let lexicon = Lexicon::parse(lexicon).unwrap();
        let of = |text| lexicon.find(text).iter().map(|found| found.concept).collect::<String>();
        assert_eq!((of("fix it now"), of("it")), ("b".to_owned(), "ab".to_owned()));
    }
}
