//! Drawing: the pages as a PDF, with a foot on each, an outline, and what programs read of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{Datelike, Timelike};
use krilla::Document;
use krilla::color::rgb;
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use ralex_kernel::{Code, Problem};

use super::page::{Ink, MARGIN, Mark, Page};
use super::typeface::Typefaces;
use super::typeface::Weight::Regular;
use crate::frame::{Cover, Frame};

pub(super) fn draw(
    faces: &Typefaces,
    pages: Vec<Page>,
    frame: &Frame,
    cover: &Cover,
) -> Result<Vec<u8>, Problem> {
    let mut document = Document::new();
    document.set_metadata(metadata(frame, cover));
    let mut outline = Outline::new();
    let all = pages.len();
    for (n, page) in pages.iter().enumerate() {
        if let Some(title) = &page.title {
            let top = XyzDestination::new(n, Point::from_xy(0.0, 0.0));
            outline.push_child(OutlineNode::new(title.clone(), top));
        }
        let settings = PageSettings::from_wh(page.width, page.height).ok_or_else(undrawable)?;
        let mut drawn = document.start_page_with(settings);
        let mut surface = drawn.surface();
        for mark in &page.marks {
            draw_mark(&mut surface, faces, mark);
        }
        for mark in foot(faces, page, frame, cover, (n + 1, all)) {
            draw_mark(&mut surface, faces, &mark);
        }
        surface.finish();
        drawn.finish();
    }
    document.set_outline(outline);
    document.finish().map_err(|_| undrawable())
}

fn undrawable() -> Problem {
    Problem::new(Code::Internal, "The PDF could not be drawn.")
}

fn metadata(frame: &Frame, cover: &Cover) -> Metadata {
    let at = cover.made_at;
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    let made = DateTime::new(u16::try_from(at.year()).unwrap_or_default())
        .month(small(at.month()))
        .day(small(at.day()))
        .hour(small(at.hour()))
        .minute(small(at.minute()))
        .second(small(at.second()))
        .utc_offset_hour(0);
    let mut keywords = vec![format!("json sha256 {}", cover.sha256)];
    if let Some(head) = &cover.head {
        keywords.push(format!("tree size {}", head.tree_size));
        keywords.push(format!("root {}", STANDARD.encode(&head.root)));
    }
    Metadata::new()
        .title(format!("{} of {}", frame.kind.title(), frame.name))
        .description(format!("Report {}", cover.report))
        .keywords(keywords)
        .creator("Ralex".to_owned())
        .language("en".to_owned())
        .document_id(cover.report.to_string())
        .creation_date(made)
}

fn draw_mark(surface: &mut Surface<'_>, faces: &Typefaces, mark: &Mark) {
    match mark {
        Mark::Text { x, y, size, weight, ink, text } => {
            let face = faces.of(*weight);
            surface.set_fill(Some(fill(*ink)));
            let glyphs = face.glyphs(text);
            let start = Point::from_xy(*x, *y);
            surface.draw_glyphs(start, &glyphs, face.font.clone(), text, *size, false);
        }
        Mark::Box { x, y, width, height, ink } => {
            let mut path = PathBuilder::new();
            if let Some(area) = Rect::from_xywh(*x, *y, *width, *height) {
                path.push_rect(area);
            }
            if let Some(path) = path.finish() {
                surface.set_fill(Some(fill(*ink)));
                surface.draw_path(&path);
            }
        }
    }
}

fn fill(ink: Ink) -> Fill {
    let (red, green, blue) = match ink {
        Ink::Text => (24, 24, 31),
        Ink::Faint => (96, 97, 112),
        Ink::Accent => (79, 70, 229),
        Ink::Head => (231, 231, 238),
        Ink::Rule => (208, 208, 218),
        Ink::Wash => (247, 247, 250),
    };
    Fill { paint: rgb::Color::new(red, green, blue).into(), ..Fill::default() }
}

fn foot(
    faces: &Typefaces,
    page: &Page,
    frame: &Frame,
    cover: &Cover,
    (n, all): (usize, usize),
) -> [Mark; 2] {
    let size = 6.5;
    let text = |x, text| Mark::Text {
        x,
        y: page.height - 26.0,
        size,
        weight: Regular,
        ink: Ink::Faint,
        text,
    };
    let day = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d").to_string();
    let (from, to) = (day(frame.from), day(frame.to));
    let title = frame.kind.title();
    let left = format!("{title} · {} · {from} to {to} · report {}", frame.name, cover.report);
    let right = format!("Page {n} of {all}");
    let wide = faces.of(Regular).width(&right) * size;
    [text(MARGIN, left), text(page.width - MARGIN - wide, right)]
}
