//! The table for people: CSV as RFC 4180 has it, with nothing that a spreadsheet would run.
//!
//! Every column but the actor's name comes from the leaf itself, or from what it commits to, so it
//! is what the tree vouches for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ralex_kernel::Problem;
use ralex_kernel::sheet::harmless;
use serde_json::Value;

use crate::export::{Row, unwritable};
use crate::list::actor_name;
use crate::personal::Revealed;

/// New columns go to the end under a new version; none is renamed or dropped.
const COLUMNS: [&str; 15] = [
    "ralex_audit_csv_1",
    "event_id",
    "occurred_at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "credential_kind",
    "credential_id",
    "action",
    "outcome",
    "target",
    "request",
    "address",
    "detail",
    "leaf_hash",
];

pub(crate) fn header() -> Result<Vec<u8>, Problem> {
    write([COLUMNS.map(str::to_owned).to_vec()])
}

pub(crate) fn rows(rows: &[Row], revealed: &Revealed) -> Result<Vec<u8>, Problem> {
    let shown = |row: &Row| row.leaf.as_deref().map(|leaf| fields(row, leaf, revealed));
    write(rows.iter().filter_map(shown))
}

fn write(records: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, Problem> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for record in records {
        let harmless = record.into_iter().map(harmless);
        writer.write_record(harmless).map_err(|error| unwritable(&error))?;
    }
    writer.into_inner().map_err(|error| unwritable(error.error()))
}

fn fields(row: &Row, leaf: &[u8], revealed: &Revealed) -> Vec<String> {
    let record = revealed.record(row.event, leaf).unwrap_or(Value::Null);
    let text = |path: &str| match record.pointer(path) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let (kind, id) = (text("/actor/kind"), text("/actor/id"));
    let name = actor_name(&kind, id.parse().ok(), row.actor_name.clone());
    vec![
        row.index.to_string(),
        text("/event_id"),
        text("/occurred_at"),
        kind,
        id,
        name,
        text("/actor/credential_kind"),
        text("/actor/credential_id"),
        text("/action"),
        text("/outcome"),
        text("/target"),
        text("/request"),
        text("/address"),
        text("/detail"),
        STANDARD.encode(&row.hash),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(leaf: &str) -> Row {
        let leaf = Some(leaf.as_bytes().to_vec());
        Row {
            index: 0,
            event: uuid::Uuid::nil(),
            hash: vec![0; 32],
            leaf,
            actor_name: Some("=cmd()".into()),
        }
    }

    #[test]
    fn no_cell_starts_a_formula() {
        for start in ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx"] {
            assert!(harmless(start.to_owned()).starts_with('\''), "{start:?}");
        }
        assert_eq!(harmless("plain".into()), "plain");
    }

    #[test]
    fn one_event_is_one_record_whatever_it_holds() {
        let leaf = r#"{"action":"a,b\"c\r\nd","actor":{"kind":"user"},"detail":{"x":"\n"}}"#;
        let mut text = header().unwrap();
        text.extend(rows(&[row(leaf), row("not json")], &Revealed::default()).unwrap());
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), 2);
        assert_eq!(&records[0][8], "a,b\"c\r\nd");
        assert_eq!(&records[0][5], "'=cmd()");
        assert!(records.iter().all(|record| record.len() == COLUMNS.len()));
    }
}
