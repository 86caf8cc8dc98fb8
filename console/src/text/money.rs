//! Amounts in words: exact where they stand in a sum, short where they stand alone.

use ralex_kernel::Money;

const DECIMALS: usize = 9;
/// Digits that a small amount keeps when it stands alone.
const SIGNIFICANT: usize = 4;

/// An amount that stands alone: two decimals from a dollar up, enough digits below.
pub fn short(amount: Money) -> String {
    let nanos = amount.as_nanos().unsigned_abs();
    if nanos == 0 || nanos >= 1_000_000_000 {
        return with_decimals(amount, 2);
    }
    // 0.00012345 has three zeros behind the point before its first digit.
    let zeros = DECIMALS - nanos.to_string().len();
    let kept = (zeros + SIGNIFICANT).min(DECIMALS);
    let text = with_decimals(amount, kept);
    let cents = text.find('.').map_or(text.len(), |point| point + 3);
    let end = text.trim_end_matches('0').len().max(cents);
    text[..end].to_owned()
}

/// Every digit of an amount, for a tooltip.
pub fn exact(amount: Money) -> String {
    format!("{} US dollars", with_decimals(amount, decimals_of(amount)))
}

/// How many decimals a column needs so that its rows add up to its sum, digit by digit.
pub fn decimals(amounts: impl IntoIterator<Item = Money>) -> usize {
    amounts.into_iter().map(decimals_of).max().unwrap_or(2)
}

/// An amount rounded half up to this many decimals, so that what is shown can be added up.
pub fn rounded(amount: Money, decimals: usize) -> Money {
    let unit = 10_i64.pow(u32::try_from(DECIMALS - decimals.min(DECIMALS)).unwrap_or(0));
    Money::nanos(amount.as_nanos().saturating_add(unit / 2).div_euclid(unit) * unit)
}

/// How many decimals show the first two digits of the smallest of some amounts, and two at least.
pub fn telling(amounts: impl IntoIterator<Item = Money>) -> usize {
    let smallest =
        amounts.into_iter().map(|it| it.as_nanos().unsigned_abs()).filter(|it| *it > 0).min();
    let digits = smallest.map_or(DECIMALS + 1, |nanos| nanos.to_string().len());
    (DECIMALS + 2).saturating_sub(digits).clamp(2, DECIMALS)
}

/// An amount with this many decimals, rounded half up, with its currency and groups of thousands.
pub fn with_decimals(amount: Money, decimals: usize) -> String {
    let decimals = decimals.min(DECIMALS);
    let unit = 10_u64.pow(u32::try_from(DECIMALS - decimals).unwrap_or(0));
    let rounded = (amount.as_nanos().unsigned_abs() + unit / 2) / unit;
    let per_dollar = 10_u64.pow(u32::try_from(decimals).unwrap_or(0));
    let sign = if amount.as_nanos() < 0 && rounded > 0 { "\u{2212}" } else { "" };
    let whole = super::number::grouped(rounded / per_dollar);
    if decimals == 0 {
        return format!("{sign}${whole}");
    }
    format!("{sign}${whole}.{:0>decimals$}", rounded % per_dollar)
}

fn decimals_of(amount: Money) -> usize {
    let digits = format!("{:0>DECIMALS$}", amount.as_nanos().unsigned_abs() % 1_000_000_000);
    digits.trim_end_matches('0').len().max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn an_amount_from_a_dollar_up_has_two_decimals() {
        assert_eq!(short(money("1")), "$1.00");
        assert_eq!(short(money("1234.567")), "$1,234.57");
        assert_eq!(short(money("-12.5")), "\u{2212}$12.50");
        assert_eq!(short(Money::ZERO), "$0.00");
    }

    #[test]
    fn an_amount_below_a_dollar_keeps_enough_digits() {
        assert_eq!(short(money("0.5")), "$0.50");
        assert_eq!(short(money("0.00012345")), "$0.0001235");
        assert_eq!(short(money("0.000000001")), "$0.000000001");
        assert_eq!(short(money("0.99999")), "$1.00");
    }

    #[test]
    fn a_column_has_the_decimals_of_its_finest_row() {
        let rows = [money("1"), money("0.25"), money("0.00015")];
        let decimals = decimals(rows);
        assert_eq!(decimals, 5);
        let shown: Vec<_> = rows.iter().map(|row| with_decimals(*row, decimals)).collect();
        assert_eq!(shown, ["$1.00000", "$0.25000", "$0.00015"]);
        assert_eq!(with_decimals(rows.into_iter().sum(), decimals), "$1.25015");
    }

    #[test]
    fn rounded_amounts_that_are_shown_together_add_up() {
        let (limit, spent, held) = (money("5"), money("0.0042"), money("0.00012549"));
        let places = telling([spent, held]);
        assert_eq!(places, 5);
        let left = limit - rounded(spent, places) - rounded(held, places);
        assert_eq!(with_decimals(left, places), "$4.99567");
        assert_eq!(with_decimals(rounded(held, places), places), "$0.00013");
        assert_eq!(telling([money("12"), Money::ZERO]), 2);
        assert_eq!(telling([Money::nanos(1)]), 9);
    }

    #[test]
    fn the_largest_amount_is_written_without_overflow() {
        assert_eq!(with_decimals(Money::MAX, 9), "$9,223,372,036.854775807");
        assert_eq!(short(Money::MAX), "$9,223,372,036.85");
    }
}
