//! Counts in words.

use super::borrowed::fixed;

/// Groups of three digits: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 token`, `14 tokens`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = match number {
        1 => "",
        _ if noun.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{} {noun}{plural}", grouped(number))
}

/// A share in percent, with one decimal where it is small: `0.4%`, `37%`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.1 {
        "<0.1%".to_owned()
    } else if percent > 0.0 && percent < 10.0 {
        format!("{}%", fixed(percent, 1))
    } else {
        format!("{}%", fixed(percent, 0))
    }
}

/// Reads a number as people write one, such as `0.85`. The standard library's way is right to the last
/// bit of any number, by a table of ten kilobytes that every browser would download.
pub fn decimal(text: &str) -> Option<f64> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = whole.len() + part.len();
    let number = whole.bytes().chain(part.bytes()).try_fold(0.0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10.0 + f64::from(digit - b'0'))
    })?;
    (digits > 0).then(|| number / part.bytes().fold(1.0, |unit, _| unit * 10.0))
}

/// A length of time from milliseconds: `820 ms`, `1.24 s`, `2 min 5 s`.
pub fn milliseconds(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{:02} s", ms / 1_000, ms % 1_000 / 10),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn one_is_not_plural() {
        assert_eq!(counted(1, "token"), "1 token");
        assert_eq!(counted(0, "token"), "0 tokens");
        assert_eq!(counted(2, "batch"), "2 batches");
    }

    #[test]
    fn a_number_is_read_as_it_is_written() {
        for number in [0.0, 1.0, 0.85, 0.3, 99.99, 1000.0, 0.000_001] {
            assert_eq!(decimal(&number.to_string()), Some(number));
        }
        for wrong in ["", ".", "-1", "1e3", "1,5", "1.2.3", "NaN", "much"] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
        assert_eq!((decimal(" 5. "), decimal(".5")), (Some(5.0), Some(0.5)));
    }

    #[test]
    fn a_length_of_time_has_a_fitting_unit() {
        assert_eq!(milliseconds(820), "820 ms");
        assert_eq!(milliseconds(1_240), "1.24 s");
        assert_eq!(milliseconds(125_000), "2 min 5 s");
    }

    #[test]
    fn a_small_share_keeps_a_decimal() {
        assert_eq!(percent(0.004), "0.4%");
        assert_eq!(percent(0.37), "37%");
        assert_eq!(percent(0.000_002), "<0.1%");
        assert_eq!(percent(0.0), "0%");
    }
}
