//! The log in the forms that other programs read: one record a line, and nothing in a record that
//! could end its line, its field, or begin another.

mod cef;
mod cloudevents;
mod ocsf;
mod syslog;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ralex_api::audit::ExportFormat;
use ralex_kernel::Problem;
use serde_json::Value;

use crate::export::Row;
use crate::list::actor_name;
use crate::personal::Revealed;

/// A form with one line for each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The record as it is, as the exact text that the tree vouches for, with its place and hash.
    Jsonl,
    /// OCSF as JSON, by `policies/audit/ocsf.toml`.
    Ocsf,
    /// The Common Event Format, version 0.
    Cef,
    /// RFC 5424.
    Syslog,
    /// `CloudEvents` 1.0 as JSON.
    CloudEvents,
}

impl Form {
    /// The form of an export, unless that is the bundle or the table.
    pub(crate) const fn of(format: ExportFormat) -> Option<Self> {
        match format {
            ExportFormat::Ocsf => Some(Self::Ocsf),
            ExportFormat::Cef => Some(Self::Cef),
            ExportFormat::Syslog => Some(Self::Syslog),
            ExportFormat::CloudEvents => Some(Self::CloudEvents),
            ExportFormat::Jsonl | ExportFormat::Csv | ExportFormat::Disclosures => None,
        }
    }

    /// The record in this form, without an end of line. `origin` names the log.
    pub fn line(self, told: &Told, origin: &str) -> Result<String, Problem> {
        Ok(match self {
            Self::Jsonl => told.exact(),
            Self::Ocsf => json(&ocsf::event(told, origin)?),
            Self::Cef => cef::line(told),
            Self::Syslog => syslog::line(told, origin),
            Self::CloudEvents => json(&cloudevents::event(told, origin)),
        })
    }

    /// The record in this form as one message of syslog.
    pub fn message(self, told: &Told, origin: &str) -> Result<String, Problem> {
        let line = self.line(told, origin)?;
        Ok(if self == Self::Syslog { line } else { syslog::around(told, origin, &line) })
    }
}

/// A record as it is told to others.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its place in the tree.
    pub index: u64,
    leaf_hash: String,
    actor_name: String,
    record: Value,
    /// What was hashed, where it is one line of JSON.
    leaf: Option<String>,
    /// What its commitments are about, as verifiers take it.
    disclosures: Vec<String>,
}

impl Told {
    pub(crate) fn of(row: &Row, revealed: &Revealed) -> Option<Self> {
        let text = String::from_utf8_lossy(row.leaf.as_deref()?);
        // A leaf that was altered need not be JSON any more; it is told as it is.
        let read = serde_json::from_str(&text).ok();
        let leaf = read.is_some() && !text.chars().any(is_control);
        let leaf = leaf.then(|| text.clone().into_owned());
        let mut record = read.unwrap_or_else(|| Value::from(text));
        revealed.fill(row.event, &mut record);
        let mut told = Self {
            leaf,
            index: u64::try_from(row.index).unwrap_or(0),
            leaf_hash: STANDARD.encode(&row.hash),
            actor_name: String::new(),
            record,
            disclosures: revealed.disclosures(row.event),
        };
        let (kind, id) = (told.text("/actor/kind"), told.text("/actor/id"));
        told.actor_name = actor_name(&kind, id.parse().ok(), row.actor_name.clone());
        Some(told)
    }

    /// The day on which it happened, as `2026-11-21`, if it says so.
    pub fn day(&self) -> Option<String> {
        let time = chrono::DateTime::parse_from_rfc3339(&self.text("/occurred_at")).ok()?;
        Some(time.to_utc().format("%Y-%m-%d").to_string())
    }

    fn exact(&self) -> String {
        let (index, hash) = (self.index, &self.leaf_hash);
        let event = self.leaf.clone().unwrap_or_else(|| json(&self.record));
        let mut more = String::new();
        if !self.disclosures.is_empty() {
            write!(more, "\"disclosures\":{},", json(&Value::from(self.disclosures.clone()))).ok();
        }
        format!("{{\"index\":{index},\"hash\":\"{hash}\",{more}\"event\":{event}}}")
    }

    /// The event's id.
    pub fn id(&self) -> String {
        self.text("/event_id")
    }

    /// What stands there, as text; nothing where nothing does.
    fn text(&self, path: &str) -> String {
        match self.record.pointer(path) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    fn milliseconds(&self) -> i64 {
        let time = self.text("/occurred_at");
        chrono::DateTime::parse_from_rfc3339(&time).map_or(0, |time| time.timestamp_millis())
    }

    /// What happened in particular; all that there is, where the record cannot be read.
    fn detail(&self) -> Value {
        self.record.get("detail").unwrap_or(&self.record).clone()
    }
}

/// What somebody has to look at now, whether it went well or not: in the highest severity of each form.
fn is_grave(action: &str) -> bool {
    action.starts_with("break_glass.")
}

/// Whatever a program between here and the reader could take for the end of a line, or act upon.
fn is_control(it: char) -> bool {
    it.is_control() || matches!(it, '\u{2028}' | '\u{2029}')
}

/// JSON on one line of printable characters. Controls stand only in strings, where JSON has a
/// form for them.
fn json(value: &Value) -> String {
    let text = value.to_string();
    let mut line = String::with_capacity(text.len());
    for it in text.chars() {
        if is_control(it) {
            write!(line, "\\u{:04x}", u32::from(it)).ok();
        } else {
            line.push(it);
        }
    }
    line
}

/// Text without controls, for forms that have no way to write them.
fn printable(text: &str) -> String {
    text.chars().map(|it| if is_control(it) { '\u{fffd}' } else { it }).collect()
}
