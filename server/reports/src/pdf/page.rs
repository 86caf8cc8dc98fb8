//! Pages: what stands where, before anything is drawn.

use super::typeface::{Typefaces, Weight};

/// A4, in points.
pub(super) const SHORT: f32 = 595.28;
pub(super) const LONG: f32 = 841.89;
pub(super) const MARGIN: f32 = 42.0;
/// Where the contents end and the foot begins.
pub(super) const FOOT: f32 = 44.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Faint,
    Accent,
    Head,
    Rule,
    Wash,
}

#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// Its baseline begins at x, y.
    Text {
        x: f32,
        y: f32,
        size: f32,
        weight: Weight,
        ink: Ink,
        text: String,
    },
    Box {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        ink: Ink,
    },
}

#[derive(Debug)]
pub(super) struct Page {
    pub width: f32,
    pub height: f32,
    pub marks: Vec<Mark>,
    /// What begins on it, for the outline.
    pub title: Option<String>,
}

pub(super) struct Pages<'a> {
    pub faces: &'a Typefaces,
    done: Vec<Page>,
    /// Where the next thing goes on the last page.
    pub y: f32,
    /// Whether a letter came that the typeface lacks.
    lacks: bool,
}

impl Page {
    pub const fn bottom(&self) -> f32 {
        self.height - FOOT
    }

    #[cfg(test)]
    pub fn texts(&self) -> Vec<String> {
        let text = |mark: &Mark| match mark {
            Mark::Text { text, .. } => Some(text.clone()),
            Mark::Box { .. } => None,
        };
        self.marks.iter().filter_map(text).collect()
    }
}

impl<'a> Pages<'a> {
    pub const fn new(faces: &'a Typefaces) -> Self {
        Self { faces, done: Vec::new(), y: MARGIN, lacks: false }
    }

    pub fn begin(&mut self, (width, height): (f32, f32), title: Option<String>) {
        self.done.push(Page { width, height, marks: Vec::new(), title });
        self.y = MARGIN;
    }

    pub fn width(&self) -> f32 {
        self.done.last().map_or(SHORT, |page| page.width) - 2.0 * MARGIN
    }

    /// What is left on the last page.
    pub fn left(&self) -> f32 {
        self.done.last().map_or(0.0, |page| page.bottom() - self.y)
    }

    pub fn mark(&mut self, mark: Mark) {
        if let Mark::Text { text, weight, .. } = &mark {
            self.lacks |= !self.faces.of(*weight).knows(text);
        }
        if let Some(page) = self.done.last_mut() {
            page.marks.push(mark);
        }
    }

    pub fn text(&mut self, x: f32, size: f32, weight: Weight, ink: Ink, text: &str) {
        if !text.is_empty() {
            let y = self.y + size;
            self.mark(Mark::Text { x, y, size, weight, ink, text: text.to_owned() });
        }
    }

    /// Writes a text in lines from `x` on, over the rest of the width, on as many pages as it takes.
    pub fn paragraph(&mut self, x: f32, size: f32, (weight, ink): (Weight, Ink), text: &str) {
        let width = self.width() - (x - MARGIN);
        let step = size * 1.45;
        for line in self.faces.of(weight).lines(text, width / size) {
            self.make_room(step);
            self.text(x, size, weight, ink, &line);
            self.y += step;
        }
    }

    /// Goes on on another page of the same size where so much does not fit any more.
    pub fn make_room(&mut self, height: f32) {
        if self.left() < height {
            let (width, tall) =
                self.done.last().map_or((SHORT, LONG), |page| (page.width, page.height));
            self.begin((width, tall), None);
        }
    }

    pub fn finish(mut self) -> Vec<Page> {
        if self.lacks {
            let note = "Letters that this PDF's typeface lacks are shown as \"?\"; the JSON and CSV have them.";
            for page in &mut self.done {
                let (x, y) = (MARGIN, page.height - 16.0);
                let (size, weight, ink) = (6.5, Weight::Regular, Ink::Faint);
                page.marks.push(Mark::Text { x, y, size, weight, ink, text: note.to_owned() });
            }
        }
        self.done
    }
}
