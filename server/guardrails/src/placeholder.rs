//! Placeholders: what stands in a text instead of a value, and the value's way back.
//!
//! Within one call the same value always gets the same placeholder, so a model can still tell
//! whether two places mean the same. Values live only here, in memory, for one call.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use regex_automata::Span;

/// The placeholders of one call.
#[derive(Clone, Default)]
pub(crate) struct Placeholders {
    by_value: HashMap<(String, String), Arc<str>>,
    next: HashMap<String, u32>,
    /// In the order in which they were given.
    given: Vec<(Arc<str>, String)>,
}

impl Placeholders {
    /// The placeholder of a value. `taken` says whether the texts hold one like it already.
    pub fn of(&mut self, label: &str, value: &str, taken: impl Fn(&str) -> bool) -> Arc<str> {
        let key = (label.to_owned(), value.to_owned());
        if let Some(known) = self.by_value.get(&key) {
            return known.clone();
        }
        let number = self.next.entry(key.0.clone()).or_insert(0);
        let placeholder: Arc<str> = loop {
            *number += 1;
            let candidate = format!("[{label}_{number}]");
            if !taken(&candidate) {
                break candidate.into();
            }
        };
        self.given.push((placeholder.clone(), key.1.clone()));
        self.by_value.insert(key, placeholder.clone());
        placeholder
    }

    /// What puts the values back. None when nothing was replaced.
    pub fn restorer(self) -> Result<Option<Arc<Restorer>>, String> {
        if self.given.is_empty() {
            Ok(None)
        } else {
            Restorer::new(self).map(|it| Some(Arc::new(it)))
        }
    }
}

/// In which kind of text values are put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Text,
    /// Inside the strings of a JSON document, such as the arguments of a tool call.
    Json,
}

/// Puts the values of one call back where its answer has their placeholders.
pub struct Restorer {
    automaton: AhoCorasick,
    /// For each word of the automaton its value.
    values: Vec<String>,
    /// Every form of every placeholder, sorted.
    words: Vec<String>,
    longest: usize,
    pub(crate) placeholders: Placeholders,
}

impl Restorer {
    fn new(placeholders: Placeholders) -> Result<Self, String> {
        let (mut words, mut values) = (Vec::new(), Vec::new());
        for (placeholder, value) in &placeholders.given {
            words.push(placeholder.to_string());
            values.push(value.clone());
            // Models that write Markdown or LaTeX escape the underscore.
            words.push(placeholder.replace('_', "\\_"));
            values.push(value.clone());
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&words)
            .map_err(|error| error.to_string())?;
        words.sort();
        let longest = words.iter().map(String::len).max().unwrap_or(0);
        Ok(Self { automaton, values, words, longest, placeholders })
    }

    /// A whole text with its values.
    pub fn restore<'a>(&self, text: &'a str, form: Form) -> Cow<'a, str> {
        let mut restored = String::new();
        let mut copied = 0;
        for (span, value) in self.places(text, 0) {
            restored.push_str(&text[copied..span.start]);
            restored.push_str(&written(value, form));
            copied = span.end;
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        restored.push_str(&text[copied..]);
        Cow::Owned(restored)
    }

    /// Where placeholders stand, and what they stand for.
    pub(crate) fn places<'a>(
        &'a self,
        text: &'a str,
        from: usize,
    ) -> impl Iterator<Item = (Span, &'a str)> + 'a {
        let found = self.automaton.find_iter(aho_corasick::Input::new(text).range(from..));
        found.map(|place| {
            let span = Span { start: place.start(), end: place.end() };
            (span, self.values[place.pattern().as_usize()].as_str())
        })
    }

    /// Where a placeholder may have begun that the text does not finish; else the text's end.
    pub(crate) fn unfinished(&self, text: &str, from: usize) -> usize {
        let from = text.floor_char_boundary(from.max(text.len().saturating_sub(self.longest)));
        let Some(bracket) = text[from..].rfind('[') else { return text.len() };
        let tail = &text[from + bracket..];
        let next = self.words.partition_point(|word| word.as_str() <= tail);
        let begun = self.words.get(next).is_some_and(|word| word.starts_with(tail));
        if begun { from + bracket } else { text.len() }
    }
}

impl fmt::Debug for Restorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Restorer({} values)", self.placeholders.given.len())
    }
}

impl fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Placeholders({} values)", self.given.len())
    }
}

/// A value as it stands in a text of this form.
pub(crate) fn written(value: &str, form: Form) -> Cow<'_, str> {
    match form {
        Form::Text => Cow::Borrowed(value),
        Form::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restorer(values: &[(&str, &str)]) -> Arc<Restorer> {
        let mut placeholders = Placeholders::default();
        for (label, value) in values {
            placeholders.of(label, value, |_| false);
        }
        placeholders.restorer().unwrap().unwrap()
    }

    #[test]
    fn the_same_value_has_one_placeholder_and_another_has_another() {
        let mut placeholders = Placeholders::default();
        let mut of = |value| placeholders.of("EMAIL", value, |it| it == "[EMAIL_2]").to_string();
        assert_eq!(of("a@x.com"), "[EMAIL_1]");
        assert_eq!(of("b@x.com"), "[EMAIL_3]", "the text had the second already");
        assert_eq!(of("a@x.com"), "[EMAIL_1]");
    }

    #[test]
    fn values_come_back_escaped_as_their_place_needs_it() {
        let restorer = restorer(&[("NAME", "a\"b\\c"), ("EMAIL", "a@x.com")]);
        assert_eq!(restorer.restore("Hi [NAME_1]!", Form::Text), "Hi a\"b\\c!");
        assert_eq!(restorer.restore(r#"{"to":"[NAME_1]"}"#, Form::Json), r#"{"to":"a\"b\\c"}"#);
        assert_eq!(restorer.restore(r"mail [EMAIL\_1]", Form::Text), "mail a@x.com");
        assert_eq!(restorer.restore("[EMAIL_2] [email_1]", Form::Text), "[EMAIL_2] [email_1]");
    }

    #[test]
    fn only_the_beginning_of_a_known_placeholder_is_unfinished() {
        let restorer = restorer(&[("EMAIL", "a@x.com")]);
        assert_eq!(restorer.unfinished("to [EMA", 0), 3);
        assert_eq!(restorer.unfinished("to [EMAIL_1", 0), 3);
        assert_eq!(restorer.unfinished("to [EMAIL_1]", 0), 12);
        assert_eq!(restorer.unfinished("to [x", 0), 5);
        assert_eq!(restorer.unfinished("to [EMAIL_2", 0), 11);
    }

    #[test]
    fn no_value_is_printed() {
        let restorer = restorer(&[("EMAIL", "a@x.com")]);
        assert!(!format!("{restorer:?} {:?}", restorer.placeholders).contains("a@x"));
    }
}
