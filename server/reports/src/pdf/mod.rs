//! The PDF: a cover that says what this is and how to check it, then the tables.
//!
//! Laid out twice over: first every page as a list of what stands where, so that the number of pages
//! is known, then drawn.

mod cover;
mod draw;
mod page;
mod table;
mod typeface;

use ralex_kernel::Problem;

use crate::document::Document;
use crate::frame::{Cover, Frame, unwritable};
use page::Pages;
use typeface::Typefaces;

/// So many rows of a table are printed; nobody reads more on paper, and the other formats have all.
pub(crate) const MOST_ROWS: usize = 5_000;

/// The report as a PDF.
pub(crate) fn pdf(frame: &Frame, cover: &Cover, document: &Document) -> Result<Vec<u8>, Problem> {
    let faces = Typefaces::load().map_err(|error| unwritable(&error))?;
    let mut pages = Pages::new(&faces);
    cover::lay_out(&mut pages, frame, cover, document);
    for table in &document.tables {
        table::lay_out(&mut pages, table);
    }
    draw::draw(&faces, pages.finish(), frame, cover)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Cell, Room, Table};
    use crate::frame::Head;
    use crate::frame::tests::{document, frame};

    fn cover() -> Cover {
        Cover {
            report: ralex_kernel::ReportId::from_uuid(uuid::Uuid::nil()),
            made_at: "2026-04-02T00:00:00Z".parse().unwrap(),
            made_by: "owner@example.com".to_owned(),
            sha256: "ab".repeat(32),
            bundle_sha256: None,
            head: Some(Head {
                tree_size: 4711,
                root: vec![7; 32],
                note: String::new(),
                key: "ralex/audit+01234567+key".to_owned(),
            }),
        }
    }

    /// All that stands on the pages, in the order in which it is drawn.
    fn texts(document: &Document) -> Vec<Vec<String>> {
        let faces = Typefaces::load().unwrap();
        let mut pages = Pages::new(&faces);
        cover::lay_out(&mut pages, &frame(), &cover(), document);
        for table in &document.tables {
            table::lay_out(&mut pages, table);
        }
        pages.finish().iter().map(page::Page::texts).collect()
    }

    #[test]
    fn the_cover_says_how_to_check_what_follows() {
        let pages = texts(&document(2));
        let cover = pages[0].join("");
        for expected in ["4 711", &"ab".repeat(32), "ralex/audit+01234567+key", "owner@example.com"]
        {
            assert!(cover.contains(expected), "{expected} in {cover}");
        }
    }

    #[test]
    fn every_page_of_a_long_table_repeats_its_head_and_no_row_is_lost() {
        let pages = texts(&document(200));
        assert!(pages.len() > 4, "{}", pages.len());
        for page in &pages[1..] {
            assert!(page.iter().any(|text| text == "Name"), "{page:?}");
        }
        let all = pages.concat();
        for n in 0..200 {
            let name = format!("=person {n}");
            assert_eq!(all.iter().filter(|text| **text == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn a_text_longer_than_a_page_goes_on_on_the_next() {
        let mut long = Document::default();
        let mut table = Table::new("t", "T", &[("a", "A"), ("b", "B")], "");
        let word = "x".repeat(40_000);
        let row = vec![Cell::text(word.clone()), Cell::text("short")];
        table.push(&mut Room::of(1 << 20), row).unwrap();
        long.tables.push(table);
        let pages = texts(&long);
        let all: String =
            pages.concat().iter().filter(|it| it.starts_with("xx")).cloned().collect();
        assert_eq!(all.len(), word.len());
    }

    #[test]
    fn what_is_more_than_anybody_prints_is_told() {
        let pages = texts(&document(MOST_ROWS + 1));
        let all = pages.concat().join(" ");
        assert!(all.contains("The first 5 000 of 5 001 rows"), "{}", &all[..2_000]);
    }

    #[test]
    fn a_pdf_is_one_and_names_the_root_for_programs() {
        let made = pdf(&frame(), &cover(), &document(40)).unwrap();
        assert!(made.starts_with(b"%PDF-"));
        let text = String::from_utf8_lossy(&made);
        assert!(text.contains("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="), "no root");
        assert!(text.contains("tree size 4711"), "no size");
    }
}
