//! Audit extract: events of the log, with the bundle that proves them.
//!
//! The rows are read from the bundle itself while it is made, so what the report shows is what the
//! bundle holds.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use ralex_api::audit::{ExportFormat, ExportQuery};
use ralex_kernel::{Code, EventId, Problem};
use ralex_store::problem;
use serde_json::Value;

use crate::document::{Cell, Document, Receipt, Table};
use crate::packed::Packer;
use crate::sql::events::words;
use crate::sql::people;
use crate::work::Work;

const EVENTS: &[(&str, &str)] = &[
    ("index", "Index"),
    ("occurred_at", "When"),
    ("actor_name", "By"),
    ("actor", "Known as"),
    ("action", "Action"),
    ("outcome", "Outcome"),
    ("target", "Done to"),
    ("detail", "Detail"),
    ("address", "From"),
    ("event", "Event"),
    ("leaf_hash", "Leaf hash"),
];

/// One event as the bundle has it.
struct Line {
    id: String,
    row: Vec<Cell>,
}

pub(crate) async fn document(work: &mut Work<'_>) -> Result<Document, Problem> {
    work.at(5, "Waits for the signed head").await?;
    let filters = work.frame.filters.clone();
    let query = ExportQuery {
        format: ExportFormat::Jsonl,
        actor: filters.actor,
        action: filters.action,
        target: filters.target,
        outcome: filters.outcome,
        from: Some(work.frame.from),
        to: Some(work.frame.to),
        after: None,
    };
    let export = work.inner.audit.export(&work.author, &query).await?;
    let (tree_size, count) = (export.tree_size, export.count);
    work.at(10, "Reads the log").await?;
    let (lines, head) = read(work, export).await?;
    let mut document = Document {
        about: "Events of the organisation's audit log, with the proof that each is in the signed tree \
                and that the tree holds as many leaves as are told."
            .to_owned(),
        ..Document::default()
    };
    document.fact("tree_size", "Leaves in the signed tree", Cell::count(tree_size));
    document.fact("matching", "Events that match", Cell::count(count));
    if let Some((root, note)) = head {
        document.fact("root", "Root of the tree", Cell::text(root));
        document.fact("checkpoint", "Signed head", Cell::text(note));
    }
    if let Some(bundle) = &work.bundle {
        let hash = hex::encode(bundle.sha256);
        document.fact("bundle_sha256", "SHA-256 of the bundle", Cell::text(hash));
    }
    let population: Vec<String> = lines.iter().map(|line| line.id.clone()).collect();
    let selected = work.select(&population);
    let about = match &selected {
        None => "Every event that matches, in the order of the tree.".to_owned(),
        Some(selected) => {
            format!("A random sample: {} of {} events.", selected.len(), population.len())
        }
    };
    let mut table = Table::new("events", "Events", EVENTS, about);
    for line in lines {
        if selected.as_ref().is_none_or(|selected| selected.contains(&line.id)) {
            table.rows.push(line.row);
        }
    }
    document.tables.push(table);
    if let Some(selected) = selected {
        work.at(60, "Proves each event of the sample").await?;
        document.receipts = receipts(work, selected).await?;
    }
    explain(&mut document);
    Ok(document)
}

fn explain(document: &mut Document) {
    document.notes.push(
        "Changes of the log's signing key are always among the events, whatever the filter says, since \
         a verifier cannot go on without them."
            .to_owned(),
    );
    document.verify.push(
        "Download the bundle of this report and run: ralex audit verify --key KEY FILE. It needs no \
         server and no network, and says which leaf is not what was signed, if any is."
            .to_owned(),
    );
    if !document.receipts.is_empty() {
        document.verify.push(
            "Each event of the sample has a receipt in the JSON (receipts), a file that proves it \
             alone: ralex audit verify --key KEY FILE."
                .to_owned(),
        );
    }
}

/// What actors are called.
type Names = HashMap<String, String>;

/// The names of those who are here; the log itself knows ids only, since a name can change.
async fn names(work: &Work<'_>) -> Result<Names, Problem> {
    let (org, mut tx) = (work.org(), work.tenant().await?);
    let people = people::people(&mut tx, org).await.map_err(problem)?;
    let programs = people::program_names(&mut tx, org).await.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    let people = people.into_iter().map(|it| (format!("user:{}", it.id), it.email));
    let ralex = ("system".to_owned(), "Ralex".to_owned());
    Ok(people.chain(programs).chain([ralex]).collect())
}

/// Keeps the bundle and reads its lines, however it is cut into parts.
async fn read(
    work: &mut Work<'_>,
    mut export: ralex_audit::Export,
) -> Result<(Vec<Line>, Option<(String, String)>), Problem> {
    let mut packer = Packer::new(work.room.most);
    let (mut lines, mut head) = (Vec::new(), None);
    let mut rest = Vec::new();
    let all = export.count.max(1);
    let mut told = 0;
    let names = names(work).await?;
    while let Some(part) = export.parts.next().await {
        let part = part?;
        packer.add(&part)?;
        rest.extend_from_slice(&part);
        let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = rest.drain(..end).collect();
        for text in whole.split(|byte| *byte == b'\n').filter(|text| !text.is_empty()) {
            let value: Value = serde_json::from_slice(text).map_err(|_| unreadable())?;
            if let Some(note) = value["checkpoint"].as_str() {
                let root = note.lines().nth(2).unwrap_or_default();
                head = Some((root.to_owned(), note.to_owned()));
            } else if value.get("event").is_some() {
                let line = line(&value, &names);
                work.room.take(line.row.len() * 64)?;
                lines.push(line);
            }
        }
        let percent = 10 + i16::try_from(lines.len() as u64 * 45 / all).unwrap_or(45).min(45);
        if percent > told + 4 {
            told = percent;
            work.at(percent, "Reads the log").await?;
        }
    }
    if work.wants_bundle {
        work.bundle = Some(packer.finish()?);
    }
    Ok((lines, head))
}

fn unreadable() -> Problem {
    Problem::new(Code::Internal, "A line of the log's export cannot be read.")
}

fn line(value: &Value, names: &Names) -> Line {
    let record = &value["event"];
    let text = |path: &str| record.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let actor = match (text("/actor/kind"), text("/actor/id")) {
        (Some(kind), Some(id)) => format!("{kind}:{id}"),
        (kind, _) => kind.unwrap_or_default(),
    };
    let at = text("/occurred_at").and_then(|at| at.parse().ok());
    let id = text("/event_id").unwrap_or_default();
    let hash = value["hash"].as_str().and_then(|hash| STANDARD.decode(hash).ok());
    let row = vec![
        value["index"].as_i64().map_or(Cell::Empty, Cell::Count),
        Cell::time(at),
        Cell::maybe(names.get(&actor).cloned()),
        Cell::text(actor),
        Cell::maybe(text("/action")),
        Cell::maybe(text("/outcome")),
        Cell::maybe(text("/target")),
        Cell::text(words(&record["detail"])),
        Cell::maybe(text("/address")),
        Cell::text(&id),
        Cell::maybe(hash.map(hex::encode)),
    ];
    Line { id, row }
}

async fn receipts(work: &mut Work<'_>, selected: Vec<String>) -> Result<Vec<Receipt>, Problem> {
    let mut receipts = Vec::new();
    for id in selected {
        let event: EventId = id.parse().map_err(|_| unreadable())?;
        let receipt = work.inner.audit.receipt(work.org(), event).await?;
        work.room.take(receipt.len())?;
        receipts.push(Receipt { event: id, receipt });
    }
    Ok(receipts)
}
