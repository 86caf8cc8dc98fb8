//! Amounts as exports write them: exact, whatever the number of digits.

use ralex_kernel::Money;

const NANO_DIGITS: i32 = 9;
const MOST_DIGITS: usize = 60;

/// Reads `12.5`, `-0.1` or `1.25e-05` of a unit that is `10^scale` dollars, rounded half away from
/// zero to the nano-dollar. Nothing where it is no number, or too large.
pub(super) fn money(text: &str, scale: i32) -> Option<Money> {
    let text = text.trim();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all: String = [whole, fraction].concat();
    if all.is_empty() || all.len() > MOST_DIGITS || !all.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    // How many of the digits stand before the point of a number of nano-dollars.
    let whole = i32::try_from(whole.len()).ok()?;
    let point = whole.checked_add(i32::from(exponent))?.checked_add(scale + NANO_DIGITS)?;
    let nanos = rounded(&all, point)?;
    let nanos = i64::try_from(nanos).ok()?;
    Some(Money::nanos(if negative { -nanos } else { nanos }))
}

fn rounded(digits: &str, point: i32) -> Option<i128> {
    let Ok(point) = usize::try_from(point) else { return Some(0) };
    let whole = digits.get(..point).unwrap_or(digits);
    let zeros = point.saturating_sub(digits.len());
    let significant = whole.trim_start_matches('0');
    if significant.is_empty() {
        return Some(up(digits, point));
    }
    if significant.len() + zeros > 30 {
        return None;
    }
    let number: i128 = significant.parse().ok()?;
    Some(number * 10_i128.pow(u32::try_from(zeros).ok()?) + up(digits, point))
}

/// One where the first digit that is cut off says so.
fn up(digits: &str, point: usize) -> i128 {
    i128::from(digits.as_bytes().get(point).is_some_and(|digit| *digit >= b'5'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_to_the_nano_dollar() {
        let nanos = |text, scale| money(text, scale).map(Money::as_nanos);
        for (text, expected) in [
            ("0.06", 60_000_000),
            ("12", 12_000_000_000),
            ("-0.5", -500_000_000),
            ("1.25e-05", 12_500),
            ("1E2", 100_000_000_000),
            ("0.1308043830340752600000000", 130_804_383),
            ("0.0000000005", 1),
            ("0.00000000049", 0),
            ("0", 0),
            ("00.10", 100_000_000),
            ("9223372036.854775807", i64::MAX),
        ] {
            assert_eq!(nanos(text, 0), Some(expected), "{text}");
        }
        assert_eq!(nanos("123.45", -2), Some(1_234_500_000));
        assert_eq!(nanos("0.1", -2), Some(1_000_000));
        for text in
            ["", "-", ".", "1,5", "$1", "1e", "e5", "--1", "NaN", "9223372036.854775808", "1e30"]
        {
            assert_eq!(nanos(text, 0), None, "{text}");
        }
        assert_eq!(nanos("1e-300", 0), Some(0));
    }
}
