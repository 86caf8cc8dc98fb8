//! Patterns of actions and of what is called: a word in which `*` stands for anything.

/// Longer ones name nothing.
const LONGEST: usize = 200;
const MOST_STARS: usize = 8;

/// A text with `*` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob(Vec<String>);

impl Glob {
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(format!("must have 1 to {LONGEST} bytes"));
        }
        if text.chars().any(char::is_control) || text.trim() != text {
            return Err("must be one line without space around it".to_owned());
        }
        let parts: Vec<String> = text.split('*').map(str::to_owned).collect();
        if parts.len() > MOST_STARS + 1 {
            return Err(format!("may hold `*` {MOST_STARS} times"));
        }
        Ok(Self(parts))
    }

    /// Takes the leftmost place for each part, which finds a match wherever there is one: the time
    /// grows with both lengths and never beyond.
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_first() else { return false };
        let Some(mut left) = text.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
        for part in middle {
            let Some(at) = left.find(part.as_str()) else { return false };
            left = left.get(at + part.len()..).unwrap_or_default();
        }
        left.ends_with(last.as_str())
    }
}

/// `model.call` is that and all below it (`model.call.embeddings`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActionPattern(Glob, Glob);

impl ActionPattern {
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(Glob::parse(text)?, Glob::parse(&format!("{text}.*"))?))
    }

    pub fn matches(&self, action: &str) -> bool {
        self.0.matches(action) || self.1.matches(action)
    }
}

/// `model:gpt-*`, `provider:openai`, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResourcePattern {
    Any,
    Of { kind: String, name: Glob },
}

/// The kinds of what is called.
pub(crate) const KINDS: [&str; 2] = ["model", "provider"];

impl ResourcePattern {
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "*" => Ok(Self::Any),
            Some((kind, name)) if KINDS.contains(&kind) => {
                Ok(Self::Of { kind: kind.to_owned(), name: Glob::parse(name)? })
            }
            _ => Err("must be `*`, `model:<pattern>` or `provider:<pattern>`".to_owned()),
        }
    }

    pub fn matches(&self, kind: &str, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Of { kind: own, name: glob } => own == kind && glob.matches(name),
        }
    }

    pub const fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_nothing_else_does() {
        for (pattern, text, matches) in [
            ("gpt-5", "gpt-5", true),
            ("gpt-5", "gpt-55", false),
            ("gpt-*", "gpt-", true),
            ("*-mini", "gpt-5-mini", true),
            ("*-mini", "gpt-5-mini-2", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("gpt.5", "gpt-5", false),
            ("**", "", true),
        ] {
            assert_eq!(Glob::parse(pattern).unwrap().matches(text), matches, "{pattern} {text}");
        }
        for wrong in ["", " a", "a\nb", &"*".repeat(9), &"a".repeat(201)] {
            assert!(Glob::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_action_holds_what_is_below_it_and_a_resource_only_its_kind() {
        let call = ActionPattern::parse("model.call").unwrap();
        assert!(call.matches("model.call") && call.matches("model.call.embeddings"));
        assert!(!call.matches("model.called") && !call.matches("model.list"));
        assert!(ActionPattern::parse("*").unwrap().matches("model.list"));
        let openai = ResourcePattern::parse("provider:open*").unwrap();
        assert!(openai.matches("provider", "openai") && !openai.matches("model", "openai"));
        assert!(ResourcePattern::parse("gpt-5").is_err());
        assert!(ResourcePattern::parse("tool:shell").is_err());
    }
}
