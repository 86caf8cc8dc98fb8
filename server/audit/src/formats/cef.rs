//! CEF, as older collectors read it: a head of seven fields between bars, then `key=value` pairs.

use std::net::IpAddr;

use super::{Told, is_control, is_grave, json};

pub fn line(told: &Told) -> String {
    let (action, outcome) = (told.text("/action"), told.text("/outcome"));
    let severity = match outcome.as_str() {
        _ if is_grave(&action) => 10,
        "denied" => 6,
        "error" => 5,
        _ => 3,
    };
    let (name, version) = (header(&action), env!("CARGO_PKG_VERSION"));
    let head = format!("CEF:0|Ralex|Ralex|{version}|{name}|{name}|{severity}|");
    let extension: Vec<String> = pairs(told, action, outcome)
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(key, text)| format!("{key}={}", value(&text)))
        .collect();
    head + &extension.join(" ")
}

fn pairs(told: &Told, action: String, outcome: String) -> Vec<(&'static str, String)> {
    // What was erased is no address.
    let address = told.text("/address");
    let address = if address.parse::<IpAddr>().is_ok() { address } else { String::new() };
    let labelled = |key, label: (&'static str, &str), text: String| {
        let name = if text.is_empty() { String::new() } else { label.1.to_owned() };
        [(label.0, name), (key, text)]
    };
    let mut pairs = vec![
        ("rt", told.milliseconds().to_string()),
        ("externalId", told.id()),
        ("act", action),
        ("outcome", outcome),
        ("suser", told.actor_name.clone()),
        ("suid", told.text("/actor/id")),
    ];
    if matches!(address.parse(), Ok(IpAddr::V6(_))) {
        pairs.extend(labelled("c6a2", ("c6a2Label", "Source IPv6 Address"), address));
    } else {
        pairs.push(("src", address));
    }
    pairs.extend(labelled("cs1", ("cs1Label", "target"), told.text("/target")));
    pairs.extend(labelled("cs2", ("cs2Label", "request"), told.text("/request")));
    pairs.extend(labelled("cs3", ("cs3Label", "organisation"), told.text("/org")));
    pairs.extend(labelled("cs4", ("cs4Label", "leafHash"), told.leaf_hash.clone()));
    pairs.extend(labelled("cn1", ("cn1Label", "index"), told.index.to_string()));
    pairs.push(("msg", json(&told.detail())));
    pairs
}

/// A field of the head, where a bar would end it.
fn header(text: &str) -> String {
    escape(text, '|')
}

/// A value, where an equals sign could begin another.
fn value(text: &str) -> String {
    escape(text, '=')
}

fn escape(text: &str, special: char) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '\\' => escaped.push_str("\\\\"),
            _ if it == special => escaped.extend(['\\', it]),
            '\n' if special == '=' => escaped.push_str("\\n"),
            '\r' if special == '=' => escaped.push_str("\\r"),
            _ if is_control(it) => escaped.push('\u{fffd}'),
            _ => escaped.push(it),
        }
    }
    escaped
}
