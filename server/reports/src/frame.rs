//! The frame: what every report says of itself beside its contents, and how JSON and CSV are written.

use chrono::{DateTime, SecondsFormat, Utc};
use ralex_api::reports::{ReportFilters, ReportKind};
use ralex_kernel::sheet::harmless;
use ralex_kernel::{Code, OrgId, Problem, ReportId};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::document::{Cell, Document, Facts, Receipt, Table};

/// The version of the form; it changes when a reader has to.
const VERSION: u32 = 1;

/// Whose report it is, of when and of what.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub kind: ReportKind,
    pub org: OrgId,
    pub slug: String,
    pub name: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub filters: ReportFilters,
    pub sample: Option<Sampled>,
}

/// A sample that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sampled {
    pub size: u32,
    pub seed: String,
    pub population: u64,
}

/// What stands on the cover and not in the data, since it is another one each time.
#[derive(Clone, Debug)]
pub(crate) struct Cover {
    pub report: ReportId,
    pub made_at: DateTime<Utc>,
    pub made_by: String,
    /// Of the JSON, in hexadecimal.
    pub sha256: String,
    pub bundle_sha256: Option<String>,
    pub head: Option<Head>,
}

/// The signed head of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub tree_size: u64,
    pub root: Vec<u8>,
    pub note: String,
    pub key: String,
}

impl Frame {
    pub fn filters(&self) -> Map<String, Value> {
        match serde_json::to_value(&self.filters) {
            Ok(Value::Object(filters)) => filters,
            Ok(_) | Err(_) => Map::new(),
        }
    }

    /// The filters in words.
    pub fn narrowed(&self) -> String {
        let filters = self.filters();
        if filters.is_empty() {
            return "none: everything of the organisation".to_owned();
        }
        let written = filters.iter().map(|(name, value)| {
            format!("{name} = {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        });
        written.collect::<Vec<_>>().join(", ")
    }
}

/// The data as it is written. The order of its fields is part of the form.
#[derive(Serialize)]
struct Data<'a> {
    ralex_report: u32,
    kind: ReportKind,
    title: &'a str,
    organisation: Value,
    period: Value,
    filters: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<Value>,
    about: &'a str,
    facts: Facts<'a>,
    tables: &'a [Table],
    notes: &'a [String],
    #[serde(skip_serializing_if = "<[Receipt]>::is_empty")]
    receipts: &'a [Receipt],
}

/// The data: the same rows give the same bytes.
pub(crate) fn json(frame: &Frame, document: &Document) -> Result<Vec<u8>, Problem> {
    let sample = frame.sample.as_ref().map(|Sampled { size, seed, population }| {
        json!({ "size": size, "seed": seed, "population": population })
    });
    let data = Data {
        ralex_report: VERSION,
        kind: frame.kind,
        title: frame.kind.title(),
        organisation: json!({ "id": frame.org, "slug": frame.slug, "name": frame.name }),
        period: json!({ "from": exact(frame.from), "to": exact(frame.to) }),
        filters: frame.filters(),
        sample,
        about: &document.about,
        facts: Facts(&document.facts),
        tables: &document.tables,
        notes: &document.notes,
        receipts: &document.receipts,
    };
    let mut text = serde_json::to_vec_pretty(&data).map_err(|error| unwritable(&error))?;
    text.push(b'\n');
    Ok(text)
}

/// One table below another, each under its name, after the facts; RFC 4180, with nothing that a
/// spreadsheet would run.
pub(crate) fn csv(frame: &Frame, document: &Document) -> Result<Vec<u8>, Problem> {
    let mut lines = vec![
        vec!["Report".to_owned(), frame.kind.title().to_owned()],
        vec!["Organisation".to_owned(), frame.name.clone(), frame.slug.clone()],
        vec!["From".to_owned(), exact(frame.from)],
        vec!["Before".to_owned(), exact(frame.to)],
        vec!["Filters".to_owned(), frame.narrowed()],
    ];
    if let Some(Sampled { size, seed, population }) = &frame.sample {
        lines.push(vec!["Sample size".to_owned(), size.to_string()]);
        lines.push(vec!["Sample seed".to_owned(), seed.clone()]);
        lines.push(vec!["Sample taken of".to_owned(), population.to_string()]);
    }
    let facts = document.facts.iter();
    lines.extend(facts.map(|fact| vec![fact.label.to_owned(), fact.value.exact()]));
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .from_writer(Vec::new());
    let mut write = |line: Vec<String>| {
        let line = line.into_iter().map(harmless);
        writer.write_record(line).map_err(|error| unwritable(&error))
    };
    for line in lines {
        write(line)?;
    }
    for table in &document.tables {
        write(vec![String::new()])?;
        write(vec![table.title.to_owned(), format!("{} rows", table.rows.len())])?;
        write(table.columns.iter().map(|(key, _)| (*key).to_owned()).collect())?;
        for row in &table.rows {
            write(row.iter().map(Cell::exact).collect())?;
        }
    }
    writer.into_inner().map_err(|error| unwritable(error.error()))
}

fn exact(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

pub(crate) fn unwritable(error: &dyn std::error::Error) -> Problem {
    Problem::new(Code::Internal, format!("The report could not be written: {error}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::document::Room;

    pub(crate) fn frame() -> Frame {
        Frame {
            kind: ReportKind::AccessReview,
            org: OrgId::from_uuid(uuid::Uuid::nil()),
            slug: "acme".to_owned(),
            name: "=Acme".to_owned(),
            from: "2026-01-01T00:00:00Z".parse().unwrap(),
            to: "2026-04-01T00:00:00Z".parse().unwrap(),
            filters: ReportFilters { team: Some("core".to_owned()), ..ReportFilters::default() },
            sample: None,
        }
    }

    pub(crate) fn document(rows: usize) -> Document {
        let mut document = Document { about: "A test.".to_owned(), ..Document::default() };
        document.fact("people", "People", Cell::Count(2));
        let mut table = Table::new("people", "People", &[("name", "Name"), ("at", "At")], "All.");
        let mut room = Room::of(64 << 20);
        for n in 0..rows {
            let at = Cell::Time("2026-02-03T04:05:06Z".parse().unwrap());
            table.push(&mut room, vec![Cell::text(format!("=person {n}")), at]).unwrap();
        }
        document.tables.push(table);
        document
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let first = json(&frame(), &document(3)).unwrap();
        assert_eq!(first, json(&frame(), &document(3)).unwrap());
        let read: Value = serde_json::from_slice(&first).unwrap();
        assert_eq!(read["tables"][0]["count"], 3);
        assert_eq!(read["tables"][0]["rows"][2]["name"], "=person 2");
        assert_eq!(read["facts"]["people"], 2);
        assert_eq!(read["filters"]["team"], "core");
    }

    #[test]
    fn a_table_holds_nothing_that_a_spreadsheet_would_run() {
        let text = String::from_utf8(csv(&frame(), &document(2)).unwrap()).unwrap();
        assert!(text.contains("Organisation,'=Acme,acme\r\n"), "{text}");
        assert!(text.contains("name,at\r\n'=person 0,2026-02-03T04:05:06Z\r\n"), "{text}");
    }
}
