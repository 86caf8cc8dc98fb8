//! The cover: whose report, of when, of what, how many, and how to check it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::page::{Ink, LONG, MARGIN, Mark, Pages, SHORT};
use super::typeface::Weight::{Regular, SemiBold};
use crate::document::{Cell, Document};
use crate::frame::{Cover, Frame, Sampled};

const LABEL: f32 = 168.0;
const SIZE: f32 = 8.5;

pub(super) fn lay_out(pages: &mut Pages<'_>, frame: &Frame, cover: &Cover, document: &Document) {
    pages.begin((SHORT, LONG), Some("Cover".to_owned()));
    pages.mark(Mark::Box { x: MARGIN, y: MARGIN, width: 36.0, height: 4.0, ink: Ink::Accent });
    pages.y += 18.0;
    pages.paragraph(MARGIN, 22.0, (SemiBold, Ink::Text), frame.kind.title());
    pages.paragraph(MARGIN, 12.0, (Regular, Ink::Faint), &frame.name);
    pages.y += 8.0;
    pages.paragraph(MARGIN, 9.5, (Regular, Ink::Text), &document.about);
    section(pages, "This report");
    let time = |at| Cell::Time(at).shown();
    pair(pages, "Organisation", &format!("{} ({})", frame.name, frame.slug));
    let period = format!("from {}, before {}", time(frame.from), time(frame.to));
    pair(pages, "Period", &period);
    pair(pages, "Filters", &frame.narrowed());
    if let Some(Sampled { size, seed, population }) = &frame.sample {
        let text = format!(
            "{size} of {population}, by the seed {seed}: those with the lowest SHA-256 of seed, line \
             feed and id"
        );
        pair(pages, "Random sample", &text);
    }
    pair(pages, "Made", &format!("{} by {}", time(cover.made_at), cover.made_by));
    pair(pages, "Report", &cover.report.to_string());
    section(pages, "Counts");
    for fact in &document.facts {
        pair(pages, fact.label, &fact.value.shown());
    }
    let tables = document.tables.iter().map(|it| format!("{} {}", it.title, it.rows.len()));
    pair(pages, "Rows of each table", &tables.collect::<Vec<_>>().join(", "));
    evidence(pages, cover, document);
    if !document.notes.is_empty() {
        section(pages, "To know");
        list(pages, &document.notes);
    }
    if document.sign_off {
        sign_off(pages);
    }
}

fn evidence(pages: &mut Pages<'_>, cover: &Cover, document: &Document) {
    section(pages, "Evidence");
    pair(pages, "SHA-256 of the JSON", &cover.sha256);
    if let Some(hash) = &cover.bundle_sha256 {
        pair(pages, "SHA-256 of the bundle", hash);
    }
    if let Some(head) = &cover.head {
        pair(pages, "Audit log, tree size", &Cell::count(head.tree_size).shown());
        pair(pages, "Audit log, root", &STANDARD.encode(&head.root));
        pair(pages, "Signing key", &head.key);
    } else {
        pair(pages, "Audit log", "has no signed head yet");
    }
    section(pages, "How to check it");
    let first = [
        "The JSON of this report holds the same rows as these pages. Its SHA-256 (sha256sum FILE) \
         must be the one above."
            .to_owned(),
        format!(
            "The organisation's audit log has an event report.finished with the target report:{} and \
             the same hash. An export of the log with that event in it, checked with \
             \"ralex audit verify --key KEY FILE\", proves that the file is the one that was made \
             then, whoever holds it now.",
            cover.report
        ),
    ];
    list(pages, &first.into_iter().chain(document.verify.iter().cloned()).collect::<Vec<_>>());
}

fn section(pages: &mut Pages<'_>, title: &str) {
    pages.y += 12.0;
    pages.make_room(48.0);
    pages.paragraph(MARGIN, 10.5, (SemiBold, Ink::Text), title);
    let (y, width) = (pages.y, pages.width());
    pages.mark(Mark::Box { x: MARGIN, y, width, height: 0.6, ink: Ink::Rule });
    pages.y += 5.0;
}

fn pair(pages: &mut Pages<'_>, label: &str, value: &str) {
    pages.make_room(SIZE * 1.45);
    pages.text(MARGIN, SIZE, Regular, Ink::Faint, label);
    pages.paragraph(MARGIN + LABEL, SIZE, (Regular, Ink::Text), value);
    pages.y += 1.5;
}

fn list(pages: &mut Pages<'_>, items: &[String]) {
    for (n, item) in items.iter().enumerate() {
        pages.make_room(SIZE * 1.45);
        pages.text(MARGIN, SIZE, Regular, Ink::Faint, &format!("{}.", n + 1));
        pages.paragraph(MARGIN + 16.0, SIZE, (Regular, Ink::Text), item);
        pages.y += 2.0;
    }
}

/// Lines to write on, for whoever reviews it.
fn sign_off(pages: &mut Pages<'_>) {
    pages.make_room(84.0);
    section(pages, "Review");
    pages.y += 26.0;
    let width = (pages.width() - 40.0) / 3.0;
    for (n, label) in ["Reviewed by", "Date", "Signature"].into_iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "one of three")]
        let x = MARGIN + (width + 20.0) * n as f32;
        let y = pages.y;
        pages.mark(Mark::Box { x, y, width, height: 0.6, ink: Ink::Text });
        pages.y += 3.0;
        pages.text(x, 7.5, Regular, Ink::Faint, label);
        pages.y = y;
    }
    pages.y += 16.0;
}
