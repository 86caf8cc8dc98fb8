//! Syslog as RFC 5424 has it: what is searched for as structured data, the record itself as text.

use std::fmt::Write as _;

use super::{Told, is_grave, json, printable};

/// Facility 13, "log audit".
const FACILITY: u8 = 13;

/// The enterprise number that RFC 5612 keeps for whoever has none.
const DATA: &str = "ralex@32473";

/// The record with what is searched for as structured data, and all of it as JSON.
pub fn line(told: &Told, origin: &str) -> String {
    let mut line = head(told, origin);
    write!(line, "[{DATA}").ok();
    for (name, text) in [
        ("index", told.index.to_string()),
        ("event", told.id()),
        ("org", told.text("/org")),
        ("actor", told.actor_name.clone()),
        ("actorId", told.text("/actor/id")),
        ("action", told.text("/action")),
        ("outcome", told.text("/outcome")),
        ("target", told.text("/target")),
        ("request", told.text("/request")),
        ("address", told.text("/address")),
        ("leafHash", told.leaf_hash.clone()),
    ] {
        if !text.is_empty() {
            write!(line, " {name}=\"{}\"", parameter(&text)).ok();
        }
    }
    // The byte order mark says that the text is UTF-8.
    line.push_str("] \u{feff}");
    line.push_str(&json(&told.record));
    line
}

/// The same head over a text of another form, which has no controls in it. Readers of such forms
/// look for their beginning and take no byte order mark before it.
pub fn around(told: &Told, origin: &str, text: &str) -> String {
    format!("{}- {text}", head(told, origin))
}

fn head(told: &Told, origin: &str) -> String {
    let severity = match told.text("/outcome").as_str() {
        _ if is_grave(&told.text("/action")) => 2,
        "denied" => 4,
        "error" => 3,
        _ => 6,
    };
    let priority = FACILITY * 8 + severity;
    let time = word(&told.text("/occurred_at"), 32);
    // The log's name begins with the deployment, which is what a host is to a collector.
    let host = word(origin.split('/').next().unwrap_or_default(), 255);
    format!("<{priority}>1 {time} {host} ralex - {} ", word(&told.text("/action"), 32))
}

/// A field of the head: printable ASCII without a space, or a dash.
fn word(text: &str, longest: usize) -> String {
    let word: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

fn parameter(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in printable(text).chars() {
        if matches!(it, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(it);
    }
    escaped
}
