//! Money and prices in whole nano-dollars: an amount is never a float and never loses a digit.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const NANOS_PER_DOLLAR: i64 = 1_000_000_000;
const DECIMALS: usize = 9;
const TOKENS_PER_PRICE: i128 = 1_000_000;

/// An amount in billionths of a US dollar. Written as a decimal string of dollars (`"12.5"`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
pub struct Money(i64);

/// What a million tokens cost, in billionths of a US dollar. Written as a decimal string of dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
pub struct Price(i64);

/// Why a text is not an amount of dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseMoneyError {
    #[error("is not a decimal number of dollars such as \"12.50\"")]
    Malformed,
    #[error("has more than nine digits after the point; the smallest amount is 0.000000001")]
    TooFine,
    #[error("is larger than 9223372036 dollars")]
    TooLarge,
}

impl Money {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(i64::MAX);

    pub const fn nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    pub const fn dollars(dollars: i64) -> Self {
        Self(dollars * NANOS_PER_DOLLAR)
    }

    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// This amount as a share of `whole`, between 0 and 1 for what fits; for display only.
    #[expect(clippy::cast_precision_loss, reason = "a ratio for a bar, never an amount")]
    pub fn share_of(self, whole: Self) -> f64 {
        if whole.0 == 0 { 0.0 } else { self.0 as f64 / whole.0 as f64 }
    }
}

impl Price {
    pub const ZERO: Self = Self(0);

    pub const fn nanos_per_million(nanos: i64) -> Self {
        Self(nanos)
    }

    pub const fn as_nanos_per_million(self) -> i64 {
        self.0
    }

    /// What `tokens` cost, rounded up to the next nano-dollar so that no sum falls short.
    pub fn cost(self, tokens: u64) -> Money {
        let nanos = i128::from(self.0) * i128::from(tokens);
        let rounded = (nanos + TOKENS_PER_PRICE - 1).div_euclid(TOKENS_PER_PRICE);
        Money(i64::try_from(rounded).unwrap_or(i64::MAX))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.saturating_add(other)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.saturating_sub(other)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

fn parse_nanos(text: &str) -> Result<i64, ParseMoneyError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let point_without_digits = digits.contains('.') && fraction.is_empty();
    if whole.is_empty() || point_without_digits || !all_digits(whole) || !all_digits(fraction) {
        return Err(ParseMoneyError::Malformed);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > DECIMALS {
        return Err(ParseMoneyError::TooFine);
    }
    let whole: i64 = whole.parse().map_err(|_| ParseMoneyError::TooLarge)?;
    let fraction: i64 =
        format!("{fraction:0<DECIMALS$}").parse().map_err(|_| ParseMoneyError::Malformed)?;
    let nanos = whole
        .checked_mul(NANOS_PER_DOLLAR)
        .and_then(|nanos| nanos.checked_add(fraction))
        .ok_or(ParseMoneyError::TooLarge)?;
    Ok(if negative { -nanos } else { nanos })
}

fn write_nanos(nanos: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if nanos < 0 { "-" } else { "" };
    let absolute = nanos.unsigned_abs();
    let unit = NANOS_PER_DOLLAR.unsigned_abs();
    let (whole, fraction) = (absolute / unit, absolute % unit);
    if fraction == 0 {
        return f.pad(&format!("{sign}{whole}"));
    }
    let digits = format!("{fraction:0>DECIMALS$}");
    f.pad(&format!("{sign}{whole}.{}", digits.trim_end_matches('0')))
}

macro_rules! decimal_string {
    ($name:ident, $example:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_nanos(self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseMoneyError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_nanos(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|error| de::Error::custom(format!("`{text}` {error}")))
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(r"^-?\d+(\.\d{1,9})?$"))
                    .examples([$example])
                    .description(Some("US dollars as a decimal string, exact to 0.000000001"))
                    .into()
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::ToSchema for $name {}
    };
}

decimal_string!(Money, "12.5");
decimal_string!(Price, "0.15");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_amount_is_written_as_it_is_read() {
        for text in ["0", "1", "0.000000001", "12.5", "-3.25", "9223372036.854775807"] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused_with_its_reason() {
        for text in ["", "-", ".5", "1.", "1e3", "1,5", "$1", " 1", "+1", "١", "--1", "0x1"] {
            assert_eq!(text.parse::<Money>(), Err(ParseMoneyError::Malformed), "{text}");
        }
        assert_eq!("0.0000000001".parse::<Money>(), Err(ParseMoneyError::TooFine));
        assert_eq!("9223372037".parse::<Money>(), Err(ParseMoneyError::TooLarge));
        assert_eq!("99999999999999999999".parse::<Money>(), Err(ParseMoneyError::TooLarge));
    }

    #[test]
    fn a_cost_is_rounded_up_to_the_nano_dollar() {
        let price: Price = "0.15".parse().unwrap();
        assert_eq!(price.cost(1), Money::nanos(150));
        assert_eq!(Price::nanos_per_million(1).cost(1), Money::nanos(1));
        assert_eq!(Price::ZERO.cost(u64::MAX), Money::ZERO);
        assert_eq!(Price::nanos_per_million(i64::MAX).cost(u64::MAX), Money::MAX);
    }

    proptest! {
        #[test]
        fn every_amount_survives_writing_and_reading(nanos in (i64::MIN + 1)..i64::MAX) {
            let money = Money::nanos(nanos);
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
        }
    }
}
