//! Hidden payloads: instructions that a request carries encoded, so that a filter reads past them.
//!
//! What looks like base64, base64url, hexadecimal, binary or percent-encoding and turns into text
//! is scanned as that text. Only rules with a weight look there, and what they find counts at the
//! place of the encoded text. Nothing is decoded twice, and at most [`MOST`] bytes of a text.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use regex_automata::Span;

use crate::rule::Match;
use crate::scan::{Hit, Scanner};

/// The shortest run that is worth decoding.
const SHORTEST: usize = 24;
/// How much of one text is decoded.
const MOST: usize = 64 * 1024;

const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// Matches inside what `text` carries encoded.
pub(crate) fn hidden(text: &str, scanner: &Scanner) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut left = MOST;
    for span in runs(text) {
        let length = span.end - span.start;
        if length > left {
            break;
        }
        let Some(plain) = decoded(&text[span.start..span.end]) else { continue };
        left -= length;
        let inside = scanner.scan(&plain, 0);
        let weighted = inside.into_iter().filter(|hit| scanner.rules[hit.rule].weight.is_some());
        hits.extend(weighted.map(|hit| Hit { found: Match { whole: span, meant: span }, ..hit }));
    }
    hits
}

/// Runs of characters that encodings use, and rows of binary digits.
fn runs(text: &str) -> impl Iterator<Item = Span> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            let alphabet: fn(u8) -> bool =
                if binary_starts(&bytes[at..]) { in_binary } else { in_code };
            while at < bytes.len() && alphabet(bytes[at]) {
                at += 1;
            }
            if at - start >= SHORTEST {
                return Some(Span { start, end: at });
            }
            at = at.max(start + 1);
        }
        None
    })
}

/// Three octets of binary digits.
fn binary_starts(bytes: &[u8]) -> bool {
    let octet = |at: usize| {
        bytes.get(at..at + 8).is_some_and(|it| it.iter().all(|b| matches!(b, b'0' | b'1')))
    };
    octet(0) && bytes.get(8) == Some(&b' ') && octet(9)
}

const fn in_binary(byte: u8) -> bool {
    matches!(byte, b'0' | b'1' | b' ')
}

const fn in_code(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'%' | b'\\')
}

/// The text that a run means; none where it means bytes or is simply text.
fn decoded(run: &str) -> Option<String> {
    let by_percent = || run.matches('%').count() >= 3;
    let bytes = if run.bytes().all(in_binary) {
        binary(run)?
    } else if by_percent() {
        percent(run)
    } else if run.starts_with("\\u") {
        return escapes(run);
    } else if run.bytes().all(|byte| byte.is_ascii_hexdigit()) && run.len().is_multiple_of(2) {
        hex(run)?
    } else {
        let bare = run.trim_end_matches('=');
        STANDARD.decode(bare).or_else(|_| URL_SAFE.decode(bare)).ok()?
    };
    let text = String::from_utf8(bytes).ok()?;
    let printable = text.chars().filter(|c| !c.is_control() || c.is_ascii_whitespace()).count();
    (printable == text.chars().count()).then_some(text)
}

fn binary(run: &str) -> Option<Vec<u8>> {
    run.split_ascii_whitespace().map(|octet| u8::from_str_radix(octet, 2).ok()).collect()
}

fn hex(run: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(run.get(at..at + 2)?, 16).ok();
    (0..run.len()).step_by(2).map(pair).collect()
}

fn percent(run: &str) -> Vec<u8> {
    let bytes = run.as_bytes();
    let (mut plain, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| run.get(at + 1..at + 3)).flatten();
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            plain.push(byte);
            at += 3;
        } else {
            plain.push(bytes[at]);
            at += 1;
        }
    }
    plain
}

/// `\u0049\u0067…`
fn escapes(run: &str) -> Option<String> {
    run.split("\\u")
        .skip(1)
        .map(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?))
        .collect()
}
