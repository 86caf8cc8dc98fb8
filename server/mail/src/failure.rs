//! Why a message was not taken, in a sentence that a person can act on.

use std::error::Error as _;
use std::io;

use lettre::transport::smtp::Error;

/// So much of what a mail server says is repeated.
const EXCERPT: usize = 200;
/// Answers about the login: what fails so can be put right by the operator.
const LOGIN: [u16; 4] = [530, 534, 535, 538];

/// A message that the mail server did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One sentence, with nothing secret.
    pub why: String,
    /// The server refused this message for good; it is of no use to try again.
    pub for_good: bool,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    pub(crate) fn absent() -> Self {
        Self::now("No mail server is set: an operator names one with RALEX_SMTP_URL.".to_owned())
    }

    pub(crate) fn late(host: &str) -> Self {
        Self::now(format!("The mail server {host} did not answer in time."))
    }

    pub(crate) fn message(why: String) -> Self {
        Self { why, for_good: true }
    }

    fn now(why: String) -> Self {
        Self { why, for_good: false }
    }

    pub(crate) fn of(host: &str, error: &Error) -> Self {
        let status = error.status().map(u16::from);
        let why = match status {
            // The answer to a login may repeat some of it.
            Some(code) if LOGIN.contains(&code) => {
                format!("The mail server {host} refused the login with {code}.")
            }
            Some(code) => {
                let said = error.source().map(ToString::to_string).unwrap_or_default();
                format!("The mail server {host} answered {code}{}", excerpt(&said))
            }
            None if error.is_timeout() => return Self::late(host),
            None if error.is_tls() || handshake(error).is_some() => {
                let said = excerpt(&handshake(error).unwrap_or_default());
                format!("No encrypted connection to the mail server {host} could be made{said}")
            }
            // What our side found wrong with the conversation: no STARTTLS, no way to log in.
            None if error.is_client() => {
                let said = error.source().map(ToString::to_string).unwrap_or_default();
                format!("The mail server {host} cannot be used{}", excerpt(&said))
            }
            None => format!("The mail server {host} cannot be reached."),
        };
        let for_good = error.is_permanent() && !status.is_some_and(|code| LOGIN.contains(&code));
        Self { why, for_good }
    }
}

/// What was wrong with the handshake, if that is where it broke off: an unknown authority, a
/// certificate of another name.
fn handshake(error: &Error) -> Option<String> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::InvalidData
        {
            return Some(error.to_string());
        }
        source = cause.source();
    }
    None
}

fn excerpt(said: &str) -> String {
    let said: String =
        said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT).collect();
    let said = said.trim().trim_end_matches('.');
    if said.is_empty() { ".".to_owned() } else { format!(": {said}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_stays_one_short_line() {
        assert_eq!(excerpt(""), ".");
        assert_eq!(excerpt("no such\r\nuser."), ": no such  user.");
        assert!(excerpt(&"x".repeat(1_000)).len() < 210);
    }
}
