//! What a refusal says: the figures that it was decided by.

use ralex_kernel::Money;

/// A refusal for want of money, in its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The worst case of the call.
    pub needed: Money,
    limit: Money,
    spent: Money,
    held: Money,
}

impl Refusal {
    /// Reads `this call may cost up to $N, and of $L, $S is spent and $H is held …`.
    pub fn read(body: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(body);
        let (needed, rest) = amount(text.split_once("may cost up to $")?.1)?;
        let (limit, rest) = amount(rest.split_once("and of $")?.1)?;
        let (spent, rest) = amount(rest.split_once(", $")?.1)?;
        let held = rest.strip_prefix(" is spent and $").and_then(amount);
        let held = held.map(|(held, _)| held).unwrap_or_default();
        Some(Self { needed, limit, spent, held })
    }

    /// By its own figures, the money would have been there.
    pub fn contradicts_itself(&self) -> bool {
        self.limit - self.spent - self.held >= self.needed
    }
}

/// The amount that a text begins with, and what comes after it.
fn amount(text: &str) -> Option<(Money, &str)> {
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    Some((text[..end].trim_end_matches('.').parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = r#"{"error":{"message":"The total budget of team:red has not enough left: this call may cost up to $0.001, and of $0.01, $0.008 is spent and $0.0015 is held for calls under way. Raise the limit to go on."}}"#;

    #[test]
    fn a_refusal_for_want_of_money_says_what_it_was_decided_by() {
        let read = Refusal::read(WORDS.as_bytes()).unwrap();
        let cents = |text: &str| text.parse().unwrap();
        let expected = Refusal {
            needed: cents("0.001"),
            limit: cents("0.01"),
            spent: cents("0.008"),
            held: cents("0.0015"),
        };
        assert_eq!(read, expected);
        assert!(!read.contradicts_itself());
    }

    #[test]
    fn one_that_would_have_fitted_is_known_by_its_own_words() {
        let words = WORDS.replace("0.0015", "0.001");
        assert!(Refusal::read(words.as_bytes()).unwrap().contradicts_itself());
        assert_eq!(Refusal::read(b"There is no such model"), None);
    }
}
