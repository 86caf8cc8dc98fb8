//! Tables over pages: columns as wide as what is in them, heads on every page, long texts in lines.

use super::MOST_ROWS;
use super::page::{Ink, LONG, MARGIN, Mark, Pages, SHORT};
use super::typeface::Weight::{self, Regular, SemiBold};
use crate::document::{Cell, Table};

const SIZE: f32 = 7.0;
const STEP: f32 = 9.2;
const PAD: f32 = 3.0;
const HEAD: f32 = 6.5;
/// A column takes at most so much before others have what they need.
const WIDEST: f32 = 230.0;
const NARROWEST: f32 = 26.0;
/// So many rows tell how wide columns are.
const LOOKED_AT: usize = 400;

pub(super) fn lay_out(pages: &mut Pages<'_>, table: &Table) {
    // A short one goes on under the one before it.
    #[expect(clippy::cast_precision_loss, reason = "a few rows")]
    let short = 60.0 + table.rows.len().min(8) as f32 * (STEP * 2.0);
    if pages.width() < LONG - 2.0 * MARGIN - 1.0 || pages.left() < short {
        pages.begin((LONG, SHORT), Some(table.title.to_owned()));
    } else {
        pages.y += 18.0;
    }
    title(pages, table);
    let widths = widths(pages, table);
    if table.rows.is_empty() {
        pages.paragraph(MARGIN, SIZE, (Regular, Ink::Faint), "None.");
        return;
    }
    head(pages, table, &widths);
    for (n, row) in table.rows.iter().take(MOST_ROWS).enumerate() {
        row_of(pages, table, &widths, row, n % 2 == 1);
    }
}

fn title(pages: &mut Pages<'_>, table: &Table) {
    pages.paragraph(MARGIN, 12.0, (SemiBold, Ink::Text), table.title);
    let count = Cell::count(table.rows.len() as u64).shown();
    let about = if table.rows.len() > MOST_ROWS {
        let most = Cell::count(MOST_ROWS as u64).shown();
        format!("{} The first {most} of {count} rows; the JSON and CSV have all.", table.about)
    } else {
        format!("{} {}.", table.about, counted(table.rows.len()))
    };
    pages.paragraph(MARGIN, 8.0, (Regular, Ink::Faint), about.trim());
    pages.y += 4.0;
}

fn counted(rows: usize) -> String {
    if rows == 1 {
        "1 row".to_owned()
    } else {
        format!("{} rows", Cell::count(rows as u64).shown())
    }
}

/// Every column gets what it needs; where that is too much together, the wide ones give.
fn widths(pages: &Pages<'_>, table: &Table) -> Vec<f32> {
    let width = |weight: Weight, size: f32, text: &str| {
        let longest = text.split('\n').map(|line| pages.faces.of(weight).width(line));
        longest.fold(0.0, f32::max) * size + 2.0 * PAD + 0.5
    };
    let wanted = table.columns.iter().enumerate().map(|(n, (_, label))| {
        let cells = table.rows.iter().take(LOOKED_AT).filter_map(|row| row.get(n));
        let cells = cells.map(|cell| width(Regular, SIZE, &cell.shown())).fold(0.0, f32::max);
        cells.max(width(SemiBold, HEAD, label)).clamp(NARROWEST, WIDEST)
    });
    let mut widths: Vec<f32> = wanted.collect();
    let whole = pages.width();
    // The widest are cut to one width until all fit.
    let mut sum: f32 = widths.iter().sum();
    while sum > whole + 0.1 {
        let widest = widths.iter().copied().fold(0.0, f32::max);
        let second = widths.iter().copied().filter(|it| *it < widest - 0.01).fold(0.0, f32::max);
        let many = widths.iter().filter(|it| **it >= widest - 0.01).count();
        #[expect(clippy::cast_precision_loss, reason = "a few columns")]
        let cut = ((sum - whole) / many as f32).min((widest - second).max(0.5));
        for it in widths.iter_mut().filter(|it| **it >= widest - 0.01) {
            *it -= cut;
        }
        sum = widths.iter().sum();
    }
    widths
}

fn head(pages: &mut Pages<'_>, table: &Table, widths: &[f32]) {
    let labels: Vec<Vec<String>> = table
        .columns
        .iter()
        .zip(widths)
        .map(|((_, label), width)| {
            pages.faces.of(SemiBold).lines(label, (width - 2.0 * PAD) / HEAD)
        })
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a few lines")]
    let height = labels.iter().map(Vec::len).max().unwrap_or(1) as f32 * (HEAD * 1.3) + 2.0 * PAD;
    pages.make_room(height + STEP * 2.0);
    let (y, width) = (pages.y, widths.iter().sum());
    pages.mark(Mark::Box { x: MARGIN, y, width, height, ink: Ink::Head });
    let mut x = MARGIN + PAD;
    for (lines, width) in labels.iter().zip(widths) {
        pages.y = y + PAD;
        for line in lines {
            pages.text(x, HEAD, SemiBold, Ink::Text, line);
            pages.y += HEAD * 1.3;
        }
        x += width;
    }
    pages.y = y + height;
}

fn row_of(pages: &mut Pages<'_>, table: &Table, widths: &[f32], row: &[Cell], striped: bool) {
    let cells: Vec<Vec<String>> = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| {
            pages.faces.of(Regular).lines(&cell.shown(), (width - 2.0 * PAD) / SIZE)
        })
        .collect();
    let mut done = 0;
    let all = cells.iter().map(Vec::len).max().unwrap_or(1);
    while done < all {
        #[expect(clippy::cast_precision_loss, reason = "lines of one row")]
        let whole = (all - done) as f32 * STEP + 2.0 * PAD;
        let fresh = SHORT - MARGIN - 80.0;
        // A row is broken only where it does not fit on a page of its own.
        if pages.left() < whole && (whole < fresh || pages.left() < STEP * 3.0) {
            pages.begin((LONG, SHORT), None);
            let title = format!("{} (continued)", table.title);
            pages.paragraph(MARGIN, 9.0, (SemiBold, Ink::Faint), &title);
            pages.y += 2.0;
            head(pages, table, widths);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what fits on a page"
        )]
        let fits = ((pages.left() - 2.0 * PAD) / STEP).max(1.0) as usize;
        let now = fits.min(all - done);
        part(pages, widths, &cells, (done, now), striped);
        done += now;
    }
}

fn part(
    pages: &mut Pages<'_>,
    widths: &[f32],
    cells: &[Vec<String>],
    (from, count): (usize, usize),
    striped: bool,
) {
    #[expect(clippy::cast_precision_loss, reason = "lines of one page")]
    let height = count as f32 * STEP + 2.0 * PAD;
    let (y, width) = (pages.y, widths.iter().sum());
    if striped {
        pages.mark(Mark::Box { x: MARGIN, y, width, height, ink: Ink::Wash });
    }
    let mut x = MARGIN + PAD;
    for (lines, width) in cells.iter().zip(widths) {
        pages.y = y + PAD;
        for line in lines.iter().skip(from).take(count) {
            pages.text(x, SIZE, Regular, Ink::Text, line);
            pages.y += STEP;
        }
        x += width;
    }
    pages.y = y + height;
    pages.mark(Mark::Box { x: MARGIN, y: y + height, width, height: 0.35, ink: Ink::Rule });
}
