//! Social security and taxpayer numbers of the United States.
//!
//! They carry no checksum; which areas and groups are given out is published by the Social
//! Security Administration and the Internal Revenue Service.

use super::{digits, monotone};

/// Numbers that were printed in advertisements and are therefore in every collection of fakes.
const ADVERTISED: [&str; 3] = ["078051120", "219099999", "457555462"];

pub(super) fn is_ssn(text: &str) -> bool {
    let Some((area, group, serial)) = parts(text) else { return false };
    let written: String = text.chars().filter(char::is_ascii_digit).collect();
    area != 0
        && area != 666
        && area < 900
        && group != 0
        && serial != 0
        && written != "123456789"
        && !ADVERTISED.contains(&written.as_str())
}

pub(super) fn is_itin(text: &str) -> bool {
    let Some((area, group, _)) = parts(text) else { return false };
    (900..=999).contains(&area) && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

fn parts(text: &str) -> Option<(u32, u32, u32)> {
    let digits = digits(text);
    if digits.len() != 9 || monotone(&digits) {
        return None;
    }
    let number =
        |range: &[u8]| range.iter().fold(0, |number, digit| number * 10 + u32::from(*digit));
    Some((number(&digits[..3]), number(&digits[3..5]), number(&digits[5..])))
}

#[cfg(test)]
mod tests {
    use super::{is_itin, is_ssn};

    #[test]
    fn only_numbers_that_can_have_been_given_out_pass() {
        assert!(is_ssn("536-90-4399") && is_ssn("536904399"));
        for never in ["000-12-3456", "666-12-3456", "912-34-5678", "536-00-4399", "536-90-0000"] {
            assert!(!is_ssn(never), "{never}");
        }
        assert!(!is_ssn("078-05-1120"), "printed in a wallet in 1938");
        assert!(is_itin("912-70-1234") && !is_itin("912-89-1234") && !is_itin("536-90-4399"));
    }
}
