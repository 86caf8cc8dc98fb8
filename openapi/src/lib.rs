//! The contract: what the control plane's requests and answers look like.
//!
//! The server answers with these types, the console reads them, and `openapi.json` is generated
//! from them. They hold no rules and reach for nothing: no sockets, no clock, no SQL. Bodies that
//! a caller writes refuse unknown fields, so a misspelt setting is an error and not a surprise.

pub mod access;
pub mod access_requests;
pub mod access_reviews;
pub mod adjustments;
pub mod alerts;
pub mod approvals;
pub mod audit;
pub mod batches;
pub mod break_glass;
pub mod budgets;
pub mod call_rules;
pub mod catalog;
pub mod changes;
pub mod erasure;
pub mod factors;
pub mod forecast;
pub mod guardrails;
pub mod health;
pub mod identity;
pub mod links;
pub mod oauth;
pub mod operators;
pub mod overview;
pub mod page;
pub mod passkeys;
pub mod policies;
pub mod portability;
pub mod rate_limits;
pub mod replay;
pub mod reports;
pub mod resilience;
pub mod retention;
pub mod routing;
pub mod scim;
pub mod simulate;
pub mod sinks;
pub mod sso;
pub mod tokens;
pub mod usage;
pub mod vault;

pub use page::Page;
pub use ralex_kernel::{Code, FieldError, Problem};

/// Derives of a type that the server sends.
macro_rules! answer {
    ($($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub struct $name { $($body)* }
    )+};
}

/// Derives of a type that a caller sends.
macro_rules! request {
    ($($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub struct $name { $($body)* }
    )+};
}

/// A closed list of words, each with its name on the wire. The name is a token, since the derive of
/// schemas does not see through a literal that was matched as one.
macro_rules! words {
    ($($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:tt),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The one of this name, if there is one.
            pub fn named(name: &str) -> Option<Self> {
                match name { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::place(from, &[$($word),+]).map(|place| Self::ALL[place])
            }
        }
    )+};
}

/// Which of some words it is. One function reads all lists of words; a derived one for each of them
/// would be a good part of what a browser downloads as the console.
fn place<'de, D>(from: D, words: &'static [&'static str]) -> Result<usize, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let text = <String as serde::Deserialize>::deserialize(from)?;
    let place = words.iter().position(|word| *word == text);
    place.ok_or_else(|| serde::de::Error::unknown_variant(&text, words))
}

pub(crate) use {answer, request, words};

/// Reads a field of a change that may be null: absent is `None`, null is `Some(None)`.
#[expect(clippy::option_option, reason = "a change tells absent, null and a value apart")]
pub(crate) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    <Option<T> as serde::Deserialize>::deserialize(deserializer).map(Some)
}
