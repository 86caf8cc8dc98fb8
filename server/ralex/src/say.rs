//! What a command says to the person or program that called it.

use std::io::Write;

/// Writes a line to standard output. A reader that went away is no reason to fail.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).ok();
}

/// Writes a line to standard error.
pub fn problem(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}
