//! Names that people choose: checked once at the edge, then carried as types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

const SLUG_MAX: usize = 63;
const NAME_MAX: usize = 120;
const EMAIL_MAX: usize = 254;

/// Why a text is not such a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNameError {
    #[error(
        "must be 1 to 63 lower-case letters, digits or hyphens, and start with a letter or digit"
    )]
    Slug,
    #[error("looks like an id; choose a slug that is not a UUID")]
    SlugIsId,
    #[error("must be 1 to 120 characters without control characters")]
    Name,
    #[error("is not an e-mail address such as ann@example.com")]
    Email,
}

/// The short name that stands in addresses and on command lines (`platform`, `team-a`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, pattern = "^[a-z0-9][a-z0-9-]{0,62}$", example = "platform"))]
pub struct Slug(String);

/// What people read (`Platform team`); surrounding space is dropped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, min_length = 1, max_length = 120, example = "Platform team"))]
pub struct Name(String);

/// An e-mail address as its owner writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, format = "email", example = "ann@example.com"))]
pub struct Email(String);

impl Email {
    /// The one form in which look-up, throttling and uniqueness compare addresses.
    pub fn key(&self) -> String {
        self.0.trim().to_lowercase()
    }
}

impl FromStr for Slug {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let shaped = (1..=SLUG_MAX).contains(&text.len())
            && text.chars().all(allowed)
            && !text.starts_with('-');
        if !shaped {
            return Err(ParseNameError::Slug);
        }
        // An address takes an id or a slug, so no slug may read as an id.
        if uuid::Uuid::parse_str(text).is_ok() {
            return Err(ParseNameError::SlugIsId);
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Name {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let hidden = |c: char| {
            c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        };
        if trimmed.is_empty() || trimmed.chars().count() > NAME_MAX || trimmed.contains(hidden) {
            return Err(ParseNameError::Name);
        }
        Ok(Self(trimmed.to_owned()))
    }
}

impl FromStr for Email {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let hidden = |c: char| c.is_control() || c.is_whitespace();
        let shaped = trimmed.len() <= EMAIL_MAX
            && !trimmed.contains(hidden)
            && trimmed.rsplit_once('@').is_some_and(|(local, domain)| {
                !local.is_empty()
                    && !local.contains('@')
                    && !domain.is_empty()
                    && !domain.starts_with('.')
                    && !domain.ends_with('.')
            });
        if shaped { Ok(Self(trimmed.to_owned())) } else { Err(ParseNameError::Email) }
    }
}

macro_rules! checked_text {
    ($($name:ident),+) => {$(
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

checked_text!(Slug, Name, Email);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_plain_and_never_an_id() {
        for good in ["a", "platform", "team-2", "9lives", &"x".repeat(63)] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a b", "a/../b", "ü", "a\n", &"x".repeat(64)] {
            assert_eq!(bad.parse::<Slug>(), Err(ParseNameError::Slug), "{bad}");
        }
        let id = "0190b7f2-4b1e-7c3a-8f00-000000000000";
        assert_eq!(id.parse::<Slug>(), Err(ParseNameError::SlugIsId));
    }

    #[test]
    fn a_name_hides_no_characters() {
        assert_eq!(" Ann ".parse::<Name>().unwrap().as_str(), "Ann");
        for bad in ["", "  ", "a\u{0}b", "a\nb", "a\u{202e}b", &"x".repeat(121)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn addresses_that_differ_only_in_case_are_one_account() {
        let one: Email = " Ann@Example.com ".parse().unwrap();
        assert_eq!(one.key(), "ann@example.com");
        for bad in ["", "a", "@b", "a@", "a b@c", "a@b@c", "a@.b", "a@b."] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }
}
