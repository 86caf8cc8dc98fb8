//! The document: what a report says, before anybody has decided how it is written.
//!
//! Every format is written from this, so they cannot differ. It says nothing of when or by whom it
//! was made: the same rows give the same document.

use chrono::{DateTime, SecondsFormat, Utc};
use ralex_kernel::{Code, Money, Problem};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// One value of a fact or a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Empty,
    Text(String),
    Count(i64),
    Money(Money),
    Time(DateTime<Utc>),
    Yes(bool),
}

/// A column's key in JSON and CSV, and its label for people.
pub(crate) type Column = (&'static str, &'static str);

#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub key: &'static str,
    pub label: &'static str,
    pub value: Cell,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub key: &'static str,
    pub title: &'static str,
    /// What it holds and what not, so that nobody takes a part for the whole.
    pub about: String,
    pub columns: &'static [Column],
    pub rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    /// One or two sentences: what this is evidence of, and what not.
    pub about: String,
    pub facts: Vec<Fact>,
    pub tables: Vec<Table>,
    /// What a reader has to know, a sentence each.
    pub notes: Vec<String>,
    /// How to check it, a step each.
    pub verify: Vec<String>,
    /// Whether whoever reviews it signs it.
    pub sign_off: bool,
    /// Proofs that `ralex audit verify` reads, by the id of what they prove.
    pub receipts: Vec<Receipt>,
}

/// The proof of one event.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Receipt {
    pub event: String,
    pub receipt: String,
}

/// How much a report may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub most: usize,
    left: usize,
}

impl Room {
    pub const fn of(most: usize) -> Self {
        Self { most, left: most }
    }

    pub fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| too_large(self.most))?;
        Ok(())
    }
}

pub(crate) fn too_large(most: usize) -> Problem {
    let detail = format!(
        "This report would hold more than {} MB, which is the most that this server makes. Ask for \
         less time, or with more filters; an operator raises the limit with RALEX_REPORT_BYTES.",
        most >> 20
    );
    Problem::new(Code::TooLarge, detail)
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Empty } else { Self::Text(text) }
    }

    pub fn maybe(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Empty, Self::text)
    }

    pub fn time(at: Option<DateTime<Utc>>) -> Self {
        at.map_or(Self::Empty, Self::Time)
    }

    pub fn count(count: u64) -> Self {
        Self::Count(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// For programs: exact, and the same in every place.
    pub fn exact(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Money(money) => money.to_string(),
            Self::Time(at) => at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            Self::Yes(yes) => yes.to_string(),
        }
    }

    /// For people.
    pub fn shown(&self) -> String {
        match self {
            Self::Empty => "-".to_owned(),
            Self::Text(text) => text.clone(),
            Self::Count(count) => grouped(*count),
            Self::Money(money) => format!("$ {money}"),
            Self::Time(at) => at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            Self::Yes(true) => "yes".to_owned(),
            Self::Yes(false) => "no".to_owned(),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 16,
            Self::Empty | Self::Count(_) | Self::Money(_) | Self::Time(_) | Self::Yes(_) => 24,
        }
    }
}

/// Thousands apart by a thin gap that every font has.
fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    if count < 0 { format!("-{text}") } else { text }
}

impl Table {
    pub fn new(
        key: &'static str,
        title: &'static str,
        columns: &'static [Column],
        about: impl Into<String>,
    ) -> Self {
        Self { key, title, about: about.into(), columns, rows: Vec::new() }
    }

    pub fn push(&mut self, room: &mut Room, row: Vec<Cell>) -> Result<(), Problem> {
        room.take(row.iter().map(Cell::weight).sum())?;
        self.rows.push(row);
        Ok(())
    }
}

impl Document {
    pub fn fact(&mut self, key: &'static str, label: &'static str, value: Cell) {
        self.facts.push(Fact { key, label, value });
    }

    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows.len() as u64).sum()
    }
}

/// For programs, row by row, so that nothing is held twice.
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty => to.serialize_none(),
            Self::Text(text) => to.serialize_str(text),
            Self::Count(count) => to.serialize_i64(*count),
            Self::Money(_) | Self::Time(_) => to.serialize_str(&self.exact()),
            Self::Yes(yes) => to.serialize_bool(*yes),
        }
    }
}

/// Facts by their keys; the order is part of it.
pub(crate) struct Facts<'a>(pub &'a [Fact]);

impl Serialize for Facts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|fact| (fact.key, &fact.value)))
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(5))?;
        map.serialize_entry("name", self.key)?;
        map.serialize_entry("title", self.title)?;
        map.serialize_entry("about", &self.about)?;
        map.serialize_entry("count", &self.rows.len())?;
        map.serialize_entry("rows", &Rows(self))?;
        map.end()
    }
}

struct Rows<'a>(&'a Table);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.rows.iter().map(|row| Row(self.0.columns, row)))
    }
}

struct Row<'a>(&'static [Column], &'a [Cell]);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().zip(self.1).map(|((key, _), cell)| (*key, cell)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart_for_people_and_exact_for_programs() {
        for (count, shown) in [(0, "0"), (999, "999"), (1_000, "1 000"), (-1_234_567, "-1 234 567")]
        {
            assert_eq!(Cell::Count(count).shown(), shown);
            assert_eq!(Cell::Count(count).exact(), count.to_string());
        }
    }

    #[test]
    fn a_report_that_would_hold_too_much_says_so_before_it_does() {
        let mut table = Table::new("t", "T", &[("a", "A")], "");
        let mut room = Room::of(100);
        table.push(&mut room, vec![Cell::text("x".repeat(40))]).unwrap();
        let refused = table.push(&mut room, vec![Cell::text("x".repeat(40))]).unwrap_err();
        assert_eq!(refused.code, Code::TooLarge);
        assert_eq!(table.rows.len(), 1);
    }
}
