//! Typefaces: Inter in two weights (Latin, Greek, Cyrillic), what its letters take, and how lines
//! break.

use std::collections::HashMap;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

const REGULAR: &[u8] = include_bytes!("../../fonts/Inter-Regular.ttf");
const SEMIBOLD: &[u8] = include_bytes!("../../fonts/Inter-SemiBold.ttf");

/// What stands for a letter that the typeface lacks.
const UNKNOWN: char = '?';

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    SemiBold,
}

pub(super) struct Typefaces {
    regular: Typeface,
    semibold: Typeface,
}

pub(super) struct Typeface {
    pub font: Font,
    /// Glyph and advance of each letter, in parts of the size.
    glyphs: HashMap<char, (u32, f32)>,
}

#[derive(Debug, thiserror::Error)]
#[error("a typeface cannot be read")]
pub(super) struct Unreadable;

impl Typefaces {
    pub fn load() -> Result<Self, Unreadable> {
        Ok(Self { regular: Typeface::load(REGULAR)?, semibold: Typeface::load(SEMIBOLD)? })
    }

    pub const fn of(&self, weight: Weight) -> &Typeface {
        match weight {
            Weight::Regular => &self.regular,
            Weight::SemiBold => &self.semibold,
        }
    }
}

impl Typeface {
    fn load(data: &'static [u8]) -> Result<Self, Unreadable> {
        let font = FontRef::new(data).map_err(|_| Unreadable)?;
        let metrics = font.glyph_metrics(Size::new(1.0), LocationRef::default());
        let glyphs = font.charmap().mappings().filter_map(|(code, glyph)| {
            let advance = metrics.advance_width(glyph)?;
            Some((char::from_u32(code)?, (glyph.to_u32(), advance)))
        });
        let glyphs = glyphs.collect();
        Ok(Self { font: Font::new(data.to_vec().into(), 0).ok_or(Unreadable)?, glyphs })
    }

    fn glyph(&self, letter: char) -> (u32, f32) {
        let found = self.glyphs.get(&letter).or_else(|| self.glyphs.get(&UNKNOWN));
        found.copied().unwrap_or((0, 0.5))
    }

    /// How wide a text is at size 1.
    pub fn width(&self, text: &str) -> f32 {
        text.chars().map(|letter| self.glyph(letter).1).sum()
    }

    /// Whether every letter of it can be shown.
    pub fn knows(&self, text: &str) -> bool {
        text.chars().all(|letter| letter.is_control() || self.glyphs.contains_key(&letter))
    }

    pub fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let glyph = |(at, letter): (usize, char)| {
            let (id, advance) = self.glyph(letter);
            let range = at..at + letter.len_utf8();
            KrillaGlyph::new(GlyphId::new(id), advance, 0.0, 0.0, 0.0, range, None)
        };
        text.char_indices().map(glyph).collect()
    }

    /// The lines of a text that is at most `width` wide at size 1: broken at spaces where that can be
    /// done, and within words that are wider. There is always one.
    pub fn lines(&self, text: &str, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.split('\n') {
            let mut line = String::new();
            let mut taken = 0.0;
            for word in paragraph.split_inclusive(' ') {
                let word: String =
                    word.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
                let long = self.width(word.trim_end());
                if taken > 0.0 && taken + long > width {
                    lines.push(std::mem::take(&mut line).trim_end().to_owned());
                    taken = 0.0;
                }
                if long <= width {
                    line.push_str(&word);
                    taken += self.width(&word);
                    continue;
                }
                for letter in word.chars() {
                    let wide = self.glyph(letter).1;
                    if taken > 0.0 && taken + wide > width {
                        lines.push(std::mem::take(&mut line));
                        taken = 0.0;
                    }
                    line.push(letter);
                    taken += wide;
                }
            }
            lines.push(line.trim_end().to_owned());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_it_may_be_and_no_letter_is_lost() {
        let faces = Typefaces::load().unwrap();
        let face = faces.of(Weight::Regular);
        let text =
            format!("Who holds which role, and since when: {} end", "0123456789abcdef".repeat(9));
        let lines = face.lines(&text, 12.0);
        assert!(lines.len() > 5, "{lines:?}");
        assert!(lines.iter().all(|line| face.width(line) <= 12.01), "{lines:?}");
        let letters = |text: &str| text.chars().filter(|it| *it != ' ').collect::<String>();
        assert_eq!(letters(&lines.concat()), letters(&text));
        assert_eq!(face.lines("", 5.0), [""]);
        assert!(face.knows("Zażółć gęślą, Ελληνικά, Кириллица") && !face.knows("漢字"));
    }
}
