//! Concepts: lists of words that say what somebody wants, in several languages.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
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
        let machine = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .map_err(|error| error.to_string())?;
        Ok(Self { names, words, machine: Some(machine) })
    }

    /// The concepts in a text that is in lower case, in its order.
    pub fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Found<'a>> {
        let found = self.machine.iter().flat_map(move |machine| machine.find_iter(text));
        found.filter_map(move |found| {
            let word = &self.words[found.pattern().as_usize()];
            let letter = |c: char| c.is_alphanumeric() || c == '_';
            let before = text[..found.start()].chars().next_back().is_some_and(letter);
            let after = text[found.end()..].chars().next().is_some_and(letter);
            let whole = word.anywhere || (!before && (word.open || !after));
            whole.then(|| Found { concept: &self.names[word.concept], at: found.start() })
        })
    }
}

/// Scripts that are written without spaces.
fn spaceless(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{0e00}'..='\u{0e7f}')
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
        let of = |text| lexicon.find(text).map(|found| found.concept).collect::<String>();
        assert_eq!(of("summarise it, fix it"), "aa");
        assert_eq!(of("prefix fixed resum"), "");
        assert_eq!(of("この文章を要約して"), "b");
    }
}
