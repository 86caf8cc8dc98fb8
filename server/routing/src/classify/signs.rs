//! Signs of traces, of code that nobody put between fences, and of answers to choose from: all
//! found in one pass over a text.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

const TRACE: [&str; 18] = [
    "Traceback (most recent",
    "\n    at ",
    "\n\tat ",
    "panicked at",
    "Exception in thread",
    "Segmentation fault",
    "error[E",
    "SyntaxError:",
    "TypeError:",
    "NullPointerException",
    "AttributeError:",
    "ReferenceError:",
    "KeyError:",
    "ValueError:",
    "npm ERR!",
    "undefined reference to",
    "exit code 1",
    "ECONNREFUSED",
];
const CODE: [&str; 20] = [
    "();",
    ") {",
    "=> {",
    "def ",
    "fn ",
    "function ",
    "return ",
    "import ",
    "#include",
    "const ",
    "public class",
    "public static",
    " = (",
    "</",
    "self.",
    "};",
    "SELECT ",
    "let ",
    "var ",
    "->",
];
/// So many signs of code make code of prose.
const ENOUGH: u32 = 3;
/// Three letters of answers each.
const CHOICES: [&str; 12] =
    ["A)", "B)", "C)", "(a)", "(b)", "(c)", "A.", "B.", "C.", "(A)", "(B)", "(C)"];

/// Every sign has a bit, in the order of the lists.
const TRACE_BITS: u64 = (1 << TRACE.len()) - 1;
const CODE_BITS: u64 = ((1 << CODE.len()) - 1) << TRACE.len();
const CHOICES_AT: usize = TRACE.len() + CODE.len();

/// What a text shows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signs {
    pub trace: bool,
    /// Code, though nothing says so.
    pub code: bool,
    /// Answers to choose from, each with its letter.
    pub choices: bool,
}

static MACHINE: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(TRACE.iter().chain(&CODE).chain(&CHOICES)).ok());

impl Signs {
    pub fn of(text: &str) -> Self {
        let found = MACHINE.iter().flat_map(|machine| machine.find_overlapping_iter(text));
        let bits = found.fold(0_u64, |bits, found| bits | 1 << found.pattern().as_usize());
        let letters = bits >> CHOICES_AT;
        Self {
            trace: bits & TRACE_BITS != 0,
            code: (bits & CODE_BITS).count_ones() >= ENOUGH,
            choices: (0..CHOICES.len() / 3).any(|at| letters >> (3 * at) & 7 == 7),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_is_told_from_the_others() {
        for sign in TRACE {
            assert!(Signs::of(sign).trace, "{sign}");
        }
        let of = |text: &str| {
            let Signs { trace, code, choices } = Signs::of(text);
            (trace, code, choices)
        };
        assert_eq!(of("let x = f(); return x -> y"), (false, true, false));
        assert_eq!(of("let me import it"), (false, false, false));
        assert_eq!(of("A) one B) two C) three"), (false, false, true));
        assert_eq!(of("(A) one (B) two"), (false, false, false));
    }
}
